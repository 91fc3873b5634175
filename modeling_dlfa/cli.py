"""What every command shares: one line for an error, exit codes, quiet libraries, output for people."""

import argparse
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from .errors import InputError, did_you_mean, one_line
from .privacy import without_secrets


# Columns of what is printed where it does not go to a terminal, whose width rich would take.
WIDTH = 100


class RaisesInputError(argparse.ArgumentParser):
    """A parser that raises where argparse would print its usage and end the process."""

    def error(self, message: str) -> NoReturn:
        advice = "--help lists all arguments"
        kind, _, given = message.partition(": ")
        if kind == "unrecognized arguments" and given.startswith("--"):
            flags = [flag for flag in self._option_string_actions if flag.startswith("--")]
            advice = did_you_mean(given.split()[0].partition("=")[0], flags, advice)
        message = message if len(message) <= 300 else f"{message[:300]}…"
        raise InputError(f"{message} ({advice})")


class CommandParser(RaisesInputError):
    """The parser of a command, whose help looks as that of the others.

    Args:
        prog: how the command is called, such as "dlfa publish".
        description: paragraphs, kept as they are.
    """

    def __init__(self, prog: str, description: str, **kwargs: Any):
        kwargs = {"formatter_class": HelpFormatter, "allow_abbrev": False, "add_help": False} | kwargs
        super().__init__(prog=prog, description=description, **kwargs)

    def add_common(self) -> None:
        """Add what every command has, after the arguments of its own."""
        self.add_argument("--debug", action="store_true", help="show tracebacks, and what the libraries log")
        self.add_argument("-h", "--help", action="help", help="show this")


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Arguments in one column, as wide as the terminal up to a limit, with the defaults that say something."""

    def __init__(self, prog: str):
        columns = shutil.get_terminal_size((WIDTH, 24)).columns
        super().__init__(prog, max_help_position=32, width=min(columns, 120))

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        told = action.default in (None, False, argparse.SUPPRESS) or "default" in text.lower()
        if told:
            return text
        return f"{text} Default: %(default)s." if text.endswith(".") else f"{text}; default: %(default)s"


def guarded(
    body: Callable[[list[str], bool], int | None],
    argv: Sequence[str] | None = None,
    interrupted: str = "interrupted",
    failures: tuple[type[Exception], ...] = (),
    clean: Callable[[str], str] = without_secrets,
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
    except SystemExit as end:  # argparse's, after help
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read the output, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # what a shell makes of SIGPIPE
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


@contextmanager
def libraries_kept_quiet() -> Iterator[None]:
    """`quiet_libraries` for a while: afterwards they are as loud as before."""
    import datasets
    import transformers

    verbosity, of_datasets = transformers.logging.get_verbosity(), datasets.logging.get_verbosity()
    bars, of_datasets_bars = transformers.logging.is_progress_bar_enabled(), datasets.are_progress_bars_disabled()
    with warnings.catch_warnings():
        quiet_libraries()
        try:
            yield
        finally:
            transformers.logging.set_verbosity(verbosity)
            datasets.logging.set_verbosity(of_datasets)
            if bars:
                transformers.logging.enable_progress_bar()
            if not of_datasets_bars:
                datasets.enable_progress_bars()


# For text that holds what a user typed: brackets are no markup, and lines are broken by the terminal only.
PLAIN: dict[str, Any] = {"markup": False, "highlight": False, "soft_wrap": True}


@contextmanager
def needs_extra(extra: str, modules: Collection[str] = ()) -> Iterator[None]:
    """Where a module is not installed, the error says what to install.

    Args:
        extra: what brings it.
        modules: what the extra brings, as it is imported; errors about others stay as they are. Empty: any.

    Raises:
        ModuleNotFoundError: one line.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if modules and missing not in modules:
            raise
        raise ModuleNotFoundError(
            f"{missing if modules else error.name} is not installed: pip install 'modeling-dlfa[{extra}]'"
        ) from error


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
