"""What a package says of itself: its metadata, its addresses, how to cite it."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import fastbp as fb

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = "https://forge.example/people/fastbp"
METADATA = """
import setuptools.build_meta
from pathlib import Path
print("at", Path(setuptools.build_meta.prepare_metadata_for_build_wheel(".")).resolve())
"""


@pytest.fixture
def sources(tmp_path):
    """What a build reads, without what it would compile."""
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    for package in ("fastbp", "kernels"):
        (tmp_path / package).symlink_to(ROOT / package)
    return tmp_path


def build(sources: Path, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {"FASTBP_BUILD": "python", "PATH": "", **environment}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=sources, env=environment, capture_output=True, text=True)


def metadata(sources: Path, **environment: str) -> str:
    done = build(sources, METADATA, **environment)
    assert done.returncode == 0, done.stderr
    return (Path(done.stdout.rpartition("at ")[2].strip()) / "METADATA").read_text("utf-8")


def test_an_editable_install_is_a_path_that_type_checkers_follow(sources):
    done = build(sources, "import setuptools.build_meta as b; print(b.build_editable('.'))")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(sources / done.stdout.split()[-1]) as wheel:
        paths = {name: wheel.read(name).decode().split() for name in wheel.namelist()}
    (about,) = (text for name, text in paths.items() if name.endswith("METADATA"))
    assert "Project-URL:" not in about  # none is made up
    assert "](" not in " ".join(about)  # what is beside README in a checkout is not beside a wheel
    assert "docs/training.md." in about
    assert paths["__editable__.fastbp-0.1.0.pth"] == [str(sources)]
    assert not [name for name in paths if "finder" in name]


def test_a_package_links_to_the_repository_that_it_was_built_in(sources):
    about = metadata(sources, FASTBP_REPOSITORY=ADDRESS)
    urls = [
        f"Homepage, {ADDRESS}",
        f"Documentation, {ADDRESS}/tree/HEAD/docs",
        f"Source, {ADDRESS}",
        f"Issues, {ADDRESS}/issues",
        f"Changelog, {ADDRESS}/blob/HEAD/CHANGELOG.md",
    ]
    assert re.findall("^Project-URL: (.+)$", about, re.M) == urls
    links = re.findall(r"\]\((.+?)\)", about)
    assert f"{ADDRESS}/blob/HEAD/docs/training.md" in links
    assert not [link for link in links if not link.startswith(f"{ADDRESS}/blob/HEAD/")]
    assert all((ROOT / link.removeprefix(f"{ADDRESS}/blob/HEAD/")).exists() for link in links)
    (sources / "PKG-INFO").write_text(about, "utf-8")  # as it stands in an sdist
    assert metadata(sources) == about


@pytest.mark.parametrize("address", ["forge.example/a/b", "https://forge.example", ADDRESS + "/"])
def test_what_is_no_repositorys_address_is_refused(sources, address):
    done = build(sources, METADATA, FASTBP_REPOSITORY=address)
    assert done.returncode == 1
    expected = "FASTBP_REPOSITORY: expected a repository's address, as https://HOST/OWNER/NAME"
    assert done.stderr.splitlines()[-1] == f"{expected}; got {address!r}"


def cited() -> dict[str, str]:
    return dict(re.findall(r"^(\w[\w-]*): (.+)$", (ROOT / "CITATION.cff").read_text(), re.M))


def test_the_citation_names_this_version():
    assert cited()["version"] == fb.__version__
    assert (cited()["cff-version"], cited()["type"]) == ("1.2.0", "software")


def test_both_citations_have_the_same_address_or_none():
    page = re.search(r"^  url += \{(.+)\}", (ROOT / "docs/about/cite.md").read_text(), re.M)
    assert cited().get("repository-code", "").strip('"') == (page[1] if page else "")
