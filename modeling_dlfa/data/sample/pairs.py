"""The tasks of sentences with one label in the sample, as frames: inference (xnli), paraphrases (pawsx), and which of
two sentences follows (xcopa)."""

from collections.abc import Callable
from dataclasses import replace

from . import concepts
from .drawing import Draw
from .frames import Clause, Phrase, Sentence


Pair = tuple[Sentence, Sentence]
_SOMEONE = Phrase("someone", "pronoun")


def _pair(first: Clause, second: Clause) -> Pair:
    return Sentence(first), Sentence(second)


def _event(draw: Draw) -> Clause:
    """An event rich enough to be thinned out: an object, an adjective, a place and a time."""
    verb = draw.pick([v for v in concepts.OBJECTS if v not in ("greet", "understand")])
    clause = draw.act(verb=verb, tense=draw.random.choice(("past", "past", "future")), adjuncts=0.75)
    patient = draw.thing(verb, adjective=0.6, number=0)
    if clause.subject.determiner == "a":  # "a nurse" may be another nurse in the second sentence
        clause = replace(clause, subject=replace(clause.subject, determiner="the"))
    place = clause.place or draw.pick(concepts.PLACES_OF.get(verb, ("park", "garden")))
    return replace(clause, object=patient, place=place)


def _thinner(draw: Draw, clause: Clause) -> Clause:
    """The clause with one or two of its modifiers left out; it follows from the clause."""
    parts = [part for part in ("time", "place", "adjective") if part != "adjective" and getattr(clause, part)]
    assert clause.object is not None
    if clause.object.adjective:
        parts.append("adjective")
    for part in draw.random.sample(parts, min(len(parts), draw.random.choice((1, 2)))):
        if part == "adjective":
            assert clause.object is not None
            clause = replace(clause, object=replace(clause.object, adjective=""))
        else:
            clause = replace(clause, **{part: ""})
    return clause


def _more_general(draw: Draw, clause: Clause) -> Clause:
    """The clause with an apple turned into a fruit, or with "someone" as its subject."""
    patient = clause.object
    assert patient is not None
    if patient.head in concepts.HYPERNYMS and draw.chance(0.8):
        return replace(clause, object=replace(patient, head=concepts.HYPERNYMS[patient.head], determiner="a"))
    return replace(clause, subject=_SOMEONE)


def _specific_event(draw: Draw) -> Clause:
    event = _event(draw)
    if draw.chance(0.6):
        head = draw.pick(tuple(concepts.HYPERNYMS))
        verb = draw.pick([v for v, nouns in concepts.OBJECTS.items() if head in nouns])
        event = replace(event, verb=verb, object=Phrase(head, determiner="a"))
    return replace(event, subject=draw.person(surname=0)) if event.subject.plural else event


def _contrast(draw: Draw) -> tuple[Clause, Clause]:
    """Two clauses with different subjects, exactly one of them negated: "X did this, but Y did not do that"."""
    first = draw.act(subject=draw.person(surname=0), tense="past", adjuncts=0.2)
    other = replace(draw.noun(adjective=0), determiner=draw.random.choice(("the", "this")))
    second = draw.act(subject=other, tense="past", adjuncts=0)
    if first.object is not None and first.object.number > 1:
        first = replace(first, object=replace(first.object, number=1, determiner="the"))
    if second.object is not None and second.object.number > 1:
        second = replace(second, object=replace(second.object, number=1, determiner="the"))
    negated = draw.random.choice((0, 1))
    return replace(first, negated=negated == 0), replace(second, negated=negated == 1)


def _thin_out(draw: Draw) -> Pair:
    event = _event(draw)
    return _pair(event, _thinner(draw, event))


def _thin_out_denied(draw: Draw) -> Pair:
    """Under negation it is the thinner clause that says more: who bought no car bought no red car."""
    event = _event(draw)
    assert event.object is not None
    event = replace(event, object=replace(event.object, determiner="a"))
    return _pair(replace(event, negated=True), replace(_thinner(draw, event), negated=True))


def _generalise(draw: Draw) -> Pair:
    event = _specific_event(draw)
    return _pair(event, _more_general(draw, event))


def _one_of_two(draw: Draw) -> Pair:
    event = replace(_event(draw), subject=draw.pair())
    one = replace(event.subject, also=None) if draw.chance(0.5) or event.subject.also is None else event.subject.also
    return _pair(event, replace(event, subject=one))


def _one_side(draw: Draw) -> Pair:
    first, second = _contrast(draw)
    return Sentence(first, "but", second), Sentence(draw.random.choice((first, second)))


def _opposite_quality(draw: Draw) -> Clause:
    subject = Phrase(draw.pick(concepts.OBJECTS["buy"]), determiner=draw.random.choice(("the", "this")))
    fitting = [
        adjective for adjective in concepts.adjectives_for(subject.head) if adjective in concepts.ANTONYM_ADJECTIVES
    ]
    return Clause(subject, "be", adjective=draw.pick(fitting))


def _not_the_opposite(draw: Draw) -> Pair:
    quality = _opposite_quality(draw)
    return _pair(quality, replace(quality, adjective=concepts.ANTONYM_ADJECTIVES[quality.adjective], negated=True))


def _deny(draw: Draw) -> Pair:
    event = _event(draw)
    denied = replace(_thinner(draw, event) if draw.chance(0.5) else event, negated=True)
    return _pair(event, denied)


def _affirm(draw: Draw) -> Pair:
    event = _event(draw)
    denied = replace(_thinner(draw, event) if draw.chance(0.5) else event, negated=True)
    return _pair(denied, event)


def _opposite_act(draw: Draw) -> Pair:
    verb = draw.pick(tuple(concepts.ANTONYM_VERBS))
    opposite = concepts.ANTONYM_VERBS[verb]
    shared = [noun for noun in concepts.OBJECTS[verb] if noun in concepts.OBJECTS[opposite]]
    event = replace(_event(draw), verb=verb, place="", object=Phrase(draw.pick(shared), determiner="the"))
    return _pair(event, replace(event, verb=opposite))


def _flip_one_side(draw: Draw) -> Pair:
    first, second = _contrast(draw)
    side = draw.random.choice((first, second))
    return Sentence(first, "but", second), Sentence(replace(side, negated=not side.negated))


def _birth_year(draw: Draw) -> Pair:
    birth = replace(draw.birth(), year=draw.year())
    return _pair(birth, replace(birth, year=0))


def _opposite(draw: Draw) -> Pair:
    quality = _opposite_quality(draw)
    return _pair(quality, replace(quality, adjective=concepts.ANTONYM_ADJECTIVES[quality.adjective]))


def _elsewhere(draw: Draw) -> Pair:
    fact = draw.birth()
    return _pair(fact, replace(fact, city=draw.city(but=(fact.city,))))


def _swap_sides(make: Callable[[Draw], Pair]) -> Callable[[Draw], Pair]:
    def swapped(draw: Draw) -> Pair:
        premise, hypothesis = make(draw)
        return hypothesis, premise

    return swapped


def _another_event(draw: Draw) -> Pair:
    event = _event(draw)
    other = replace(draw.act(subject=event.subject, tense=event.tense, adjuncts=0.3), time=event.time)
    while other.verb in (event.verb, concepts.ANTONYM_VERBS.get(event.verb)):
        other = replace(draw.act(subject=event.subject, tense=event.tense, adjuncts=0.3), time=event.time)
    if other.object is not None and other.object.number > 1:
        other = replace(other, object=replace(other.object, number=1, determiner="the"))
    return _pair(replace(event, negated=draw.chance(0.25)), replace(other, negated=draw.chance(0.35)))


def _another_object(draw: Draw) -> Pair:
    event = _event(draw)
    assert event.object is not None
    other = draw.thing(event.verb, adjective=0.3, number=0)
    while other.head == event.object.head:
        other = draw.thing(event.verb, adjective=0.3, number=0)
    return _pair(event, replace(_thinner(draw, event), object=other))


def _another_quality(draw: Draw) -> Pair:
    quality = _opposite_quality(draw)
    opposite = concepts.ANTONYM_ADJECTIVES[quality.adjective]
    other = draw.pick(concepts.adjectives_for(quality.subject.head), but=(quality.adjective, opposite))
    return _pair(
        replace(quality, negated=draw.chance(0.3)), replace(quality, adjective=other, negated=draw.chance(0.5))
    )


_INFERENCES: dict[str, tuple[tuple[Callable[[Draw], Pair], int], ...]] = {
    "entailment": (
        (_thin_out, 4), (_generalise, 2), (_one_of_two, 2), (_one_side, 3), (_not_the_opposite, 2), (_birth_year, 1),
        (_swap_sides(_thin_out_denied), 3),
    ),
    "neutral": (
        (_swap_sides(_thin_out), 3), (_swap_sides(_generalise), 2), (_swap_sides(_one_of_two), 2),
        (_another_event, 3), (_another_quality, 2), (_swap_sides(_birth_year), 1), (_thin_out_denied, 3),
        (_another_object, 2),
    ),
    "contradiction": (
        (_deny, 3), (_affirm, 2), (_opposite_act, 3), (_flip_one_side, 2), (_opposite, 2), (_elsewhere, 2),
    ),
}  # fmt: skip


def inference(draw: Draw, label: str) -> Pair:
    """A premise and a hypothesis in the relation `label`."""
    makers, weights = zip(*_INFERENCES[label], strict=True)
    return draw.random.choices(makers, weights)[0](draw)


def _names(draw: Draw) -> tuple[Sentence, Sentence]:
    verb = draw.pick(concepts.PERSON_VERBS)
    one = draw.person(surname=0)
    clause = replace(
        draw.act(subject=one, verb=verb, tense="past", adjuncts=0.6), object=draw.person(but=(one.head,), surname=0)
    )
    clause = _with_adjunct(draw, clause)
    assert clause.object is not None
    return Sentence(clause), Sentence(replace(clause, subject=clause.object, object=clause.subject))


def _cities(draw: Draw) -> tuple[Sentence, Sentence]:
    clause = _with_adjunct(draw, draw.motion())
    return Sentence(clause), Sentence(replace(clause, origin=clause.goal, goal=clause.origin))


def _owners(draw: Draw) -> tuple[Sentence, Sentence]:
    owner = draw.pick(concepts.GIVEN_NAMES)
    clause = draw.act(
        subject=Phrase(draw.pick(concepts.KIN), owner=owner), verb=draw.pick(concepts.PERSON_VERBS), tense="past"
    )
    clause = _with_adjunct(draw, replace(clause, object=draw.person(but=(owner,), surname=0)))
    assert clause.object is not None
    swapped = replace(
        clause, subject=replace(clause.subject, owner=clause.object.head), object=Phrase(owner, "person")
    )
    return Sentence(clause), Sentence(swapped)


def _with_adjunct(draw: Draw, clause: Clause) -> Clause:
    return clause if clause.time or clause.place else replace(clause, time=draw.pick(concepts.TIMES[clause.tense]))


def _adjectives(draw: Draw) -> tuple[Sentence, Sentence]:
    verb = draw.pick(("buy", "sell", "find", "see", "search"))
    clause = _with_adjunct(draw, draw.act(verb=verb, tense="past"))
    nouns = [noun for noun in concepts.OBJECTS[verb] if noun not in concepts.PERSON_NOUNS]
    one = draw.pick(nouns)
    other = draw.pick(nouns, but=(one,))
    fitting = concepts.adjectives_for(one, other)
    quality = draw.pick(fitting)
    contrast = draw.pick(fitting, but=(quality,))

    def both(first: tuple[str, str], second: tuple[str, str]) -> Phrase:
        return Phrase(
            first[0], determiner="a", adjective=first[1], also=Phrase(second[0], determiner="a", adjective=second[1])
        )

    same = replace(clause, object=both((one, quality), (other, contrast)))
    swapped = replace(clause, object=both((one, contrast), (other, quality)))
    return Sentence(same), Sentence(swapped)


def _deeds(draw: Draw) -> tuple[Sentence, Sentence]:
    first = draw.act(subject=draw.person(surname=0), tense="past", adjuncts=0.5)
    second = draw.act(subject=draw.noun(adjective=0), tense="past", adjuncts=0)
    first = _with_adjunct(draw, first)
    swapped = replace(first, subject=second.subject), replace(second, subject=first.subject)
    return Sentence(first, "but", second), Sentence(swapped[0], "but", swapped[1])


def _moved(draw: Draw, sentence: Sentence) -> Sentence:
    """The same with another constituent at its head, or with the conjuncts the other way round; same meaning."""
    clause = sentence.clause
    heads = [head for head, filled in (("time", clause.time), ("place", clause.place), ("", True)) if filled]
    first = draw.random.choice([head for head in heads if head != clause.first])
    clause = replace(clause, first=first)
    patient = clause.object
    if patient is not None and patient.also is not None and draw.chance(0.7):
        clause = replace(clause, object=replace(patient.also, also=replace(patient, also=None)))
        if draw.chance(0.5):
            clause = replace(clause, first=sentence.clause.first)
    return replace(sentence, clause=clause)


def _replaced(draw: Draw, sentence: Sentence) -> Sentence:
    """The same but for one word, or a negation."""
    clause = sentence.clause
    options: list[Clause] = []
    if clause.time:
        options.append(replace(clause, time=draw.pick(concepts.TIMES[clause.tense], but=(clause.time,))))
    if clause.place:
        places = concepts.PLACES_OF.get(clause.verb, ("park", "garden", "village", "station"))
        options.append(replace(clause, place=draw.pick(places, but=(clause.place,))))
    if clause.goal:
        options.append(replace(clause, goal=draw.city(but=(clause.goal, clause.origin))))
    opposite_verb = concepts.ANTONYM_VERBS.get(clause.verb, "")
    if clause.object is not None and clause.object.head in concepts.OBJECTS.get(opposite_verb, ()):
        options.append(replace(clause, verb=opposite_verb))
    if clause.object is None or (clause.object.number == 1 and clause.object.also is None):
        options.append(replace(clause, negated=True))
    if clause.object is not None and clause.object.adjective in concepts.ANTONYM_ADJECTIVES:
        opposite = concepts.ANTONYM_ADJECTIVES[clause.object.adjective]
        options.append(replace(clause, object=replace(clause.object, adjective=opposite)))
    return replace(sentence, clause=draw.random.choice(options))


# Of the pairs that differ in meaning, how many only swap words, and how many are reordered like a paraphrase besides.
_SWAPPED, _REORDERED = 0.5, 0.7


def paraphrase(draw: Draw, label: str) -> Pair:
    """Two sentences of nearly the same words; label "1" if they mean the same."""
    same, swapped = draw.random.choice((_names, _cities, _owners, _adjectives, _deeds))(draw)
    first = draw.random.choice([h for h, filled in (("time", same.clause.time), ("", True)) if filled])
    same, swapped = (replace(s, clause=replace(s.clause, first=first)) for s in (same, swapped))
    if label == "1":
        return same, _moved(draw, same)
    other = swapped if draw.chance(_SWAPPED) else _replaced(draw, same)
    return same, _moved(draw, other) if draw.chance(_REORDERED) else other


Choice = tuple[Sentence, Sentence, Sentence]
"""A premise, what follows from it, and what does not."""

_FOLLOWING = (_thin_out, _generalise, _one_of_two, _swap_sides(_thin_out_denied))
_UNRELATED = 0.2  # of the changed ones


def _or_changed(draw: Draw) -> Choice:
    """Less of the premise, or the same with a part changed or denied, or something else."""
    premise, right = draw.random.choice(_FOLLOWING)(draw)
    other = _another_event(draw)[1] if draw.chance(_UNRELATED) else _replaced(draw, right)
    return premise, right, other


def _or_denied(draw: Draw) -> Choice:
    """One of two sides, or that side denied or affirmed."""
    first, second = _contrast(draw)
    side = draw.random.choice((first, second))
    return Sentence(first, "but", second), Sentence(side), Sentence(replace(side, negated=not side.negated))


def _or_exchanged(draw: Draw) -> Choice:
    """The same in another order, or with two of its parts in each other's place."""
    same, swapped = draw.random.choice((_names, _cities, _owners, _adjectives, _deeds))(draw)
    return _moved(draw, same), same, swapped


def choice(draw: Draw, label: str) -> tuple[Sentence, Sentence, Sentence]:
    """A premise and two sentences, of which the one at the place `label` follows from it and the other does not."""
    premise, right, other = draw.random.choices((_or_changed, _or_denied, _or_exchanged), (4, 3, 3))[0](draw)
    return (premise, right, other) if label == "0" else (premise, other, right)
