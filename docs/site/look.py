"""Look at every page of the built site in a headless Chromium, wide and narrow, light and dark.

    python docs/site/look.py docs/_build/html [--pictures FOLDER]

Each page is loaded in frames of 1400 and 400 columns: nothing may be wider than its frame, but for
what scrolls by itself, every picture must be there, and text must stand out from what is behind it,
by WCAG's measure of contrast. Links within the site must lead to a page,
and to a place in it. Ends with exit code 1 if anything does not.
"""

import argparse
import functools
import html.parser
import http.server
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from urllib.parse import unquote, urldefrag

WIDTHS = (1400, 400)
# By the number that Chromium has for what a reader prefers.
SCHEMES = {"light": 1, "dark": 0}
LEAST_CONTRAST = 4.5  # of text, by WCAG 2, level AA
SKIPPED = ("genindex.html", "search.html", "py-modindex.html")
# Loads each page in a frame of each width, one after another, and writes down what it finds.
HARNESS = r"""<!doctype html><meta charset="utf-8"><pre id="found">[]</pre><script>
const pages = PAGES, widths = WIDTHS, least = LEAST, found = [];
const scrolls = e => ["auto", "scroll", "hidden"].includes(getComputedStyle(e).overflowX);
function wide(view, width) {
  const names = [];
  for (const e of view.document.querySelectorAll("article *")) {
    if (e.getBoundingClientRect().right <= width + 1) continue;
    let up = e.parentElement;
    while (up && !scrolls(up)) up = up.parentElement;
    if (!up || up.tagName === "BODY" || up.tagName === "HTML") names.push(e.outerHTML.slice(0, 90));
  }
  return names.slice(0, 3);
}
function rgba(text) {
  const n = (text.match(/[\d.]+/g) || []).map(Number);
  return n.length < 3 ? [0, 0, 0, 0] : [n[0], n[1], n[2], n.length > 3 ? n[3] : 1];
}
function over(front, back) {
  return [0, 1, 2].map(k => front[k] * front[3] + back[k] * (1 - front[3]));
}
function light(colour) {
  const [r, g, b] = colour.map(c => c / 255).map(
    c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function behind(view, e) {
  const colours = [];
  for (; e; e = e.parentElement) colours.push(rgba(view.getComputedStyle(e).backgroundColor));
  return colours.reverse().reduce((back, front) => over(front, back), [255, 255, 255]);
}
function faint(view) {
  const names = new Map(), walk = view.document.createTreeWalker(view.document.body, 4);
  for (let text = walk.nextNode(); text; text = walk.nextNode()) {
    const e = text.parentElement;
    if (!text.data.trim() || !e.checkVisibility() || e.closest("script, style, svg")) continue;
    const style = view.getComputedStyle(e), back = behind(view, e);
    const pair = [light(over(rgba(style.color), back)), light(back)].sort((a, b) => b - a);
    const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
    const said = contrast.toFixed(1) + ": " + text.data.trim().slice(0, 40);
    if (contrast < least) names.set(style.color, said);
  }
  return [...names].slice(0, 5);
}
function look(view, page, width) {
  const root = view.document.documentElement, said = text => found.push([page, width, text]);
  const more = root.scrollWidth - root.clientWidth;
  if (more > 0) said("wider by " + more);
  faint(view).forEach(each => said("faint: " + each.join(" ")));
  wide(view, root.clientWidth).forEach(name => said("sticks out: " + name));
  for (const picture of view.document.images)
    if (picture.offsetParent && !(picture.complete && picture.naturalWidth))
      said("no picture: " + picture.src);
}
async function run() {
  for (const width of widths) for (const page of pages) {
    const frame = document.createElement("iframe");
    frame.width = width; frame.height = 900;
    document.body.append(frame);
    await new Promise(done => { frame.onload = done; frame.src = page; });
    look(frame.contentWindow, page, width);
    frame.remove();
  }
  document.getElementById("found").textContent = JSON.stringify(found);
  await fetch("/done", {method: "POST", body: JSON.stringify(found)});
}
run();
</script>"""


class Links(html.parser.HTMLParser):
    """A page's links and the places in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places = {""}
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Keep what an element links to, and what it is called."""
        named = dict(attributes)
        self.places.add(named.get("id") or "")
        if tag == "a" and named.get("href"):
            self.links.append(named["href"] or "")


class Handler(http.server.SimpleHTTPRequestHandler):
    """The site, the page that looks at it, and what that found."""

    harness = ""

    def do_GET(self) -> None:
        """A file, or the page that looks."""
        if self.path == "/look":
            body = self.harness.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)
        else:
            super().do_GET()

    def do_POST(self) -> None:
        """What was found."""
        size = int(self.headers["Content-Length"])
        self.server.found = json.loads(self.rfile.read(size))
        self.send_response(200)
        self.end_headers()
        self.server.done.set()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> int:
    """Look, print what is wrong, and count it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path)
    parser.add_argument("--pictures", type=Path, help="a folder for screenshots of every page")
    asked = parser.parse_args()
    paths = sorted(asked.site.rglob("*.html"))
    pages = [str(path.relative_to(asked.site)) for path in paths if path.name not in SKIPPED]
    wrong = broken_links(asked.site, pages)
    with server(asked.site, pages) as served:
        for scheme in SCHEMES:
            wrong += looked_at(served, scheme)
            if asked.pictures:
                pictures(served, pages, asked.pictures, scheme)
    for each in wrong:
        print(*each)  # noqa: T201
    looks = f"{len(WIDTHS)} widths, {len(SCHEMES)} schemes"
    print(f"{len(pages)} pages, {looks}: {len(wrong)} wrong")  # noqa: T201
    return bool(wrong)


def broken_links(site: Path, pages: list[str]) -> list[tuple]:
    """Links of pages that lead nowhere within the site."""
    read = {page: Links((site / page).read_text("utf-8")) for page in pages}
    wrong = []
    for page, found in read.items():
        for link in found.links:
            path, place = urldefrag(link)
            if re.match(r"[a-z]+:", path):
                continue
            target = (site / page).parent / unquote(path) if path else site / page
            inside = str(target.resolve().relative_to(site.resolve()))
            known = read[inside].places if inside in read else {""}
            if not target.exists() or (inside in read and unquote(place) not in known):
                wrong.append((page, "link:", link))
    return wrong


def server(site: Path, pages: list[str]) -> http.server.ThreadingHTTPServer:
    """Serve the site on this machine alone."""
    harness = HARNESS.replace("PAGES", json.dumps(pages)).replace("WIDTHS", json.dumps(WIDTHS))
    harness = harness.replace("LEAST", str(LEAST_CONTRAST))
    handler = type("Handler", (Handler,), {"harness": harness})
    served = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(site))
    )
    served.done, served.found = threading.Event(), []
    threading.Thread(target=served.serve_forever, daemon=True).start()
    return served


def looked_at(served: http.server.ThreadingHTTPServer, scheme: str) -> list[tuple]:
    """What one Chromium finds, of all pages, for readers who prefer a scheme of colours."""
    served.done.clear()
    with tempfile.TemporaryDirectory() as profile:
        command = chromium(profile, scheme, "--window-size=1500,1000", "--remote-debugging-port=0")
        process = subprocess.Popen(
            [*command, f"http://127.0.0.1:{served.server_port}/look"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        came = served.done.wait(timeout=600)
        process.terminate()
        process.wait()
    said = served.found if came else [("Chromium said nothing",)]
    return [(scheme, *each) for each in said]


def chromium(profile: str, scheme: str, *options: str) -> list[str]:
    """How it is called."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or "google-chrome"
    return [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
            f"--user-data-dir={profile}", *options]  # fmt: skip


def pictures(
    served: http.server.ThreadingHTTPServer, pages: list[str], folder: Path, scheme: str
) -> None:
    """A screenshot of each page in each width; of narrow ones in a frame, as no window is."""
    folder.mkdir(parents=True, exist_ok=True)
    for page in pages:
        for width in WIDTHS:
            name = page.removesuffix(".html").replace("/", "-")
            frame = f"<iframe src='/{page}' width={width} height=1600 style='border:0'></iframe>"
            served.RequestHandlerClass.func.harness = f"<body style='margin:0'>{frame}"
            with tempfile.TemporaryDirectory() as profile:
                shot = f"--screenshot={(folder / f'{name}-{width}-{scheme}.png').resolve()}"
                command = chromium(profile, scheme, f"--window-size={max(width, 500)},1600", shot)
                address = f"http://127.0.0.1:{served.server_port}/look"
                quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
                subprocess.run([*command, address], check=True, timeout=120, **quiet)


if __name__ == "__main__":
    sys.exit(main())
