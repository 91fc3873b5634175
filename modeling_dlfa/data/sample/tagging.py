"""The tagging tasks of the sample: sentences for parts of speech (udpos), sentences and fragments for names (panx)."""

from dataclasses import replace

from . import concepts
from .drawing import Draw
from .frames import Clause, Fragment, Phrase, Sentence


_SORTS = {
    "act": 30, "habit": 9, "wish": 8, "motion": 5, "quality": 10, "price": 4, "role": 4, "work": 4, "birth": 3,
    "reported": 6, "but": 7, "because": 7, "long": 4, "exclamation": 6,
}  # fmt: skip
_NAME_SORTS = {
    "founding": 15, "work": 15, "location": 12, "birth": 12, "role": 10, "motion": 8, "act": 10, "reported": 5,
    "note": 8, "list": 4, "heading": 3,
}  # fmt: skip


def _choose(draw: Draw, weights: dict[str, int]) -> str:
    return draw.random.choices(list(weights), list(weights.values()))[0]


def _maybe_negated(draw: Draw, clause: Clause, probability: float = 0.2) -> Clause:
    """Negates now and then, where the negation has one reading only (no numeral, no "every day" in its scope)."""
    patient = clause.object
    simple = (patient is None or (patient.number == 1 and patient.also is None)) and not clause.time.startswith(
        "every"
    )
    return replace(clause, negated=True) if simple and draw.chance(probability) else clause


def _fronted(draw: Draw, clause: Clause) -> Clause:
    if clause.time and draw.chance(0.25):
        return replace(clause, first="time")
    return clause


def _simple(draw: Draw, sort: str) -> Clause:
    if sort == "habit":
        clause = draw.act(verb=draw.pick(concepts.HABITUAL), tense="present", adjuncts=0.3)
        return replace(clause, time="", frequency=draw.pick(concepts.FREQUENCIES))
    if sort == "wish":
        verb = draw.pick([verb for verb in concepts.OBJECTS if verb not in ("lose", "search", "understand")])
        clause = draw.act(verb=verb, tense="present", adjuncts=0)
        return _maybe_negated(draw, replace(clause, wants=True))
    if sort == "act":
        return _fronted(draw, _maybe_negated(draw, draw.act()))
    if sort == "quality":
        return _maybe_negated(draw, draw.quality())
    makers = {
        "motion": draw.motion, "price": draw.price, "role": draw.role, "work": draw.employment, "birth": draw.birth,
        "founding": draw.founding, "location": draw.location,
    }  # fmt: skip
    return makers[sort]()


def speech(draw: Draw) -> Sentence:
    """A sentence for udpos."""
    sort = _choose(draw, _SORTS)
    if sort == "exclamation":
        return Sentence(draw.quality(), exclamation=True)
    if sort == "reported":
        speaker = draw.person(surname=0) if draw.chance(0.5) else draw.noun(adjective=0.2)
        return Sentence(_maybe_negated(draw, draw.act()), speaker=speaker)
    if sort == "long":
        first = draw.act(subject=draw.noun(adjective=0.6), adjuncts=0.8)
        second = draw.act(subject=draw.noun(adjective=0.6, but=(first.subject.head,)))
        speaker = draw.person(surname=0.5)
        return Sentence(first, draw.random.choice(("but", "because")), second, speaker=speaker)
    if sort in ("but", "because"):
        first = _maybe_negated(draw, draw.act(subject=draw.noun() if draw.chance(0.6) else draw.people()))
        other = draw.noun if draw.chance(0.6) else draw.person
        act = draw.act(subject=other(but=(first.subject.head,)), tense=first.tense, adjuncts=0.3)
        second = draw.quality() if draw.chance(0.3) else act
        link = "but" if sort == "but" else "because"
        return Sentence(first, link, _maybe_negated(draw, second))
    return Sentence(_simple(draw, sort))


def names(draw: Draw) -> Sentence | Fragment:
    """A sentence or fragment for panx."""
    sort = _choose(draw, _NAME_SORTS)
    if sort == "list":
        return Fragment("list", cities=tuple(_different_cities(draw)))
    if sort == "heading":
        return Fragment("heading", _named(draw))
    if sort == "note":
        return Fragment("note", _named(draw), (draw.city(),), draw.year())
    if sort == "act":
        verb = draw.pick([*concepts.PERSON_VERBS, "buy", "read"])
        clause = draw.act(subject=draw.person(surname=0.6) if draw.chance(0.6) else draw.noun(), verb=verb)
        return Sentence(_fronted(draw, clause))
    if sort == "reported":
        return Sentence(draw.employment(), speaker=draw.person(surname=0.6))
    return Sentence(_simple(draw, sort))


def _named(draw: Draw) -> Phrase:
    return draw.person(surname=1) if draw.chance(0.6) else draw.organisation()


def _different_cities(draw: Draw) -> list[str]:
    cities: list[str] = []
    for _ in range(draw.random.choice((2, 3, 4))):
        cities.append(draw.city(but=cities))
    return cities
