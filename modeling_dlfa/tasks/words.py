"""Words of running text, with their places: what is between spaces and punctuation, or an encoder's own pieces."""

import unicodedata
from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase


# Scripts that are written without spaces between words, by code points.
_UNSPACED = (
    *((0x0E00, 0x0EFF), (0x0F00, 0x0FFF), (0x1000, 0x109F), (0x1780, 0x17FF)),  # Thai, Lao, Tibetan, Burmese, Khmer
    *((0x3040, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F)),  # Hiragana and Katakana
    *((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)),  # Han
)


def is_unspaced(word: str) -> bool:
    """Whether a string between spaces is not one word for sure: more than one character, some of such a script."""
    return len(word) > 1 and any(map(_of_unspaced, word))


def _of_unspaced(character: str) -> bool:
    return any(low <= ord(character) <= high for low, high in _UNSPACED)


def words_of(text: str, tokenizer: PreTrainedTokenizerBase) -> list[tuple[int, int]]:
    """Places (start, end) of the words in a text.

    White space and punctuation part words. A run of a script without spaces is parted where the encoder's pieces are
    (our choice: there is no segmenter for every language, and the pieces are what the model saw in training).
    """
    from tokenizers.pre_tokenizers import BertPreTokenizer

    places: list[tuple[int, int]] = []
    for word, (start, end) in BertPreTokenizer().pre_tokenize_str(text):
        if is_unspaced(word):
            places += [(start + first, start + last) for first, last in _pieces(word, tokenizer)]
        else:
            places.append((start, end))
    return places


def _pieces(word: str, tokenizer: PreTrainedTokenizerBase) -> list[tuple[int, int]]:
    """Places of a word's pieces; together they cover it, and each holds a whole character at least."""
    encoded = tokenizer(word, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    starts = {start for start, end in encoded["offset_mapping"] if end > start} | {0}  # pyright: ignore
    bounds = [*sorted(starts), len(word)]
    return [(start, end) for start, end in zip(bounds, bounds[1:]) if end > start]


def running_text(words: Sequence[str]) -> str:
    """Words as they are written: with spaces, but none before closing punctuation or within unspaced scripts."""
    text = ""
    for word in filter(None, words):
        closes = unicodedata.category(word[0]) in ("Pe", "Po", "Pf") and word[0] not in _OPENING
        text += word if not text or closes or _of_unspaced(text[-1]) and _of_unspaced(word[0]) else f" {word}"
    return text


_OPENING = "¿¡\"'"  # or either, and the same character


def word_numbers(ids: Sequence[int], tokenizer: PreTrainedTokenizerBase) -> list[int | None]:
    """Which word each of a row's pieces belongs to, counted from 0; None for special tokens.

    Read off the pieces themselves, since rows are made of whole texts or of single words: what continues a word is
    marked in WordPiece vocabularies, what begins one in the others. A mask token, which bears no mark, is a word.
    """
    model: Any = tokenizer.backend_tokenizer.model  # pyright: ignore
    prefix, mask = getattr(model, "continuing_subword_prefix", None), tokenizer.mask_token_id
    special = set(tokenizer.all_special_ids).difference((tokenizer.unk_token_id, mask))  # these two stand for words
    numbers: list[int | None] = []
    word, inside = -1, False
    for piece, token in zip(ids, tokenizer.convert_ids_to_tokens(list(ids)), strict=True):
        if piece in special:
            numbers.append(None)
            inside = False
            continue
        starts = not token.startswith(prefix) if prefix else token[:1] in _WORD_MARKS
        word += starts or not inside or piece == mask
        inside = True
        numbers.append(word)
    return numbers


_WORD_MARKS = ("▁", "Ġ", "Ċ")
