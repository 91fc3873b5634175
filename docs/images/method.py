"""Draw the method: `python docs/images/method.py` writes `method.svg` beside itself."""

import io
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from modeling_dlfa.files import write_bytes
from modeling_dlfa.study.figures import COLOURS, GREY


FILE = Path(__file__).resolve().with_suffix(".svg")
BLUE, ORANGE = COLOURS[:2]
INK = "#222222"
LAYERS, K, HEIGHT, STEP = 12, 8, 0.34, 0.42


def box(
    axes: Axes, left: float, bottom: float, width: float, height: float, text: str, colour: str, fill: str
) -> None:
    shape = FancyBboxPatch(
        (left, bottom), width, height, boxstyle="round,pad=0,rounding_size=0.08", edgecolor=colour, facecolor=fill
    )
    axes.add_patch(shape)
    axes.text(left + width / 2, bottom + height / 2, text, ha="center", va="center", color=INK, linespacing=1.4)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str = GREY) -> None:
    axes.annotate(
        "", end, start, arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.3, "shrinkA": 0, "shrinkB": 0}
    )


def line(axes: Axes, *points: tuple[float, float], colour: str = GREY) -> None:
    axes.plot(*zip(*points), color=colour, lw=1.3, solid_capstyle="round")


def figure() -> Figure:
    """The encoder on the left, what AIF makes of layer k and the last one on the right."""
    made = Figure(figsize=(8.4, 3.9), facecolor="white")
    axes = made.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, 12.6)
    axes.set_ylim(-0.75, 5.55)
    axes.axis("off")

    tops = {}
    for layer in range(LAYERS + 1):
        bottom = layer * STEP - 0.3
        tops[layer] = bottom + HEIGHT / 2
        colour, fill = {K: (ORANGE, "#fdf0e1"), LAYERS: (BLUE, "#e3eef8")}.get(layer, (GREY, "#f6f6f6"))
        text = {0: "embeddings", K: "layer k", LAYERS: "layer L, the last"}.get(layer, "")
        box(axes, 0.4, bottom, 2.5, HEIGHT, text, colour, fill)
    axes.text(1.65, tops[LAYERS] + 0.42, "pretrained encoder", ha="center", color=INK, weight="bold")
    axes.text(1.65, -0.62, "tokens", ha="center", va="center", color=INK)

    x, y = tops[LAYERS], tops[K]
    frame = FancyBboxPatch(
        (3.9, 0.1),
        5.75,
        4.35,
        boxstyle="round,pad=0,rounding_size=0.15",
        edgecolor=GREY,
        facecolor="none",
        ls=(0, (4, 3)),
    )
    axes.add_patch(frame)
    axes.text(6.78, 0.33, "attentional information fusion (AIF)", ha="center", va="center", color=INK, weight="bold")
    box(axes, 4.25, y - 0.3, 0.95, 0.6, "x + y", GREY, "white")
    box(axes, 5.75, y + 0.25, 2.0, 0.75, "local branch\neach token", GREY, "white")
    box(axes, 5.75, y - 1.0, 2.0, 0.75, "global branch\nmean of tokens", GREY, "white")
    box(axes, 8.22, y - 0.33, 1.3, 0.66, "w, sigmoid\nof the sum", GREY, "white")
    box(axes, 6.0, 0.72, 3.1, 0.62, "z = w·x + (1 − w)·y", INK, "#f3f3f3")

    # x and y into the sum
    line(axes, (2.9, x), (4.72, x), colour=BLUE)
    arrow(axes, (4.72, x), (4.72, y + 0.3), BLUE)
    axes.text(3.4, x + 0.16, "x", color=BLUE, ha="center", style="italic")
    arrow(axes, (2.9, y), (4.25, y), ORANGE)
    axes.text(3.4, y + 0.16, "y", color=ORANGE, ha="center", style="italic")
    # branches
    for there in (y + 0.62, y - 0.62):
        line(axes, (5.2, y), (5.47, y), (5.47, there))
        arrow(axes, (5.47, there), (5.75, there))
        line(axes, (7.75, there), (7.98, there), (7.98, y))
    arrow(axes, (8.0, y), (8.22, y))
    arrow(axes, (8.82, y - 0.33), (8.82, 1.34))
    # x and y past the branches, into z
    line(axes, (3.62, x), (3.62, 1.13), colour=BLUE)
    arrow(axes, (3.62, 1.13), (6.0, 1.13), BLUE)
    line(axes, (3.3, y), (3.3, 0.9), colour=ORANGE)
    arrow(axes, (3.3, 0.9), (6.0, 0.9), ORANGE)
    # head
    box(axes, 10.25, 0.58, 2.0, 0.9, "head\nof the task", INK, "white")
    arrow(axes, (9.1, 1.03), (10.25, 1.03), INK)
    axes.text(9.95, 1.16, "z", color=INK, ha="center", style="italic")
    arrow(axes, (11.25, 1.48), (11.25, 2.3), INK)
    axes.text(11.25, 2.75, "labels in\nevery language", ha="center", va="center", color=INK, linespacing=1.4)
    return made


def svg() -> bytes:
    """The drawing, the same bytes on every run; letters are paths, so that no font is needed."""
    with rc_context({"svg.fonttype": "path", "svg.hashsalt": "dlfa", "font.family": "DejaVu Sans", "font.size": 8.5}):
        file = io.BytesIO()
        FigureCanvasSVG(figure()).print_svg(file, metadata={"Date": None, "Creator": None})
        return file.getvalue()


if __name__ == "__main__":
    write_bytes(FILE, svg())
    print(f"written to {FILE}")
