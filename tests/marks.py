"""Marks of several tests."""

from collections.abc import Sequence
from typing import Any

import pytest


def rest_is_slow(cases: Sequence[Any]) -> list[Any]:
    """Cases of a parametrised test that takes seconds: all but the first are marked slow, and run where those are."""
    first, *rest = cases
    slow = pytest.mark.slow(repeats=True)
    return [first, *(pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=slow) for case in rest)]
