"""How much of layer k a finished run uses: 1 - w, where w is what the gate of its fusion leaves to the last layer.

    dlfa analyse gate runs/panx --data ../data/xtreme --output_dir looked/gate

By language, label, place in a word and channel; over training where the run has kept its checkpoints
(`--keep_checkpoints --save_total_limit N`); and what becomes of the scores where the gate is held fast: at the last
layer alone, at layer k alone, at its mean in each channel, and at its mean over everything.
"""

import argparse
from typing import TYPE_CHECKING

from ..cli import CommandParser
from .commands import add_shared


if TYPE_CHECKING:
    from .page import Page


MODEL = "RUN"
SAMPLES = 100


def add_arguments(parser: CommandParser) -> None:
    add_shared(parser, SAMPLES)
    parser.add_argument(
        "--eval_split", choices=["test", "validation"], help="what is looked at; default: what the run was scored on"
    )


def analysed(arguments: argparse.Namespace) -> "Page":
    from .gate_page import gate_page  # not before the arguments are known, so that help is quick

    return gate_page(arguments)
