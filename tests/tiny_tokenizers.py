"""Tiny tokenizers of the three ways to write white space."""

from collections.abc import Sequence

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast


WORDS = ("the", "dog", "##s", "run", "##ning", "one", "two", "a", "我", "们", "Ġ")


def wordpiece(known: Sequence[str] = WORDS) -> PreTrainedTokenizerBase:
    """BERT-like: "dogs" is dog ##s, CJK characters stand alone, control characters vanish.

    Args:
        known: pieces of the vocabulary beside the special ones.
    """
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *known]
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return _fast(tokenizer, "[UNK]", "[PAD]", "[CLS]", "[SEP]", ["input_ids", "token_type_ids", "attention_mask"])


def unigram() -> PreTrainedTokenizerBase:
    """XLM-R-like: "我" is a lone ▁ and 我; the Maltese letter Ġ is a piece that holds a character."""
    words = ["▁the", "▁dog", "s", "▁run", "ning", "▁one", "▁two", "▁a", "▁", "我", "们", "Ġ", "x", "b"]
    vocab = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -20.0)] + [(word, -2.0) for word in words]
    tokenizer = Tokenizer(models.Unigram(vocab, unk_id=3))
    tokenizer.normalizer = normalizers.Replace("\u200b", "")
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return _fast(tokenizer, "<unk>", "<pad>", "<s>", "</s>")


def byte_level() -> PreTrainedTokenizerBase:
    """ModernBERT-like: words take their piece from the space before them, and no piece is unknown."""
    words = ["[CLS]", "[SEP]", "[PAD]", "[UNK]", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    merges = [("o", "n"), ("on", "e"), ("t", "w"), ("tw", "o"), ("Ġ", "two"), ("Ġ", "one")]
    words += [left + right for left, right in merges]
    tokenizer = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 1)]
    )
    return _fast(tokenizer, "[UNK]", "[PAD]", "[CLS]", "[SEP]")


def _fast(
    tokenizer: Tokenizer,
    unk: str,
    pad: str,
    cls: str,
    sep: str,
    inputs: Sequence[str] = ("input_ids", "attention_mask"),
) -> PreTrainedTokenizerBase:
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token=unk,
        pad_token=pad,
        cls_token=cls,
        sep_token=sep,
        model_input_names=list(inputs),
    )


def with_mask(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """The tokenizer, with a mask token behind all others."""
    tokenizer.add_special_tokens({"mask_token": "[MASK]"})
    return tokenizer


TOKENIZERS = {"wordpiece": wordpiece, "unigram": unigram, "byte_level": byte_level}
