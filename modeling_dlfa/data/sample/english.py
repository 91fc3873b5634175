"""English: fixed subject-verb-object order, do-support, articles; tags as in UD English-EWT."""

from .frames import Clause, Phrase, Sentence
from .grammar import Grammar, Token, adverbial, entity, person, pick_adjuncts, rel, tagged


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
    "last_week": "last/ADJ/amod week/NOUN",
    "next_week": "next/ADJ/amod week/NOUN",
    "last_year": "last/ADJ/amod year/NOUN",
    "next_year": "next/ADJ/amod year/NOUN",
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
    "university": "University/PROPN of/ADP/case> {}/PROPN/nmod",
    "bank": "Bank/PROPN of/ADP/case> {}/PROPN/nmod",
    "museum": "{}/PROPN/compound Museum/PROPN",
    "theatre": "{}/PROPN/compound Theatre/PROPN",
}


class English(Grammar):
    code = "en"
    interjection = "oh/INTJ"
    conjunction = "and/CCONJ"
    links = {"but": (",/PUNCT but/CCONJ", "conj"), "because": ("because/SCONJ", "advcl")}

    def city(self, name: str) -> list[Token]:
        return tagged(name, "PROPN")

    def name(self, phrase: Phrase) -> list[Token]:
        if phrase.kind == "institution":
            return entity(tagged(INSTITUTIONS[phrase.head].format(phrase.city)), "ORG")
        if phrase.kind == "company":
            return entity(tagged(phrase.head, "PROPN"), "ORG")
        return person(phrase.head, phrase.surname)

    def phrase(self, phrase: Phrase) -> list[Token]:
        if phrase.also is not None:
            return self._single(phrase) + rel("conj", tagged(self.conjunction) + self.phrase(phrase.also))
        return self._single(phrase)

    def _single(self, phrase: Phrase) -> list[Token]:
        if phrase.kind == "pronoun":
            return tagged(phrase.head, "PRON")
        if phrase.kind == "institution":
            return tagged("the/DET") + self.name(phrase)
        if phrase.kind != "noun":
            return self.name(phrase)
        singular, plural = NOUNS.get(phrase.head, f"{phrase.head} {phrase.head}s").split()
        words = tagged(phrase.adjective, "ADJ/amod") + tagged(plural if phrase.number > 1 else singular, "NOUN")
        if phrase.owner:
            return rel("nmod", person(phrase.owner, "") + tagged("'s/PART/case")) + words
        if phrase.number > 1:
            return tagged(NUMERALS[phrase.number], "NUM/nummod") + words
        article = "an" if words[0].form[0] in "aeiou" else "a"
        return tagged(article if phrase.determiner == "a" else phrase.determiner, "DET") + words

    def clause(self, clause: Clause, *, subordinate: bool = False) -> list[Token]:
        time = adverbial(TIMES.get(clause.time, ""))
        if clause.year:
            time = adverbial(f"in/ADP {clause.year}/NUM") + time
        first, time, place = pick_adjuncts(clause, time, adverbial(PLACES.get(clause.place, "")))
        front = first + tagged(self.comma) if first else []
        return front + rel("nsubj", self.phrase(clause.subject)) + self._predicate(clause) + place + time

    def _predicate(self, clause: Clause) -> list[Token]:
        plural = clause.subject.plural
        negation = tagged("not/PART/advmod" if clause.negated else "")
        if clause.kind in ("be", "isa"):
            copula = tagged("are/AUX/cop" if plural else "is/AUX/cop") + negation
            if clause.kind == "be":
                return copula + tagged("very/ADV" if clause.very else "") + tagged(clause.adjective, "ADJ")
            city = rel("nmod", tagged("from/ADP") + entity(self.city(clause.city), "LOC"))
            return copula + self.phrase(Phrase(clause.role, determiner="a")) + city
        if clause.kind == "cost":
            price = rel("obj", tagged(f"€/SYM {clause.price}/NUM/nummod"))
            return tagged("cost/VERB" if plural else "costs/VERB") + price
        if clause.verb == "lie":
            return tagged("is/AUX/cop") + negation + tagged("in/ADP") + entity(self.city(clause.city), "LOC")
        if clause.wants:
            want = tagged("want/VERB" if plural else "wants/VERB")
            if clause.negated:
                want = tagged("do/AUX" if plural else "does/AUX") + negation + tagged("want/VERB")
            base = tagged(VERBS[clause.verb].split()[0], "VERB")
            return want + rel("xcomp", tagged("to/PART/mark") + base + self._complements(clause))
        return self._verb(clause, plural, negation) + self._complements(clause)

    def _verb(self, clause: Clause, plural: bool, negation: list[Token]) -> list[Token]:
        if clause.verb == "be_born":
            return tagged("were/AUX" if plural else "was/AUX") + negation + tagged("born/VERB")
        frequency = tagged(clause.frequency, "ADV")
        base, third, past = VERBS[clause.verb].split()
        if clause.tense == "future":
            return tagged("will/AUX") + negation + frequency + tagged(base, "VERB")
        if clause.negated:
            support = "did" if clause.tense == "past" else "do" if plural else "does"
            return tagged(support, "AUX") + negation + frequency + tagged(base, "VERB")
        return frequency + tagged(past if clause.tense == "past" else base if plural else third, "VERB")

    def _complements(self, clause: Clause) -> list[Token]:
        tokens = []
        if clause.object is not None:
            patient = self.phrase(clause.object)
            tokens += rel("obl", tagged("for/ADP") + patient) if clause.verb == "search" else rel("obj", patient)
        if clause.employer is not None:
            at = tagged("for/ADP" if clause.employer.kind == "company" else "at/ADP")
            tokens += rel("obl", at + self.phrase(clause.employer))
        for preposition, city in (("from", clause.origin), ("to", clause.goal), ("in", clause.city)):
            if city:
                tokens += rel("obl", tagged(preposition, "ADP") + entity(self.city(city), "LOC"))
        return tokens

    def reported(self, speaker: Phrase, said: Sentence) -> list[Token]:
        says = tagged("say/VERB" if speaker.plural else "says/VERB")
        said_that = rel("ccomp", tagged("that/SCONJ") + self.linked(said))
        return rel("nsubj", self.phrase(speaker)) + says + said_that
