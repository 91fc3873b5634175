"""Numbers as people read them: in tables, on axes and in sentences."""

import math
from collections.abc import Sequence
from statistics import fmean

import numpy as np


MISSING = "–"


def mean_std(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and standard deviation of a sample; nan where there are too few values."""
    return fmean(values) if values else math.nan, float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def signed(value: float, digits: int = 1) -> str:
    """A difference with its sign; one that rounds to nothing has none, and "–" stands for what is no number."""
    if not math.isfinite(value):
        return MISSING
    text = f"{value:+.{digits}f}"
    return text if float(text) else text[1:]


def interval(low: float, high: float, digits: int = 1) -> str:
    """ "-0.7 to +1.1"; a narrow one with the digits that tell its ends apart, lest it look like certainty.

    Args:
        digits: the fewest, 1 or 2; there are three at most.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return MISSING
    digits = next((few for few in range(digits, 3) if signed(low, few) != signed(high, few)), 3)
    return f"{signed(low, digits)} to {signed(high, digits)}"


def count_of(there: int, asked: int) -> str:
    return str(there) if there == asked else f"{there} of {asked}"


def rounded(value: float, digits: int = 1) -> str:
    """ "71.3"; "–" for what is no number."""
    return MISSING if not math.isfinite(value) else f"{value:.{digits}f}"


def plus_minus(mean: float, deviation: float) -> str:
    """Mean and standard deviation; the mean alone where the other is unknown."""
    return rounded(mean) if not (math.isfinite(mean) and math.isfinite(deviation)) else f"{mean:.1f} ± {deviation:.1f}"


def p_text(value: float) -> str:
    if math.isnan(value):
        return MISSING
    return "<0.001" if value < 0.001 else f"{value:.3f}"
