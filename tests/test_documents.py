"""Every code block of README and the documents runs, or is what it seems to be."""

from pathlib import Path

import documents
import given
import pytest

# The page that shows what comes of all of MNIST; the others get some of it.
WHOLE = ("docs/tutorials/1_mnist.md",)
CHECKS = {"sh": documents.check_shell, "toml": documents.check_toml, "c": documents.check_c}
UNCHECKED = ("", "text")  # what is printed


@pytest.mark.filterwarnings("ignore")  # of few epochs, and what is made for the example
@pytest.mark.parametrize("document", documents.documents())
def test_code_of(document: str, tmp_path: Path) -> None:
    with given.surroundings(tmp_path, whole=document in WHOLE):
        names = given.names(document)
        for block in documents.blocks((documents.ROOT / document).read_text("utf-8")):
            if block.language == "python":
                documents.run_python(block, names, document)
            elif block.language not in UNCHECKED:
                CHECKS[block.language](block)
