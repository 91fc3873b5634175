"""Raw WikiANN files: a language's code and a colon before every token, as in "de:Haus"."""

from collections.abc import Callable

from ..errors import InputError
from .languages import LANGUAGES


def common_prefix(sentences: list[list[str]]) -> str:
    """The code of a language that stands before every token, as in raw WikiANN files; empty where there is none."""
    codes = {token.partition(":")[0] if ":" in token else "" for tokens in sentences for token in tokens}
    return code if len(codes) == 1 and (code := codes.pop()) in LANGUAGES else ""


def without_prefix(sentences: list[list[str]], language: str, where: Callable[[int, int], str]) -> list[list[str]]:
    """Tokens without the "xx:" of raw WikiANN files, which stands before every token or before none.

    Args:
        where: (sentence, word) -> its place, for messages.

    Raises:
        InputError: most tokens have it and some do not: what those are is not known.
    """
    prefix = f"{language}:"
    bare = [
        (sentence, word)
        for sentence, tokens in enumerate(sentences)
        for word, token in enumerate(tokens)
        if not token.startswith(prefix)
    ]
    if not bare:
        return [[token.removeprefix(prefix) or token for token in tokens] for tokens in sentences]
    if 2 * len(bare) < sum(map(len, sentences)):
        sentence, word = bare[0]
        raise InputError(
            f"{where(sentence, word)}: expected {prefix!r} before every token, as most have it (raw WikiANN), or "
            f"before none, found {sentences[sentence][word]!r}"
        )
    return sentences
