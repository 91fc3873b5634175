"""Draws meaning frames at random. What fits together (verbs, objects, places, times) is said in concepts.py."""

import random
from collections.abc import Sequence

from . import concepts
from .frames import Clause, Phrase, Tense


class Draw:
    """A seeded source of phrases and clauses.

    Args:
        seed: any string; the same seed draws the same frames in every process.
        held_out: how often a held-out concept is drawn where there is one to choose; 0 for training data.
    """

    def __init__(self, seed: str, held_out: float) -> None:
        self.random = random.Random(seed)
        self.held_out = held_out

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def pick(self, options: Sequence[str], but: Sequence[str] = ()) -> str:
        """One of the options that this draw may use, none of `but`."""
        options = [option for option in options if option not in but]
        held_out = [option for option in options if option in concepts.HELD_OUT]
        known = [option for option in options if option not in concepts.HELD_OUT]
        if self.held_out and held_out and (not known or self.chance(self.held_out)):
            return self.random.choice(held_out)
        return self.random.choice(known)

    def tense(self) -> Tense:
        return self.random.choice(("present", "past", "past", "future"))

    def person(self, but: Sequence[str] = (), surname: float = 0.25) -> Phrase:
        """A person called by name."""
        given = self.pick(concepts.GIVEN_NAMES, but)
        family = self.pick(concepts.SURNAMES, [given, *but]) if self.chance(surname) else ""
        return Phrase(given, "person", surname=family)

    def people(self) -> Phrase:
        """Any human subject: by name, by profession, a group, a relative, two joined by "and"."""
        sort = self.random.choices(("name", "noun", "group", "kin", "pronoun", "pair"), (28, 40, 8, 8, 8, 8))[0]
        if sort == "name":
            return self.person()
        if sort == "group":
            return Phrase(self.pick(concepts.PERSON_NOUNS), number=self.random.choice((2, 3, 4)))
        if sort == "kin":
            return Phrase(self.pick(concepts.KIN), owner=self.pick(concepts.GIVEN_NAMES))
        if sort == "pronoun":
            return Phrase(self.random.choice(("he", "she", "they")), "pronoun")
        if sort == "pair":
            return self.pair()
        return self.noun()

    def pair(self) -> Phrase:
        """Two persons joined by "and"."""
        first = self.person(surname=0)
        second = self.person(but=[first.head], surname=0) if self.chance(0.5) else self.noun(adjective=0)
        return Phrase(first.head, "person", also=second)

    def noun(self, adjective: float = 0.3, but: Sequence[str] = ()) -> Phrase:
        """One person called by profession."""
        return Phrase(
            self.pick(concepts.PERSON_NOUNS, but),
            determiner=self.random.choice(("the", "the", "a", "this")),
            adjective=self.pick(concepts.ATTRIBUTIVE_OF_PERSONS) if self.chance(adjective) else "",
        )

    def thing(self, verb: str, adjective: float = 0.4, number: float = 0.15) -> Phrase:
        """An object of a verb: a thing or an animal."""
        nouns = [noun for noun in concepts.OBJECTS[verb] if noun not in concepts.PERSON_NOUNS]
        head = self.pick(nouns)
        quality = self.pick(concepts.adjectives_for(head)) if self.chance(adjective) else ""
        if self.chance(number) and head not in concepts.ANIMALS:
            return Phrase(head, number=self.random.choice((2, 3, 4)), adjective=quality)
        return Phrase(head, determiner=self.random.choice(("the", "a", "a", "this")), adjective=quality)

    def object_of(self, verb: str, but: Sequence[str] = ()) -> Phrase:
        if verb not in concepts.PERSON_VERBS or (verb in ("see", "search") and self.chance(0.5)):
            return self.thing(verb)
        if self.chance(0.5):
            return self.person(but)
        return self.noun(but=but)

    def city(self, but: Sequence[str] = ()) -> str:
        return self.pick(concepts.CITIES, but)

    def organisation(self) -> Phrase:
        if self.chance(0.5):
            return Phrase(self.pick(concepts.COMPANIES), "company")
        return Phrase(self.pick(concepts.INSTITUTIONS), "institution", city=self.city())

    def act(
        self, *, subject: Phrase | None = None, verb: str = "", tense: Tense | None = None, adjuncts: float = 0.45
    ) -> Clause:
        """Somebody does something, with each adjunct at the given probability; positive, in neutral order."""
        subject = subject or self.people()
        tense = tense or self.tense()
        if not verb:
            verb = self.pick([*concepts.OBJECTS, *concepts.INTRANSITIVE])
            if tense == "present" and verb not in concepts.HABITUAL:
                verb = self.pick(concepts.HABITUAL)
        patient = self.object_of(verb, but=(subject.head,)) if verb in concepts.OBJECTS else None
        places = concepts.PLACES_OF.get(verb, ("park", "garden", "village", "station"))
        return Clause(
            subject,
            verb=verb,
            object=patient,
            tense=tense,
            time=self.pick(concepts.TIMES[tense]) if self.chance(adjuncts) else "",
            place=self.pick(places) if places and self.chance(adjuncts) else "",
        )

    def motion(self, subject: Phrase | None = None) -> Clause:
        """Somebody travels from one city to another."""
        origin = self.city()
        tense = self.random.choice(("past", "future"))
        return Clause(
            subject or self.people(),
            verb=self.pick(concepts.MOTION),
            tense=tense,
            origin=origin,
            goal=self.city(but=(origin,)),
            time=self.pick(concepts.TIMES[tense]) if self.chance(0.6) else "",
        )

    def quality(self) -> Clause:
        """Somebody or something is somehow."""
        very = self.chance(0.3)
        determiner = self.random.choice(("the", "this"))
        if self.chance(0.3):
            noun = Phrase(self.pick(concepts.PERSON_NOUNS), determiner=determiner)
            subject = noun if self.chance(0.5) else self.person()
            return Clause(subject, "be", adjective=self.pick(concepts.PERSON_ADJECTIVES), very=very)
        subject = Phrase(self.pick(concepts.OBJECTS["see"], concepts.PERSON_NOUNS), determiner=determiner)
        quality = self.pick(concepts.adjectives_for(subject.head))
        return Clause(subject, "be", adjective=quality, very=very and quality not in concepts.COLOURS)

    def price(self) -> Clause:
        subject = Phrase(self.pick(concepts.OBJECTS["buy"]), determiner=self.random.choice(("the", "this")))
        return Clause(subject, "cost", price=self.random.choice((5, 10, 20, 45, 80, 100, 250, 900)))

    def role(self) -> Clause:
        """A named person is, say, a writer from Paris."""
        person = self.person(surname=0.7)
        nouns = [n for n in concepts.PERSON_NOUNS if (n in concepts.FEMALE_NOUNS) == person.female and n != "child"]
        return Clause(person, "isa", role=self.pick(nouns), city=self.city())

    def birth(self) -> Clause:
        return Clause(
            self.person(surname=0.6),
            verb="be_born",
            tense="past",
            city=self.city(),
            year=self.year() if self.chance(0.5) else 0,
        )

    def founding(self) -> Clause:
        return Clause(
            self.person(surname=0.6),
            verb="found",
            tense="past",
            object=self.organisation(),
            year=self.year() if self.chance(0.6) else 0,
        )

    def employment(self) -> Clause:
        subject = self.person() if self.chance(0.7) else self.noun()
        return Clause(subject, verb="work", tense="present", employer=self.organisation())

    def location(self) -> Clause:
        return Clause(self.organisation(), verb="lie", tense="present", city=self.city())

    def year(self) -> int:
        return self.random.randrange(1890, 2010)
