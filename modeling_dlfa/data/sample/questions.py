"""The questions of the sample: who of several persons did something, as a text of a few sentences tells it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from . import concepts
from .drawing import Draw
from .frames import Clause, Phrase, Sentence
from .grammar import Grammar


FACTS = 4
_WHO = Phrase("who", "pronoun")


class Asked(NamedTuple):
    """A text, a question about it, and the place of the answer in the text."""

    context: str
    question: str
    answer: str
    start: int


def facts(draw: Draw) -> tuple[Sentence, ...]:
    """What some persons did, each something else; half of the time two of them to different things."""
    names: list[str] = []
    clauses: list[Clause] = []
    while len(clauses) < FACTS:
        person = draw.person(but=names, surname=0.5)
        verb = clauses[-1].verb if clauses and len(clauses) % 2 and draw.chance(0.5) else draw.pick(_VERBS)
        clause = replace(draw.act(subject=person, verb=verb, tense="past", adjuncts=0.4), object=draw.thing(verb))
        deeds = [(other.verb, other.object.head) for other in clauses if other.object is not None]
        if clause.object is not None and (verb, clause.object.head) not in deeds:
            names += [person.head, person.surname]
            clauses.append(clause)
    return tuple(map(Sentence, clauses))


# What is done to things: an object that is a person might be taken for the answer.
_VERBS = tuple(verb for verb in concepts.OBJECTS if verb not in ("greet", "understand"))


def asked(grammar: Grammar, sentences: Sequence[Sentence], which: int) -> Asked:
    """Who did what the sentence at a place says."""
    texts = [grammar.text(grammar.sentence(sentence)) for sentence in sentences]
    between = " " if grammar.spaced else ""
    clause = sentences[which].clause
    answer = grammar.text(grammar.name(clause.subject))
    before = "".join(text + between for text in texts[:which])
    question = grammar.text(grammar.question(replace(clause, subject=_WHO)))
    return Asked(between.join(texts), question, answer, len(before) + texts[which].index(answer))
