"""English: fixed subject-verb-object order, do-support, articles; tags as in UD English-EWT."""

from .frames import Clause, Phrase, Sentence
from .grammar import Grammar, Token, entity, pick_adjuncts, tagged


# concept: singular, plural (a regular plural is left out)
NOUNS = {
    "child": "child children",
    "fish": "fish fish",
    "box": "box boxes",
    "animal": "animal animals",
}
# concept: base, third person, past
VERBS = {
    "read": "read reads read",
    "write": "write writes wrote",
    "eat": "eat eats ate",
    "buy": "buy buys bought",
    "sell": "sell sells sold",
    "find": "find finds found",
    "lose": "lose loses lost",
    "open": "open opens opened",
    "close": "close closes closed",
    "paint": "paint paints painted",
    "wash": "wash washes washed",
    "repair": "repair repairs repaired",
    "see": "see sees saw",
    "search": "look looks looked",
    "greet": "greet greets greeted",
    "understand": "understand understands understood",
    "sleep": "sleep sleeps slept",
    "work": "work works worked",
    "sing": "sing sings sang",
    "dance": "dance dances danced",
    "wait": "wait waits waited",
    "laugh": "laugh laughs laughed",
    "swim": "swim swims swam",
    "cry": "cry cries cried",
    "go": "travel travels travelled",
    "return": "return returns returned",
    "found": "found founds founded",
}
PLACES = {
    "park": "in/ADP the/DET park/NOUN",
    "garden": "in/ADP the/DET garden/NOUN",
    "market": "at/ADP the/DET market/NOUN",
    "station": "at/ADP the/DET station/NOUN",
    "library": "in/ADP the/DET library/NOUN",
    "kitchen": "in/ADP the/DET kitchen/NOUN",
    "beach": "on/ADP the/DET beach/NOUN",
    "village": "in/ADP the/DET village/NOUN",
}
TIMES = {
    "yesterday": "yesterday/NOUN",
    "today": "today/NOUN",
    "tomorrow": "tomorrow/NOUN",
    "last_week": "last/ADJ week/NOUN",
    "next_week": "next/ADJ week/NOUN",
    "last_year": "last/ADJ year/NOUN",
    "next_year": "next/ADJ year/NOUN",
    "monday": "on/ADP Monday/PROPN",
    "sunday": "on/ADP Sunday/PROPN",
    "morning": "in/ADP the/DET morning/NOUN",
    "evening": "in/ADP the/DET evening/NOUN",
    "every_day": "every/DET day/NOUN",
    "every_morning": "every/DET morning/NOUN",
    "every_evening": "every/DET evening/NOUN",
}
NUMERALS = {2: "two", 3: "three", 4: "four"}
INSTITUTIONS = {
    "university": "University/PROPN of/ADP {}/PROPN",
    "bank": "Bank/PROPN of/ADP {}/PROPN",
    "museum": "{}/PROPN Museum/PROPN",
    "theatre": "{}/PROPN Theatre/PROPN",
}


class English(Grammar):
    code = "en"
    interjection = "oh/INTJ"
    conjunction = "and/CCONJ"
    links = {"but": ",/PUNCT but/CCONJ", "because": "because/SCONJ"}

    def city(self, name: str) -> list[Token]:
        return tagged(name, "PROPN")

    def name(self, phrase: Phrase) -> list[Token]:
        if phrase.kind == "institution":
            return entity(tagged(INSTITUTIONS[phrase.head].format(phrase.city)), "ORG")
        if phrase.kind == "company":
            return entity(tagged(phrase.head, "PROPN"), "ORG")
        return entity(tagged(f"{phrase.head} {phrase.surname}", "PROPN"), "PER")

    def phrase(self, phrase: Phrase) -> list[Token]:
        if phrase.also is not None:
            return self._single(phrase) + tagged(self.conjunction) + self.phrase(phrase.also)
        return self._single(phrase)

    def _single(self, phrase: Phrase) -> list[Token]:
        if phrase.kind == "pronoun":
            return tagged(phrase.head, "PRON")
        if phrase.kind == "institution":
            return tagged("the/DET") + self.name(phrase)
        if phrase.kind != "noun":
            return self.name(phrase)
        singular, plural = NOUNS.get(phrase.head, f"{phrase.head} {phrase.head}s").split()
        words = tagged(phrase.adjective, "ADJ") + tagged(plural if phrase.number > 1 else singular, "NOUN")
        if phrase.owner:
            return entity(tagged(phrase.owner, "PROPN"), "PER") + tagged("'s/PART") + words
        if phrase.number > 1:
            return tagged(NUMERALS[phrase.number], "NUM") + words
        article = "an" if words[0].form[0] in "aeiou" else "a"
        return tagged(article if phrase.determiner == "a" else phrase.determiner, "DET") + words

    def clause(self, clause: Clause, *, subordinate: bool = False) -> list[Token]:
        time = tagged(TIMES.get(clause.time, ""))
        if clause.year:
            time = tagged(f"in/ADP {clause.year}/NUM") + time
        first, time, place = pick_adjuncts(clause, time, tagged(PLACES.get(clause.place, "")))
        front = first + tagged(self.comma) if first else []
        return front + self.phrase(clause.subject) + self._predicate(clause) + place + time

    def _predicate(self, clause: Clause) -> list[Token]:
        plural = clause.subject.plural
        negation = tagged("not/PART" if clause.negated else "")
        if clause.kind in ("be", "isa"):
            copula = tagged("are/AUX" if plural else "is/AUX") + negation
            if clause.kind == "be":
                return copula + tagged("very/ADV" if clause.very else "") + tagged(clause.adjective, "ADJ")
            city = tagged("from/ADP") + entity(self.city(clause.city), "LOC")
            return copula + self.phrase(Phrase(clause.role, determiner="a")) + city
        if clause.kind == "cost":
            return tagged(f"{'cost' if plural else 'costs'}/VERB €/SYM {clause.price}/NUM")
        return self._verb(clause, plural, negation) + self._complements(clause)

    def _verb(self, clause: Clause, plural: bool, negation: list[Token]) -> list[Token]:
        if clause.verb == "be_born":
            return tagged("were/AUX" if plural else "was/AUX") + negation + tagged("born/VERB")
        if clause.verb == "lie":
            return tagged("is/AUX") + negation
        frequency = tagged(clause.frequency, "ADV")
        base, third, past = VERBS[clause.verb].split()
        if clause.wants:
            want = "want" if plural else "wants"
            if clause.negated:
                want = f"{'do' if plural else 'does'}/AUX not/PART want"
            return tagged(f"{want} to/PART {base}", "VERB")
        if clause.tense == "future":
            return tagged("will/AUX") + negation + frequency + tagged(base, "VERB")
        if clause.negated:
            support = "did" if clause.tense == "past" else "do" if plural else "does"
            return tagged(support, "AUX") + negation + frequency + tagged(base, "VERB")
        return frequency + tagged(past if clause.tense == "past" else base if plural else third, "VERB")

    def _complements(self, clause: Clause) -> list[Token]:
        tokens = []
        if clause.object is not None:
            tokens += tagged("for/ADP" if clause.verb == "search" else "") + self.phrase(clause.object)
        if clause.employer is not None:
            tokens += tagged("for/ADP" if clause.employer.kind == "company" else "at/ADP") + self.phrase(
                clause.employer
            )
        for preposition, city in (("from", clause.origin), ("to", clause.goal), ("in", clause.city)):
            if city:
                tokens += tagged(preposition, "ADP") + entity(self.city(city), "LOC")
        return tokens

    def reported(self, speaker: Phrase, said: Sentence) -> list[Token]:
        says = "say" if speaker.plural else "says"
        return self.phrase(speaker) + tagged(f"{says}/VERB that/SCONJ") + self.linked(said)
