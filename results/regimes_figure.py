"""Zero-shot score against seconds of training, for every regime: `python results/regimes_figure.py`.

It reads the studies that `results/tables.py` names and writes `results/fusing/regimes.png`.
"""

from pathlib import Path
from statistics import fmean

from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from tables import REGIMES, chosen, least_seconds

from modeling_dlfa.drawing import COLOURS, GREY, STYLE, png
from modeling_dlfa.files import write_bytes


FILE = Path(__file__).resolve().parent / "fusing" / "regimes.png"
# Study -> where its name stands beside the last layer's point: points to the right, up, and which side it begins at.
PLACES = {
    "frozen": (8, -14, "left"),
    "lora": (-8, -14, "right"),
    "top4": (10, -4, "left"),
    "all_weights": (0, 20, "right"),
}


def figure() -> Figure:
    """One arrow a regime, from the last layer to DLFA; crosses: single seeds."""
    with style.context(STYLE):
        made = Figure(figsize=(6.4, 4.2), layout="constrained")
        FigureCanvasAgg(made)
        axes = made.subplots()
        for colour, (study, title) in zip(COLOURS, REGIMES.items()):
            section, found = chosen(study, "panx")
            ends = []
            for name, marker in (("baseline", "o"), (found.model, "D")):
                runs = section.runs[name]
                seconds = least_seconds(section, [name]) * len(runs)
                scores = [section.zero_shot(run) for run in runs]
                axes.scatter(seconds, scores, marker="x", s=14, color=colour, alpha=0.5, linewidths=0.8)
                ends.append((fmean(seconds), fmean(scores)))
                axes.scatter(*ends[-1], marker=marker, s=46, color=colour, zorder=3)
            axes.annotate("", ends[1], ends[0], arrowprops={"arrowstyle": "->", "color": colour})
            across, up, side = PLACES[study]
            name = title.replace("`", "")
            axes.annotate(name, ends[0], (across, up), textcoords="offset points", color=colour, ha=side)
        axes.scatter([], [], marker="o", color=GREY, label="last layer")
        axes.scatter([], [], marker="D", color=GREY, label="DLFA, layer chosen on English development data")
        axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
        axes.set_xscale("log")
        axes.set_xticks([5, 10, 30, 100, 300], ["5", "10", "30", "100", "300"])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("seconds of training, one core, least of the seeds (with fusion: on states that are there)")
        axes.set_ylabel("zero-shot F1, PAN-X, %")
        axes.grid(axis="y", color="#dddddd")
        axes.margins(x=0.12, y=0.15)
        return made


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    write_bytes(FILE, png(figure()))
    print(f"written to {FILE}")
