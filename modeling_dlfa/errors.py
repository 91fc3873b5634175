"""The one exception a user of the package is meant to read."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is a single line that names the file, line or value at fault and says what was expected instead.
    Commands print it without a traceback.
    """


def shortened(line: str, limit: int = 80) -> str:
    """A line of a file as a message shows it, quoted and cut to `limit` characters."""
    return repr(line if len(line) <= limit else f"{line[: limit - 1]}…")


def one_line(error: BaseException, limit: int | None = None) -> str:
    """The message of an error as a single line, of at most `limit` characters."""
    return " ".join(str(error).split())[:limit]
