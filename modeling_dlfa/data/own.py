"""The files that a task of a user's own names."""

from pathlib import Path

from datasets import Dataset

from ..errors import InputError
from ..files import expanded
from ..tasks.languages import check_code
from ..tasks.task import OWN_FILES, Task, TaskFiles, check_split
from .rows import check_language, file_hash, ordered, read_file


class OwnFilesSource:
    """`Task.files`: one file for each split and language, read as the kind reads its forms."""

    description = OWN_FILES

    def languages(self, task: Task, split: str) -> list[str]:
        codes = _files(task).paths.get(check_split(split), {})
        return ordered(task, (check_code(code, f"{task.name}, {split}") for code in codes))

    def load(self, task: Task, split: str, language: str) -> Dataset:
        return read_file(task, self._path(task, split, language), language)

    def fingerprint(self, task: Task, split: str, language: str) -> str:
        return file_hash(task, self._path(task, split, language), language)

    def _path(self, task: Task, split: str, language: str) -> Path:
        where = f"the files of {task.reference or task.name}"
        check_language(task, split, language, self.languages(task, split), where)
        return Path(expanded(_files(task).paths[split][language]))


def _files(task: Task) -> TaskFiles:
    if task.files is None or not task.files.paths:
        raise InputError(f"--data {OWN_FILES}: {task.name} names no files of its own")
    return task.files
