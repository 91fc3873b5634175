"""Sentences on how measures run over the layers, and how sure that is."""

from collections.abc import Sequence

import numpy as np

from ..vectors import FUSED
from .measures import Measure
from .uncertainty import Estimate, difference, estimate
from .wanted import CKA, CKA_OTHERS


STEMS = {
    "language": "the language of a sentence",
    "retrieval": "translations found",
    "retrieval_centred": "translations found, every language centred",
    "pos": "parts of speech in English",
    "pos_others": "parts of speech in other languages",
    "control": "labels at random (control task)",
    "selectivity": "parts of speech less control (selectivity)",
    "arcs": "arcs in English",
    "arcs_others": "arcs in other languages",
    "code": "bits per word of the parts of speech",
    CKA: "CKA with the encoder, English",
    CKA_OTHERS: "CKA with the encoder, other languages",
}
BEST_IS_LOW = ("code",)
ACROSS = ("retrieval", "retrieval_centred", "pos_others", "arcs_others")
STRUCTURE = ("pos", "arcs")


def shown_in(measure: Measure) -> tuple[int, str]:
    """How many decimals sentences give of it, and what follows."""
    return (2, " bits") if measure.name in BEST_IS_LOW else (1, " %")


def best_layer(measure: Measure) -> int:
    """The encoder's layer in which it is best on average."""
    return measure.extreme(measure.name not in BEST_IS_LOW)


def capitalised(stem: str) -> str:
    """As a heading, or the first word of a sentence."""
    return stem[0].upper() + stem[1:]


def course(measure: Measure) -> str:
    """Where a measure is best, what the last layer has, whether the two differ, and what a fusion makes of it."""
    digits, unit = shown_in(measure)
    found, stem = measure.numbered, STEMS[measure.name]
    last, best = max(found), best_layer(measure)
    said = f"{capitalised(stem)}: best in layer {best}, {found[best].text(digits, unit)}"
    if best != last:
        apart = difference(measure.values[best], measure.values[last])
        said += f"; in the last layer {found[last].text(digits, unit)}, {_apart(apart, digits)}"
    else:
        said += f", the last one; in the embeddings {found[0].text(digits, unit)}"
    if measure.level is not None:
        said += f"; {measure.level_label}: {measure.level:.{digits}f}{unit}"
    if FUSED in measure.values:
        apart = difference(measure.values[FUSED], measure.values[last])
        said += f"; after fusion {measure.estimates[FUSED].text(digits, unit)}, against the last layer "
        said += _apart(apart, digits)
    if measure.note:
        said += f"; {measure.note}"
    return f"{said}."


def _apart(apart: Estimate, digits: int) -> str:
    text = f"a difference of {apart.text(digits)}"
    return f"{text}, which seeds do not tell from none" if apart.known and not apart.clear else text


def upper_less_lower(measure: Measure) -> Estimate:
    """The mean of the upper half of the layers less that of the lower half, seed by seed; embeddings are in neither.

    Of an odd number of layers the one in the middle is in neither.
    """
    depth = max(measure.numbered)
    lower, upper = range(1, depth // 2 + 1), range(depth - depth // 2 + 1, depth + 1)
    values = np.array([measure.values[layer] for layer in range(depth + 1)])
    return estimate((values[list(upper)].mean(axis=0) - values[list(lower)].mean(axis=0)).tolist())


def halves_rows(measures: Sequence[Measure]) -> list[dict]:
    """A row for each measure: upper half less lower half, with its interval; none where an encoder has one layer."""
    rows = []
    for measure in measures:
        if max(measure.numbered) < 2:
            continue
        apart = upper_less_lower(measure)
        where = ("upper" if apart.mean > 0 else "lower") if apart.clear else "not told apart" if apart.known else ""
        rows.append(
            {
                "measure": STEMS[measure.name],
                "unit": measure.unit,
                "higher_in": where,
                "upper_less_lower": apart.mean,
                "low": apart.low,
                "high": apart.high,
            }
        )
    return rows


def on_the_claim(measures: Sequence[Measure]) -> list[str]:
    """What is seen of "lower layers carry more cross-lingual information, upper ones more language structure"."""
    of = {measure.name: measure for measure in measures if max(measure.numbered) > 1}
    said = []
    for names, what, claimed in ((ACROSS, "cross-lingual information", "lower"), (STRUCTURE, "structure", "upper")):
        apart = {name: upper_less_lower(of[name]) for name in names if name in of}
        parts = [
            f"{side} for {', '.join(listed)}"
            for side, listed in (
                ("higher in the lower half of the layers", _those(apart, lambda one: one.clear and one.mean < 0)),
                ("higher in the upper half", _those(apart, lambda one: one.clear and one.mean > 0)),
                ("not told apart by the seeds", _those(apart, lambda one: one.known and not one.clear)),
                ("of one seed and cannot be told apart", _those(apart, lambda one: not one.known)),
            )
            if listed
        ]
        if parts:
            said.append(
                f"DLFA's paper expects more {what} in the {claimed} layers. Here scores are {'; '.join(parts)}."
            )
    return said


def _those(apart: dict[str, Estimate], wanted) -> list[str]:
    return [f"{STEMS[name]} ({one.mean:+.1f} points)".replace("-", "−") for name, one in apart.items() if wanted(one)]
