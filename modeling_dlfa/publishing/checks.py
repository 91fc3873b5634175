"""What a checkpoint has to pass before it leaves: whole, safe to open, and nothing of this machine."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from ..configuration_dlfa import DLFAConfig, auto_map
from ..encoders import FOREIGN
from ..errors import InputError, one_line
from ..files import read_json
from ..privacy import has_secret, names_machine, secret_place, without_secrets
from ..training.results import RESULTS_FILE, RunResults


WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
CONFIG, CARD = "config.json", "README.md"
CODE = ("configuration_dlfa.py", "modeling_dlfa.py")
VOCABULARY, TOKENIZER_CONFIG = "tokenizer.json", "tokenizer_config.json"


def check_finished(folder: Path) -> None:
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: expected the output folder of a run")
    if not (folder / RESULTS_FILE).is_file():
        if runs := sorted(str(path.parent) for path in folder.glob(f"*/{RESULTS_FILE}")):
            raise InputError(f"{folder} holds several runs: give one of {', '.join(runs)}")
        raise InputError(f"{folder} holds no finished run: {RESULTS_FILE}, which a run writes last, is missing")


def weight_files(folder: Path) -> list[str]:
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


def check_files(folder: Path, names: list[str]) -> None:
    """All are there, as files of this folder: a link out of it would publish what nobody has put there."""
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise InputError(f"{folder} is incomplete: {', '.join(missing)} missing")
    inside = folder.resolve()
    inodes = [(status.st_dev, status.st_ino) for status in (os.stat(entry.path) for entry in _files_below(folder))]
    for name in names:
        path = folder / name
        if not path.resolve().is_relative_to(inside):
            raise InputError(f"{path} is a link to {path.resolve()}: put a copy of the file in its place")
        status = path.stat()
        if status.st_nlink > inodes.count((status.st_dev, status.st_ino)) > 0:
            raise InputError(f"{path} is the same file as one outside {folder} (a hard link): put a copy in its place")


def _files_below(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files_below(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                yield entry


def check_config(path: Path, content: bytes, results: RunResults) -> None:
    """The model is one of the task, and opens with the code beside it and no other."""
    config = json.loads(content)
    architecture = results.of_task.kind.model_class.__name__
    if (found := config.get("architectures")) != [architecture]:
        raise InputError(f"{path}: architectures {found!r}, expected {architecture} for {results.task}")
    expected, found = auto_map([architecture]), config.get("auto_map") or {}
    if not isinstance(found, dict):
        raise InputError(f"{path}: auto_map is {found!r}, expected {expected!r}")
    for name in {**expected, **found}:
        if found.get(name) != expected.get(name):
            raise InputError(f"{path}: auto_map has {found.get(name)!r} for {name}, expected {expected.get(name)!r}")


def check_code(path: Path, content: bytes) -> None:
    """The two files are those of this package, byte for byte: whoever opens the checkpoint runs them."""
    if path.name in CODE and content != (ours := Path(__file__).parents[1] / path.name).read_bytes():
        raise InputError(
            f"{path} is not that of the installed modeling_dlfa, {ours}: publish with the version that the run was "
            "made with, or copy the installed file over it and score the run again"
        )


def check_foreign(path: Path, content: bytes) -> None:
    """No JSON file names code, at any depth; but for our own in the configuration, see `check_config`."""
    if path.suffix != ".json":
        return
    # Read by `check_config`; keys of the vocabulary are pieces of words.
    read_elsewhere = {CONFIG: "auto_map", VOCABULARY: "model"}.get(path.name)
    values = {key: value for key, value in json.loads(content).items() if key != read_elsewhere}
    if place := _foreign(values):
        raise InputError(
            f"{path}: {place} names code, or where it comes from, and a checkpoint has none but {' and '.join(CODE)}: "
            "delete the entry"
        )


def _foreign(value: Any, where: str = "") -> str | None:
    """Where in a JSON value an entry of `FOREIGN` stands that says something."""
    if isinstance(value, Mapping):
        for key, entry in value.items():
            place = f"{where}.{key}" if where else str(key)
            if key in FOREIGN and entry not in (None, False, "", [], {}):
                return place
            if found := _foreign(entry, place):
                return found
    if isinstance(value, list):
        return next((found for entry in value if (found := _foreign(entry, where))), None)
    return None


def check_weights(folder: Path, results: RunResults, shards: list[str]) -> None:
    """Every tensor of the model is there, in its shape, of numbers; `from_pretrained` draws missing ones."""
    try:
        with torch.device("meta"):
            model = results.of_task.kind.model_class(DLFAConfig.from_pretrained(folder))
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{folder / CONFIG}: {one_line(error)}") from error
    expected = model.state_dict()
    found: dict[str, list[int]] = {}
    for name in shards:
        try:
            with safe_open(folder / name, framework="pt") as tensors:
                if place := secret_place(tensors.metadata() or {}, "metadata"):
                    raise InputError(f"{folder / name}: {place} holds a secret")
                for key in tensors.keys():  # noqa: SIM118
                    found[key] = tensors.get_slice(key).get_shape()
                    if key in expected:
                        _check_tensor(f"{folder / name}: {key}", tensors.get_tensor(key), expected[key])
        except (SafetensorError, OSError) as error:
            raise InputError(f"{folder / name} is damaged: {one_line(error)}") from error
    for name, tensor in expected.items():
        if found.get(name) != list(tensor.shape):
            shape = f"in shape {found[name]}, expected {list(tensor.shape)}" if name in found else "missing"
            raise InputError(f"the weights in {folder} do not fit {CONFIG}: {name} {shape}")


def _check_tensor(where: str, tensor: torch.Tensor, expected: torch.Tensor) -> None:
    if tensor.is_floating_point() != expected.is_floating_point():
        raise InputError(f"{where} is of {tensor.dtype}, expected {expected.dtype} or another like it")
    if tensor.is_floating_point() and not tensor.isfinite().all():
        raise InputError(f"{where} is not finite (nan or infinite): training has diverged, or the file is damaged")


def check_private(path: Path, content: bytes) -> None:
    """A file holds no secret and names no folder of this machine; a vocabulary may hold what looks like one."""
    text = content.decode("utf-8", "replace")
    for number, line in enumerate(text.splitlines(), start=1) if has_secret(text) else ():
        if has_secret(line):
            raise InputError(f"{path}:{number}: holds a secret, {_shown(line)}: delete it, and revoke it")
    for number, line in enumerate(text.splitlines(), start=1) if path.name != VOCABULARY else ():
        if private := names_machine(line, path.parent.resolve()):
            raise InputError(f"{path}:{number}: names a folder of this machine, {private}: shorten it")


def _shown(line: str) -> str:
    """Around the secret of a line, which is not said again."""
    clean = without_secrets(line).strip()
    place = max(0, clean.find("***") - 30)
    return repr(clean[place : place + 60])
