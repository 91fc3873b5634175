"""The page of an analysis: one file that holds everything, the same beside it, and no word on a browser's console."""

import base64
import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from modeling_dlfa.analysis import page as pages
from modeling_dlfa.analysis.page import Part, Sheet, write_page
from modeling_dlfa.drawing import new_figure, png
from modeling_dlfa.pages import Picture
from tests.browser import CHROMIUM, Page, seen


TITLE = "Layers <script>alert(1)</script> & $more$"


def picture(name: str) -> Picture:
    figure: Figure = new_figure(3, 2)
    figure.add_subplot().plot([1, 2], [len(name), 3])
    return Picture(f"{name}.png", f"{name} <b>", png(figure))


def page() -> pages.Page:
    rows = [{"layer": "0", "value": 0.123456789, "other": None}, {"layer": "fused", "value": float("nan"), "other": 2}]
    return pages.Page(
        TITLE,
        {"model": "<i>tiny</i>", "data": "sample"},
        ["It is seen."],
        [
            Part(
                "one", "One & two", ["A finding."], ["A warning."], [picture("first")], [Sheet("a.csv", "A", rows, 2)]
            ),
            Part("two", "Two", sheets=[Sheet("b.csv", "B", rows, shown=False), Sheet("c.csv", "C", [])]),
            Part("three", "Three", pictures=[picture("second")]),
        ],
        ["How it was measured."],
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "new" / "folder"
    command = ["dlfa", "analyse", "layers", "/home/jane/tiny", "--data", "sample", "--output_dir=/home/jane/out"]
    assert write_page(page(), path, command) == path / "index.html"
    return path


def test_everything_is_in_one_page(folder: Path):
    html = (folder / "index.html").read_text("utf-8")
    shown = Page(html)
    images = shown.attributes("img")
    prefix = "data:image/png;base64,"
    pictures = {path.read_bytes() for path in folder.glob("*.png")}
    assert {base64.b64decode(str(image["src"]).removeprefix(prefix)) for image in images} == pictures
    assert len(pictures) == 2 and all(image["alt"] for image in images)
    for tag, attributes in shown.tags:
        for name in ("src", "href", "srcset", "action"):
            assert str(attributes.get(name) or "data:").startswith(("data:", "#")), (tag, attributes)
    assert "http" not in re.sub(r"base64,[\w+/=]+", "", html)
    assert not shown.attributes("script") and "url(" not in html and "@import" not in html


def test_what_it_says(folder: Path):
    shown = Page((folder / "index.html").read_text("utf-8"))
    assert shown.headings[:3] == [TITLE, "In short", "One & two"]
    for text in (
        "model: <i>tiny</i>. data: sample.",
        "It is seen.",
        "A finding.",
        "A warning.",
        "How it was measured.",
    ):
        assert text in shown.text
    assert "dlfa analyse layers tiny --data sample --output_dir=out" in shown.text and "jane" not in shown.text
    assert shown.tables == [[["layer", "value", "other"], ["0", "0.12", "–"], ["fused", "–", "2"]]]
    assert "b.csv, 2 rows" in shown.text
    links = [str(link["href"]).removeprefix("#") for link in shown.attributes("a")]
    assert set(links) <= {attributes.get("id") for _, attributes in shown.tags}


def test_its_files(folder: Path):
    beside = {"first.png", "second.png", "a.csv", "b.csv", "summary.md"}
    assert {path.name for path in folder.iterdir()} == {"index.html", "index.files.json", *beside}
    assert set(json.loads((folder / "index.files.json").read_text("utf-8"))["beside the page"]) == beside
    rows = list(csv.DictReader((folder / "a.csv").open(encoding="utf-8")))
    assert [row["value"] for row in rows] == ["0.123457", ""]


def test_the_summary_is_what_the_page_says(folder: Path):
    text = (folder / "summary.md").read_text("utf-8")
    assert text.startswith(
        "# Layers &lt;script>alert(1)&lt;/script> & $more$\n\nmodel: &lt;i>tiny&lt;/i>. data: sample.\n"
    )
    for line in ("- It is seen.", "## One & two", "A finding.", "> A warning.", "### A", "| 0 | 0.12 | – |"):
        assert f"\n{line}\n" in text
    assert "\n![first &lt;b>](first.png)\n" in text and "### B" not in text and "\n\n\n" not in text


def test_files_of_an_earlier_page_are_gone_and_no_others(tmp_path: Path):
    write_page(page(), tmp_path, ["dlfa"])
    for name in ("own.csv", "own.png"):
        (tmp_path / name).write_text("not of a page")
    one = Part("one", "One", ["In <code>own.csv</code>"], [], [picture("first")], [Sheet("b.csv", "B", [{"x": 1}])])
    write_page(replace(page(), parts=[one]), tmp_path, ["dlfa"])
    of_page = {"index.html", "index.files.json", "summary.md", "first.png", "b.csv"}
    assert {path.name for path in tmp_path.iterdir()} == of_page | {"own.csv", "own.png"}


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "[]",
        "null",
        '["own.csv"]',
        '{"files": ["own.csv"]}',
        '{"beside the page": 3}',
        '{"beside the page": [null, 1]}',
    ]
    + ['{"beside the page": ["../own.csv", "own.txt", "/own.csv"]}'],
)
def test_a_manifest_that_is_none_costs_no_file(tmp_path: Path, manifest: str):
    folder = tmp_path / "page"
    folder.mkdir()
    for name in ("own.csv", "page/own.csv", "page/own.txt"):
        (tmp_path / name).write_text("not of a page")
    (folder / "index.files.json").write_text(manifest)
    write_page(page(), folder, ["dlfa"])
    assert all((tmp_path / name).is_file() for name in ("own.csv", "page/own.csv", "page/own.txt"))


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("/home/jane/run", "run"),
        ("--data=/home/jane/data", "--data=data"),
        ("one=/home/jane/run", "one=run"),
        ("one=runs/run", "one=runs/run"),
        ("/home/jane/a=b", "a=b"),
    ],
)
def test_folders_of_this_machine_are_not_said(word: str, shown: str):
    assert pages._shared([word]) == [shown]


def test_equal_findings_give_equal_files(folder: Path, tmp_path: Path):
    write_page(page(), tmp_path, ["dlfa", "analyse", "layers", "tiny", "--data", "sample", "--output_dir=out"])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }


@pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no /usr/bin/chromium")
def test_it_opens_in_a_browser(folder: Path, tmp_path: Path):
    for width in (1200, 500):
        assert seen(folder / "index.html", tmp_path, width).startswith("2 true true Layers &lt;script&gt;")
