"""What training changes in the layers: an encoder as it was first, and finished runs, or stages, that started from it.

    dlfa analyse changes embedded runs/stages/uddep-4f1c09a7d2be xnli=runs/xnli --data sample --output_dir looked

For every model and layer parts of speech by a linear probe, the language of a sentence and sentences of equal meaning
in other languages, as `dlfa analyse layers` measures them, and how like a layer is to what it was (linear CKA). A run
is called by its task and what sets it apart from the others; NAME=FOLDER calls it otherwise.
"""

import argparse
from typing import TYPE_CHECKING

from ..cli import CommandParser
from .commands import add_reading, add_shared
from .wanted import OF_CHANGES, USUAL_OF_CHANGES, add_measures


if TYPE_CHECKING:
    from .page import Page


MODEL = "ENCODER RUN [RUN ...]"
SAMPLES, SEEDS = 200, 3


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="output folders of runs or stages, or NAME=FOLDER")
    add_shared(parser, SAMPLES, SEEDS)
    add_measures(parser, OF_CHANGES, USUAL_OF_CHANGES)
    add_reading(parser)


def analysed(arguments: argparse.Namespace) -> "Page":
    from .changes_page import changes_page  # not before the arguments are known, so that help is quick

    return changes_page(arguments)
