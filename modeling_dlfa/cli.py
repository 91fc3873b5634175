"""What every command shares: one line for an error, exit codes, quiet libraries, output for people."""

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from .errors import InputError, one_line


# Columns of what is printed where it does not go to a terminal, whose width rich would take.
WIDTH = 100


class RaisesInputError(argparse.ArgumentParser):
    """A parser that raises where argparse would print its usage and end the process."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (--help lists all arguments)")


def guarded(
    body: Callable[[list[str], bool], int | None],
    argv: Sequence[str] | None = None,
    interrupted: str = "interrupted",
    failures: tuple[type[Exception], ...] = (),
    clean: Callable[[str], str] = str,
) -> int:
    """Run a command and return its exit code: 0 or its own, 2 for something the user gave, 1 for anything else.

    Errors are said in one line on standard error, by one of several processes; `--debug` shows where they come from,
    and what the libraries have to say.

    Args:
        body: gets the arguments without `--debug`, and whether it was there.
        interrupted: what is said after control-C.
        failures: errors of the world outside whose message is a line to read, without the name of the class.
        clean: takes out of a message what must not be shown.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = takes_debug(arguments)
    if not debug:
        warnings.filterwarnings("ignore")
    try:
        return body(arguments, debug) or 0
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return 130
    except Exception as error:
        if debug:
            raise
        if isinstance(error, InputError):
            if on_main():  # all processes find the same
                print(f"error: {clean(str(error))}", file=sys.stderr)
            return 2
        text = str(error) if isinstance(error, failures) else f"{type(error).__name__}: {one_line(error, 500)}"
        hint = "" if isinstance(error, failures) else " (--debug shows where)"
        print(f"error: {clean(text)}{hint}", file=sys.stderr)
        return 1


def takes_debug(argv: list[str]) -> bool:
    """Take `--debug` out of the arguments; with one of its values it is the flag of TrainingArguments, and stays."""
    for place, argument in enumerate(argv):
        if argument == "--debug" and argv[place + 1 : place + 2] not in ([value] for value in _DEBUG_OPTIONS):
            del argv[place]
            return True
    return False


_DEBUG_OPTIONS = ("underflow_overflow", "tpu_metrics_debug")  # transformers.debug_utils.DebugOption


def quiet_libraries() -> None:
    """Keep warnings, log messages and progress bars of the libraries off the screen."""
    import datasets
    import transformers

    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    datasets.logging.set_verbosity_error()


# For text that holds what a user typed: brackets are no markup, and lines are broken by the terminal only.
PLAIN: dict[str, Any] = {"markup": False, "highlight": False, "soft_wrap": True}


def make_console():
    """Standard output as a `rich.console.Console`; of several processes, the first one's."""
    from rich.console import Console

    console = Console(quiet=not on_main())
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDTH
    return console


def on_main() -> bool:
    """Whether this is the only process, or the first of those that a launcher has started."""
    return int(os.environ.get("RANK", "0")) == 0
