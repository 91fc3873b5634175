"""A folder in the layout of XTREME's download."""

import glob
import re
from dataclasses import replace
from pathlib import Path

from datasets import Dataset

from ..errors import InputError
from ..files import expanded
from ..tasks.languages import check_code
from ..tasks.task import FILE_PREFIXES, Task, TaskFiles, check_split
from .rows import check_language, file_hash, ordered, read_file


class FolderSource:
    """Files as in `Task.layout`, or `<root>/<task>/{train,dev,test}-<language>.tsv`, trees `.conllu`.

    UTF-8 (a byte order mark and CRLF line ends are tolerated), no header. Pair files hold sentence1, sentence2 and
    label; files of tags hold token and tag and end each sentence with a blank line; trees are CoNLL-U, read as
    `conllu.parse_trees` says. Fields are separated by tabs and a quotation mark is text. The languages of a task are
    those whose files are there.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(expanded(root))
        if not self.root.is_dir():
            raise InputError(f"no data folder {str(root)!r}: expected 'hub', 'sample' or a folder in XTREME's layout")

    @property
    def description(self) -> str:
        return str(self.root)

    def languages(self, task: Task, split: str) -> list[str]:
        return ordered(task, self._files(task, split))

    def _files(self, task: Task, split: str) -> dict[str, Path]:
        """Language -> file, as `_found`; InputError where the task has no folder."""
        files = self._found(task, check_split(split))
        if not files and not (self.root / task.folder).is_dir():
            there = ", ".join(sorted(entry.name for entry in self.root.iterdir() if entry.is_dir())) or "no folder"
            example = self.root / _expected(task, split, task.train_language)
            raise InputError(f"{self.root} has no folder {task.folder!r}: expected {example}; found {there}")
        return files

    def _found(self, task: Task, split: str) -> dict[str, Path]:
        """Language -> file; of a file that names none it is the training language."""
        found: dict[str, Path] = {}
        # Beside files with the benchmark's own names, another one is of no language "v1.1".
        for pattern in filter(None, (task.layout.get(split), _pattern(task, split))):
            parts = pattern.split("{code}")
            of_name = "(?P<code>.*)".join(map(re.escape, parts[:2])) + "".join(map(_again, parts[2:]))
            for path in sorted(self.root.glob("*".join(map(glob.escape, parts)))):
                name = re.fullmatch(of_name, path.relative_to(self.root).as_posix(), re.DOTALL)
                if name and path.is_file():
                    code = name["code"] if len(parts) > 1 else task.train_language
                    found[check_code(code, str(path))] = path
            if found:
                break
        return found

    def load(self, task: Task, split: str, language: str) -> Dataset:
        return read_file(_in_xtremes_order(task), self._path(task, split, language), language)

    def fingerprint(self, task: Task, split: str, language: str) -> str:
        return file_hash(task, self._path(task, split, language), language)

    def _path(self, task: Task, split: str, language: str) -> Path:
        files = self._files(task, split)
        there, file = ordered(task, files), _expected(task, split, language)
        check_language(task, split, language, there, str(self.root), file)
        return files[language]


def _in_xtremes_order(task: Task) -> Task:
    """The task without the names and places that its own files have for columns."""
    if task.files is None:
        return task
    named = [name for name in task.kind.file_columns if name in (task.files.columns or task.kind.file_columns)]
    return replace(task, files=TaskFiles({}, {name: place for place, name in enumerate(named)}))


def _again(part: str) -> str:
    """What follows where the language is named once more."""
    return f"(?P=code){re.escape(part)}"


def _pattern(task: Task, split: str) -> str:
    return f"{task.folder}/{FILE_PREFIXES[split]}-{{code}}{_suffix(task)}"


def _expected(task: Task, split: str, code: str) -> str:
    """The path of the file that holds a language, from the folder of all tasks."""
    return task.layout.get(split, _pattern(task, split)).replace("{code}", code)


def _suffix(task: Task) -> str:
    return task.kind.suffix if task.rung is None else ".conllu"
