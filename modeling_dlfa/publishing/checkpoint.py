"""What of a run's folder is published: a list of what may leave, checked to be whole, without paths of this machine.

Weights are safetensors only. The Trainer's checkpoints, logs and pickles stay here, and whatever else lies in the
folder; so do predictions: the scores are in `all_results.json`, and who opens a model has no use for the rest.

What is uploaded is what was checked: the weights by their hash, everything else as the bytes that were read.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import ModelCard

from ..errors import InputError, one_line
from ..files import expanded, read_object
from ..privacy import without_paths
from ..training.card import REPOSITORY
from ..training.results import RESULTS_FILE, RunResults, data_name, short_name
from .checks import (
    CARD,
    CODE,
    CONFIG,
    INDEX,
    TOKENIZER_CONFIG,
    VOCABULARY,
    check_code,
    check_config,
    check_files,
    check_finished,
    check_foreign,
    check_private,
    check_weights,
    weight_files,
)


@dataclass(frozen=True)
class Checkpoint:
    """A finished run, ready to be published.

    Attributes:
        folder: where it lies.
        results: its results.
        files: name in the repository -> the file of weights, or the bytes to upload.
        hashes: name -> SHA-256 of a file of weights as it was checked, in hexadecimal digits.
    """

    folder: Path
    results: RunResults
    files: dict[str, Path | bytes]
    hashes: dict[str, str] = field(default_factory=dict)

    @property
    def sizes(self) -> dict[str, int]:
        """Name -> bytes to upload."""
        return {
            name: len(content) if isinstance(content, bytes) else content.stat().st_size
            for name, content in self.files.items()
        }

    @property
    def rewritten(self) -> list[str]:
        """Names of the files that are uploaded with other bytes than those in the folder."""
        return [
            name
            for name, content in self.files.items()
            if isinstance(content, bytes) and content != (self.folder / name).read_bytes()
        ]

    @property
    def left_out(self) -> list[str]:
        """Names of what lies in the folder and is not uploaded."""
        return sorted(path.name for path in self.folder.iterdir() if path.name not in self.files)

    @property
    def auto_class(self) -> str:
        """The Auto class that opens it with its head."""
        return self.results.of_task.kind.auto_class


def read_checkpoint(folder: str | Path, repository: str) -> Checkpoint:
    """Check a run's folder and collect what is to be uploaded. Needs no network.

    In the uploaded copies of the JSON files, a path of this machine is shortened to its last part; in that of the
    card, the repository's name stands where the card has a gap for it.

    Args:
        folder: output folder of a finished run.
        repository: "user/name".

    Raises:
        InputError: the run is unfinished, a file is missing, damaged or a link out of the folder, files do not belong
            together, or one names code that is not ours, a secret or a folder of this machine.
    """
    folder = Path(expanded(folder))
    check_finished(folder)
    shards = weight_files(folder)
    names = sorted([CARD, RESULTS_FILE, CONFIG, *CODE, *shards, VOCABULARY, TOKENIZER_CONFIG])
    check_files(folder, names)
    weights = [name for name in shards if name != INDEX]
    hashes = {name: _sha256(folder / name) for name in weights}
    results = RunResults.load(folder)
    try:
        _ = results.of_task
    except InputError as error:
        raise InputError(f"{folder / RESULTS_FILE}: no task {results.task!r}: {error}") from error
    files: dict[str, Path | bytes] = {}
    for name in names:
        if name in weights:
            files[name] = folder / name
            continue
        content = _content(folder, name, repository)
        check_code(folder / name, content)
        check_foreign(folder / name, content)
        if name == CONFIG:
            check_config(folder / name, content, results)
        check_private(folder / name, content)
        files[name] = content
    check_weights(folder, results, weights)
    return Checkpoint(folder, results, files, hashes)


def _content(folder: Path, name: str, repository: str) -> bytes:
    """The bytes that are uploaded of a file."""
    if name == CARD:
        return _card(folder / CARD, repository).encode()
    if not name.endswith(".json"):
        return (folder / name).read_bytes()
    content, values = read_object(folder / name)
    shortened = values if name == VOCABULARY else without_paths(values)  # a vocabulary may hold anything
    if name == RESULTS_FILE:
        shortened = _without_folders(shortened)
    return content if shortened == values else (json.dumps(shortened, indent=2, ensure_ascii=False) + "\n").encode()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _without_folders(results: dict[str, Any]) -> dict[str, Any]:
    """The content of the results file with the bare names of folders that were given relative to another one."""
    stages = [stage | {"data": data_name(stage["data"])} for stage in results.get("intermediate", [])]
    names = {"encoder": short_name(results["encoder"]), "data": data_name(results["data"])}
    if results.get("eval_data"):
        names["eval_data"] = data_name(results["eval_data"])
    return results | names | ({"intermediate": stages} if stages else {})


def _card(path: Path, repository: str) -> str:
    """The text of the card, with the repository's name in its gaps."""
    try:  # a UnicodeDecodeError is a ValueError
        text = path.read_text(encoding="utf-8").replace(REPOSITORY, repository)
        metadata = ModelCard(text).data.to_dict()
    except (ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        raise InputError(f"{path}: its metadata cannot be read: {one_line(error)}") from error
    if not metadata:
        raise InputError(f"{path}: expected metadata at its beginning, between two lines of ---")
    return text
