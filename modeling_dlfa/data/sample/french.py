"""French: elision and contraction, "ne ... pas", compound past with two auxiliaries; tags as in UD French-GSD."""

from .frames import Clause, Phrase, Sentence
from .grammar import Grammar, Token, adverbial, entity, person, pick_adjuncts, rel, tagged


# concept: gender, singular, plural
NOUNS = {
    "teacher": "m professeur professeurs",
    "doctor": "f docteure docteures",
    "student": "f étudiante étudiantes",
    "farmer": "m fermier fermiers",
    "writer": "f écrivaine écrivaines",
    "cook": "m cuisinier cuisiniers",
    "child": "m enfant enfants",
    "nurse": "f infirmière infirmières",
    "engineer": "m ingénieur ingénieurs",
    "lawyer": "m avocat avocats",
    "singer": "f chanteuse chanteuses",
    "neighbour": "m voisin voisins",
    "brother": "m frère frères",
    "sister": "f sœur sœurs",
    "mother": "f mère mères",
    "friend": "m ami amis",
    "book": "m livre livres",
    "letter": "f lettre lettres",
    "newspaper": "m journal journaux",
    "poem": "m poème poèmes",
    "apple": "f pomme pommes",
    "egg": "m œuf œufs",
    "fish": "m poisson poissons",
    "cake": "m gâteau gâteaux",
    "orange": "f orange oranges",
    "pear": "f poire poires",
    "fruit": "m fruit fruits",
    "car": "f voiture voitures",
    "bicycle": "m vélo vélos",
    "boat": "m bateau bateaux",
    "dog": "m chien chiens",
    "cat": "m chat chats",
    "horse": "m cheval chevaux",
    "animal": "m animal animaux",
    "rose": "f rose roses",
    "tulip": "f tulipe tulipes",
    "flower": "f fleur fleurs",
    "table": "f table tables",
    "chair": "f chaise chaises",
    "lamp": "f lampe lampes",
    "shirt": "f chemise chemises",
    "bag": "m sac sacs",
    "clock": "f horloge horloges",
    "hat": "m chapeau chapeaux",
    "door": "f porte portes",
    "window": "f fenêtre fenêtres",
    "box": "f boîte boîtes",
    "suitcase": "f valise valises",
    "house": "f maison maisons",
}
# concept: present, its plural, future, its plural, infinitive, participle; "be" marks the verbs that take "être"
VERBS = {
    "read": "lit lisent lira liront lire lu",
    "write": "écrit écrivent écrira écriront écrire écrit",
    "eat": "mange mangent mangera mangeront manger mangé",
    "buy": "achète achètent achètera achèteront acheter acheté",
    "sell": "vend vendent vendra vendront vendre vendu",
    "find": "trouve trouvent trouvera trouveront trouver trouvé",
    "lose": "perd perdent perdra perdront perdre perdu",
    "open": "ouvre ouvrent ouvrira ouvriront ouvrir ouvert",
    "close": "ferme ferment fermera fermeront fermer fermé",
    "paint": "peint peignent peindra peindront peindre peint",
    "wash": "lave lavent lavera laveront laver lavé",
    "repair": "répare réparent réparera répareront réparer réparé",
    "see": "voit voient verra verront voir vu",
    "search": "cherche cherchent cherchera chercheront chercher cherché",
    "greet": "salue saluent saluera salueront saluer salué",
    "understand": "comprend comprennent comprendra comprendront comprendre compris",
    "sleep": "dort dorment dormira dormiront dormir dormi",
    "work": "travaille travaillent travaillera travailleront travailler travaillé",
    "sing": "chante chantent chantera chanteront chanter chanté",
    "dance": "danse dansent dansera danseront danser dansé",
    "wait": "attend attendent attendra attendront attendre attendu",
    "laugh": "rit rient rira riront rire ri",
    "swim": "nage nagent nagera nageront nager nagé",
    "cry": "pleure pleurent pleurera pleureront pleurer pleuré",
    "go": "voyage voyagent voyagera voyageront voyager voyagé",
    "return": "rentre rentrent rentrera rentreront rentrer rentré",
    "be_born": "naît naissent naîtra naîtront naître né",
    "found": "fonde fondent fondera fonderont fonder fondé",
    "lie": "situe situent situera situeront situer situé",
}
WITH_ETRE = ("return", "be_born", "lie")
# concept: masculine, feminine, plurals, masculine before a vowel; those in BEFORE stand before the noun
ADJECTIVES = {
    "new": "nouveau nouvelle nouveaux nouvelles nouvel",
    "old": "vieux vieille vieux vieilles vieil",
    "big": "grand grande grands grandes grand",
    "small": "petit petite petits petites petit",
    "red": "rouge rouge rouges rouges rouge",
    "cheap": "abordable abordable abordables abordables abordable",
    "beautiful": "beau belle beaux belles bel",
    "white": "blanc blanche blancs blanches blanc",
    "expensive": "cher chère chers chères cher",
    "young": "jeune jeune jeunes jeunes jeune",
    "famous": "célèbre célèbre célèbres célèbres célèbre",
    "rich": "riche riche riches riches riche",
    "happy": "heureux heureuse heureux heureuses heureux",
    "strong": "fort forte forts fortes fort",
}
BEFORE = ("new", "old", "big", "small", "beautiful", "young")
PLACES = {
    "park": "dans/ADP le/DET parc/NOUN",
    "garden": "dans/ADP le/DET jardin/NOUN",
    "market": "au/ADP marché/NOUN",
    "station": "à/ADP la/DET gare/NOUN",
    "library": "à/ADP la/DET bibliothèque/NOUN",
    "kitchen": "dans/ADP la/DET cuisine/NOUN",
    "beach": "sur/ADP la/DET plage/NOUN",
    "village": "dans/ADP le/DET village/NOUN",
}
TIMES = {
    "yesterday": "hier/ADV",
    "today": "aujourd'hui/ADV",
    "tomorrow": "demain/ADV",
    "last_week": "la/DET semaine/NOUN dernière/ADJ/amod",
    "next_week": "la/DET semaine/NOUN prochaine/ADJ/amod",
    "last_year": "l'/DET année/NOUN dernière/ADJ/amod",
    "next_year": "l'/DET année/NOUN prochaine/ADJ/amod",
    "monday": "lundi/NOUN",
    "sunday": "dimanche/NOUN",
    "morning": "dans/ADP la/DET matinée/NOUN",
    "evening": "dans/ADP la/DET soirée/NOUN",
    "every_day": "chaque/DET jour/NOUN",
    "every_morning": "chaque/DET matin/NOUN",
    "every_evening": "chaque/DET soir/NOUN",
}
FREQUENCIES = {"often": "souvent", "always": "toujours", "rarely": "rarement"}
NUMERALS = {2: "deux", 3: "trois", 4: "quatre"}
PRONOUNS = {"he": "il", "she": "elle", "they": "ils", "someone": "quelqu'un", "who": "qui"}
CITIES = {
    "London": "Londres",
    "Rome": "Rome",
    "Moscow": "Moscou",
    "Vienna": "Vienne",
    "Lisbon": "Lisbonne",
    "Athens": "Athènes",
}
NAMES = {"Peter": "Pierre", "Elena": "Hélène", "Julia": "Julie", "Sofia": "Sophie", "Clara": "Claire"}
INSTITUTIONS = {
    "university": ("f", "Université/NOUN"),
    "bank": ("f", "Banque/NOUN"),
    "museum": ("m", "Musée/NOUN"),
    "theatre": ("m", "Théâtre/NOUN"),
}
_VOWELS = "aeiouyàâéèêëîïôœhAEIOUÉÈÂŒH"


def _vowel(tokens: list[Token]) -> bool:
    return tokens[0].form[0] in _VOWELS


def _elided(full: str, upos: str, following: list[Token]) -> list[Token]:
    """le, la, de, ne, que before what follows them, on whose head they depend."""
    form = f"{full[:-1]}'" if _vowel(following) else full
    return tagged(form, upos) + following


class French(Grammar):
    code = "fr"
    interjection = "ah/INTJ"
    conjunction = "et/CCONJ"
    links = {"but": (",/PUNCT mais/CCONJ", "conj"), "because": (",/PUNCT car/CCONJ", "conj")}

    def city(self, name: str) -> list[Token]:
        return tagged(CITIES.get(name, name), "PROPN")

    def name(self, phrase: Phrase) -> list[Token]:
        if phrase.kind == "institution":
            city = rel("nmod", _elided("de", "ADP", self.city(phrase.city)))
            return entity(tagged(INSTITUTIONS[phrase.head][1]) + city, "ORG")
        if phrase.kind == "company":
            return entity(tagged(phrase.head, "PROPN"), "ORG")
        return person(NAMES.get(phrase.head, phrase.head), phrase.surname)

    def phrase(self, phrase: Phrase, negated: bool = False) -> list[Token]:
        tokens = self._single(phrase, negated)
        if phrase.also is not None:
            tokens += rel("conj", tagged(self.conjunction) + self.phrase(phrase.also))
        return tokens

    def _single(self, phrase: Phrase, negated: bool) -> list[Token]:
        if phrase.kind == "pronoun":
            return tagged(PRONOUNS[phrase.head], "PRON")
        if phrase.kind == "institution":
            article = "la" if INSTITUTIONS[phrase.head][0] == "f" else "le"
            return _elided(article, "DET", self.name(phrase))
        if phrase.kind != "noun":
            return self.name(phrase)
        gender, singular, plural = NOUNS[phrase.head].split()
        several = phrase.number > 1
        words = tagged(plural if several else singular, "NOUN")
        if phrase.adjective:
            before = phrase.adjective in BEFORE
            adjective = rel("amod", self._adjective(phrase.adjective, gender, several, before and _vowel(words)))
            words = adjective + words if before else words + adjective
        article = {"m": "le", "f": "la"}[gender]
        if phrase.owner:
            owner = self.name(Phrase(phrase.owner, "person"))
            return _elided(article, "DET", words) + rel("nmod", _elided("de", "ADP", owner))
        if several:
            return tagged(NUMERALS[phrase.number], "NUM/nummod") + words
        if phrase.determiner == "a":
            if negated:
                return _elided("de", "DET", words)
            return tagged({"m": "un", "f": "une"}[gender], "DET") + words
        if phrase.determiner == "this":
            return tagged("cette" if gender == "f" else "cet" if _vowel(words) else "ce", "DET") + words
        return _elided(article, "DET", words)

    def _adjective(self, adjective: str, gender: str, plural: bool, before_vowel: bool = False) -> list[Token]:
        forms = ADJECTIVES[adjective].split()
        if before_vowel and gender == "m" and not plural:
            return tagged(forms[4], "ADJ")
        return tagged(forms[(gender == "f") + 2 * plural], "ADJ")

    def clause(self, clause: Clause, *, subordinate: bool = False) -> list[Token]:
        time = adverbial(TIMES.get(clause.time, ""))
        if clause.year:
            time = adverbial(f"en/ADP {clause.year}/NUM") + time
        first, time, place = pick_adjuncts(clause, time, adverbial(PLACES.get(clause.place, "")))
        front = first + tagged(self.comma) if first else []
        return front + rel("nsubj", self.phrase(clause.subject)) + self._predicate(clause) + place + time

    def _gender(self, subject: Phrase) -> str:
        if subject.kind == "institution":
            return INSTITUTIONS[subject.head][0]
        if subject.kind == "noun":
            own = NOUNS[subject.head].split()[0]
            return "m" if subject.also is not None and self._gender(subject.also) == "m" else own
        return "f" if subject.female else "m"

    def _predicate(self, clause: Clause) -> list[Token]:
        subject, plural = clause.subject, clause.subject.plural
        frequency = tagged(FREQUENCIES.get(clause.frequency, ""), "ADV")
        if clause.kind == "be":
            adjective = self._adjective(clause.adjective, self._gender(subject), plural)
            copula = self._finite(clause, "sont/AUX/cop" if plural else "est/AUX/cop")
            return copula + tagged("très/ADV" if clause.very else "") + adjective
        if clause.kind == "isa":
            role = self.phrase(Phrase(clause.role, determiner="a"))
            city = rel("nmod", _elided("de", "ADP", entity(self.city(clause.city), "LOC")))
            return tagged("est/AUX/cop") + role + city
        if clause.kind == "cost":
            price = rel("obj", tagged(f"{clause.price}/NUM/nummod €/SYM"))
            return tagged("coûtent/VERB" if plural else "coûte/VERB") + price
        present, presents, future, futures, infinitive, participle = VERBS[clause.verb].split()
        if clause.wants:
            wants = self._finite(clause, "veulent/VERB" if plural else "veut/VERB")
            return wants + rel("xcomp", tagged(infinitive, "VERB") + self._complements(clause))
        if clause.tense == "past" or clause.verb == "lie":
            if clause.verb in WITH_ETRE:
                agreement = ("e" if self._gender(subject) == "f" else "") + ("s" if plural else "")
                auxiliary = "sont/AUX" if plural else "est/AUX"
            else:
                agreement, auxiliary = "", "ont/AUX" if plural else "a/AUX"
            verb = self._finite(clause, auxiliary) + frequency + tagged(participle + agreement, "VERB")
        elif clause.tense == "future":
            verb = self._finite(clause, f"{futures if plural else future}/VERB") + frequency
        else:
            verb = self._finite(clause, f"{presents if plural else present}/VERB") + frequency
        return verb + self._complements(clause)

    def _finite(self, clause: Clause, verb: str) -> list[Token]:
        if not clause.negated:
            return tagged(verb)
        return _elided("ne", "ADV", tagged(verb)) + tagged("pas/ADV")

    def _complements(self, clause: Clause) -> list[Token]:
        tokens = []
        if clause.object is not None:
            tokens += rel("obj", self.phrase(clause.object, negated=clause.negated))
        if clause.employer is not None:
            tokens += rel("obl", self._at(clause.employer))
        if clause.origin:
            tokens += rel("obl", _elided("de", "ADP", entity(self.city(clause.origin), "LOC")))
        for city in (clause.goal, clause.city):
            if city:
                tokens += rel("obl", tagged("à/ADP") + entity(self.city(city), "LOC"))
        return tokens

    def _at(self, employer: Phrase) -> list[Token]:
        if employer.kind == "company":
            return tagged("chez/ADP") + self.name(employer)
        if INSTITUTIONS[employer.head][0] == "m":
            return tagged("au/ADP") + self.name(employer)
        return tagged("à/ADP") + self.phrase(employer)

    def reported(self, speaker: Phrase, said: Sentence) -> list[Token]:
        says = tagged("disent/VERB" if speaker.plural else "dit/VERB")
        return rel("nsubj", self.phrase(speaker)) + says + rel("ccomp", _elided("que", "SCONJ", self.linked(said)))
