"""What is said of halves of the layers: what seeds tell, and that one seed tells nothing."""

import pytest

from modeling_dlfa.analysis.courses import halves_rows, on_the_claim
from modeling_dlfa.analysis.measures import Measure
from modeling_dlfa.vectors import Layer


def measure(*upper: float) -> Measure:
    """Of four layers, with 50 in the lower half and for every seed a value in the upper one."""
    values: dict[Layer, list[float]] = {layer: [50.0 if layer < 3 else one for one in upper] for layer in range(5)}
    return Measure("pos", "English", "Parts of speech", "%", values)


@pytest.mark.parametrize(
    ("upper", "where", "said"),
    [
        ((60, 61, 62), "upper", "higher in the upper half for parts of speech in English (+11.0 points)"),
        ((40, 41, 42), "lower", "higher in the lower half of the layers for parts of speech in English (−9.0 points)"),
        ((40, 50, 61), "not told apart", "not told apart by the seeds for parts of speech in English (+0.3 points)"),
        ((60,), "", "of one seed and cannot be told apart for parts of speech in English (+10.0 points)"),
    ],
)
def test_halves(upper: tuple[float, ...], where: str, said: str):
    one = measure(*upper)
    assert halves_rows([one])[0]["higher_in"] == where
    assert on_the_claim([one]) == [f"DLFA's paper expects more structure in the upper layers. Here scores are {said}."]
