"""Words of running text, with their places: what is between spaces and punctuation, or an encoder's own pieces."""

from transformers import PreTrainedTokenizerBase


# Scripts that are written without spaces between words, by code points.
_UNSPACED = (
    *((0x0E00, 0x0EFF), (0x0F00, 0x0FFF), (0x1000, 0x109F), (0x1780, 0x17FF)),  # Thai, Lao, Tibetan, Burmese, Khmer
    *((0x3040, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F)),  # Hiragana and Katakana
    *((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)),  # Han
)


def is_unspaced(word: str) -> bool:
    """Whether a string between spaces is not one word for sure: more than one character, some of such a script."""
    return len(word) > 1 and any(low <= ord(character) <= high for character in word for low, high in _UNSPACED)


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
