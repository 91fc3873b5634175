"""The page that an analysis leaves: everything in one HTML file, its figures and tables beside it as PNG and CSV.

What it says without figures is there in Markdown too.
"""

import json
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..cli import PLAIN, make_console
from ..files import csv_text, write_bytes, write_text
from ..markup import markdown_block, markdown_text
from ..pages import PAGE, Picture, Table, rendered
from ..privacy import without_paths
from ..wording import MISSING


SUMMARY = "summary.md"
MANIFEST = "index.files.json"
"""Names the files that lie beside a page, for the page that takes its place."""


@dataclass(frozen=True)
class Sheet:
    """Rows that are written as CSV beside a page, and shown on it.

    Attributes:
        file: its name, `*.csv`.
        title: of the table.
        rows: of plain values, all with the same names; none is no table.
        digits: decimals that the page shows, of all rows or of each one; the file has six digits.
        notes: sentences below the table.
        text_columns: how many of the first columns hold words.
        shown: whether the page shows it; else it only names the file.
    """

    file: str
    title: str
    rows: Sequence[Mapping[str, Any]]
    digits: int | Sequence[int] = 1
    notes: Sequence[str] = ()
    text_columns: int = 1
    shown: bool = True

    @property
    def table(self) -> Table:
        """As people read it; "–" stands for what is not known."""
        of_rows = [self.digits] * len(self.rows) if isinstance(self.digits, int) else self.digits
        both = zip(self.rows, of_rows, strict=True)
        rows = [[_cell(value, digits) for value in row.values()] for row, digits in both]
        header = [name.replace("_", " ") for name in (self.rows[0] if self.rows else ())]
        return Table(Path(self.file).stem, self.title, header, rows, self.notes, self.text_columns)


def _cell(value: Any, digits: int) -> str:
    if isinstance(value, float):
        return f"{value:.{digits}f}".replace("-", "−") if math.isfinite(value) else MISSING
    return MISSING if value is None else str(value)


@dataclass(frozen=True)
class Part:
    """A part of a page: a heading, sentences on what is seen and how sure it is, and what they rest on.

    Attributes:
        name: in links, of letters, digits and "-".
        title: the heading.
        findings: sentences; each is a paragraph.
        warnings: sentences on what must not be read into it.
        pictures, sheets: shown below them.
    """

    name: str
    title: str
    findings: Sequence[str] = ()
    warnings: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    sheets: Sequence[Sheet] = ()


@dataclass(frozen=True)
class Page:
    """What an analysis found.

    Attributes:
        title: of the page.
        analysed: name -> value of what was looked at: model, data, languages, limits, seeds.
        summary: the findings in short, a sentence each.
        parts: in order.
        method: paragraphs on how it was measured, with the sources.
    """

    title: str
    analysed: Mapping[str, str]
    summary: Sequence[str]
    parts: Sequence[Part]
    method: Sequence[str]


def write_page(page: Page, folder: Path, command: Sequence[str]) -> Path:
    """Write a page and return its path, `index.html`: what lies beside it first, all to temporary names and renamed.

    Equal findings give equal files. What an earlier page in the folder left, and this one does not, is removed.

    Args:
        command: that makes it again, word by word; of folders of this machine only the names are said.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures = [picture for part in page.parts for picture in part.pictures]
    sheets = [sheet for part in page.parts for sheet in part.sheets if sheet.rows]
    for picture in pictures:
        write_bytes(folder / picture.file, picture.content)
    for sheet in sheets:
        write_text(folder / sheet.file, csv_text(sheet.rows))
    files = [*(picture.file for picture in pictures), *(sheet.file for sheet in sheets), SUMMARY]
    values: dict[str, Any] = {
        "page": page,
        "title": page.title,
        "command": shlex.join(_shared(command)),
        "files": files,
    }
    markup = {"text": markdown_text, "block": markdown_block}
    write_text(folder / SUMMARY, rendered(Path(__file__).parent, "summary_of_analysis.md.jinja", values, markup))
    write_text(folder / PAGE, rendered(Path(__file__).parent, "page_of_analysis.html.jinja", values))
    for name in _left_by(folder).difference(files):
        (folder / name).unlink(missing_ok=True)
    write_text(folder / MANIFEST, json.dumps({"beside the page": files}, indent=2) + "\n")
    return folder / PAGE


def _left_by(folder: Path) -> set[str]:
    """The files that lie beside the page in a folder, as its manifest names them; none where it cannot be read."""
    try:
        names = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["beside the page"]
        return {name for name in names if re.fullmatch(r"[\w-]+\.(?:png|csv|md)", str(name))}
    except (OSError, ValueError, LookupError, TypeError):
        return set()


def _shared(command: Sequence[str]) -> list[str]:
    """A command without the folders of this machine, those behind `--name=` and `NAME=` neither."""
    words = [word.partition("=") for word in command]
    return [f"{without_paths(name)}{sign}{without_paths(value)}" for name, sign, value in words]


def tell(page: Page) -> None:
    """Print the findings in short."""
    console = make_console()
    for sentence in page.summary:
        console.print(f"- {sentence}", **PLAIN)
