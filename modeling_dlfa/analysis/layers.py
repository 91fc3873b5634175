"""What every layer of an encoder, or of a finished run, holds: measured by the same linear probes in all of them.

    dlfa analyse layers embedded --data sample --output_dir looked/layers

The language of a sentence, sentences of equal meaning in other languages, parts of speech and the arcs of trees in
English and in other languages, and what a probe can learn by heart (a control task). Data that a measure needs are
those of XTREME: tatoeba, udpos, uddep; a measure without data is left out, and the page says so.
"""

import argparse
from typing import TYPE_CHECKING

from ..cli import CommandParser
from .commands import add_reading, add_shared
from .wanted import OF_LAYERS, add_measures


if TYPE_CHECKING:
    from .page import Page


MODEL = "ENCODER|RUN"
SAMPLES, SEEDS = 200, 3


def add_arguments(parser: CommandParser) -> None:
    add_shared(parser, SAMPLES, SEEDS)
    add_measures(parser, OF_LAYERS, OF_LAYERS)
    add_reading(parser)


def analysed(arguments: argparse.Namespace) -> "Page":
    from .layers_page import layers_page  # not before the arguments are known, so that help is quick

    return layers_page(arguments)
