"""The pictures of `dlfa analyse gate`."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..drawing import COLOURS, GREY, MARKERS, STYLE, new_figure
from .gate_scores import WAYS, Scores


Spread = tuple[float, float, float]
"""10th percentile, mean, 90th percentile."""

INCHES = 0.19  # a line of a plot of dots


def spread_of(values: np.ndarray | Sequence[float]) -> Spread:
    low, high = np.quantile(values, (0.1, 0.9))
    return float(low), float(np.mean(values)), float(high)


def dots(panels: Mapping[str, Mapping[str, Spread]], label: str, mean: float) -> Figure:
    """Panels under one another: a line for each name, with a dot at the mean and a bar from percentile to percentile.

    Args:
        label: of the axis.
        mean: of everything, drawn as a dashed line.
    """
    rows = [len(of_panel) for of_panel in panels.values()]
    with style.context(STYLE):
        figure = new_figure(7.2, 0.8 + INCHES * sum(rows) + 0.45 * len(rows))
        all_axes = figure.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=[one + 1 for one in rows])
        for axes, (title, of_panel) in zip(all_axes[:, 0], panels.items(), strict=True):
            places = np.arange(len(of_panel))
            lows, means, highs = (np.array(values) for values in zip(*of_panel.values(), strict=True))
            axes.hlines(places, lows, highs, color=COLOURS[0], linewidth=2.4, alpha=0.35)
            axes.plot(means, places, "o", color=COLOURS[0], markersize=4.5)
            axes.axvline(mean, color=GREY, linestyle=(0, (4, 3)), linewidth=1)
            axes.set_yticks(places, list(of_panel))
            axes.set_ylim(len(of_panel) - 0.4, -0.6)
            axes.set_title(title, loc="left", fontsize=10, fontweight="bold")
            axes.grid(axis="x", color="#dddddd", linewidth=0.6)
            axes.set_axisbelow(True)
            axes.tick_params(axis="y", length=0)
        all_axes[-1, 0].set_xlabel(label)
    return figure


def channels(means: np.ndarray, deviations: np.ndarray, histogram: np.ndarray, label: str) -> Figure:
    """Left: channels from the least to the most used, with one standard deviation; right: all tokens and channels."""
    order = np.argsort(means)
    with style.context(STYLE):
        figure = new_figure(7.2, 2.9)
        left, right = figure.subplots(1, 2)
        places = np.arange(len(means))
        low, high = (np.clip(means + sign * deviations, 0, 1)[order] for sign in (-1, 1))
        left.fill_between(places, low, high, color=COLOURS[0], alpha=0.25, linewidth=0, label="± 1 SD over tokens")
        left.plot(places, means[order], color=COLOURS[0], label="mean over tokens")
        left.set_ylim(0, 1)
        left.set_xlabel("channels, sorted")
        left.set_ylabel(label)
        left.legend(loc="upper left", frameon=False)
        bins = 50
        shares = histogram.reshape(bins, -1).sum(axis=1) / histogram.sum()
        right.bar((np.arange(bins) + 0.5) / bins, 100 * shares, width=0.9 / bins, color=COLOURS[0])
        right.set_xlim(0, 1)
        right.set_xlabel(f"{label}, tokens and channels")
        right.set_ylabel("percent of values")
        for axes in (left, right):
            axes.grid(axis="y", color="#dddddd", linewidth=0.6)
            axes.set_axisbelow(True)
    return figure


def over_training(steps: Sequence[int], spreads: Sequence[Spread], label: str) -> Figure:
    """The mean over the steps, and a band from the 10th to the 90th percentile of the tokens."""
    lows, means, highs = zip(*spreads, strict=True)
    with style.context(STYLE):
        figure = new_figure(7.2, 2.6)
        axes = figure.subplots()
        axes.fill_between(
            steps, lows, highs, color=COLOURS[0], alpha=0.25, linewidth=0, label="tokens, 10th to 90th percentile"
        )
        axes.plot(steps, means, color=COLOURS[0], marker=MARKERS[0], markersize=4.5, label="mean")
        axes.set_xlabel("step")
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.legend(loc="best", frameon=False)
    return figure


def changes(found: Scores, names: Mapping[str, str]) -> Figure:
    """Languages from top to bottom, and how far each way of holding the gate moves the score.

    Args:
        names: language -> how it is called.
    """
    languages = list(names)
    with style.context(STYLE):
        figure = new_figure(7.2, 1.2 + INCHES * len(languages))
        axes = figure.subplots()
        places = np.arange(len(languages))
        for number, way in enumerate(WAYS):
            points = [found.by_way[way.name][code] - found.by_way["learnt"][code] for code in languages]
            axes.plot(
                points,
                places,
                marker=MARKERS[number],
                color=COLOURS[number],
                markersize=5,
                linestyle="none",
                alpha=0.85,
                label=f"w = {way.title}",
            )
        axes.axvline(0, color=GREY, linewidth=1)
        axes.set_yticks(places, [names[code] for code in languages])
        axes.set_ylim(len(languages) - 0.4, -0.6)
        axes.set_xlabel("points, less the learnt gate")
        axes.grid(color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)
        figure.legend(loc="outside upper left", ncols=2, frameon=False)
    return figure
