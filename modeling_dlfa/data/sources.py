"""Where the data come from: the Hub, a folder in XTREME's layout, the embedded sample, or a task's own files.

All give rows in the shape of the task's kind (`Kind.features`). Labels are `ClassLabel`s over `Task.labels`, whatever
the origin calls or numbers them: they are matched by name. Rows keep the order of the origin; tasks made from the same
trees have the same rows.
"""

from functools import cache
from typing import Protocol

from datasets import Dataset

from ..tasks.task import OWN_FILES, Task
from .folder import FolderSource
from .hub import HubSource
from .own import OwnFilesSource
from .sample.source import SampleSource


class Source(Protocol):
    """Something that has the tasks' data, by split ("train", "validation", "test") and language.

    Attributes:
        description: how results name the origin of their data.
    """

    @property
    def description(self) -> str: ...

    def languages(self, task: Task, split: str) -> list[str]:
        """Codes of the languages there are, in the order of `Task.languages`, unlisted ones after them."""
        ...

    def load(self, task: Task, split: str, language: str) -> Dataset:
        """The rows of one split in one language; InputError where there are none or they cannot be used."""
        ...

    def fingerprint(self, task: Task, split: str, language: str) -> str:
        """16 digits for what `load` reads: where they are equal, so are the rows. InputError as `load`."""
        ...


def open_source(data: str) -> Source:
    """The source that `--data` names: "hub", "sample", "files" (the task's own), or a folder in XTREME's layout."""
    named = {"hub": _hub_source, "sample": SampleSource, OWN_FILES: OwnFilesSource}
    return named[data]() if data in named else FolderSource(data)


@cache
def _hub_source() -> HubSource:
    return HubSource()
