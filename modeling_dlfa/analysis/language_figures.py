"""The pictures of languages: a heat map ordered by family, trees of clusters, and similarity against scores."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps, style
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import dendrogram

from ..drawing import COLOURS, DIVERGING, GREY, STYLE, new_figure
from ..tasks.languages import by_family, language_name
from ..vectors import Layer
from ..wording import p_text
from .opened import layer_place
from .relatives import Alike, branch, family, tree
from .similarity import SIMILARITIES
from .transfer import Transfer


CENTRED = ("cosine_around",)  # about 0
SEQUENTIAL = colormaps["cividis"]


def heat_maps(found: Alike, kinds: Sequence[str], layers: Sequence[Layer]) -> Figure:
    """A row of maps for every kind of similarity, a map for every layer; lines between families.

    Colours of a row reach from its lowest to its highest value; of similarities around a mean they are even about 0.
    """
    size = len(found.languages)
    side = max(2.6, 0.19 * size)
    with style.context(STYLE):
        figure = new_figure(1.6 + side * len(layers), 0.5 + (side + 0.5) * len(kinds))
        grid = figure.subplots(len(kinds), len(layers), squeeze=False)
        for row, kind in zip(grid, kinds, strict=True):
            maps = [found.whole[kind][layer] for layer in layers]
            colours, norm = _colours(kind, maps)
            for axes, layer, values in zip(row, layers, maps, strict=True):
                mesh = axes.pcolormesh(values, cmap=colours, norm=norm, edgecolors="white", linewidth=0.4)
                axes.set_aspect("equal")
                axes.invert_yaxis()
                axes.set_title(f"{SIMILARITIES[kind][0]}\n{layer_place(layer)}", fontsize=9)
                ticks = np.arange(size) + 0.5
                axes.set_xticks(ticks, found.languages, fontsize=7, rotation=90 if size > 16 else 0)
                axes.set_yticks(ticks, found.languages, fontsize=7)
                axes.tick_params(length=0)
                _between_families(axes, found.languages)
                for spine in axes.spines.values():
                    spine.set_visible(False)
            beyond = "neither" if kind in CENTRED else "max"  # each language with itself
            bar = figure.colorbar(mesh, ax=list(row), aspect=25, pad=0.01, extend=beyond)
            bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    return figure


def _colours(kind: str, maps: Sequence[np.ndarray]) -> tuple[Any, Normalize]:
    off = np.concatenate([values[~np.eye(len(values), dtype=bool)] for values in maps])
    if kind in CENTRED:
        limit = float(np.abs(off).max()) or 1.0
        return DIVERGING, Normalize(-limit, limit)
    return SEQUENTIAL, Normalize(float(off.min()), float(off.max()))


def _between_families(axes: Any, languages: Sequence[str]) -> None:
    start = 0
    for members in list(by_family(languages).values())[:-1]:
        start += len(members)
        axes.axhline(start, color="black", linewidth=0.6)
        axes.axvline(start, color="black", linewidth=0.6)


def trees(found: Alike, kinds: Sequence[str], layer: Layer) -> Figure:
    """A tree of clusters for every kind of similarity; names with their branch, relatives in the same colour."""
    branches = [branch(language) for language in found.languages]
    shared = [name for name in dict.fromkeys(branches) if branches.count(name) > 1]
    with style.context(STYLE):
        figure = new_figure(4.6 * len(kinds), 1.0 + 0.22 * len(found.languages))
        for axes, kind in zip(figure.subplots(1, len(kinds), squeeze=False)[0], kinds, strict=True):
            labels = [f"{language_name(one)}, {name}" for one, name in zip(found.languages, branches, strict=True)]
            drawn = dendrogram(
                tree(found.whole[kind][layer]),
                labels=np.array(labels),
                orientation="left",
                ax=axes,
                color_threshold=0,
                above_threshold_color=GREY,
                leaf_font_size=8,
            )
            for text, place in zip(axes.get_yticklabels(), drawn["leaves"], strict=True):
                name = branches[place]
                if name in shared:
                    text.set_color(COLOURS[shared.index(name) % len(COLOURS)])
                    text.set_fontweight("bold")
            axes.set_title(SIMILARITIES[kind][0], loc="left", fontsize=9, fontweight="bold")
            axes.set_xlabel("1 − similarity")
            for side in ("left", "right"):
                axes.spines[side].set_visible(False)
    return figure


def scatters(found: Sequence[Transfer]) -> Figure:
    """A panel for every transfer: similarity to the training language against the score; its family is filled."""
    columns = min(2, len(found))
    rows = -(-len(found) // columns)
    with style.context(STYLE):
        figure = new_figure(4.4 * columns, 3.6 * rows)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in grid[len(found) :]:
            axes.set_visible(False)
        for axes, one in zip(grid, found):
            near = family(one.scores.train_language)
            for language, (x, y) in one.points.items():
                fill = COLOURS[0] if family(language) == near else "white"
                axes.plot(x, y, "o", color=COLOURS[0], markerfacecolor=fill, markersize=6)
                axes.annotate(language, (x, y), textcoords="offset points", xytext=(5, 4), fontsize=8)
            told = f"ρ = {one.rho:.2f}, p {_p(one.p_value)}".replace("-", "−")
            title = f"{one.scores.task}, {layer_place(one.layer)}: {told}"
            axes.set_title(title, loc="left", fontsize=9, fontweight="bold")
            axes.margins(0.12)
            axes.set_xlabel(f"{SIMILARITIES[one.kind][0]} with {language_name(one.scores.train_language)}")
            axes.set_ylabel(f"{one.scores.metric}, %")
            axes.grid(color="#dddddd", linewidth=0.6)
            axes.set_axisbelow(True)
    return figure


def _p(value: float) -> str:
    text = p_text(value)
    return text if text.startswith("<") else f"= {text}"
