"""The analyses of `dlfa analyse` as a table, and what they share: arguments, extra, the page that they leave."""

import argparse
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from ..cli import CommandParser, needs_extra, quiet_libraries
from ..errors import InputError
from ..files import check_writable, expanded


if TYPE_CHECKING:
    from .page import Page


ANALYSES = {
    "layers": ("modeling_dlfa.analysis.layers", "what each layer holds: language, meaning, parts of speech, arcs"),
    "changes": ("modeling_dlfa.analysis.changes", "what training changes in the layers: an encoder, and runs from it"),
    "families": ("modeling_dlfa.analysis.families", "which languages are alike, and whether they are relatives"),
    "gate": ("modeling_dlfa.analysis.gate", "how much of layer k a run uses: where, when, and whether it matters"),
}
"""Name -> the module of an `Analysis`, and what it shows."""

OF_EXTRA = ("sklearn", "matplotlib", "jinja2", "scipy", "PIL")
"""What the extra `analyse` brings, as it is imported."""


class Analysis(Protocol):
    """What the module of an analysis has. Its docstring is the help, and it imports nothing heavy by itself.

    Attributes:
        MODEL: how the help calls what is analysed, such as "RUN"; what stands behind it are arguments of its own.
    """

    MODEL: str
    __doc__: str | None

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the arguments of its own; `model`, `--data`, `--output_dir` and those of `add_shared` are there."""
        ...

    def analysed(self, arguments: argparse.Namespace) -> "Page":
        """Do it.

        Args:
            arguments: all of them, by name; `model` and `data` with the home folder in place of `~`.

        Raises:
            InputError: something that was given cannot be used.
            ModuleNotFoundError: the extra `analyse` is not installed.
        """
        ...


def load_analysis(name: str) -> Analysis:
    """The module of an analysis."""
    return cast(Analysis, importlib.import_module(ANALYSES[name][0]))


def run_analysis(name: str, argv: list[str], debug: bool = False) -> None:
    """Run an analysis with its arguments, write its page, and print what it found and where the page is."""
    analysis = load_analysis(name)
    arguments = parser(name, analysis).parse_args(argv)
    for flag in ("max_samples", "seeds"):
        if (given := getattr(arguments, flag, None)) is not None and given < 1:
            raise InputError(f"--{flag} {given}: expected a positive number")
    folder = Path(expanded(arguments.output_dir))
    check_writable(folder)
    arguments.model, arguments.data = expanded(arguments.model), expanded(arguments.data)
    if not debug:
        quiet_libraries()
    with needs_extra("analyse", OF_EXTRA):
        from .page import tell, write_page

        page = analysis.analysed(arguments)
    path = write_page(page, folder, ["dlfa", "analyse", name, *argv])
    tell(page)
    print(f"page: {path}")


def parser(name: str, analysis: Analysis) -> CommandParser:
    """The parser of one analysis."""
    usage = f"dlfa analyse {name} {analysis.MODEL} --data DATA --output_dir FOLDER [--ARGUMENT VALUE ...]"
    made = CommandParser(f"dlfa analyse {name}", (analysis.__doc__ or "").strip(), usage=usage)
    model = analysis.MODEL.partition(" ")[0]
    made.add_argument("model", metavar=model, help=_of_model(model))
    made.add_argument("--data", required=True, metavar="TEXT", help="'hub', 'sample', or a folder in XTREME's layout")
    made.add_argument("--output_dir", required=True, metavar="TEXT", help="folder for the page and its files")
    analysis.add_arguments(made)
    made.add_common()
    return made


_MODELS = {
    "ENCODER": "an encoder: its name on the Hub, its folder, or 'embedded'",
    "RUN": "the output folder of a finished run",
}


def _of_model(metavar: str) -> str:
    return "; or ".join(_MODELS[word] for word in metavar.split("|"))


def add_shared(parser: CommandParser, max_samples: int, seeds: int | None = None, of: str = "sentences") -> None:
    """Arguments that several analyses have.

    Args:
        max_samples: default.
        seeds: default; None for an analysis that draws nothing.
        of: what `--max_samples` counts.
    """
    parser.add_argument("--languages", metavar="TEXT", help="such as 'de,ru,zh'; default: all that have data")
    parser.add_argument("--max_samples", type=int, default=max_samples, metavar="INT", help=f"{of} of each language")
    if seeds is not None:
        parser.add_argument(
            "--seeds", type=int, default=seeds, metavar="INT", help="how often everything is drawn and trained anew"
        )


def add_reading(parser: CommandParser) -> None:
    """Arguments of analyses that read sentences by themselves."""
    parser.add_argument("--max_length", type=int, default=128, metavar="INT", help="sub-words of a sentence")
    parser.add_argument("--prefix", default="", metavar="TEXT", help="before each sentence, such as 'query: '")
