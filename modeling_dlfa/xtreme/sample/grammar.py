"""What the grammars of all languages share: tagged words, and how clauses become sentences and text."""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from .frames import Clause, Fragment, Phrase, Sentence


class Token(NamedTuple):
    form: str
    upos: str
    entity: str = "O"  # IOB2 tag


def tagged(text: str, upos: str = "") -> list[Token]:
    """Reads "im/ADP Park/NOUN". A word without a tag gets `upos`."""
    tokens = []
    for word in text.split():
        form, _, tag = word.rpartition("/") if "/" in word else (word, "", upos)
        tokens.append(Token(form, tag))
    return tokens


def entity(tokens: list[Token], label: str) -> list[Token]:
    """Marks all tokens together as one name: B-label, I-label, ..."""
    return [Token(t.form, t.upos, f"{'I' if i else 'B'}-{label}") for i, t in enumerate(tokens)]


class Grammar(ABC):
    """One language. A subclass says how phrases and clauses are built; here they are joined to sentences.

    The class attributes are tagged strings; their defaults are those of a language in Latin script.
    """

    code: ClassVar[str]
    stop: ClassVar[str] = "./PUNCT"
    exclamation_marks: ClassVar[tuple[str, str]] = ("", "!/PUNCT")
    comma: ClassVar[str] = ",/PUNCT"
    listing_comma: ClassVar[str] = ",/PUNCT"  # between the members of a list
    brackets: ClassVar[tuple[str, str]] = ("(/PUNCT", ")/PUNCT")
    spaced: ClassVar[bool] = True  # words are written apart
    capitals: ClassVar[dict[str, str]] = {}  # where they are not what str.upper gives
    interjection: ClassVar[str]
    conjunction: ClassVar[str]  # "and"
    links: ClassVar[dict[str, str]]  # "but", "because", with the comma before them if there is one

    @abstractmethod
    def name(self, phrase: Phrase) -> list[Token]:
        """A named person or an organisation in its citation form."""

    @abstractmethod
    def city(self, name: str) -> list[Token]:
        """A city in its citation form."""

    @abstractmethod
    def clause(self, clause: Clause, *, subordinate: bool = False) -> list[Token]:
        """A clause without its final punctuation."""

    @abstractmethod
    def reported(self, speaker: Phrase, said: Sentence) -> list[Token]:
        """ "The speaker says that ..." without its final punctuation."""

    def linked(self, sentence: Sentence) -> list[Token]:
        """The one or two clauses of a sentence."""
        subordinate = sentence.speaker is not None
        tokens = self.clause(sentence.clause, subordinate=subordinate)
        if sentence.second is not None:
            tokens += tagged(self.links[sentence.link])
            tokens += self.clause(sentence.second, subordinate=subordinate or sentence.link == "because")
        return tokens

    def sentence(self, sentence: Sentence) -> list[Token]:
        tokens = self.linked(sentence) if sentence.speaker is None else self.reported(sentence.speaker, sentence)
        if sentence.exclamation:
            opening, closing = self.exclamation_marks
            exclamation = self.capitalised(tagged(self.interjection) + tagged(self.comma) + tokens)
            return tagged(opening) + exclamation + tagged(closing)
        return self.capitalised(tokens + tagged(self.stop))

    def fragment(self, fragment: Fragment) -> list[Token]:
        if fragment.kind == "list":
            tokens = entity(self.city(fragment.cities[0]), "LOC")
            for name in fragment.cities[1:-1]:
                tokens += tagged(self.listing_comma) + entity(self.city(name), "LOC")
            return tokens + tagged(self.conjunction) + entity(self.city(fragment.cities[-1]), "LOC")
        assert fragment.name is not None
        tokens = self.name(fragment.name)
        if fragment.kind == "note":
            opening, closing = self.brackets
            tokens += tagged(opening) + entity(self.city(fragment.cities[0]), "LOC") + tagged(self.comma)
            tokens += tagged(f"{fragment.year}/NUM") + tagged(closing)
        return self.capitalised(tokens)

    def capitalised(self, tokens: list[Token]) -> list[Token]:
        first = tokens[0].form
        capital = self.capitals.get(first[0], first[0].upper())
        return [tokens[0]._replace(form=capital + first[1:]), *tokens[1:]]

    def text(self, tokens: list[Token]) -> str:
        """The tokens as running text."""
        if not self.spaced:
            return "".join(token.form for token in tokens)
        text = ""
        for token in tokens:
            form = token.form
            glued = not text or text.endswith(("'", "(", "¡")) or form in _CLOSING or form.startswith("'")
            text += form if glued else f" {form}"
        return text


_CLOSING = frozenset([".", ",", "!", ")", "।"])


def pick_adjuncts(
    clause: Clause, time: list[Token], place: list[Token]
) -> tuple[list[Token], list[Token], list[Token]]:
    """Splits the adjuncts of a clause: (the one that stands first, the time elsewhere, the place elsewhere)."""
    if clause.first == "time":
        return time, [], place
    if clause.first == "place":
        return place, time, []
    return [], time, place
