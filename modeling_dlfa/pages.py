"""What every page of findings is made of: pictures, tables, and templates that hold everything in one file."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from .markup import markdown_text


PAGE = "index.html"
DPI = 150
"""Of a figure's PNG."""


@dataclass(frozen=True)
class Picture:
    """A figure of a page: its file, what it shows, and the PNG itself, as `drawing.png` makes it."""

    file: str
    caption: str
    content: bytes

    @property
    def data_uri(self) -> str:
        return f"data:image/png;base64,{base64.b64encode(self.content).decode()}"

    @property
    def width(self) -> int:
        """In CSS pixels, 96 an inch; a PNG file has its own width at byte 16."""
        return int.from_bytes(self.content[16:20], "big") * 96 // DPI


@dataclass(frozen=True)
class Table:
    """A table as people read it. The first `text_columns` columns hold words, the others numbers.

    Cells are texts, shown as they are; with `is_markdown` what is written in Markdown.
    """

    name: str
    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    text_columns: int = 1
    is_markdown: bool = False

    def markdown(self) -> str:
        """The table in GitHub's Markdown."""
        words = min(self.text_columns, len(self.header))
        lines = [self.header, ["---"] * words + ["---:"] * (len(self.header) - words), *self.rows]
        return "\n".join(
            f"| {' | '.join(map(str if self.is_markdown else markdown_text, cells))} |" for cells in lines
        )


def rendered(
    folder: Path, template: str, values: Mapping[str, Any], filters: Mapping[str, Callable[..., Any]] | None = None
) -> str:
    """A template of a folder with its values; one that makes HTML (`*.html.jinja`) takes text for no markup.

    It may extend `page.html.jinja`, a page without anything on it, and import `page_parts.html.jinja`.
    """
    environment = Environment(
        loader=FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=lambda name: name is not None and name.endswith(".html.jinja"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= dict(filters or {})
    return environment.get_template(template).render(values)
