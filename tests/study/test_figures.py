"""The figures of a study: they show the numbers given, and every word of them can be read."""

import io
import random

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

from modeling_dlfa.drawing import DIVERGING, png
from modeling_dlfa.pages import DPI
from modeling_dlfa.study.figures import (
    Column,
    Curve,
    Interval,
    Panel,
    Point,
    ScatterPanel,
    heat_map,
    intervals,
    layer_curves,
    scatter,
)
from modeling_dlfa.tasks.registry import TASKS


def column(name, group, layer, languages, spread=1.5):
    draw = random.Random(name)
    return Column(name, group, layer, draw.gauss(0, 0.5), {code: draw.gauss(0, spread) for code in languages})


def curve(label, layers, seeds, **marks):
    draw = random.Random(label)
    return Curve(label, {layer: [draw.gauss(70, 1) for _ in range(seeds)] for layer in layers}, **marks)


def curves_figure(layers, seeds, labels=("dlfa",)):
    curves = [curve(label, layers, seeds, chosen=layers[0], oracle=layers[-1]) for label in labels]
    baseline = [69.0, 70.0, 71.5][:seeds]
    titles = ("Zero-shot score, mean over 39 languages", "English development score, which chooses the layer")
    return layer_curves([Panel(title, "mean F1, %", curves, baseline) for title in titles], layers)


def point(k):
    return Point(f"condition {k} of a long name", 0.3 + k / 50, k / 5 - 1, k / 5 - 3, k / 5 + 1, control=k > 7)


ALL = TASKS["panx"].languages
SOME = TASKS["xnli"].languages
FIGURES = {
    "heat map of all layers": lambda: heat_map([column(f"dlfa-k{k}", "dlfa", k, ALL) for k in range(12)], "en"),
    "heat map of 24 layers": lambda: heat_map([column(f"dlfa-k{k}", "dlfa", k, SOME, 12) for k in range(24)], "en"),
    "heat map of variants": lambda: heat_map(
        [column(name, name, None, SOME) for name in ("sum", "concat", "dlfa without a layer norm, started at random")]
        + [column(f"layer-k{k}", "layer", k, SOME) for k in (0, 8)],
        "en",
    ),
    "heat map of one cell": lambda: heat_map([Column("sum", "sum", None, float("nan"), {"en": 0.0})], "en"),
    "curves": lambda: curves_figure(list(range(12)), 3),
    "curves of one seed and two layers": lambda: curves_figure([0, 8], 1),
    "curves of 24 layers": lambda: curves_figure(list(range(24)), 2),
    "several curves": lambda: curves_figure(
        [0, 4, 8, 11], 3, ("dlfa", "concat", "layer-only with a long name", "sum")
    ),
    "one interval": lambda: intervals([Interval("sum", 0.1, -1, 1.2, [0.1])], "difference, points"),
    "intervals": lambda: intervals(
        [Interval(f"dlfa with a long name-k{k}", k / 10, k / 10 - 1, k / 10 + 1, [k / 10]) for k in range(24)],
        "difference to the baseline, points",
    ),
    "scatter": lambda: scatter(
        [ScatterPanel(x, [point(k) for k in range(10)]) for x in ("error of the last stage", "bits per label")],
        "difference to the baseline alone, points",
    ),
    "scatter of one panel": lambda: scatter([ScatterPanel("bits per label", [point(0), point(1)])], "difference"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", FIGURES)
def test_no_text_is_clipped_or_lies_on_another(name, monkeypatch):
    drawn: dict[Text, None] = {}
    draw = Text.draw
    monkeypatch.setattr(Text, "draw", lambda self, renderer: (drawn.update({self: None}), draw(self, renderer)))
    figure = FIGURES[name]()
    figure.draw_without_rendering()
    texts = [text for text in drawn if text.get_text() and text.get_visible()]
    assert len(texts) > 5
    extents = np.array([text.get_window_extent().extents for text in texts])
    width, height = figure.canvas.get_width_height()
    inside = (extents[:, :2] >= -0.5).all(1) & (extents[:, 2:] <= [width + 0.5, height + 0.5]).all(1)
    assert [text.get_text() for text, fits in zip(texts, np.atleast_1d(inside), strict=True) if not fits] == []
    lower, upper = extents[:, :2] + 0.5, extents[:, 2:] - 0.5
    over = (lower[:, None] < upper[None]).all(-1) & (lower[None] < upper[:, None]).all(-1)
    assert [(texts[i].get_text(), texts[j].get_text()) for i, j in np.argwhere(np.triu(over, 1))] == []


@pytest.mark.parametrize("name", ["heat map of variants", "several curves", "intervals"])
def test_a_png_is_the_same_every_time_and_whatever_matplotlibrc_says(name):
    first = png(FIGURES[name]())
    assert first.startswith(b"\x89PNG")
    assert b"Software" not in first
    with matplotlib.rc_context({"font.size": 20, "axes.grid": True, "savefig.transparent": True}):
        assert png(FIGURES[name]()) == first


def cells(figure: Figure) -> dict[tuple[int, int], Text]:
    """The numbers of a heat map by row and column; row 0 is the average."""
    axes = figure.axes[0]
    return {(int(text.get_position()[1]), int(text.get_position()[0])): text for text in axes.texts}


def test_a_heat_map_shows_the_differences_by_family():
    columns = [
        Column("dlfa-k0", "dlfa", 0, 0.25, {"ja": -1.26, "de": 2.0, "en": 0.04, "xx": 0.5}, frozenset({"de"})),
        Column("dlfa-k8", "dlfa", 8, float("nan"), {"ja": 1.0, "en": -0.04, "ru": 3.0}),
    ]
    figure = heat_map(columns, "en")
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "zero-shot average",
        "en English *",
        "de German",
        "ru Russian",
        "ja Japanese",
        "xx",
    ]
    shown = {place: text.get_text() for place, text in cells(figure).items()}
    assert [shown[row, 0] for row in range(6)] == ["+0.2", "0.0", "+2.0?", "–", "−1.3", "+0.5"]
    assert [shown[row, 1] for row in range(6)] == ["–", "0.0", "–", "+3.0", "+1.0", "–"]
    (families,) = axes.child_axes
    assert [label.get_text() for label in families.get_yticklabels()] == [
        "IE: Germanic",
        "IE: Slavic",
        "Japonic",
        "Other",
    ]
    assert list(families.get_yticks()) == [2, 3.5, 4.5, 5.5]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "8"]
    assert axes.get_xlabel() == "dlfa: fusion layer k"


def test_several_groups_are_named_and_parted():
    columns = [column(f"dlfa-k{k}", "dlfa", k, ["en", "de"]) for k in (0, 8)] + [column("sum", "sum", None, ["en"])]
    axes = heat_map(columns, "en").axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["dlfa-k0", "dlfa-k8", "sum"]
    assert [line.get_xdata()[0] for line in axes.lines if len(set(line.get_xdata())) == 1] == [2]  # pyright: ignore


def test_colours_are_centred_on_zero_and_numbers_readable_on_them():
    figure = FIGURES["heat map of all layers"]()
    mesh = figure.axes[0].collections[0]
    low, high = mesh.get_clim()
    assert low == -high
    assert 3 < high < 6  # of 492 normal draws with a deviation of 1.5
    assert min(DIVERGING(0.5)[:3]) > 0.95
    values = mesh.get_array()
    assert values is not None
    for place, text in cells(figure).items():
        assert contrast(mesh.to_rgba(values[place]), to_rgba(text.get_color())) >= 4.5


def contrast(first, second) -> float:
    """Of two colours, as WCAG 2 defines it: 1 to 21; 4.5 is asked of text."""

    def luminance(colour) -> float:
        rgb = np.asarray(colour, dtype=float)[:3]
        return float(np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722])

    darker, lighter = sorted([luminance(first), luminance(second)])
    return (lighter + 0.05) / (darker + 0.05)


def test_one_language_far_out_does_not_wash_out_the_others():
    differences = {code: 1.5 * (-1) ** place for place, code in enumerate(ALL)}
    columns = [Column(f"k{k}", "dlfa", k, 0.0, differences) for k in range(3)]
    columns[0] = Column("k0", "dlfa", 0, 0.0, {**differences, "ja": 30.0})
    assert heat_map(columns, "en").axes[0].collections[0].get_clim() == (-1.5, 1.5)
    quiet = [Column("k0", "dlfa", 0, 0.0, {"en": 0.1, "de": -0.1})]
    assert heat_map(quiet, "en").axes[0].collections[0].get_clim() == (-1.0, 1.0)


def lines(axes: Axes) -> dict[str, tuple[list, list]]:
    return {str(line.get_label()): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}  # pyright: ignore


def test_curves_show_means_bands_seeds_and_marks():
    scores = {0: [70.0, 72.0], 8: [74.0, 76.0], 4: [71.0, 71.0]}
    panels = [
        Panel("test", "F1, %", [Curve("dlfa", scores, chosen=4, oracle=8)], [69.0, 71.0]),
        Panel("dev", "F1, %", [Curve("dlfa", {0: [90.0], 8: [91.0]}, chosen=8)], [90.5]),
    ]
    figure = layer_curves(panels, [0, 4, 8])
    upper, lower = figure.axes
    found = lines(upper)
    assert found["dlfa"] == ([0, 4, 8], [71.0, 71.0, 75.0])
    assert found["baseline"][1] == [70.0, 70.0]
    assert found["chosen on development data"] == ([4], [71.0])
    assert found["oracle (best zero-shot score)"] == ([8], [75.0])
    band, dots = upper.collections
    deviation = 2**0.5
    heights = {tuple(vertex) for vertex in np.round(np.asarray(band.get_paths()[0].vertices), 6).tolist()}
    assert {
        (0, round(71 - deviation, 6)),
        (0, round(71 + deviation, 6)),
        (4, 71),
        (8, round(75 + deviation, 6)),
    } <= heights
    assert sorted(map(tuple, np.asarray(dots.get_offsets()).tolist())) == [
        (0, 70),
        (0, 72),
        (4, 71),
        (4, 71),
        (8, 74),
        (8, 76),
    ]
    (level,) = upper.patches
    assert level.get_extents().transformed(upper.transData.inverted()).intervaly == pytest.approx(
        [70 - deviation, 70 + deviation]
    )
    assert lines(lower)["dlfa"] == ([0, 8], [90.0, 91.0])
    assert "oracle (best zero-shot score)" not in lines(lower)
    assert [label.get_text() for label in lower.get_xticklabels()] == ["0\nembeddings", "4", "8"]


def test_the_legend_names_every_mark_once():
    (legend,) = FIGURES["several curves"]().legends
    named = [text.get_text() for text in legend.get_texts()]
    assert named == [
        "baseline",
        "dlfa",
        "concat",
        "layer-only with a long name",
        "sum",
        "chosen on development data",
        "oracle (best zero-shot score)",
    ]


def test_intervals_are_drawn_from_low_to_high():
    figure = intervals([Interval("a", 0.5, -1.0, 2.0, [0.0, 1.0]), Interval("b", -0.5, -0.6, -0.4)], "points")
    axes = figure.axes[0]
    drawn = [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines[1:]]  # pyright: ignore
    assert drawn[0] == ([-1.0, 2.0], [0, 0])
    assert drawn[1] == ([0.0, 1.0], [0, 0])
    assert drawn[2] == ([0.5], [0])
    assert drawn[3] == ([-0.6, -0.4], [1, 1])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert axes.yaxis_inverted()


def test_names_are_no_formulas():
    figure = intervals([Interval("a$x^2$b$", 0.5, -1.0, 2.0)], "points")
    label = figure.axes[0].get_yticklabels()[0]
    assert label.get_text() == "a$x^2$b$"
    assert not label.get_parse_math()
    assert png(figure).startswith(b"\x89PNG")


def test_a_png_has_the_size_it_is_made_for():
    width, height = FIGURES["curves"]().get_size_inches()
    content = png(FIGURES["curves"]())
    array = imread(io.BytesIO(content))
    assert array.shape[:2] == (round(height * DPI), round(width * DPI))


def test_a_scatter_shows_every_condition_at_its_place_and_controls_hollow():
    points = [Point("upos", 0.2, 1.5, 0.5, 2.5), Point("shuffled", 1.0, -0.5, -1.0, 0.0, control=True)]
    figure = scatter([ScatterPanel("relative error", points)], "difference")
    (axes,) = figure.axes
    marks = [line for line in axes.lines if len(np.atleast_1d(line.get_xdata())) == 1]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in marks] == [(0.2, 1.5), (1.0, -0.5)]  # pyright: ignore
    assert [line.get_markerfacecolor() == line.get_color() for line in marks] == [True, False]
    bars = [tuple(line.get_ydata()) for line in axes.lines if len(np.atleast_1d(line.get_xdata())) == 2]  # pyright: ignore
    assert bars[1:] == [(0.5, 2.5), (-1.0, 0.0)]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["upos", "shuffled"]
