"""Hooks of MkDocs: README is the first page, and whatever pages link to in the repository is part of the site.

Pages are written for the repository: a link from `docs/tasks.md` to `../examples/tasks/hotel.yaml` works there. The
site keeps such files under `source/`, Markdown as pages, and folders as lists of their files.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any


ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"(?<=\]\()(?!\w+:|#|/)([^)\s#]+)")


def place(target: Path) -> str:
    """Where the site keeps a file or folder of the repository."""
    if target == ROOT / "README.md":
        return "index.md"
    if target.is_relative_to(DOCS):
        return target.relative_to(DOCS).as_posix()
    path = f"source/{target.relative_to(ROOT).as_posix()}"
    return f"{path}/index.md" if target.is_dir() else path


def targets(text: str, folder: Path) -> Iterator[Path]:
    """What a page in a folder links to, as far as it is there."""
    for link in LINK.findall(text):
        target = Path(os.path.normpath(folder / link))
        if target.exists() and target.is_relative_to(ROOT):
            yield target


def listing(folder: Path) -> str:
    """A page with links to a folder's files."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    lines = [f"- [{name}]({name})" for name in names]
    return "\n".join([f"# {folder.relative_to(ROOT).as_posix()}", "", *lines])


def on_files(files: Any, config: Any) -> Any:
    """Add README, and what it and the pages lead to."""
    from mkdocs.structure.files import File  # pyright: ignore[reportMissingImports]

    found = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
    for target in found:  # which grows on the way
        if (uri := place(target)) not in files.src_uris:
            given: Any = {"content": listing(target)} if target.is_dir() else {"abs_src_path": str(target)}
            files.append(File.generated(config, uri, **given))
        if target.is_dir():
            found += [path for path in sorted(target.iterdir()) if path.is_file() and path not in found]
        elif target.suffix == ".md":
            text = target.read_text(encoding="utf-8")
            found += [path for path in dict.fromkeys(targets(text, target.parent)) if path not in found]
    files.homes = {place(target): target for target in found}
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links as the site has them."""
    uri = page.file.src_uri
    home = files.homes.get(uri)
    if home is None or home.is_dir():
        return markdown

    def link(match: re.Match[str]) -> str:
        target = Path(os.path.normpath(home.parent / match[1]))
        if not target.exists() or not target.is_relative_to(ROOT):
            return match[1]  # MkDocs says what is wrong with it
        return os.path.relpath(place(target), os.path.dirname(uri) or ".")

    return LINK.sub(link, markdown)
