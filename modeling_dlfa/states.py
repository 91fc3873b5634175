"""Where hidden states are kept on disk: `StatesCache`.

Where the encoder is left as it is, its states are the same for every fusion, layer, head and seed. They are computed
once for the rows of a set and kept for each layer in one file of 16-bit numbers, which is mapped into memory.
"""

import copy
import json
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import xxhash
from datasets import Dataset, List
from filelock import FileLock, Timeout
from huggingface_hub import constants
from torch import nn
from tqdm.auto import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from .batching import token_batches
from .configuration_dlfa import DLFAConfig
from .errors import InputError, one_line
from .files import write_text
from .known_states import RowsOfStates, SetOfStates, layer_file, mapped
from .modeling_dlfa import DLFAModel


# Rows are run through the encoder by length, as many together as this has tokens, padding included (our choice).
BATCH_TOKENS = 8192
SET_FILE = "set.json"
GB = 10**9


class StatesCache:
    """Hidden states on disk: a folder for each set of rows, in it a file for each layer.

    A file appears when it is complete. Processes that need the same set wait for the one that computes it, and compute
    others meanwhile; one that is killed leaves a file that the next one deletes.

    Args:
        folder: default: `modeling_dlfa/states` under `HF_HOME`.
        limit: bytes that all sets together may take.
    """

    def __init__(self, folder: str | Path | None = None, limit: float = 20 * GB):
        self.folder = Path(folder) if folder is not None else Path(constants.HF_HOME) / "modeling_dlfa" / "states"
        self.limit = limit

    def sets(self) -> list[tuple[SetOfStates, list[int]]]:
        """What is there: every set, and the layers kept of it."""
        found = []
        for folder in self._folders():
            if (file := folder / SET_FILE).is_file():
                values = json.loads(file.read_text(encoding="utf-8"))
                found.append((SetOfStates(**{**values, "lengths": tuple(values["lengths"])}), self._kept(folder)))
        return found

    def _folders(self) -> list[Path]:
        """Those of sets; whatever else lies beside them is not ours."""
        return [path for path in sorted(self.folder.glob("*")) if re.fullmatch("[0-9a-f]{16}", path.name)]

    def size(self) -> int:
        """Bytes that all files take, half-written ones among them."""
        return sum(_bytes(folder.glob("*")) for folder in self._folders())

    def clear(self, keys: Collection[str] | None = None) -> int:
        """Delete sets; a process that reads some of them has them open, and goes on.

        Args:
            keys: of the sets; default: all.

        Returns:
            how many bytes that were.
        """
        before = self.size()
        for folder in self._folders():
            if keys is None or folder.name in keys:
                with FileLock(self._lock(folder.name)):
                    shutil.rmtree(folder)
                    self._lock(folder.name).unlink(missing_ok=True)
        return before - self.size()

    def states(
        self,
        encoder: PreTrainedModel,
        sets: Mapping[str, Dataset],
        tokenizer: PreTrainedTokenizerBase,
        layers: Collection[int],
        also: Collection[int] = (),
        device: torch.device | None = None,
        autocast: torch.dtype | None = None,
        report: Callable[[str], None] | None = None,
    ) -> RowsOfStates:
        """The states of rows, read from disk or computed and put there.

        Args:
            encoder: in evaluation mode, in 32 bits; it comes back where it was.
            sets: name -> encoded rows, with columns `input_ids` and what else the tokenizer makes. Of rows with
                several sequences, such as choices, the states are those of all sequences, in their order.
            tokenizer: pads them.
            layers: indices into `hidden_states`; L is the last layer as the encoder returns it.
            also: those that are kept beside them for later, if anything has to be computed.
            device: to compute on; default: the encoder's.
            autocast: precision to compute in; default: the encoder's.
            report: gets a line before anything is computed, and then there are bars; default: neither.

        Raises:
            InputError: the states would take more than the limit, or do not fit 16 bits; the disk is full.
        """
        sets = {name: sequences(rows) for name, rows in sets.items()}
        computed_by = f"{weights_hash(encoder)} {autocast or encoder.dtype}"
        asked = {name: self._describe(encoder.config, computed_by, name, rows) for name, rows in sets.items()}
        missing = {name: self._missing(one, layers) for name, one in asked.items()}
        if any(missing.values()):
            missing = {name: self._missing(one, {*layers, *also}) for name, one in asked.items()}
        work: dict[str, tuple[SetOfStates, Dataset, list[int]]] = {}
        for name, lacking in missing.items():
            if lacking:  # two sets may have the same rows
                work.setdefault(asked[name].key, (asked[name], sets[name], lacking))
        if work:
            needed = sum(one.layer_bytes * len(lacking) for one, _, lacking in work.values())
            count = sum(one.tokens for one, _, _ in work.values())
            self._check_room(needed, count, max(len(lacking) for _, _, lacking in work.values()), work)
            if report is not None:
                report(f"hidden states of {count:,} tokens, {needed / GB:.2f} GB into {self.folder}")
            at_home = next(encoder.parameters()).device
            model = _last_layer_model(encoder)
            cast(Any, model).to(device or at_home)
            try:
                for waits in (False, True):  # first what nobody else is computing
                    for key, of_set in list(work.items()):
                        if self._compute(model, *of_set, tokenizer, autocast, waits, report is not None):
                            del work[key]
            finally:
                cast(Any, encoder).to(at_home)
        states = RowsOfStates(self.folder, list(asked.values()), sorted(layers))
        try:
            states.open()
        except FileNotFoundError:  # deleted while others were computed
            return self.states(encoder, sets, tokenizer, layers, also, device, autocast, report)
        return states

    @staticmethod
    def _describe(config: Any, computed_by: str, name: str, rows: Dataset) -> SetOfStates:
        """What would be kept of a set. `computed_by`: all that decides the states, but for the rows."""
        key = xxhash.xxh3_64(computed_by.encode())
        lengths: tuple[int, ...] = ()
        table = rows.with_format("numpy")[:] if len(rows) else {}
        for column, values in table.items():
            key.update(column.encode())
            lengths = tuple(map(len, values))
            key.update(np.asarray(lengths, dtype=np.int64).tobytes())
            key.update(np.concatenate([np.asarray(value, dtype=np.int64) for value in values]).tobytes())
        of_encoder = getattr(config, "_name_or_path", "") or config.model_type
        whole = f"{name} ({Path(of_encoder).name})"
        return SetOfStates(key.hexdigest(), whole, lengths, config.hidden_size, config.num_hidden_layers)

    def _kept(self, folder: Path) -> list[int]:
        return sorted(int(path.stem.rpartition("-")[2]) for path in folder.glob("layer-*.f16"))

    def _missing(self, one: SetOfStates, layers: Collection[int]) -> list[int]:
        kept = self._kept(self.folder / one.key)
        return [layer for layer in sorted(layers) if layer not in kept] if one.tokens else []

    def _lock(self, key: str) -> Path:
        return self.folder / f"{key}.lock"

    def _check_room(self, needed: int, tokens: int, layers: int, keys: Collection[str]) -> None:
        half_written = sum(_bytes((self.folder / key).glob(".*.tmp")) for key in keys)  # of whoever is at it already
        there = self.size() - half_written
        advice = "score fewer rows or languages, or fuse fewer layers"
        what = f"hidden states of {layers} layers for {tokens:,} tokens take {needed / GB:.2f} GB more"
        if there + needed > self.limit:
            raise InputError(
                f"{what}, and {self.folder} holds {there / GB:.2f} of at most {self.limit / GB:g} GB: give a higher "
                f"--states_limit, delete old ones with `dlfa cache --clear`, or {advice}"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise InputError(
                f"{what}, and the disk of {self.folder} has {free / GB:.2f} GB left: give another --states_dir, or "
                f"{advice}"
            )

    def _compute(
        self,
        model: DLFAModel,
        one: SetOfStates,
        rows: Dataset,
        layers: Collection[int],
        tokenizer: PreTrainedTokenizerBase,
        autocast: torch.dtype | None,
        waits: bool,
        bar: bool,
    ) -> bool:
        """Compute what a set lacks; returns whether it is there now. `waits`: for whoever else computes it."""
        folder = self.folder / one.key
        try:
            with FileLock(self._lock(one.key)).acquire(timeout=-1 if waits else 0):
                missing = self._missing(one, layers)  # another process may have been quicker
                if missing:
                    folder.mkdir(exist_ok=True)
                    for half_written in folder.glob(".*.tmp"):
                        half_written.unlink()
                    write_text(folder / SET_FILE, json.dumps(asdict(one)))
                    _write(model, one, rows, tokenizer, folder, missing, autocast, bar)
        except Timeout:
            return False
        except OSError as error:
            raise InputError(f"cannot keep hidden states in {folder}: {one_line(error)}") from error
        return True


@torch.no_grad()
def _write(
    model: DLFAModel,
    one: SetOfStates,
    rows: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    layers: Sequence[int],
    autocast: torch.dtype | None,
    bar: bool,
) -> None:
    """Compute the states of a set and write a file for each layer, all of them or none."""
    temporary = {layer: folder / f".{layer_file(folder, layer).name}.tmp" for layer in layers}
    try:
        for path in temporary.values():
            _reserve(path, one.layer_bytes)
        files = {layer: mapped(path, one, "r+") for layer, path in temporary.items()}
        order = sorted(range(len(one.lengths)), key=lambda row: -one.lengths[row])
        batches = list(token_batches([one.lengths[row] for row in order], BATCH_TOKENS))
        for start, end in tqdm(batches, desc=f"hidden states, {one.name}", leave=False, disable=not bar):
            batch = order[start:end]
            padded = tokenizer.pad(rows[batch], return_tensors="pt").to(model.device)
            with torch.autocast(model.device.type, dtype=autocast, enabled=autocast is not None):
                output: Any = model(
                    **padded, output_hidden_states=[layer for layer in layers if layer < one.layers], return_dict=True
                )
            for layer in layers:
                states = output.last_hidden_state if layer == one.layers else output.hidden_states[layer]
                _check_range(states, layer)
                half = states.to(torch.float16).cpu().numpy()
                for place, row in enumerate(batch):
                    files[layer][one.starts[row] : one.starts[row + 1]] = half[place, : one.lengths[row]]
        for layer, path in temporary.items():
            files[layer].flush()
            path.replace(layer_file(folder, layer))
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)


def _reserve(path: Path, size: int) -> None:
    """Take the room of a file: where a disk fills up under one that is mapped, the process is killed."""
    with open(path, "wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)


def _bytes(paths: Iterable[Path]) -> int:
    """What files take, of which some may be gone by now."""
    total = 0
    for path in paths:
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def _check_range(states: torch.Tensor, layer: int) -> None:
    largest = states.abs().max().item()
    if not largest <= torch.finfo(torch.float16).max:
        raise InputError(
            f"hidden states of layer {layer} reach {largest:g}, which 16 bits do not hold: fuse another layer, or "
            "give another --train"
        )


def sequences(rows: Dataset) -> Dataset:
    """What an encoder reads of encoded rows, a row each sequence."""
    read = rows.select_columns(_inputs(rows))
    if len(rows) == 0 or not isinstance(getattr(rows.features["input_ids"], "feature", None), List):
        return read
    return Dataset.from_dict({name: [one for row in read[name] for one in row] for name in read.column_names})


def _inputs(rows: Dataset) -> list[str]:
    """The columns that an encoder reads, beside its mask."""
    return [name for name in ("input_ids", "token_type_ids") if name in rows.column_names]


def _last_layer_model(encoder: PreTrainedModel) -> DLFAModel:
    """What `DLFAModel` makes of inputs, around an encoder: it counts positions, and leaves out what is not read."""
    # A copy, because a new configuration resets how its encoder attends.
    config = DLFAConfig(encoder_config=copy.deepcopy(encoder.config), fusion="none")
    return cast(DLFAModel, DLFAModel(config, encoder=encoder).eval())


def weights_hash(module: nn.Module) -> str:
    """Hash of a module's weights and, where it has one, of its configuration, 16 digits."""
    digest = xxhash.xxh3_64()
    config = getattr(module, "config", None)
    if config is not None:
        values = {name: value for name, value in config.to_dict().items() if not name.startswith("_")}
        values = {name: value for name, value in values.items() if name not in ("transformers_version", "dtype")}
        digest.update(json.dumps(values, sort_keys=True, default=str).encode())
    for name, tensor in module.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(memoryview(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().reshape(-1)))
    return digest.hexdigest()
