"""How every figure of the package looks; it needs matplotlib. Colours are told apart by colour-blind readers."""

import io
from typing import Any

from matplotlib import colormaps, style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from .pages import DPI


# Names are shown as they are written, "$" included, and look alike whatever the user's matplotlibrc says.
STYLE: list[Any] = [
    "default",
    {
        "font.family": "DejaVu Sans",
        "font.size": 9,
        "text.parse_math": False,
        "text.usetex": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "savefig.bbox": "standard",
    },
]
GREY = "#666666"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe and Ito's
MARKERS = ("o", "s", "^", "D", "v", "P")
DIVERGING = colormaps["PuOr"]


def png(figure: Figure) -> bytes:
    """The figure as a PNG file: equal figures give equal bytes."""
    buffer = io.BytesIO()
    with style.context(STYLE):
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def small_png(figure: Figure) -> bytes:
    """The same in 64 colours, a quarter of the size: for tall figures of words, lines and few colours."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png(figure))) as image:
        few = image.convert("RGB").quantize(64, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def new_figure(width: float, height: float) -> Figure:
    """A figure of so many inches, on a canvas of its own; to be made and filled under `style.context(STYLE)`."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def ink(colour: tuple[float, ...]) -> str:
    """Black or white, whichever is easier to read on a colour (by relative luminance as in WCAG 2)."""
    channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    return "black" if 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2] > 0.179 else "white"
