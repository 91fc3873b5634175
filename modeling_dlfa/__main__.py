"""`dlfa COMMAND ...`, which is `python -m modeling_dlfa COMMAND ...` too."""

import importlib
import sys

from . import __version__
from .cli import guarded
from .errors import InputError, did_you_mean


COMMANDS = {
    "train": ("modeling_dlfa.training.__main__:main", "fine-tune in one language and score in the others"),
    "score": ("modeling_dlfa.training.score:main", "score a finished run on other data, languages or splits"),
    "average": ("modeling_dlfa.training.average_runs:main", "average the weights of runs that differ in their seed"),
    "predict": ("modeling_dlfa.predict:main", "label text with a finished run or a checkpoint of the Hub"),
    "demo": ("modeling_dlfa.demo.__main__:main", "a page to type sentences into, for one run or two side by side"),
    "study": ("modeling_dlfa.study.__main__:main", "run many at once: a grid of runs, and a report of what they show"),
    "analyse": (
        "modeling_dlfa.analysis.__main__:main",
        "look inside an encoder or a run: what its layers hold, and what training changes in them",
    ),
    "cache": ("modeling_dlfa.cache:main", "show or delete the hidden states that are kept for --train fusion"),
    "publish": ("modeling_dlfa.publishing.__main__:main", "put a finished run on the Hub"),
}
"""Name -> its `main`, which takes arguments and returns an exit code, and what it does."""


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 2 for something the user gave, 130 after control-C, else 1."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv and argv[0] in COMMANDS:
        module, _, function = COMMANDS[argv[0]][0].partition(":")
        return getattr(importlib.import_module(module), function)(argv[1:])
    return guarded(_without_command, argv)


def _without_command(argv: list[str], debug: bool) -> None:
    first = argv[0] if argv else "--help"
    if first in ("-h", "--help"):
        print(overview())
    elif first == "--version":
        print(f"dlfa {__version__}")
    else:
        advice = did_you_mean(first, COMMANDS, f"expected one of {', '.join(COMMANDS)}")
        raise InputError(f"dlfa: unknown command {first!r}; {advice}")


def overview() -> str:
    """The commands, a line each."""
    lines = [f"  {name:<10}{what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: dlfa COMMAND [ARGUMENTS]",
            "",
            "Fuse a lower layer of a multilingual encoder with its last one, for zero-shot cross-lingual transfer.",
            "",
            *lines,
            "",
            "dlfa COMMAND --help shows a command's arguments, dlfa --version the version.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
