"""The sample embedded in the package as a source of data."""

from datasets import Dataset

from ...tasks.task import Task, check_split
from ..rows import check_language, normalise, ordered


class SampleSource:
    """English training and development data, test data in every language; generated when they are asked for."""

    description = "sample"

    def languages(self, task: Task, split: str) -> list[str]:
        from .. import sample

        return ordered(task, sample.LANGUAGES) if check_split(split) == "test" else ["en"]

    def load(self, task: Task, split: str, language: str) -> Dataset:
        from .. import sample

        check_language(task, split, language, self.languages(task, split), "the sample")
        rows = sample.rows(task.folder, split, language)
        return normalise(task, Dataset.from_list(rows), language, f"the sample, {split}, {language}")
