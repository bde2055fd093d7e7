"""Pages: whatever text is put in comes out as that text, and the page is well-formed."""

import xml.etree.ElementTree as ET

from fastbp import pages

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
