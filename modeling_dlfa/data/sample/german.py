"""German: verb-second with a bracket, verb-final subordinate clauses, three genders; tags as in UD German-GSD."""

from dataclasses import replace

from .frames import Clause, Phrase, Sentence
from .grammar import Grammar, Token, adverbial, entity, person, pick_adjuncts, rel, tagged


# concept: gender, nominative, accusative, plural
NOUNS = {
    "teacher": "m Lehrer Lehrer Lehrer",
    "doctor": "f Ärztin Ärztin Ärztinnen",
    "student": "f Studentin Studentin Studentinnen",
    "farmer": "m Bauer Bauern Bauern",
    "writer": "f Schriftstellerin Schriftstellerin Schriftstellerinnen",
    "cook": "m Koch Koch Köche",
    "child": "n Kind Kind Kinder",
    "nurse": "f Krankenschwester Krankenschwester Krankenschwestern",
    "engineer": "m Ingenieur Ingenieur Ingenieure",
    "lawyer": "m Anwalt Anwalt Anwälte",
    "singer": "f Sängerin Sängerin Sängerinnen",
    "neighbour": "m Nachbar Nachbarn Nachbarn",
    "brother": "m Bruder Bruder Brüder",
    "sister": "f Schwester Schwester Schwestern",
    "mother": "f Mutter Mutter Mütter",
    "friend": "m Freund Freund Freunde",
    "book": "n Buch Buch Bücher",
    "letter": "m Brief Brief Briefe",
    "newspaper": "f Zeitung Zeitung Zeitungen",
    "poem": "n Gedicht Gedicht Gedichte",
    "apple": "m Apfel Apfel Äpfel",
    "egg": "n Ei Ei Eier",
    "fish": "m Fisch Fisch Fische",
    "cake": "m Kuchen Kuchen Kuchen",
    "orange": "f Orange Orange Orangen",
    "pear": "f Birne Birne Birnen",
    "fruit": "f Frucht Frucht Früchte",
    "car": "n Auto Auto Autos",
    "bicycle": "n Fahrrad Fahrrad Fahrräder",
    "boat": "n Boot Boot Boote",
    "dog": "m Hund Hund Hunde",
    "cat": "f Katze Katze Katzen",
    "horse": "n Pferd Pferd Pferde",
    "animal": "n Tier Tier Tiere",
    "rose": "f Rose Rose Rosen",
    "tulip": "f Tulpe Tulpe Tulpen",
    "flower": "f Blume Blume Blumen",
    "table": "m Tisch Tisch Tische",
    "chair": "m Stuhl Stuhl Stühle",
    "lamp": "f Lampe Lampe Lampen",
    "shirt": "n Hemd Hemd Hemden",
    "bag": "f Tasche Tasche Taschen",
    "clock": "f Uhr Uhr Uhren",
    "hat": "m Hut Hut Hüte",
    "door": "f Tür Tür Türen",
    "window": "n Fenster Fenster Fenster",
    "box": "f Kiste Kiste Kisten",
    "suitcase": "m Koffer Koffer Koffer",
    "house": "n Haus Haus Häuser",
}
# concept: third person, infinitive, participle, auxiliary of the perfect; a separable prefix stands first
VERBS = {
    "read": "liest lesen gelesen hat",
    "write": "schreibt schreiben geschrieben hat",
    "eat": "isst essen gegessen hat",
    "buy": "kauft kaufen gekauft hat",
    "sell": "verkauft verkaufen verkauft hat",
    "find": "findet finden gefunden hat",
    "lose": "verliert verlieren verloren hat",
    "open": "öffnet öffnen geöffnet hat",
    "close": "schließt schließen geschlossen hat",
    "paint": "streicht streichen gestrichen hat",
    "wash": "wäscht waschen gewaschen hat",
    "repair": "repariert reparieren repariert hat",
    "see": "sieht sehen gesehen hat",
    "search": "sucht suchen gesucht hat",
    "greet": "begrüßt begrüßen begrüßt hat",
    "understand": "versteht verstehen verstanden hat",
    "sleep": "schläft schlafen geschlafen hat",
    "work": "arbeitet arbeiten gearbeitet hat",
    "sing": "singt singen gesungen hat",
    "dance": "tanzt tanzen getanzt hat",
    "wait": "wartet warten gewartet hat",
    "laugh": "lacht lachen gelacht hat",
    "swim": "schwimmt schwimmen geschwommen ist",
    "cry": "weint weinen geweint hat",
    "go": "reist reisen gereist ist",
    "return": "kehrt zurückkehren zurückgekehrt ist",
    "found": "gründet gründen gegründet hat",
    "lie": "liegt liegen gelegen hat",
}
# concept: stem before endings, form in predicates
ADJECTIVES = {
    "new": "neu neu",
    "old": "alt alt",
    "big": "groß groß",
    "small": "klein klein",
    "red": "rot rot",
    "cheap": "billig billig",
    "beautiful": "schön schön",
    "white": "weiß weiß",
    "expensive": "teur teuer",
    "young": "jung jung",
    "famous": "berühmt berühmt",
    "rich": "reich reich",
    "happy": "glücklich glücklich",
    "strong": "stark stark",
}
PLACES = {
    "park": "im/ADP Park/NOUN",
    "garden": "im/ADP Garten/NOUN",
    "market": "auf/ADP dem/DET Markt/NOUN",
    "station": "am/ADP Bahnhof/NOUN",
    "library": "in/ADP der/DET Bibliothek/NOUN",
    "kitchen": "in/ADP der/DET Küche/NOUN",
    "beach": "am/ADP Strand/NOUN",
    "village": "im/ADP Dorf/NOUN",
}
TIMES = {
    "yesterday": "gestern/ADV",
    "today": "heute/ADV",
    "tomorrow": "morgen/ADV",
    "last_week": "letzte/ADJ/amod Woche/NOUN",
    "next_week": "nächste/ADJ/amod Woche/NOUN",
    "last_year": "letztes/ADJ/amod Jahr/NOUN",
    "next_year": "nächstes/ADJ/amod Jahr/NOUN",
    "monday": "am/ADP Montag/PROPN",
    "sunday": "am/ADP Sonntag/PROPN",
    "morning": "am/ADP Morgen/NOUN",
    "evening": "am/ADP Abend/NOUN",
    "every_day": "jeden/DET Tag/NOUN",
    "every_morning": "jeden/DET Morgen/NOUN",
    "every_evening": "jeden/DET Abend/NOUN",
}
FREQUENCIES = {"often": "oft", "always": "immer", "rarely": "selten"}
NUMERALS = {2: "zwei", 3: "drei", 4: "vier"}
PRONOUNS = {"he": "er", "she": "sie", "they": "sie", "someone": "jemand", "who": "wer"}
CITIES = {
    "Rome": "Rom",
    "Moscow": "Moskau",
    "Tokyo": "Tokio",
    "Vienna": "Wien",
    "Lisbon": "Lissabon",
    "Prague": "Prag",
    "Milan": "Mailand",
    "Athens": "Athen",
}
NAMES = {"Victor": "Viktor", "Clara": "Klara", "Oscar": "Oskar"}
# article, name, "works at"
INSTITUTIONS = {
    "university": ("die", "Universität/NOUN {}/PROPN/nmod", "an/ADP der/DET"),
    "bank": ("die", "Bank/NOUN von/ADP/case> {}/PROPN/nmod", "bei/ADP der/DET"),
    "museum": ("das", "Museum/NOUN {}/PROPN/nmod", "am/ADP"),
    "theatre": ("das", "Theater/NOUN {}/PROPN/nmod", "am/ADP"),
}
# endings by case and gender; "p" is the plural without article
THE = {"nom": {"m": "der", "f": "die", "n": "das"}, "acc": {"m": "den", "f": "die", "n": "das"}}
THIS = {"nom": {"m": "dieser", "f": "diese", "n": "dieses"}, "acc": {"m": "diesen", "f": "diese", "n": "dieses"}}
A = {"nom": {"m": "ein", "f": "eine", "n": "ein"}, "acc": {"m": "einen", "f": "eine", "n": "ein"}}
WEAK = {"nom": {"m": "e", "f": "e", "n": "e"}, "acc": {"m": "en", "f": "e", "n": "e"}}
MIXED = {"nom": {"m": "er", "f": "e", "n": "es"}, "acc": {"m": "en", "f": "e", "n": "es"}}


class German(Grammar):
    code = "de"
    interjection = "ach/INTJ"
    conjunction = "und/CCONJ"
    links = {"but": (",/PUNCT aber/CCONJ", "conj"), "because": (",/PUNCT weil/SCONJ", "advcl")}

    def city(self, name: str) -> list[Token]:
        return tagged(CITIES.get(name, name), "PROPN")

    def name(self, phrase: Phrase) -> list[Token]:
        if phrase.kind == "institution":
            city = CITIES.get(phrase.city, phrase.city)
            return entity(tagged(INSTITUTIONS[phrase.head][1].format(city)), "ORG")
        if phrase.kind == "company":
            return entity(tagged(phrase.head, "PROPN"), "ORG")
        return person(NAMES.get(phrase.head, phrase.head), phrase.surname)

    def phrase(self, phrase: Phrase, case: str = "nom", negated: bool = False) -> list[Token]:
        tokens = self._single(phrase, case, negated)
        if phrase.also is not None:
            tokens += rel("conj", tagged(self.conjunction) + self.phrase(phrase.also, case))
        return tokens

    def _single(self, phrase: Phrase, case: str, negated: bool) -> list[Token]:
        if phrase.kind == "pronoun":
            return tagged(PRONOUNS[phrase.head], "PRON")
        if phrase.kind == "institution":
            return tagged(INSTITUTIONS[phrase.head][0], "DET") + self.name(phrase)
        if phrase.kind != "noun":
            return self.name(phrase)
        gender, nominative, accusative, plural = NOUNS[phrase.head].split()
        noun = tagged(nominative if case == "nom" else accusative, "NOUN")
        stem = ADJECTIVES[phrase.adjective].split()[0] if phrase.adjective else ""
        if phrase.owner:
            owner = NAMES.get(phrase.owner, phrase.owner)
            if owner.endswith("s"):
                return tagged(THE[case][gender], "DET") + noun + rel("nmod", tagged("von/ADP") + person(owner, ""))
            return rel("nmod", person(f"{owner}s", "")) + noun
        if phrase.number > 1:
            numeral = tagged(NUMERALS[phrase.number], "NUM/nummod")
            return numeral + tagged(f"{stem}e" if stem else "", "ADJ/amod") + tagged(plural, "NOUN")
        if phrase.determiner == "a":
            article, ending = ("k" if negated else "") + A[case][gender], MIXED[case][gender]
        else:
            article, ending = (THIS if phrase.determiner == "this" else THE)[case][gender], WEAK[case][gender]
        return tagged(article, "DET") + tagged(stem + ending if stem else "", "ADJ/amod") + noun

    def clause(self, clause: Clause, *, subordinate: bool = False) -> list[Token]:
        if subordinate:
            clause = replace(clause, first="")
        subject = rel("nsubj", self.phrase(clause.subject))
        time = adverbial(f"{clause.year}/NUM" if clause.year else "") + adverbial(TIMES.get(clause.time, ""))
        first, time, place = pick_adjuncts(clause, time, adverbial(PLACES.get(clause.place, "")))
        finite, rest = self._verb(clause)
        middle = time + tagged(FREQUENCIES.get(clause.frequency, ""), "ADV") + self._complements(clause, place)
        if subordinate:
            prefix = clause.verb == "return" and rest and rest[0].form == "zurück"
            if prefix:
                return subject + middle + tagged(f"zurück{finite[0].form}/VERB")
            return subject + middle + rest + finite
        if first:
            return first + finite + subject + middle + rest
        return subject + finite + middle + rest

    def _verb(self, clause: Clause) -> tuple[list[Token], list[Token]]:
        """The finite verb, and what of the verb closes the clause."""
        plural = clause.subject.plural
        if clause.kind in ("be", "isa"):
            return tagged("sind/AUX/cop" if plural else "ist/AUX/cop"), []
        if clause.kind == "cost":
            return tagged("kosten/VERB" if plural else "kostet/VERB"), []
        if clause.verb == "be_born":
            return tagged("wurden/AUX" if plural else "wurde/AUX"), tagged("geboren/VERB")
        third, infinitive, participle, auxiliary = VERBS[clause.verb].split()
        if clause.wants:
            return tagged("wollen/AUX" if plural else "will/AUX"), tagged(infinitive, "VERB")
        if clause.tense == "future":
            return tagged("werden/AUX" if plural else "wird/AUX"), tagged(infinitive, "VERB")
        if clause.tense == "past":
            finite = {"hat": "haben", "ist": "sind"}[auxiliary] if plural else auxiliary
            return tagged(finite, "AUX"), tagged(participle, "VERB")
        if clause.verb == "return":
            return tagged("kehren/VERB" if plural else "kehrt/VERB"), tagged("zurück/ADP/compound")
        return tagged(infinitive if plural else third, "VERB"), []

    def _complements(self, clause: Clause, place: list[Token]) -> list[Token]:
        """What follows subject and time: definite objects and places stand before "nicht", the rest after it."""
        negation = tagged("nicht/PART/advmod" if clause.negated else "")
        if clause.kind == "be":
            very = tagged("sehr/ADV" if clause.very else "")
            return negation + very + tagged(ADJECTIVES[clause.adjective].split()[1], "ADJ")
        if clause.kind == "isa":
            role = self.phrase(Phrase(clause.role, determiner="a"), negated=clause.negated)
            return role + rel("nmod", tagged("aus/ADP") + entity(self.city(clause.city), "LOC"))
        if clause.kind == "cost":
            return negation + rel("obj", tagged(f"{clause.price}/NUM/nummod €/SYM"))
        before: list[Token] = []
        after: list[Token] = []
        if clause.object is not None:
            indefinite = clause.object.determiner == "a" and clause.object.kind == "noun"
            words = rel("obj", self.phrase(clause.object, "acc", negated=clause.negated))
            if indefinite or clause.object.number > 1:
                after = words
                negation = [] if indefinite else negation
            else:
                before = words
        for preposition, city in (("von", clause.origin), ("nach", clause.goal), ("in", clause.city)):
            if city:
                after = after + rel("obl", tagged(preposition, "ADP") + entity(self.city(city), "LOC"))
        if clause.employer is not None:
            at = INSTITUTIONS[clause.employer.head][2] if clause.employer.kind == "institution" else "bei/ADP"
            after = rel("obl", tagged(at) + self.name(clause.employer)) + after
        return before + place + negation + after

    def reported(self, speaker: Phrase, said: Sentence) -> list[Token]:
        tokens = rel("nsubj", self.phrase(speaker)) + tagged("sagen/VERB" if speaker.plural else "sagt/VERB")
        return tokens + rel("ccomp", tagged(",/PUNCT dass/SCONJ") + self.linked(said))
