"""What of a run's folder is published: a list of what may leave, checked to be whole, without paths of this machine.

Weights are safetensors only. The Trainer's checkpoints, logs and pickles stay here, and whatever else lies in the
folder; so do predictions: the scores are in `all_results.json`, and who opens a model has no use for the rest.
"""

import ast
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import torch
import yaml
from huggingface_hub import ModelCard
from safetensors import SafetensorError, safe_open

from ..configuration_dlfa import DLFAConfig, auto_map
from ..errors import InputError, one_line
from ..files import expanded, read_json
from ..training.card import REPOSITORY
from ..training.results import RESULTS_FILE, RunResults, short_name


WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
CONFIG, CARD = "config.json", "README.md"
CODE = ("configuration_dlfa.py", "modeling_dlfa.py")
TOKENIZER = ("tokenizer.json", "tokenizer_config.json")


@dataclass(frozen=True)
class Checkpoint:
    """A finished run, ready to be published.

    Attributes:
        folder: where it lies.
        results: its results.
        files: name in the repository -> the file, or the bytes to upload instead of it.
    """

    folder: Path
    results: RunResults
    files: dict[str, Path | bytes]

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
        InputError: the run is unfinished, a file is missing or damaged, or files do not belong together.
    """
    folder = Path(expanded(folder))
    _check_finished(folder)
    shards = _weight_files(folder)
    names = [CARD, RESULTS_FILE, CONFIG, *CODE, *shards, *TOKENIZER]
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise InputError(f"{folder} is incomplete: {', '.join(missing)} missing")
    results = RunResults.load(folder)
    try:
        _ = results.of_task
    except InputError as error:
        raise InputError(f"{folder / RESULTS_FILE}: no task {results.task!r}: {error}") from error
    _check_config(folder, results)
    _check_code(folder)
    _check_weights(folder, results, [name for name in shards if name != INDEX])
    files: dict[str, Path | bytes] = {name: folder / name for name in sorted(names)}
    for name in (CONFIG, *TOKENIZER, RESULTS_FILE):
        content = read_json(folder / name)
        shortened = _without_paths(content) if name != TOKENIZER[0] else content  # a vocabulary may hold anything
        if name == RESULTS_FILE:
            shortened = _without_folders(shortened)
        if shortened != content:
            files[name] = (json.dumps(shortened, indent=2, ensure_ascii=False) + "\n").encode()
    files[CARD] = _card(folder / CARD, repository).encode()
    return Checkpoint(folder, results, files)


# ---------------------------------------------------------------------------------------------------------------------
# Is everything there, and does it fit together?
# ---------------------------------------------------------------------------------------------------------------------


def _check_finished(folder: Path) -> None:
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: expected the output folder of a run")
    if not (folder / RESULTS_FILE).is_file():
        if runs := sorted(str(path.parent) for path in folder.glob(f"*/{RESULTS_FILE}")):
            raise InputError(f"{folder} holds several runs: give one of {', '.join(runs)}")
        raise InputError(f"{folder} holds no finished run: {RESULTS_FILE}, which a run writes last, is missing")


def _weight_files(folder: Path) -> list[str]:
    """The one file of weights, or the index with its shards; a single file wins, as in `from_pretrained`."""
    if (folder / WEIGHTS).exists() or not (folder / INDEX).is_file():
        return [WEIGHTS]
    weight_map = read_json(folder / INDEX).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise InputError(f"{folder / INDEX}: expected a weight_map")
    shards = sorted({str(name) for name in weight_map.values()})
    for name in shards:
        if PureWindowsPath(name).name != name or not name.endswith(".safetensors"):
            raise InputError(f"{folder / INDEX}: expected names of .safetensors files, found {name!r}")
    return [INDEX, *shards]


def _check_config(folder: Path, results: RunResults) -> None:
    """The model is one of the task, and opens with the code beside it and no other."""
    config = read_json(folder / CONFIG)
    architecture = results.of_task.kind.model_class.__name__
    if (found := config.get("architectures")) != [architecture]:
        raise InputError(f"{folder / CONFIG}: architectures {found!r}, expected {architecture} for {results.task}")
    expected, found = auto_map([architecture]), config.get("auto_map") or {}
    for name in {**expected, **found}:
        if found.get(name) != expected.get(name):
            raise InputError(
                f"{folder / CONFIG}: auto_map has {found.get(name)!r} for {name}, expected {expected.get(name)!r}"
            )


def _check_code(folder: Path) -> None:
    """The files hold the classes that `auto_map` names. They are read, not run."""
    classes: dict[str, set[str]] = {}
    for name in CODE:
        try:
            module = ast.parse((folder / name).read_text(encoding="utf-8"))
        except (SyntaxError, ValueError) as error:
            raise InputError(f"{folder / name} is no Python: {one_line(error)}") from error
        classes[name.removesuffix(".py")] = {node.name for node in module.body if isinstance(node, ast.ClassDef)}
    for reference in read_json(folder / CONFIG)["auto_map"].values():
        module_name, _, class_name = reference.partition(".")
        if class_name not in classes.get(module_name, ()):
            raise InputError(f"{folder / module_name}.py: no class {class_name}, which auto_map in {CONFIG} names")


def _check_weights(folder: Path, results: RunResults, shards: list[str]) -> None:
    """Headers can be read and hold every tensor of the model in its shape; `from_pretrained` draws missing ones."""
    found: dict[str, list[int]] = {}
    for name in shards:
        try:
            with safe_open(folder / name, framework="pt") as tensors:
                found |= {key: tensors.get_slice(key).get_shape() for key in tensors.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise InputError(f"{folder / name} is damaged: {one_line(error)}") from error
    try:
        with torch.device("meta"):
            model = results.of_task.kind.model_class(DLFAConfig.from_pretrained(folder))
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{folder / CONFIG}: {one_line(error)}") from error
    for name, tensor in model.state_dict().items():
        if found.get(name) != list(tensor.shape):
            shape = f"in shape {found[name]}, expected {list(tensor.shape)}" if name in found else "missing"
            raise InputError(f"the weights in {folder} do not fit {CONFIG}: {name} {shape}")


# ---------------------------------------------------------------------------------------------------------------------
# Nothing of this machine
# ---------------------------------------------------------------------------------------------------------------------


def _without_paths(value: Any) -> Any:
    """A JSON value in which every absolute path has become its last part."""
    if isinstance(value, dict):
        return {key: _without_paths(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_paths(entry) for entry in value]
    if isinstance(value, str) and (
        value.startswith("~") or PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute()
    ):
        return PureWindowsPath(value).name or value
    return value


def _without_folders(results: dict[str, Any]) -> dict[str, Any]:
    """The content of the results file with the bare names of folders that were given relative to another one."""
    stages = [stage | {"data": short_name(stage["data"])} for stage in results.get("intermediate", [])]
    names = {name: short_name(results[name]) for name in ("encoder", "data")}
    return results | names | ({"intermediate": stages} if stages else {})


def _card(path: Path, repository: str) -> str:
    """The text of the card, with the repository's name in its gaps."""
    text = path.read_text(encoding="utf-8").replace(REPOSITORY, repository)
    try:
        ModelCard(text)
    except (ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        raise InputError(f"{path}: its metadata cannot be read: {one_line(error)}") from error
    for private in (path.parent.resolve(), Path.home()):
        for number, line in enumerate(text.splitlines(), start=1):
            if private.name and str(private) in line:
                raise InputError(f"{path}:{number}: names a folder of this machine, {private}: shorten it")
    return text
