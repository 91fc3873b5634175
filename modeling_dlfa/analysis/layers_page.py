"""The page of `dlfa analyse layers`."""

import argparse
from collections.abc import Sequence

from ..drawing import small_png
from ..pages import Picture
from .courses import course, halves_rows, on_the_claim
from .figures import layer_curves
from .measures import Found, Measure
from .measuring import (
    ABOUT_ARCS,
    ABOUT_CONTROL,
    ABOUT_LAYERS,
    ABOUT_PROBES,
    ABOUT_SENTENCES,
    ABOUT_WORDS,
    asked_of,
    measured,
    missing,
    settings_of,
    source_of,
)
from .opened import Opened, layer_title, open_model
from .page import Page, Part, Sheet
from .sentences import Settings
from .wanted import OF_LAYERS, wanted_measures


METHOD = (
    f"{ABOUT_LAYERS} Intervals, of 95 %, are Student's t over seeds: how much drawing and training anew matters, not "
    "how other sentences or languages would do. The best layer is named after all were seen, which flatters it a "
    "little.",
    ABOUT_SENTENCES,
    f"{ABOUT_WORDS} {ABOUT_CONTROL}",
    ABOUT_ARCS,
    ABOUT_PROBES,
)


def layers_page(arguments: argparse.Namespace) -> Page:
    """Measure everything that the data allow, and say what is seen.

    Raises:
        InputError: the model or the data cannot be used, or there is nothing to measure.
    """
    settings = settings_of(arguments, wanted_measures(arguments.measures, OF_LAYERS, OF_LAYERS))
    source = source_of(arguments, settings)
    opened = open_model(arguments.model, arguments.max_length)
    return _page(opened, arguments, settings, measured(opened, source, settings))


def _page(opened: Opened, arguments: argparse.Namespace, settings: Settings, found: Found) -> Page:
    measures, seeds = found.measures, settings.seeds
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
            Sheet("languages.csv", "Every language", found.rows, shown=False),
        ],
    )
    parts = [curves]
    if halves := halves_rows(measures):
        table = Sheet("halves.csv", "Upper half less lower half", halves, 2, text_columns=3)
        parts.append(Part("halves", "Lower and upper layers", on_the_claim(measures), sheets=[table]))
    analysed = asked_of(arguments, {"model": opened.name, "layers": str(opened.reader.depth)})
    summary = [*on_the_claim(measures), *missing(settings, found.by_name, found.few)]
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
