"""Everything that is measured in the layers of one model, for the analyses that ask it: of one model, of several."""

import argparse
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..data.sources import Source, open_source
from ..errors import InputError
from ..training.data import listed_languages
from ..training.results import data_name
from .measures import Found
from .opened import Opened
from .sentence_measures import FEWEST, FEWEST_COMPARED, LEARNT_OF, of_sentences
from .sentences import Settings, check_languages
from .structural import EPOCHS, RANK
from .wanted import CKA, tasks_of
from .word_measures import DRAWN, POOL, of_arcs, of_words


BY_TASK = {"tatoeba": of_sentences, "udpos": of_words, "uddep": of_arcs}
"""Task whose data are read -> what measures with them all that is asked for."""

ABOUT_LAYERS = (
    "Every layer is asked the same by the same code; layer 0 is the embeddings, and the last one what the encoder "
    "returns. A seed draws the sentences that a probe learns from, and where it starts."
)
ABOUT_SENTENCES = (
    "Sentences are the means of their states (special tokens too), compared by cosine. For each English sentence of "
    "Tatoeba the nearest foreign one is looked for, as XTREME does it, but among half of those that were read: scores "
    "are higher than XTREME's, which looks among up to 1,000. The other half gives the means that are subtracted "
    "where languages are centred (Libovický et al. 2020, arXiv 2004.05160). The probe of the language is a logistic "
    f"regression that learns from up to {LEARNT_OF} sentences of each language, and is asked for the other half."
)
ABOUT_WORDS = (
    "Words are the states of the pieces that bear their label. Parts of speech: a multinomial logistic regression on "
    f"standardised states, learnt from English training sentences ({POOL} times as many as the limit are read, a seed "
    f"draws {DRAWN} of {POOL}), asked for English development data and for test data of other languages."
)
ABOUT_CONTROL = (
    "In the control task (Hewitt and Liang 2019, arXiv 1909.03368) every type of word has one label drawn at random: "
    "what a probe gets there it knows by heart. Code length is prequential (Voita and Titov 2020, arXiv 2003.12298), "
    "with the same probes."
)
ABOUT_ARCS = (
    f"Arcs: a structural probe of rank {RANK} (Hewitt and Manning 2019, N19-1419), {EPOCHS} epochs, under which "
    "squared distances are those in the tree. The score is UUAS, the share of arcs, without direction and with "
    "punctuation, in the minimum spanning tree; joining neighbours is what it has to beat."
)
ABOUT_PROBES = "Probes show what can be read off a layer, not what the model uses."


def settings_of(arguments: argparse.Namespace, measures: Sequence[str], **more: Any) -> Settings:
    """What the arguments of an analysis of layers ask for.

    Args:
        measures: names of `wanted.MEASURES`.
        more: of `Settings`.

    Raises:
        InputError: values that cannot be used.
    """
    if arguments.max_samples < FEWEST:
        raise InputError(f"--max_samples {arguments.max_samples}: expected {FEWEST} or more")
    if CKA in measures and arguments.max_samples < FEWEST_COMPARED:
        raise InputError(
            f"--max_samples {arguments.max_samples}: expected {FEWEST_COMPARED} or more for {CKA}, or --measures "
            "without it"
        )
    return Settings(
        listed_languages(arguments.languages),
        arguments.max_samples,
        arguments.max_length,
        arguments.prefix,
        arguments.seeds,
        measures,
        **more,
    )


def source_of(arguments: argparse.Namespace, settings: Settings) -> Source:
    """The data, in which there is something to measure with.

    Raises:
        InputError: there is none, or not in the languages that are asked for.
    """
    source = open_source(arguments.data)
    check_languages(source, tasks_of(settings.measures), settings.languages)
    return source


def measured(opened: Opened, source: Source, settings: Settings) -> Found:
    """Everything that is asked for and that the data allow.

    The model reads each sentence once, and what is read stays in memory as long as something is measured with it.

    Raises:
        InputError: there is nothing to measure, or something cannot be.
    """
    parts = [BY_TASK[task](opened, source, settings) for task in tasks_of(settings.measures)]
    measures, rows = [one for part in parts for one in part.measures], [row for part in parts for row in part.rows]
    of_sentences = next((part for part in parts if part.sentences), Found())
    few = {task: what for part in parts for task, what in part.few.items()}
    if not measures and not of_sentences.sentences:  # such as trees in German alone
        expected = ", ".join(tasks_of(settings.measures))
        why = "; ".join(f"{task}: {what}" for task, what in few.items()) or f"expected data of {expected}"
        raise InputError(f"--data {source.description}: nothing to measure: {why}")
    return Found(measures, rows, of_sentences.sentences, of_sentences.pivot, few)


def asked_of(arguments: argparse.Namespace, found: Mapping[str, str]) -> dict[str, str]:
    """What a page says was looked at.

    Args:
        found: name -> value, which come first.
    """
    return {
        **found,
        "data": data_name(arguments.data),
        "languages": arguments.languages or "all that there are",
        "sentences of each": str(arguments.max_samples),
        "seeds": str(arguments.seeds),
    }


def missing(settings: Settings, names: Collection[str], few: Mapping[str, str]) -> list[str]:
    """Sentences on what was asked for and is not there: data that are none, and those that are too few.

    Args:
        names: of what was measured.
        few: as of `Found`.
    """
    there = [name for name in settings.measures if name in names or f"{name}_others" in names]
    tasks = [task for task in tasks_of(settings.measures) if task not in {*tasks_of(there), *few}]
    said = [f"Not measured, since the data lack it: {', '.join(tasks)}."] if tasks else []
    return said + [f"Not measured, since there is too little of {task}: {what}." for task, what in few.items()]
