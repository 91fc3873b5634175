"""Meaning frames: what a sentence of the sample says, before any language says it."""

from dataclasses import dataclass
from typing import Literal

from .concepts import FEMALE_NAMES, FEMALE_NOUNS, KIN, PERSON_NOUNS


Tense = Literal["present", "past", "future"]


@dataclass(frozen=True)
class Phrase:
    """Who or what: a noun ("teacher"), a named person, an organisation, or a pronoun.

    `head` is a concept of concepts.py, a given name, a company, an institution (with `city`), or one of the pronouns
    "he", "she", "they", "someone", "who". `also` is a second conjunct ("Anna and the doctor").
    """

    head: str
    kind: Literal["noun", "person", "company", "institution", "pronoun"] = "noun"
    determiner: Literal["the", "a", "this", ""] = ""
    number: int = 1
    adjective: str = ""
    owner: str = ""  # a given name: "Anna's brother"
    surname: str = ""
    city: str = ""
    also: "Phrase | None" = None

    @property
    def plural(self) -> bool:
        return self.number > 1 or self.head == "they" or self.also is not None

    @property
    def female(self) -> bool:
        """Of a person: the natural gender. A coordination or a group is female if all are."""
        own = self.head in FEMALE_NOUNS or self.head in FEMALE_NAMES or self.head == "she"
        return own and (self.also is None or self.also.female)

    @property
    def human(self) -> bool:
        """Whether the phrase stands for persons rather than for a thing, an animal or an organisation."""
        return self.kind in ("person", "pronoun") or self.head in PERSON_NOUNS or self.head in KIN

    @property
    def definite(self) -> bool:
        return self.kind != "noun" or self.determiner in ("the", "this") or bool(self.owner)


@dataclass(frozen=True)
class Clause:
    """Somebody does something ("act"), is somehow ("be"), is a writer from Paris ("isa"), costs so much ("cost")."""

    subject: Phrase
    kind: Literal["act", "be", "isa", "cost"] = "act"
    verb: str = ""
    object: Phrase | None = None
    tense: Tense = "present"
    negated: bool = False
    wants: bool = False  # "wants to ..."; present tense only
    frequency: str = ""
    time: str = ""
    year: int = 0
    place: str = ""
    city: str = ""  # in which city; of "isa": from which
    origin: str = ""
    goal: str = ""
    employer: Phrase | None = None  # works for whom
    first: Literal["", "time", "place"] = ""  # what stands at the head of the sentence instead of the subject
    adjective: str = ""
    very: bool = False
    role: str = ""  # of "isa": a noun for persons
    price: int = 0


@dataclass(frozen=True)
class Sentence:
    """One clause, or two that are linked, perhaps reported by a speaker or opened by an interjection."""

    clause: Clause
    link: Literal["", "but", "because"] = ""
    second: Clause | None = None
    speaker: Phrase | None = None
    exclamation: bool = False


@dataclass(frozen=True)
class Fragment:
    """A line of an encyclopaedia rather than a sentence: a name with a note, or a list of names.

    "note": `name (city, year)`; "list": cities joined by commas and "and"; "heading": the name alone.
    """

    kind: Literal["note", "list", "heading"]
    name: Phrase | None = None
    cities: tuple[str, ...] = ()
    year: int = 0
