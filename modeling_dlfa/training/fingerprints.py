"""What a run reads and starts from, by content: the words of a command stay the same when its files change.

Fingerprints stand in the keys of stages and cells, in results, and beside an unfinished run; where they differ, it is
another run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import TrainingArguments

from ..encoders import resolve_encoder
from ..errors import InputError
from ..files import content_hash, text_hash
from .arguments import RunArguments
from .data import data_fingerprints
from .folder import STAGE_FILE
from .model import open_config


ENCODER, GLOBAL_BATCH = ("encoder", "tokenizer"), "global batch"  # names; all others are of data

# In the folder of an encoder: what its weights are made of, and its tokenizer. Other files decide nothing.
ENCODER_FILES = ("config.json", "*.safetensors", "pytorch_model*.bin")
TOKENIZER_FILES = ("tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "added_tokens.json", "*.model")


def used(
    arguments: RunArguments, data: Mapping[str, str] | None = None, training_arguments: TrainingArguments | None = None
) -> dict[str, Any]:
    """Fingerprints of the encoder, the tokenizer and all data of a run, by name.

    Args:
        data: those of data that were read before; default: those of the data that are there now.
        training_arguments: of the run that is begun, in the processes there are; its global batch counts too.

    Raises:
        InputError: data or encoder are not there.
    """
    found: dict[str, Any] = of_encoder(arguments.model_name_or_path, arguments.model_revision)
    found |= data_fingerprints(arguments) if data is None else data
    if training_arguments is not None:
        found[GLOBAL_BATCH] = global_batch(training_arguments)
    return found


def used_here(arguments: RunArguments) -> dict[str, Any]:
    """As `used`; empty where data or encoder are not here, as where another machine's records are reported."""
    try:
        return used(arguments)
    except InputError:
        return {}


def global_batch(training_arguments: TrainingArguments) -> int:
    """Examples of one update, over all processes."""
    batch = training_arguments.train_batch_size * training_arguments.gradient_accumulation_steps
    return batch * training_arguments.world_size


def of_encoder(name: str, revision: str | None = None) -> dict[str, str]:
    """Fingerprints of an encoder and its tokenizer: of their files, or the commit of a Hub repository.

    That of a stage is what decided its weights, which can be known before it is trained.
    """
    folder = Path(resolve_encoder(name))
    if folder.is_dir():
        tokenizer = _of_files(folder, TOKENIZER_FILES)
        if (folder / STAGE_FILE).is_file():
            return {"encoder": content_hash(folder / STAGE_FILE), "tokenizer": tokenizer}
        return {"encoder": _of_files(folder, ENCODER_FILES), "tokenizer": tokenizer}
    commit = str(getattr(open_config(name, revision), "_commit_hash", None))
    return {"encoder": commit, "tokenizer": commit}


def _of_files(folder: Path, patterns: tuple[str, ...]) -> str:
    paths = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
    return text_hash(" ".join(f"{path.name} {content_hash(path)}" for path in paths))
