"""Whether an encoder can do what a run asks of it, and fits its tokenizer: asked before anything is trained."""

import copy
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from ..errors import InputError, one_line
from ..modeling_dlfa import DLFAPreTrainedModel, encoder_class, first_position


# How the tables of learned positions are called, from BERT to GPT-2 and BART.
_POSITION_TABLES = ("position_embeddings", "char_position_embeddings", "wpe", "embed_positions")

# How far states may move, as a share of the largest, before a difference is one: rounding stays far below.
_ROUNDING = 1e-3


def check_encoder(name: str, config: PreTrainedConfig, max_length: int) -> None:
    """Look at an encoder's configuration alone.

    Raises:
        InputError: it is no encoder of text, its weights are quantised, or it reads fewer tokens than a row may have.
    """
    if getattr(config, "quantization_config", None) is not None:
        raise InputError(f"{name}: its weights are quantised, which cannot be fine-tuned: expected the full weights")
    try:
        readable = readable_positions(config)
    except ValueError as error:
        raise InputError(f"{name}: {one_line(error)}") from error
    if readable is not None and max_length > readable:
        raise InputError(f"--max_length {max_length}: the encoder {name} reads {readable} positions at most")


def readable_positions(config: PreTrainedConfig) -> int | None:
    """How many tokens an encoder has positions for; None where they are relative, and any number can be read.

    Raises:
        ValueError: it is no encoder of text.
    """
    key = f"{type(config)} {config.to_json_string(use_diff=False)}"
    if key not in _READABLE:
        _READABLE[key] = _count_positions(config)
    return _READABLE[key]


_READABLE: dict[str, int | None] = {}  # a study asks for the same encoder with every cell


def shape_of(config: PreTrainedConfig) -> PreTrainedModel:
    """The encoder of a configuration without its weights, to look at its modules."""
    with torch.device("meta"):
        return encoder_class(config)[0].from_config(copy.deepcopy(config))


def _count_positions(config: PreTrainedConfig) -> int | None:
    encoder: Any = shape_of(config)
    tables = [
        module.weight.shape[0] - first_position(encoder)
        for path, module in encoder.named_modules()
        if path.rpartition(".")[2] in _POSITION_TABLES and hasattr(module, "weight")
    ]
    # Some tables have rows that no position is looked up in; the configuration does not count them.
    named = [value for value in [getattr(config, "max_position_embeddings", None)] if isinstance(value, int)]
    return min(tables + named) if tables else None


def check_tokenizer(
    name: str, tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig, pairs: bool, cls: bool
) -> None:
    """Compare a tokenizer with the encoder that reads what it makes.

    Args:
        pairs: whether rows are made of two texts.
        cls: whether the first token stands for a row.

    Raises:
        InputError: the tokenizer has no token to pad with, none before a text that could stand for it, or makes ids or
            token types that the encoder does not have.
    """
    if tokenizer.pad_token_id is None:
        raise InputError(f"{name}: its tokenizer has no pad_token, expected one: rows of a batch differ in length")
    bare, whole = (tokenizer("a", add_special_tokens=special)["input_ids"] for special in (False, True))
    if cls and bare and whole[: len(bare)] == bare:  # pyright: ignore[reportArgumentType, reportIndexIssue]
        raise InputError(
            f"{name}: its tokenizer puts no token such as [CLS] before a text, to stand for it: give --pooling mean"
        )
    highest, rows = max(tokenizer.get_vocab().values()), config.get_text_config().vocab_size
    if highest >= rows:
        token = tokenizer.convert_ids_to_tokens(highest)
        raise InputError(
            f"{name}: its tokenizer has ids up to {highest} ({token!r}), the encoder has embeddings of {rows}: resize "
            "them (resize_token_embeddings), or take the tokenizer that belongs to the encoder"
        )
    types: Any = tokenizer("a", "b" if pairs else None).get("token_type_ids") or [0]
    known = getattr(config, "type_vocab_size", None)
    if known and max(types) >= known:
        raise InputError(
            f"{name}: its tokenizer gives token types up to {max(types)}, the encoder has {known}: expected the "
            "tokenizer that belongs to the encoder"
        )


@torch.no_grad()
def check_states(name: str, model: DLFAPreTrainedModel, max_length: int) -> None:
    """Let the encoder read two short texts, and look at what comes out: whether DLFA can be built on it.

    Raises:
        InputError: it cannot read them; its layers have states of other lengths than the text (CANINE, Funnel);
            padding changes what it says of a text (FNet); or a sequence is represented by its first token, which sees
            none of the others (GPT-2, Llama).
    """
    dlfa: Any = model.base_model
    if any(not parameter.numel() or parameter.is_meta for parameter in dlfa.parameters()):
        return  # shared out among processes, or not here yet: nothing can be run
    config = dlfa.encoder.config
    long, other, short = probes(config, max_length)
    padded = nn.functional.pad(short, (0, max_length - len(short)), value=getattr(config, "pad_token_id", None) or 0)
    masks = torch.ones(2, max_length, dtype=torch.long)
    masks[1, len(short) :] = 0
    try:
        states = _states(dlfa.encoder, long[None], masks[:1])
        together = _states(dlfa.encoder, torch.stack((other, padded)), masks)
        alone = _states(dlfa.encoder, short[None], masks[:1, : len(short)])
    except Exception as error:  # whatever an encoder raises that is not made for this
        reason = f"{type(error).__name__}: {one_line(error, 200)}"
        raise InputError(f"{name}: the encoder cannot read a text of {max_length} tokens ({reason})") from error
    layers, expected = config.num_hidden_layers, (1, max_length, config.hidden_size)
    if len(states) != layers + 1 or any(state.shape != expected for state in states):
        raise InputError(
            f"{name}: a {config.model_type} encoder's layers do not all say something of every token, expected "
            f"{layers + 1} of shape {expected}, found {len(states)} of {_shapes(states)}"
        )
    if not all(_close(one[1, : len(short)], two[0]) for one, two in zip(together, alone, strict=True)):
        raise InputError(
            f"{name}: what a {config.model_type} encoder says of a text depends on the padding behind it: expected an "
            "encoder that heeds the attention mask"
        )
    if (
        pools(model)
        and model.config.pooling == "cls"
        and _close(states[-1][0, 0], together[-1][0, 0], 1e-6)
        and not torch.equal(long, other)
    ):
        raise InputError(
            f"{name}: in this {config.model_type} encoder the first token sees none of the others, so that it cannot "
            "stand for them: give --pooling mean"
        )


def pools(model: Any) -> bool:
    """Whether a model, or a class of them, makes one vector of a sequence."""
    return hasattr(model, "pool")


def probes(config: PreTrainedConfig, length: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Token ids of two texts of `length` that share their first token alone, and of one about half as long."""
    special = {getattr(config, f"{name}_token_id", None) for name in ("pad", "bos", "eos", "cls", "sep", "unk")}
    ids = [token for token in range(min(config.vocab_size, length + 8)) if token not in special] or [0]
    long = torch.tensor([ids[place % len(ids)] for place in range(length)])
    other = torch.tensor([ids[0], *(ids[(place + 1) % len(ids)] for place in range(1, length))])
    return long, other, long[: length // 2 + 1]


def _states(encoder: nn.Module, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The encoder's states, with the last one as DLFA reads it."""
    output = encoder(input_ids=ids, attention_mask=mask, output_hidden_states=True, return_dict=True)
    return (*output.hidden_states[:-1], output.last_hidden_state)


def _close(one: torch.Tensor, other: torch.Tensor, rounding: float = _ROUNDING) -> bool:
    one, other = one.float(), other.float()
    return bool((one - other).abs().max() <= rounding * one.abs().max())


def _shapes(states: tuple[torch.Tensor, ...]) -> str:
    return " and ".join(dict.fromkeys(str(tuple(state.shape)) for state in states))
