"""How sure a number is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % confidence interval; the bounds are nan where nothing is known of them."""

    mean: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return math.isfinite(self.low)

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0

    def text(self, digits: int = 1, unit: str = "") -> str:
        """ "71.3 (70.1 to 72.5)"."""
        shown = f"{self.mean:.{digits}f}{unit}"
        return f"{shown} ({self.low:.{digits}f} to {self.high:.{digits}f})" if self.known else shown


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and interval, of Student's t, of one value per seed; with one there is no interval.

    The draws of seeds overlap, and so the interval is that of drawing and training anew from the same pool, not that
    of other sentences.
    """
    mean = float(np.mean(values))
    if len(values) < 2:
        return Estimate(mean, math.nan, math.nan)
    half = float(stats.sem(values) * stats.t.ppf((1 + LEVEL) / 2, len(values) - 1))
    return Estimate(mean, mean - half, mean + half)


def difference(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """First less second, seed by seed."""
    return estimate([one - other for one, other in zip(first, second, strict=True)])
