"""The public data sets of the Hugging Face Hub."""

import datasets
from datasets import Dataset
from datasets.exceptions import DatasetGenerationError

from ..errors import InputError, one_line
from ..tasks.task import HubDataset, Task, check_split
from .rows import check_language, joint_hash, normalise, rows_hash


class HubSource:
    """The data sets that `Task.hub` names.

    Each is asked for once: what was hashed is what is read, and the Hub is not asked again for every run of a command.
    """

    description = "hub"

    def __init__(self) -> None:
        self._loaded: dict[tuple[str | None, ...], Dataset] = {}
        self._hashed: dict[tuple[str | None, ...], str] = {}

    def languages(self, task: Task, split: str) -> list[str]:
        """The languages of the task that the split is known for; of a task that lists none, the training language."""
        missing = _hub(task).missing.get(check_split(split), ())
        return [language for language in task.languages or (task.train_language,) if language not in missing]

    def load(self, task: Task, split: str, language: str) -> Dataset:
        parts = []
        for hub in _hub(task).parts(split):
            place, where = self._place(task, hub, split, language)
            parts.append(normalise(task, self._loaded[place], language, where, hub))
        return datasets.concatenate_datasets(parts) if len(parts) > 1 else parts[0]

    def fingerprint(self, task: Task, split: str, language: str) -> str:
        places = [self._place(task, hub, split, language)[0] for hub in _hub(task).parts(split)]
        for place in places:
            if place not in self._hashed:
                self._hashed[place] = rows_hash(self._loaded[place])
        return joint_hash([self._hashed[place] for place in places])

    def _place(self, task: Task, hub: HubDataset, split: str, language: str) -> tuple[tuple[str | None, ...], str]:
        """Where the Hub's own rows lie, loaded by now, and how messages call them."""
        path = hub.repository(split)
        check_language(task, split, language, self.languages(task, split), path)
        config = hub.config_name(language, split)
        theirs = hub.splits.get(split, split)
        where = f"{path}, {config}, {theirs}"
        name, folder = (None, config) if hub.in_folders else (config, None)
        prefix = hub.id_prefix(language)
        place = (path, name, folder, theirs, hub.revision, prefix)
        if place in self._loaded:
            return place, where
        try:
            raw = datasets.load_dataset(path, name, data_dir=folder, split=theirs, revision=hub.revision)
        except Exception as error:  # the HTTP client's own too, which is another one from release to release
            cause = (error.__cause__ or error) if isinstance(error, DatasetGenerationError) else error
            reason = f"{type(cause).__name__}: {one_line(cause, 200)}"
            raise InputError(
                f"cannot load {where} from the Hub ({reason}): check the network, or give a folder or 'sample' as data"
            ) from error
        assert isinstance(raw, Dataset)
        if prefix:
            names = raw[str(hub.columns["id"])][:]
            raw = raw.select([row for row, name in enumerate(names) if name.startswith(prefix)])
        self._loaded[place] = raw
        return place, where


def _hub(task: Task) -> HubDataset:
    if task.hub is None:
        raise InputError(f"--data hub: {task.name} names no data set of the Hub")
    return task.hub
