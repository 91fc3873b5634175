"""What becomes of a run's scores where its gate is held fast."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..tasks.scores import score_of_counts
from .gate_measures import Used
from .gate_run import GatedRun
from .uncertainty import Estimate


LEARNT = "learnt"
RESAMPLES = 1000


@dataclass(frozen=True)
class Held:
    """One way to hold the gate fast.

    Attributes:
        name: in files.
        title: in sentences: the gate is held at ...
    """

    name: str
    title: str


LAST = Held("last", "1, the last layer alone")
LOWER = Held("lower", "0, the lower layer alone")
CHANNELS = Held("channel_means", "its mean in each channel")
SCALAR = Held("mean", "one mean for all channels")
WAYS = (LAST, LOWER, CHANNELS, SCALAR)


@dataclass(frozen=True)
class Scores:
    """Reported scores by the way that the gate is held, and counts of every row that make them.

    Attributes:
        by_way: way -> language -> score; `LEARNT` is the run as it is.
        counts: way -> language -> (N, 3).
        train_language: of the run.
    """

    by_way: dict[str, dict[str, float]]
    counts: dict[str, dict[str, np.ndarray]]
    train_language: str

    @property
    def asked(self) -> list[str]:
        """Languages of the average: all but the training language, where there are others."""
        languages = list(self.by_way[LEARNT])
        return [code for code in languages if code != self.train_language] or languages

    def average(self, way: str) -> float:
        return float(np.mean([self.by_way[way][code] for code in self.asked]))

    def change(self, way: str, languages: Sequence[str] | None = None) -> Estimate:
        """The average over languages less that of the learnt gate; default: `asked`.

        The interval is over sentences, drawn anew: the same for both gates, and in all languages with as many,
        whose sets may be translations of each other.
        """
        codes = self.asked if languages is None else list(languages)
        drawn = np.zeros(RESAMPLES)
        for code in codes:
            rows = len(self.counts[LEARNT][code])
            draw = np.random.default_rng([0, rows])
            times = draw.multinomial(rows, np.full(rows, 1 / rows), size=RESAMPLES)  # (RESAMPLES, N)
            one, other = (score_of_counts(times @ self.counts[name][code]) for name in (way, LEARNT))
            drawn += (one - other) / len(codes)
        points = float(np.mean([self.by_way[way][code] - self.by_way[LEARNT][code] for code in codes]))
        low, high = np.quantile(drawn, (0.025, 0.975))
        return Estimate(points, float(low), float(high))


def scores(run: GatedRun, found: Used) -> Scores:
    """Score the run as it is, and with its gate held in every way.

    Args:
        found: where the means are from; labels have no part in them.
    """
    gates: Mapping[str, float | torch.Tensor | None] = {
        LEARNT: None,
        LAST.name: 1.0,
        LOWER.name: 0.0,
        CHANNELS.name: torch.tensor(1 - found.channels),
        SCALAR.name: 1 - found.mean,
    }
    by_way: dict[str, dict[str, float]] = {name: {} for name in gates}
    counts: dict[str, dict[str, np.ndarray]] = {name: {} for name in gates}
    for code, one in run.sets.items():
        for name, answers in run.predicted(code, gates).items():
            by_way[name][code] = one.score(answers)[run.task.metric]
            counts[name][code] = one.counts(answers)
    return Scores(by_way, counts, run.results.train_language)
