"""The output folder of a run: whether it may be written to, and from which checkpoint an interrupted run goes on."""

import json
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open

from ..configuration_dlfa import DLFAConfig
from ..errors import InputError
from ..files import check_writable, read_json, write_text
from .arguments import LAST_CHECKPOINT
from .noted import first_difference, same_settings
from .results import RESULTS_FILE


# A run's summary of its training, from when the model is saved to when it is scored.
TRAINED_FILE = "trained.json"
# Beside the files of a stage of an intermediate task: what decided its weights.
STAGE_FILE = "stage.json"
# Everything that decides a run, from before it is trained; it stays here when the run is published.
SETTINGS_FILE = "settings.json"


def checkpoint_to_resume(output: Path, asked: str | None) -> str | None:
    """The checkpoint to go on from, or None for a run from the start.

    A run that was begun here and has saved nothing whole begins again, whether or not it is to be resumed.

    Args:
        output: the run's output folder.
        asked: `--resume_from_checkpoint`: None, "last", or the folder of a checkpoint.

    Returns:
        The checkpoint; `output` itself where training has come to its end and scoring has not.

    Raises:
        InputError: the folder holds a finished run, one to be resumed or something else, or there is no such
            checkpoint.
    """
    if (output / RESULTS_FILE).exists():
        raise InputError(f"{output} holds a finished run ({RESULTS_FILE}): give another --output_dir or delete it")
    if asked is not None and asked.lower() not in LAST_CHECKPOINT:
        if not is_complete(Path(asked)):
            raise InputError(f"--resume_from_checkpoint {asked}: no such folder, or no whole checkpoint in it")
        elsewhere = Path(asked).resolve().parent != output.resolve()
        there = [path.name for path in output.iterdir() if SETTINGS_FILE not in path.name] if output.is_dir() else []
        if elsewhere and there:
            raise InputError(
                f"--resume_from_checkpoint {asked} is in another folder than {output}, which is not empty: give that "
                "folder as --output_dir, or an empty one"
            )
        check_writable(output)
        return asked
    if (output / TRAINED_FILE).is_file():
        if asked is not None:
            return str(output)
        raise InputError(
            f"{output} holds a trained model that is not scored yet ({TRAINED_FILE}): add --resume_from_checkpoint "
            "last, give another --output_dir or delete it"
        )
    last = last_checkpoint(output)
    # A name like that of the settings is what they were locked by, or written under, when the run was killed; an empty
    # folder is all that it leaves when it is killed before that.
    there = [path.name for path in output.iterdir()] if output.is_dir() else None
    begun = there == [] or any(SETTINGS_FILE in name for name in there or ())
    if asked is not None:
        if last is None and not begun:
            raise InputError(f"--resume_from_checkpoint {asked}: {output} has no checkpoint to go on from")
        return None if last is None else str(last)
    if last is not None:
        raise InputError(
            f"{output} holds an unfinished run ({last.name}): add --resume_from_checkpoint last, give another "
            "--output_dir or delete it"
        )
    check_writable(output)
    if there and not begun:
        raise InputError(f"{output} is not empty: give another --output_dir")
    return None


def check_apart(output: Path, others: Mapping[str, Path]) -> None:
    """See that a run does not write among what it reads, or what others read.

    Args:
        others: what a folder is -> the folder. The output folder may lie in none of them.

    Raises:
        InputError: it does.
    """
    where = output.resolve()
    for what, folder in others.items():
        if where == folder.resolve():
            raise InputError(f"--output_dir {output} is {what}: give another --output_dir")
        if folder.resolve() in where.parents:
            raise InputError(f"--output_dir {output} lies in {what}, {folder}: give another --output_dir")


@contextmanager
def alone_in(output: Path) -> Iterator[None]:
    """Keep other runs out of a folder, and clear away what one that was killed had half written.

    Raises:
        InputError: one is writing there.
    """
    output.mkdir(parents=True, exist_ok=True)
    lock = FileLock(output / f".{SETTINGS_FILE}.lock")
    try:
        with lock.acquire(timeout=0):
            for half_written in output.rglob(".*.tmp"):
                half_written.unlink()
            try:
                yield
            finally:
                Path(lock.lock_file).unlink(missing_ok=True)
    except Timeout:
        raise InputError(f"another run is writing to {output}: give another --output_dir") from None


def write_settings(output: Path, settings: Mapping[str, Any]) -> None:
    """Write down what decides a run, for `check_same_settings` to find when it is to go on."""
    output.mkdir(parents=True, exist_ok=True)
    write_text(output / SETTINGS_FILE, json.dumps(dict(settings), indent=2, ensure_ascii=False) + "\n")


def check_same_settings(folder: Path, settings: Mapping[str, Any], may_differ: Collection[str] = ()) -> None:
    """Refuse to go on with a run that other settings have begun; a folder of an old version has none written down.

    Args:
        folder: of the run.
        settings: name -> value, those of the run that is asked for.
        may_differ: names that are not looked at.

    Raises:
        InputError: naming the first setting that differs, with both values.
    """
    if not (folder / SETTINGS_FILE).is_file():
        return
    difference = first_difference(read_json(folder / SETTINGS_FILE), settings, may_differ)
    if difference is not None:
        name, before, now = difference
        raise InputError(
            f"{folder} is of a run with {name} {before!r}, not {now!r}: give what that run was given, or another "
            "--output_dir"
        )


def check_optimizer(checkpoint: Path) -> None:
    """Refuse a checkpoint without the optimizer's state: training would begin anew on old weights.

    Raises:
        InputError: it was saved with `--save_only_model`.
    """
    if not any(
        path for pattern in ("optimizer*", "global_step*") for path in checkpoint.glob(pattern)
    ):  # or DeepSpeed's
        raise InputError(
            f"{checkpoint} holds no state of the optimizer (--save_only_model), training cannot go on from it: give "
            "another --output_dir or delete it"
        )


def holds_run(folder: Path, settings_file: str, settings: Mapping[str, Any]) -> bool:
    """Whether a folder holds a finished run beside a file that says of it what these settings say."""
    try:
        saved = json.loads((folder / settings_file).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return same_settings(saved, settings) and (folder / RESULTS_FILE).is_file()


def last_checkpoint(output: Path) -> Path | None:
    """The newest checkpoint in a folder that was written to its end."""
    folders = [folder for folder in output.glob("checkpoint-*") if folder.name.rpartition("-")[2].isdecimal()]
    folders.sort(key=lambda folder: int(folder.name.rpartition("-")[2]))
    return next((folder for folder in reversed(folders) if is_complete(folder)), None)


def find_best_again(checkpoint: Path) -> None:
    """Have a checkpoint say where the best one so far is now: the Trainer notes the path that the folder had then.

    It would forget one that is not there, keep the last step and say nothing. One process does it.

    Raises:
        InputError: the best checkpoint is not beside this one.
    """
    file = checkpoint / "trainer_state.json"
    state = read_json(file)
    noted = state.get("best_model_checkpoint")
    if noted is None or Path(noted).is_dir():
        return
    there = checkpoint.parent / Path(noted).name
    if not is_complete(there):
        raise InputError(
            f"{checkpoint} says that {noted} was the best checkpoint so far, and there is none: give another "
            "--output_dir, or delete this one"
        )
    write_text(file, json.dumps({**state, "best_model_checkpoint": str(there)}, indent=2, sort_keys=True) + "\n")


def is_complete(checkpoint: Path) -> bool:
    """Whether a checkpoint was written to its end, and its weights are whole: the Trainer writes its state last.

    Without it the Trainer would take the weights and start from step 0.
    """
    try:
        for weights in checkpoint.glob("*.safetensors"):
            with safe_open(weights, "pt"):
                pass
        return "global_step" in json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, SafetensorError):
        return False


def check_same_model(checkpoint: str, config: DLFAConfig) -> None:
    """Refuse a checkpoint of another model; the Trainer would load the weights that fit and leave the rest.

    Raises:
        InputError: naming the first difference.
    """
    path = Path(checkpoint) / "config.json"
    if (path.parent / "adapter_config.json").is_file():  # of what --train lora trains, without the model's own
        return
    saved = read_json(path)
    wanted = json.loads(config.to_json_string(use_diff=False))
    for name in ("fusion", "fusion_layer", *sorted(DLFAConfig.__annotations__), "id2label"):
        if name in saved and name != "encoder_config" and saved[name] != wanted[name]:
            raise InputError(
                f"{checkpoint} is of a run with {name} {saved[name]!r}, not {wanted[name]!r}: give the arguments of "
                "that run, or another --output_dir"
            )


def remove_checkpoints(output: Path) -> None:
    """Delete the Trainer's checkpoints."""
    for folder in output.glob("checkpoint-*"):
        shutil.rmtree(folder)
