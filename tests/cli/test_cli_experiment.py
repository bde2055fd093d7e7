"""``experiment`` as its users meet it: the list, a whole run, the page, Ctrl-C and --resume."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from command_line import (
    assert_error,
    assert_one_line,
    is_whole_png,
    names,
    press_ctrl_c,
    run,
    started,
    wait_until,
)

from fastbp.experiments import EXPERIMENTS
from fastbp.experiments.page.content import IN_SHORT

ROOT = Path(__file__).parents[2]
ROWS = [experiment.row for experiment in EXPERIMENTS]
BEGIN, END = "<!-- experiments: begin -->", "<!-- experiments: end -->"
XHTML = "{http://www.w3.org/1999/xhtml}"


def test_list(tmp_path):
    result = run("experiment", "list", cwd=tmp_path)
    assert (result.code, result.err) == (0, "")
    found = re.findall(r"^  ([\w-]+) +([AB]\.\d(?: \(rate\))?) ", result.out, re.MULTILINE)
    assert found == [(experiment.name, experiment.row) for experiment in EXPERIMENTS]
    listed = run("experiment", "list", "--json", cwd=tmp_path).json["experiments"]
    assert [row["name"] for row in listed] == [experiment.name for experiment in EXPERIMENTS]
    assert names(tmp_path) == set()


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """All experiments, on few images, with two seeds; the documents are written too."""
    folder = tmp_path_factory.mktemp("experiments")
    (folder / "README.md").write_text(f"# Mine\n\n{BEGIN}\nold\n{END}\n\nThe rest.\n")
    result = run(
        *"experiment all --limit 160 --epochs 2 --seeds 2 --output run --docs docs --json".split(),
        cwd=folder,
    )
    assert result.code == 0, result.err
    return folder, result


def test_all_runs_every_row(everything):
    folder, result = everything
    assert [experiment["row"] for experiment in result.json["experiments"]] == ROWS
    assert names(folder / "run") == {"settings.json", "networks", "experiments", "report"}
    assert names(folder / "run" / "experiments") == {e.name for e in EXPERIMENTS}
    lines = result.err.splitlines()
    count = result.json["trained"]
    assert lines[0] == f"{count} networks to train"
    finished = re.compile(rf" *\d+/{count}  (784-|lenet )")
    assert sum(finished.match(line) is not None for line in lines) == count
    final = next(e for e in result.json["experiments"] if e["name"] == "final")
    assert set(final["variants"]) == {"final"}
    assert [claim["word"] for claim in final["claims"]] == ["not judged"] * 2  # of a run cut short
    assert all(e["training_seconds"] >= 0 for e in result.json["experiments"])


def test_every_folder_has_its_figures_and_tables(everything):
    folder, _ = everything
    for experiment in EXPERIMENTS:
        written = names(folder / "run" / "experiments" / experiment.name)
        assert "spec.toml" in written
        assert ({"table.csv", "epochs.csv", "times.csv"} <= written) == bool(experiment.variants)
        assert ("verdicts.csv" in written) == bool(experiment.claims)
        for number, figure in enumerate(experiment.figures, 1):
            drawn = any(name.startswith(f"{number:02}-") for name in written)
            assert drawn or figure.least, figure  # nothing may have come that far
    for picture in (folder / "run" / "experiments").rglob("*.png"):
        assert is_whole_png(picture)


@pytest.fixture(scope="module")
def page(everything):
    """The report page, parsed: a browser forgives much, this parser nothing."""
    text = (everything[0] / "run" / "report" / "index.html").read_text("utf-8")
    return ET.fromstring(text.replace("<!DOCTYPE html>", ""))


def test_the_page_needs_nothing_but_itself(page):
    tags = {element.tag.removeprefix(XHTML) for element in page.iter()}
    assert not tags & {"script", "link", "iframe", "object", "base"}
    for element in page.iter():
        for name in ("src", "href", "srcset", "data"):
            value = element.get(name, "#")
            assert value.startswith(("data:image/png;base64,iVBOR", "#")), value[:80]
    (style,) = page.iter(f"{XHTML}style")
    assert "url(" not in style.text
    assert "@import" not in style.text


def test_the_page_has_every_row_figure_and_verdict(page, everything):
    folder, result = everything
    headings = ["".join(h.itertext()) for h in page.iter(f"{XHTML}h2")]
    assert [h.split()[0] for h in headings[:-1]] == [row.split()[0] for row in ROWS]
    targets = {section.get("id") for section in page.iter(f"{XHTML}h2")} - {None}
    links = {link.get("href")[1:] for link in page.iter(f"{XHTML}a")}
    assert links == targets == {experiment.name for experiment in EXPERIMENTS}
    pictures = list((folder / "run" / "experiments").rglob("*.png"))
    assert len(list(page.iter(f"{XHTML}img"))) == len(pictures) > 35
    text = "".join(page.itertext()).replace("\u00a0", " ")
    for experiment in result.json["experiments"]:
        for claim in experiment["claims"]:
            assert claim["claim"] in text
    assert "in full: every network trained for 2 epochs, on the first 160 images." in text
    assert "The report describes no convolutional network" in text
    assert "12 of 12 reported numbers" in text
    assert "mean and range of 2 seeds" in text


def test_the_markdown_has_its_pictures_beside_it(everything):
    folder, _ = everything
    linked = {}
    for path in (folder / "docs" / "experiments.md", folder / "run" / "report" / "report.md"):
        text = path.read_text("utf-8")
        linked[path.name] = re.findall(r"^!\[.*\]\((.*)\)$", text, re.MULTILINE)
        assert len(linked[path.name]) > 35
        for link in linked[path.name]:
            assert is_whole_png(path.parent / link)
    written = names(folder / "docs" / "experiments")
    assert written == {Path(link).name for link in linked["experiments.md"]}
    assert len(linked["report.md"]) == len(written)


def main_table(text):
    """The first table of a Markdown text that has these columns."""
    rows = [line for line in text.splitlines() if re.match(r"\| (row|---|[AB]\.\d)", line)]
    return rows[: 2 + len(ROWS)]


def assert_readme_has_the_short_table(readme, documents):
    """Its rows are rows of the documents' table, but for what is left out of a cell."""
    between = readme.partition(f"{BEGIN}\n")[2].partition(f"\n{END}")[0].splitlines()
    wide = {cells[0]: cells for cells in map(cells_of, main_table(documents))}
    short = [*map(cells_of, between)]
    assert [*wide] == ["row", "---", *ROWS]
    assert [cells[0] for cells in short] == ["row", "---", *IN_SHORT]
    for cells in short:
        row, title, reported, reproduced, claims = wide[cells[0]]
        assert cells[:3] + cells[4:] == [row, title, reported, claims]
        parts = re.split("[;,] ", cells[3])
        left_out = re.sub(r"^(test accuracy: |loss of the last epoch [^,]+, )", "", reproduced)
        assert set(parts) <= {*re.split("[;,] ", left_out)}
        if reproduced.startswith("loss"):  # of one network: what the report has numbers of
            assert parts[-1].startswith("test accuracy ")
        else:
            assert cells[3] == left_out


def cells_of(line):
    return line.removeprefix("| ").removesuffix(" |").split(" | ")


def test_a_readme_beside_the_documents_gets_the_short_table(everything):
    folder, _ = everything
    readme = (folder / "README.md").read_text("utf-8")
    assert_readme_has_the_short_table(readme, (folder / "docs/experiments.md").read_text("utf-8"))
    assert re.fullmatch(rf"# Mine\n\n{BEGIN}\n[^\0]+\n{END}\n\nThe rest.\n", readme)


def test_readme_shows_the_short_table_of_the_documents():
    documents = (ROOT / "docs/experiments.md").read_text("utf-8")
    assert_readme_has_the_short_table((ROOT / "README.md").read_text("utf-8"), documents)


def test_rows_are_names_too_and_names_count_once(tmp_path):
    result = run(
        *"experiment A.4 layers --limit 100 --epochs 1 --quiet --json".split(), cwd=tmp_path
    )
    assert (result.code, result.err) == (0, "")
    assert [experiment["name"] for experiment in result.json["experiments"]] == ["layers"]
    assert result.json["trained"] == 3
    assert re.fullmatch(r"runs/\d{8}-\d{6}-experiments", result.json["output"])
    assert (tmp_path / result.json["report"]).exists()


def test_ctrl_c_keeps_what_is_finished_and_resume_ends_alike(tmp_path):
    options = ("depth", "--limit", 800, "--epochs", 8, "--seeds", 2, "--output")
    folder = tmp_path / "broken"
    with started("experiment", *options, folder, cwd=tmp_path) as process:
        wait_until(lambda: list(folder.glob("networks/*/seed-*")), process)
        out, err, code = press_ctrl_c(process)
    assert (out, code) == ("", 130)
    found = re.fullmatch(
        r"fastbp: stopped; (\d) of 6 networks are finished; go on with --output (.*) --resume",
        err.splitlines()[-1],
    )
    assert found, err
    finished = list(folder.glob("networks/*/seed-*"))
    assert 1 <= int(found[1]) == len(finished) < 6
    resumed = run("experiment", *options, folder, "--resume", "--json", cwd=tmp_path)
    whole = run("experiment", *options, tmp_path / "whole", "--json", cwd=tmp_path)
    assert resumed.json["trained"] == 6 - len(finished)
    assert f"6 networks to train, {len(finished)} of them kept from before" in resumed.err
    assert without_times(resumed.json) == without_times(whole.json)
    for path in (tmp_path / "whole").rglob("*.safetensors"):
        twin = folder / path.relative_to(tmp_path / "whole")
        assert twin.read_bytes() == path.read_bytes()


def without_times(result):
    return [
        {name: value for name, value in experiment.items() if name != "training_seconds"}
        for experiment in result["experiments"]
    ]


def test_resume_trains_a_damaged_network_again_and_says_so(tmp_path):
    options = "experiment depth --limit 100 --epochs 1 --quiet --json --output run".split()
    whole = run(*options, "--resume", cwd=tmp_path)  # of nothing, as where a folder is mistyped
    assert whole.err == "fastbp: --resume: nothing to go on with in run; starting afresh\n"
    model = min((tmp_path / "run" / "networks").glob("*/seed-0/model.safetensors"))
    content = model.read_bytes()
    model.write_bytes(content[:1000])
    again = run(*options, "--resume", cwd=tmp_path)
    assert again.err == (
        f"fastbp: warning: {model.parent.relative_to(tmp_path)}: not a whole run "
        "(model.safetensors is damaged); it is trained again\n"
    )
    assert (again.code, again.json["trained"]) == (0, 1)
    assert without_times(again.json) == without_times(whole.json)
    assert model.read_bytes() == content


def test_what_cannot_be_run(tmp_path):
    result = run("experiment", "depth", "--resume", cwd=tmp_path)
    assert_error(result, "--resume needs the --output to go on with", code=2)
    assert_error(run("experiment", "list", "depth", cwd=tmp_path), "list goes alone", code=2)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    result = run("experiment", "depth", "--output", "mine", cwd=tmp_path)
    assert_error(result, "--output mine: the folder is not empty")
    result = run("experiment", "depth", "--output", "mine/file", cwd=tmp_path)
    assert_error(result, "mine/file")
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "settings.json").write_text(json.dumps({"limit": 5}))
    result = run("experiment", "depth", "--output", "made", "--resume", cwd=tmp_path)
    assert_error(result, "--resume: made was made with fastbp None")
    assert names(tmp_path) == {"mine", "made"}


def test_a_file_in_the_way_is_one_line(tmp_path):
    (tmp_path / "docs").touch()
    result = run("experiment", "data", "--output", "run", "--docs", "docs", "--quiet", cwd=tmp_path)
    assert (result.code, result.out) == (1, "")
    assert_one_line(result.err, "docs", "error")
