"""Pages as a parser and as Chromium understand them."""

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path


CHROMIUM = Path("/usr/bin/chromium")


class Page(HTMLParser):
    """What a page holds: its tags with attributes, its headings, its tables as rows of cells, all text."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag in ("h1", "h2", "h3"):
            self.headings.append("")

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        self.text += data
        if self._open and self._open[-1] in ("td", "th"):
            self.tables[-1][-1][-1] += data
        elif self._open and self._open[-1] in ("h1", "h2", "h3"):
            self.headings[-1] += data

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


PROBE = """<script>addEventListener("load", () => {
  const width = document.documentElement.scrollWidth <= innerWidth;
  const images = [...document.images].every(image => image.complete && image.naturalWidth > 0);
  document.documentElement.dataset.found = `${document.images.length} ${images} ${width} ${document.title}`;
})</script>"""


def seen(page: Path, folder: Path, width: int = 1200) -> str:
    """Of an opened page: how many images it has, whether all are there, whether it fits into the window; its title."""
    probed = folder / "probed.html"
    probed.write_text(page.read_text("utf-8") + PROBE, encoding="utf-8")
    found = re.search(r'data-found="([^"]*)"', browse(probed, folder, width))
    assert found
    return found[1]


def browse(page: Path, folder: Path, width: int = 1200) -> str:
    """The page as Chromium understands it, without a word on the console."""
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --enable-logging=stderr --dump-dom"
    )
    own = [f"--user-data-dir={folder / 'profile'}", f"--window-size={width},900", page.as_uri()]
    done = subprocess.run([CHROMIUM, *flags.split(), *own], capture_output=True, text=True, timeout=120)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert console == [], console
    assert done.returncode == 0, done.stderr
    return done.stdout
