"""The one exception a user of the package is meant to read."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is a single line that names the file, line or value at fault and says what was expected instead.
    `run_xtreme.py` prints it without a traceback.
    """
