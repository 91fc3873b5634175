"""What every layer of an encoder, or of a finished run, holds: measured by the same linear probes in all of them.

    dlfa analyse layers embedded --data sample --output_dir looked/layers

The language of a sentence, sentences of equal meaning in other languages, parts of speech and the arcs of trees in
English and in other languages, and what a probe can learn by heart (a control task). Data that a measure needs are
those of XTREME: tatoeba, udpos, uddep; a measure without data is left out, and the page says so.
"""

import argparse
from typing import TYPE_CHECKING

from ..cli import CommandParser
from .commands import add_shared


if TYPE_CHECKING:
    from .page import Page


MODEL = "ENCODER|RUN"
SAMPLES, SEEDS = 200, 3


def add_arguments(parser: CommandParser) -> None:
    add_shared(parser, SAMPLES, SEEDS)
    parser.add_argument("--max_length", type=int, default=128, metavar="INT", help="sub-words of a sentence")
    parser.add_argument("--prefix", default="", metavar="TEXT", help="before each sentence, such as 'query: '")


def analysed(arguments: argparse.Namespace) -> "Page":
    from .layers_page import layers_page  # not before the arguments are known, so that help is quick

    return layers_page(arguments)
