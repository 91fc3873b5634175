"""The page of `dlfa analyse layers`."""

import argparse

from ..data.sources import open_source
from ..drawing import png
from ..errors import InputError
from ..pages import Picture
from ..training.data import listed_languages
from ..training.results import data_name
from .figures import layer_curves
from .layer_measures import Settings, of_translations
from .measures import Measure
from .opened import layer_title, open_model
from .page import Page, Part, Sheet
from .sentences import tatoeba


def layers_page(arguments: argparse.Namespace) -> Page:
    """Measure everything that the data allow, and say what is seen.

    Raises:
        InputError: the model or the data cannot be used, or there is nothing to measure.
    """
    languages = listed_languages(arguments.languages)
    source = open_source(arguments.data)
    opened = open_model(arguments.model, arguments.max_length)
    settings = Settings(arguments.max_length, arguments.prefix, arguments.seeds)
    measures: list[Measure] = []
    by_language: list[dict] = []
    if pairs := tatoeba(source, languages, arguments.max_samples):
        found, rows = of_translations(opened, pairs, settings)
        measures += found
        by_language += rows
    if not measures:
        raise InputError(f"--data {arguments.data}: nothing to measure in it: expected tatoeba, udpos or uddep")
    picture = Picture("layers.png", "Over the layers: mean and 95 % interval over seeds.", png(layer_curves(measures)))
    sheets = [
        Sheet("layers.csv", "Means over seeds", _means(measures)),
        Sheet("seeds.csv", "Every seed", [row for one in measures for row in one.rows()], text_columns=2, shown=False),
        Sheet("languages.csv", "Every language", by_language, text_columns=3, shown=False),
    ]
    return Page(
        f"What the layers of {opened.name} hold",
        {"model": opened.name, "data": data_name(arguments.data)},
        [],
        [Part("layers", "Over the layers", pictures=[picture], sheets=sheets)],
        [],
    )


def _means(measures: list[Measure]) -> list[dict]:
    layers = list(dict.fromkeys(layer for measure in measures for layer in measure.values))
    return [
        {"layer": layer_title(layer), **{one.label: one.estimates[layer].mean for one in measures}} for layer in layers
    ]
