"""Pages: whatever text is put in comes out as that text, and the page is well-formed."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from fastbp import pages
from fastbp._counted import counted
from fastbp.plots import style

HOSTILE = "<script>alert('&amp;')</script> \"x\" \x00\udc80 5 %"
SHOWN = "<script>alert('&amp;')</script> \"x\" \ufffd\ufffd 5\u00a0%"
XHTML = "{http://www.w3.org/1999/xhtml}"


def parsed(page):
    return ET.fromstring(page.encode().removeprefix(b"<!DOCTYPE html>"))


def test_texts_are_shown_as_they_are():
    rows = [["a", HOSTILE], [HOSTILE, HOSTILE]]
    figures = [pages.picture(b"png", HOSTILE), pages.picture(b"png", HOSTILE, wide=True)]
    figures.append(pages.quoted(HOSTILE, HOSTILE))
    parts = [pages.paragraph(HOSTILE, "dim"), pages.table(rows), pages.side_by_side(figures)]
    page = parsed(pages.document(HOSTILE, parts))
    texts = [text for text in page.find(f"{XHTML}body").itertext() if text.strip()]
    assert texts == [SHOWN, "a", *[SHOWN] * 7]
    assert page.find(f"{XHTML}head/{XHTML}title").text == SHOWN
    images = [image.attrib for image in page.iter(f"{XHTML}img")]
    assert images == [{"src": "data:image/png;base64,cG5n", "alt": SHOWN}] * 2


def test_cells_of_figures_stand_right():
    rows = [["", "a", "b", "c", "d"], ["x", "1,309", "-0.5 %", "784-100, tanh", "word"]]
    page = parsed(pages.document("", [pages.table(rows), pages.table(rows, numbers=False)]))
    cells = [(cell.text, cell.get("class")) for cell in page.iter(f"{XHTML}td")]
    of_words = [(text, None) for text in rows[1][3:]]
    assert cells[:5] == [("x", None), ("1,309", "number"), ("-0.5\u00a0%", "number"), *of_words]
    assert {kind for _, kind in cells[5:]} == {None}


def contrast(one, other):
    """The ratio of WCAG 2.1, of colours such as #1a2b3c or #fff."""

    def luminance(colour):
        digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
        parts = (int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4))
        linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_pages_are_readable_light_and_dark():
    light, dark = pages.style("page.css").split("@media screen and (prefers-color-scheme: dark)")
    modes = [dict(re.findall(r"--(\w+): (#[0-9a-f]+)", part)) for part in (light, dark)]
    assert modes[0].keys() == modes[1].keys()
    assert contrast(modes[1]["paper"], "#000") < 2 < contrast(modes[0]["paper"], "#000")
    for colours in modes:
        for name in ("ink", "dim", "blue", "green", "red"):
            assert contrast(colours[name], colours["paper"]) >= 4.5, name


def test_one_thing_and_several():
    words = [counted(number, "epoch") for number in (0, 1, 2, 1000)]
    assert words == ["0 epochs", "1 epoch", "2 epochs", "1,000 epochs"]


def test_figures_on_a_page_are_as_large_as_their_smallest_text_needs():
    """Beside each other they are no narrower than this; pictures are 7 inches wide."""
    css = (Path(pages.__file__).parent / "page.css").read_text()
    rem = int(re.search(r"\.figures \{[^}]*minmax\(min\(100%, (\d+)rem\)", css)[1])
    assert style.SMALL / 72 / style.WIDTH * rem * 16 > 10  # pixels
    assert int(re.search(r"max-width: (\d+)rem; color", css)[1]) >= 2 * rem + 3
