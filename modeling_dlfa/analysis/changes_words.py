"""Sentences on what a run has changed in the layers, and how sure that is."""

from collections.abc import Sequence

from ..vectors import FUSED, Layer
from ..wording import interval, signed
from .changes_measures import Change
from .courses import STEMS, best_layer, capitalised, shown_in
from .measures import Measure
from .wanted import CKA, CKA_OTHERS


AS_IT_WAS = 0.9
"""CKA from which a layer is said to be much as it was (our choice)."""

IN_SHORT = ("pos", "pos_others", "retrieval", "language")
"""Measures that the sentence on a run in short tells of, in this order, where they are there."""


def in_short(run: str, changes: Sequence[Change]) -> str:
    """One sentence on a run: where parts of speech are best, before and after, and what becomes of the last layer."""
    of = {change.after.name: change for change in changes}
    said = []
    if words := of.get("pos_others") or of.get("pos"):
        said.append(f"{STEMS[words.after.name]} are {_best(words)}")
    named = [of[name] for name in IN_SHORT if name in of]
    last = [f"{STEMS[one.after.name]} {_by(one)}" for one in named or changes if one.before is not None]
    said += [f"in the last layer {'; '.join(last)}"] if last else []
    if likeness := of.get(CKA_OTHERS) or of.get(CKA):
        said.append(f"{STEMS[likeness.after.name]}: {_likeness(likeness, _depth(likeness))} in the last layer")
    return f"{run}: {'; '.join(said)}."


def course_of_change(change: Change) -> str:
    """Where a measure is best before and after, the last layer, the layer that changes most, and what a fusion has."""
    digits, unit = shown_in(change.after)
    most, depth = change.most, _depth(change)
    said = f"{STEMS[change.after.name]}: {_best(change)}; in the last layer {_by(change)}"
    if abs(change.at(most).mean) > abs(change.at(depth).mean):
        said += f"; most in layer {most}, {_by(change, most)}"
    if FUSED in change.after.values:
        said += f"; after fusion {_with_minus(change.after.estimates[FUSED].text(digits, unit))}"
    if change.after.note:
        said += f"; {change.after.note}"
    return f"{capitalised(said)}."


def course_of_likeness(change: Change) -> str:
    """How like the layers are to what they were, from the embeddings to the last one."""
    found, depth = change.after.numbered, _depth(change)
    first, last = (_likeness(change, layer) for layer in (0, depth))
    said = f"{STEMS[change.after.name]}: {first} in the embeddings, {last} in the last layer"
    far = [layer for layer, one in found.items() if one.mean < AS_IT_WAS]
    said += f"; below {AS_IT_WAS} in {_layers(far)}" if far else f"; {AS_IT_WAS} or more in every layer"
    return f"{said}."


def _likeness(change: Change, layer: int) -> str:
    return _with_minus(change.after.numbered[layer].text(2))


def _layers(numbers: Sequence[int]) -> str:
    """ "layer 3", "layers 9 to 12", "layers 0, 11 and 12"."""
    if len(numbers) == 1:
        return f"layer {numbers[0]}"
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"layers {numbers[0]} to {numbers[-1]}"
    return f"layers {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"


def _depth(change: Change) -> int:
    return max(change.after.numbered)


def _value(measure: Measure, layer: int) -> str:
    digits, unit = shown_in(measure)
    return f"{measure.numbered[layer].mean:.{digits}f}{unit}"


def _best(change: Change) -> str:
    """ "best in layer 6 before (92.0 %), in layer 9 after (93.4 %)"."""
    after, before = change.after, change.before or change.after
    first, now = best_layer(before), best_layer(after)
    if first == now:
        return f"best in layer {now} before ({_value(before, now)}) and after ({_value(after, now)})"
    return f"best in layer {first} before ({_value(before, first)}), in layer {now} after ({_value(after, now)})"


def _by(change: Change, layer: Layer | None = None) -> str:
    """ "from 95.0 down to 61.2 % (−33.8, −35.1 to −32.5)", of the last layer by default."""
    layer = _depth(change) if layer is None else layer
    digits, unit = shown_in(change.after)
    before, apart = change.before or change.after, change.at(layer)
    start, end = (measure.estimates[layer].mean for measure in (before, change.after))
    if apart.low == apart.high == 0:
        return f"as before, {end:.{digits}f}{unit}"
    way = ("up to" if apart.mean > 0 else "down to") if apart.clear else "to"
    told = ", not told from none" if apart.known and not apart.clear else ""
    size = signed(apart.mean, digits) + (f", {interval(apart.low, apart.high, digits)}" if apart.known else "")
    return f"from {start:.{digits}f} {way} {end:.{digits}f}{unit} ({_with_minus(size)}{told})"


def _with_minus(numbers: str) -> str:
    return numbers.replace("-", "−")
