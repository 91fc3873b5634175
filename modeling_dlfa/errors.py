"""The one exception a user of the package is meant to read."""

import re
from collections.abc import Iterable
from difflib import get_close_matches


# Of what a user's own module registers, in messages.
OWN = "one of your own: --task package.module:TASK imports its module"


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is a single line that names the file, line or value at fault and says what was expected instead.
    Commands print it without a traceback. What a damaged file may bring into it is taken out: line breaks and other
    control characters, and what is too long to be read.

    Examples:
        >>> from modeling_dlfa import InputError, get_task
        >>> try:
        ...     get_task("mine.yaml")
        ... except InputError as error:
        ...     print(str(error).partition(" in ")[0])
        no task file mine.yaml
    """

    def __init__(self, message: object = ""):
        text = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", str(message))
        super().__init__(re.sub(r"\S{400,}", lambda found: f"{found[0][:200]}…", text))


def shortened(line: str, limit: int = 80) -> str:
    """A line of a file as a message shows it, quoted and cut to `limit` characters."""
    return repr(line if len(line) <= limit else f"{line[: limit - 1]}…")


def one_line(error: BaseException, limit: int | None = None) -> str:
    """The message of an error as a single line, of at most `limit` characters."""
    return " ".join(str(error).split())[:limit]


def did_you_mean(name: str, names: Iterable[str], otherwise: str) -> str:
    """ "did you mean 'train'?" where one of the names is close to what was typed, else the other advice."""
    close = get_close_matches(name, list(names), n=1)
    return f"did you mean {close[0]!r}?" if close else otherwise
