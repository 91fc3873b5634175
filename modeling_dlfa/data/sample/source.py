"""The sample embedded in the package as a source of data."""

import json
from functools import cache
from typing import Any

from datasets import Dataset

from ...errors import InputError
from ...files import text_hash
from ...tasks.task import Task, check_split
from ..rows import check_language, normalise, ordered


class SampleSource:
    """English training and development data, test data in every language; generated when they are asked for."""

    description = "sample"

    def languages(self, task: Task, split: str) -> list[str]:
        from .. import sample

        if task.folder not in {**sample.SIZES, **sample.PARALLEL} and task.hub is not None:
            there = ", ".join((*sample.SIZES, *sample.PARALLEL))
            raise InputError(f"the sample has no task {task.name!r}, but {there}: give --data hub")
        if task.kind.trains:
            return ordered(task, sample.LANGUAGES) if check_split(split) == "test" else ["en"]
        there = check_split(split) in sample.PARALLEL.get(task.folder, {})
        return ordered(task, set(sample.LANGUAGES) - {sample.TRAIN_LANGUAGE}) if there else []

    def load(self, task: Task, split: str, language: str) -> Dataset:
        check_language(task, split, language, self.languages(task, split), "the sample")
        rows = Dataset.from_list(_rows(task.folder, split, language))
        return normalise(task, rows, language, f"the sample, {split}, {language}")

    def fingerprint(self, task: Task, split: str, language: str) -> str:
        check_language(task, split, language, self.languages(task, split), "the sample")
        return _hash(task.folder, split, language)


def _rows(folder: str, split: str, language: str) -> list[dict[str, Any]]:
    from .. import sample

    rows = sample.parallel if folder in sample.PARALLEL else sample.rows
    return rows(folder, split, language)


@cache
def _hash(folder: str, split: str, language: str) -> str:
    return text_hash(json.dumps(_rows(folder, split, language), sort_keys=True))
