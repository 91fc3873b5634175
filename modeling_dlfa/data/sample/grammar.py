"""What the grammars of all languages share: words in dependency trees, and how clauses become sentences and text.

A grammar writes words in their order, and names the relation of a phrase where it closes it: in

    rel("nsubj", tagged("the/DET") + tagged("child/NOUN")) + tagged("reads/VERB")

"child" is the head of its phrase, because it is the only word without a relation, and "the" depends on it. As part of
the clause the phrase is "nsubj", so that the head of the clause is "reads", the only word without a relation there.
The relations are the universal ones of Universal Dependencies 2, without subtypes; all trees are projective. Where the
treebanks disagree, all languages follow the same choice: names of persons are "flat" from the first word on,
adjectives before or after their noun "amod", the name of an institution's city "nmod" or, as a bare noun before it,
"compound", and a comma or bracket depends on the head of the clause it belongs to. "Because" introduces an "advcl", or
a "conj" where the language says it with a coordinating conjunction (French, Turkish); "wants to" takes an "xcomp", or
is an "aux" where it is tagged AUX (German, Chinese, Japanese).
"""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from .frames import Clause, Fragment, Phrase, Sentence


class Token(NamedTuple):
    form: str
    upos: str
    entity: str = "O"  # IOB2 tag
    relation: str = ""  # "": the head of the phrase that is being built
    head: int = 0  # how many words to the right of this one its head stands; 0: not known yet, or the root


# What a word of this part of speech is to the head of its phrase if nothing else is written.
_RELATIONS = {
    "ADP": "case", "ADV": "advmod", "AUX": "aux", "CCONJ": "cc", "DET": "det", "INTJ": "discourse", "PUNCT": "punct",
    "SCONJ": "mark",
}  # fmt: skip


def tagged(text: str, tag: str = "") -> list[Token]:
    """Reads words with their part of speech and relation: "im/ADP/case schönen/ADJ/amod Park/NOUN".

    The relation to the head of the phrase may be left out where `_RELATIONS` has it. `/<fixed` depends on the word to
    the left instead (on the same as that, if that says "<" too), `/case>` on the word to the right. A word without a
    tag gets `tag`, which may name a relation as well.
    """
    tokens: list[Token] = []
    for word in text.split():
        form, upos, *relations = (word if "/" in word else f"{word}/{tag}").split("/")
        relation = relations[0] if relations else _RELATIONS.get(upos, "")
        head = 0
        if relation.startswith("<"):
            head = -1 + min(tokens[-1].head, 0)
        elif relation.endswith(">"):
            head = 1
        tokens.append(Token(form, upos, relation=relation.strip("<>"), head=head))
    return tokens


def rel(relation: str, tokens: list[Token]) -> list[Token]:
    """Closes a phrase: whatever has no head yet depends on the one word without a relation, which gets `relation`."""
    if not tokens:
        return []
    [top] = [i for i, token in enumerate(tokens) if not token.relation]
    closed = [token if token.head else token._replace(head=top - i) for i, token in enumerate(tokens)]
    closed[top] = tokens[top]._replace(relation=relation)
    return closed


def adverbial(text: str) -> list[Token]:
    """A time or place: "obl", or the "advmod" that an adverb is by itself."""
    tokens = tagged(text)
    return rel("obl", tokens) if any(not token.relation for token in tokens) else tokens


def entity(tokens: list[Token], label: str) -> list[Token]:
    """Marks all tokens together as one name: B-label, I-label, ..."""
    return [token._replace(entity=f"{'I' if i else 'B'}-{label}") for i, token in enumerate(tokens)]


def person(given: str, surname: str, separator: str = "") -> list[Token]:
    """A person's name, whose head is the given name."""
    return entity(tagged(f"{given}/PROPN {separator if surname else ''}") + tagged(surname, "PROPN/flat"), "PER")


class Grammar(ABC):
    """One language. A subclass says how phrases and clauses are built; here they are joined to sentences.

    The class attributes are tagged strings; their defaults are those of a language in Latin script.
    """

    code: ClassVar[str]
    stop: ClassVar[str] = "./PUNCT"
    exclamation_marks: ClassVar[tuple[str, str]] = ("", "!/PUNCT")
    question_marks: ClassVar[tuple[str, str]] = ("", "?/PUNCT")
    comma: ClassVar[str] = ",/PUNCT"
    listing_comma: ClassVar[str] = ",/PUNCT"  # between the members of a list
    brackets: ClassVar[tuple[str, str]] = ("(/PUNCT", ")/PUNCT")
    spaced: ClassVar[bool] = True  # words are written apart
    capitals: ClassVar[dict[str, str]] = {}  # where they are not what str.upper gives
    interjection: ClassVar[str]
    conjunction: ClassVar[str]  # "and"
    links: ClassVar[dict[str, tuple[str, str]]]  # "but", "because": comma and conjunction, relation of their clause

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
            words, relation = self.links[sentence.link]
            second = self.clause(sentence.second, subordinate=subordinate or sentence.link == "because")
            tokens += rel(relation, tagged(words) + second)
        return tokens

    def sentence(self, sentence: Sentence) -> list[Token]:
        """The tree of a sentence: its root has the relation "root" and the head 0."""
        tokens = self.linked(sentence) if sentence.speaker is None else self.reported(sentence.speaker, sentence)
        if sentence.exclamation:
            opening, closing = self.exclamation_marks
            exclamation = self.capitalised(tagged(self.interjection) + tagged(self.comma) + tokens)
            return rel("root", tagged(opening) + exclamation + tagged(closing))
        return rel("root", self.capitalised(tokens + tagged(self.stop)))

    def question(self, clause: Clause) -> list[Token]:
        """The tree of a question, in which the pronoun "who" is the subject."""
        opening, closing = self.question_marks
        return rel("root", tagged(opening) + self.capitalised(self.clause(clause)) + tagged(closing))

    def fragment(self, fragment: Fragment) -> list[Token]:
        """The words of a fragment; it is no sentence and gets no tree."""
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
            glued = not text or text.endswith(("'", "(", "¡", "¿")) or form in _CLOSING or form.startswith("'")
            text += form if glued else f" {form}"
        return text


_CLOSING = frozenset([".", ",", "!", "?", ")", "।"])


def pick_adjuncts(
    clause: Clause, time: list[Token], place: list[Token]
) -> tuple[list[Token], list[Token], list[Token]]:
    """Splits the adjuncts of a clause: (the one that stands first, the time elsewhere, the place elsewhere)."""
    if clause.first == "time":
        return time, [], place
    if clause.first == "place":
        return place, time, []
    return [], time, place
