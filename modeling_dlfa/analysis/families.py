"""Which languages an encoder, or a finished run, holds alike, in every layer, and whether those are relatives.

    dlfa analyse families embedded --data sample --output_dir looked/families

Languages are compared by the same sentences: test rows that are translations of each other. With the scores of
finished runs it says whether languages that are more like the training language are those that transfer works for;
a run that is looked into brings its own.
"""

import argparse
from typing import TYPE_CHECKING

from ..cli import CommandParser
from .commands import add_reading, add_shared


if TYPE_CHECKING:
    from .page import Page


MODEL = "ENCODER|RUN"
SAMPLES, SEEDS = 400, 3


def add_arguments(parser: CommandParser) -> None:
    add_shared(parser, SAMPLES, SEEDS)
    parser.add_argument("--task", metavar="TEXT", help="whose test rows to read; default: xnli, pawsx or xquad")
    parser.add_argument("--scores", nargs="+", metavar="FILE", help="all_results.json of runs, averaged by task")
    add_reading(parser)


def analysed(arguments: argparse.Namespace) -> "Page":
    from .families_page import families_page  # not before the arguments are known, so that help is quick

    return families_page(arguments)
