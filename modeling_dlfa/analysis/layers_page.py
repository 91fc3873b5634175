"""The page of `dlfa analyse layers`."""

import argparse
from collections.abc import Sequence

from ..data.sources import open_source
from ..drawing import small_png
from ..errors import InputError
from ..pages import Picture
from ..training.data import listed_languages
from ..training.results import data_name
from .courses import course, halves_rows, on_the_claim
from .figures import layer_curves
from .measures import Measure
from .opened import Opened, layer_title, open_model
from .page import Page, Part, Sheet
from .sentence_measures import FEWEST, LEARNT_OF, of_sentences
from .sentences import Settings, check_languages
from .structural import EPOCHS, RANK
from .word_measures import DRAWN, POOL, of_arcs, of_words


MEASURED = {"tatoeba": of_sentences, "udpos": of_words, "uddep": of_arcs}
"""Task that the data must have -> what is measured with it: measures, and rows by language."""

FIRST_OF = {"tatoeba": "language", "udpos": "pos", "uddep": "arcs"}

METHOD = (
    "Every layer is asked the same by the same code; layer 0 is the embeddings, and the last one what the encoder "
    "returns. A seed draws the sentences that a probe learns from, and where it starts. Intervals, of 95 %, are "
    "Student's t over seeds: how much drawing and training anew matters, not how other sentences or languages would "
    "do. The best layer is named after all were seen, which flatters it a little.",
    "Sentences are the means of their states (special tokens too), compared by cosine. For each English sentence of "
    "Tatoeba the nearest foreign one is looked for, as XTREME does it, but among half of those that were read: scores "
    "are higher than XTREME's, which looks among up to 1,000. The other half gives the means that are subtracted "
    "where languages are centred (Libovický et al. 2020, arXiv 2004.05160). The probe of the language is a logistic "
    f"regression that learns from up to {LEARNT_OF} sentences of each language, and is asked for the other half.",
    "Words are the states of the pieces that bear their label. Parts of speech: a multinomial logistic regression on "
    f"standardised states, learnt from English training sentences ({POOL} times as many as the limit are read, a seed "
    f"draws {DRAWN} of {POOL}), asked for English development data and for test data of other languages. In the "
    "control task (Hewitt and Liang 2019, arXiv 1909.03368) every type of word has one label drawn at random: what a "
    "probe gets there it knows by heart. Code length is prequential (Voita and Titov 2020, arXiv 2003.12298), with "
    "the same probes.",
    f"Arcs: a structural probe of rank {RANK} (Hewitt and Manning 2019, N19-1419), {EPOCHS} epochs, under which "
    "squared distances are those in the tree. The score is UUAS, the share of arcs, without direction and with "
    "punctuation, in the minimum spanning tree; joining neighbours is what it has to beat.",
    "Probes show what can be read off a layer, not what the model uses.",
)


def layers_page(arguments: argparse.Namespace) -> Page:
    """Measure everything that the data allow, and say what is seen.

    Raises:
        InputError: the model or the data cannot be used, or there is nothing to measure.
    """
    if arguments.max_samples < FEWEST:
        raise InputError(f"--max_samples {arguments.max_samples}: expected {FEWEST} or more")
    languages = listed_languages(arguments.languages)
    settings = Settings(languages, arguments.max_samples, arguments.max_length, arguments.prefix, arguments.seeds)
    source = open_source(arguments.data)
    check_languages(source, MEASURED, languages)
    opened = open_model(arguments.model, arguments.max_length)
    measures: list[Measure] = []
    rows: list[dict] = []
    for measured in MEASURED.values():
        found, of_languages = measured(opened, source, settings)
        measures += found
        rows += of_languages
    if not measures:  # such as trees in German alone
        raise InputError(f"--data {arguments.data}: nothing to measure: expected data of {', '.join(MEASURED)}")
    return _page(opened, arguments, measures, rows)


def _page(opened: Opened, arguments: argparse.Namespace, measures: Sequence[Measure], rows: Sequence[dict]) -> Page:
    seeds = arguments.seeds
    picture = Picture(
        "layers.png",
        "Over the layers: means over seeds, and their 95 % intervals as bands; dashed: the same without any state.",
        small_png(layer_curves(measures)),
    )
    notes = ["Percent, of code length bits per word. Means over seeds; intervals are in the second table."]
    curves = Part(
        "curves",
        "Over the layers",
        [course(measure) for measure in measures],
        ["One seed: there are no intervals, and how much is luck is unknown."] if seeds == 1 else [],
        [picture],
        [
            Sheet("layers.csv", "Every layer", _table(measures), 1, notes),
            Sheet(
                "intervals.csv", "Every layer, with intervals", _intervals(measures), 2, text_columns=2, shown=False
            ),
            Sheet("seeds.csv", "Every seed", [row for one in measures for row in one.rows()], shown=False),
            Sheet("languages.csv", "Every language", rows, shown=False),
        ],
    )
    parts = [curves]
    if halves := halves_rows(measures):
        table = Sheet("halves.csv", "Upper half less lower half", halves, 2, text_columns=3)
        parts.append(Part("halves", "Lower and upper layers", on_the_claim(measures), sheets=[table]))
    analysed = {
        "model": opened.name,
        "layers": str(opened.reader.depth),
        "data": data_name(arguments.data),
        "languages": arguments.languages or "all that there are",
        "sentences of each": str(arguments.max_samples),
        "seeds": str(seeds),
    }
    names = {measure.name for measure in measures}
    left_out = [task for task, name in FIRST_OF.items() if name not in names]
    missing = [f"Not measured, since the data lack it: {', '.join(left_out)}."] if left_out else []
    summary = [*on_the_claim(measures), *missing]
    return Page(f"What the layers of {opened.name} hold", analysed, summary, parts, METHOD)


def _table(measures: Sequence[Measure]) -> list[dict]:
    """A row for every layer, a column for every measure."""
    layers = list(dict.fromkeys(layer for measure in measures for layer in measure.values))
    return [
        {"layer": layer_title(layer), **{one.name: one.estimates[layer].mean for one in measures}} for layer in layers
    ]


def _intervals(measures: Sequence[Measure]) -> list[dict]:
    return [
        {"measure": one.name, "layer": layer_title(layer), "mean": found.mean, "low": found.low, "high": found.high}
        for one in measures
        for layer, found in one.estimates.items()
    ]
