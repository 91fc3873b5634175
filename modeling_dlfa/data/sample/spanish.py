"""Spanish: two genders, adjectives after the noun, personal "a", no subject needed; tags as in UD Spanish-GSD."""

from .frames import Clause, Phrase, Sentence
from .grammar import Grammar, Token, adverbial, entity, person, pick_adjuncts, rel, tagged


# concept: gender, singular, plural
NOUNS = {
    "teacher": "m profesor profesores",
    "doctor": "f doctora doctoras",
    "student": "f alumna alumnas",
    "farmer": "m agricultor agricultores",
    "writer": "f escritora escritoras",
    "cook": "m cocinero cocineros",
    "child": "m niño niños",
    "nurse": "f enfermera enfermeras",
    "engineer": "m ingeniero ingenieros",
    "lawyer": "m abogado abogados",
    "singer": "f cantante cantantes",
    "neighbour": "m vecino vecinos",
    "brother": "m hermano hermanos",
    "sister": "f hermana hermanas",
    "mother": "f madre madres",
    "friend": "m amigo amigos",
    "book": "m libro libros",
    "letter": "f carta cartas",
    "newspaper": "m periódico periódicos",
    "poem": "m poema poemas",
    "apple": "f manzana manzanas",
    "egg": "m huevo huevos",
    "fish": "m pescado pescados",
    "cake": "m pastel pasteles",
    "orange": "f naranja naranjas",
    "pear": "f pera peras",
    "fruit": "f fruta frutas",
    "car": "m coche coches",
    "bicycle": "f bicicleta bicicletas",
    "boat": "m barco barcos",
    "dog": "m perro perros",
    "cat": "m gato gatos",
    "horse": "m caballo caballos",
    "animal": "m animal animales",
    "rose": "f rosa rosas",
    "tulip": "m tulipán tulipanes",
    "flower": "f flor flores",
    "table": "f mesa mesas",
    "chair": "f silla sillas",
    "lamp": "f lámpara lámparas",
    "shirt": "f camisa camisas",
    "bag": "m bolso bolsos",
    "clock": "m reloj relojes",
    "hat": "m sombrero sombreros",
    "door": "f puerta puertas",
    "window": "f ventana ventanas",
    "box": "f caja cajas",
    "suitcase": "f maleta maletas",
    "house": "f casa casas",
}
# concept: present, preterite, future, infinitive; the plurals are listed in the second string
VERBS = {
    "read": ("lee leyó leerá", "leen leyeron leerán", "leer"),
    "write": ("escribe escribió escribirá", "escriben escribieron escribirán", "escribir"),
    "eat": ("come comió comerá", "comen comieron comerán", "comer"),
    "buy": ("compra compró comprará", "compran compraron comprarán", "comprar"),
    "sell": ("vende vendió venderá", "venden vendieron venderán", "vender"),
    "find": ("encuentra encontró encontrará", "encuentran encontraron encontrarán", "encontrar"),
    "lose": ("pierde perdió perderá", "pierden perdieron perderán", "perder"),
    "open": ("abre abrió abrirá", "abren abrieron abrirán", "abrir"),
    "close": ("cierra cerró cerrará", "cierran cerraron cerrarán", "cerrar"),
    "paint": ("pinta pintó pintará", "pintan pintaron pintarán", "pintar"),
    "wash": ("lava lavó lavará", "lavan lavaron lavarán", "lavar"),
    "repair": ("repara reparó reparará", "reparan repararon repararán", "reparar"),
    "see": ("ve vio verá", "ven vieron verán", "ver"),
    "search": ("busca buscó buscará", "buscan buscaron buscarán", "buscar"),
    "greet": ("saluda saludó saludará", "saludan saludaron saludarán", "saludar"),
    "understand": ("entiende entendió entenderá", "entienden entendieron entenderán", "entender"),
    "sleep": ("duerme durmió dormirá", "duermen durmieron dormirán", "dormir"),
    "work": ("trabaja trabajó trabajará", "trabajan trabajaron trabajarán", "trabajar"),
    "sing": ("canta cantó cantará", "cantan cantaron cantarán", "cantar"),
    "dance": ("baila bailó bailará", "bailan bailaron bailarán", "bailar"),
    "wait": ("espera esperó esperará", "esperan esperaron esperarán", "esperar"),
    "laugh": ("ríe rio reirá", "ríen rieron reirán", "reír"),
    "swim": ("nada nadó nadará", "nadan nadaron nadarán", "nadar"),
    "cry": ("llora lloró llorará", "lloran lloraron llorarán", "llorar"),
    "go": ("viaja viajó viajará", "viajan viajaron viajarán", "viajar"),
    "return": ("vuelve volvió volverá", "vuelven volvieron volverán", "volver"),
    "be_born": ("nace nació nacerá", "nacen nacieron nacerán", "nacer"),
    "found": ("funda fundó fundará", "fundan fundaron fundarán", "fundar"),
}
# concept: masculine, feminine, and their plurals; the copula in predicates is "estar" for states
ADJECTIVES = {
    "new": "nuevo nueva nuevos nuevas",
    "old": "viejo vieja viejos viejas",
    "big": "grande grande grandes grandes",
    "small": "pequeño pequeña pequeños pequeñas",
    "red": "rojo roja rojos rojas",
    "cheap": "barato barata baratos baratas",
    "beautiful": "bonito bonita bonitos bonitas",
    "white": "blanco blanca blancos blancas",
    "expensive": "caro cara caros caras",
    "young": "joven joven jóvenes jóvenes",
    "famous": "famoso famosa famosos famosas",
    "rich": "rico rica ricos ricas",
    "happy": "feliz feliz felices felices",
    "strong": "fuerte fuerte fuertes fuertes",
}
PLACES = {
    "park": "en/ADP el/DET parque/NOUN",
    "garden": "en/ADP el/DET jardín/NOUN",
    "market": "en/ADP el/DET mercado/NOUN",
    "station": "en/ADP la/DET estación/NOUN",
    "library": "en/ADP la/DET biblioteca/NOUN",
    "kitchen": "en/ADP la/DET cocina/NOUN",
    "beach": "en/ADP la/DET playa/NOUN",
    "village": "en/ADP el/DET pueblo/NOUN",
}
TIMES = {
    "yesterday": "ayer/ADV",
    "today": "hoy/ADV",
    "tomorrow": "mañana/ADV",
    "last_week": "la/DET semana/NOUN pasada/ADJ/amod",
    "next_week": "la/DET próxima/ADJ/amod semana/NOUN",
    "last_year": "el/DET año/NOUN pasado/ADJ/amod",
    "next_year": "el/DET próximo/ADJ/amod año/NOUN",
    "monday": "el/DET lunes/NOUN",
    "sunday": "el/DET domingo/NOUN",
    "morning": "por/ADP la/DET mañana/NOUN",
    "evening": "por/ADP la/DET noche/NOUN",
    "every_day": "todos/DET los/DET días/NOUN",
    "every_morning": "cada/DET mañana/NOUN",
    "every_evening": "cada/DET noche/NOUN",
}
FREQUENCIES = {"often": "frecuentemente", "always": "siempre", "rarely": "raramente"}
NUMERALS = {2: "dos", 3: "tres", 4: "cuatro"}
PRONOUNS = {"he": "él", "she": "ella", "they": "ellos", "someone": "alguien", "who": "quién"}
CITIES = {
    "Paris": "París",
    "London": "Londres",
    "Berlin": "Berlín",
    "Rome": "Roma",
    "Moscow": "Moscú",
    "Tokyo": "Tokio",
    "Vienna": "Viena",
    "Lisbon": "Lisboa",
    "Prague": "Praga",
    "Milan": "Milán",
    "Athens": "Atenas",
}
NAMES = {
    "Maria": "María",
    "Sofia": "Sofía",
    "Thomas": "Tomás",
    "Peter": "Pedro",
    "Martin": "Martín",
    "Victor": "Víctor",
    "Paul": "Pablo",
    "Oscar": "Óscar",
    "Robert": "Roberto",
}
SURNAMES = {"Garcia": "García", "Martin": "Martín", "Lopez": "López"}
INSTITUTIONS = {
    "university": ("la", "Universidad/PROPN de/ADP/case> {}/PROPN/nmod"),
    "bank": ("el", "Banco/PROPN de/ADP/case> {}/PROPN/nmod"),
    "museum": ("el", "Museo/PROPN de/ADP/case> {}/PROPN/nmod"),
    "theatre": ("el", "Teatro/PROPN de/ADP/case> {}/PROPN/nmod"),
}
DETERMINERS = {"the": {"m": "el", "f": "la"}, "a": {"m": "un", "f": "una"}, "this": {"m": "este", "f": "esta"}}


class Spanish(Grammar):
    code = "es"
    interjection = "ay/INTJ"
    exclamation_marks = ("¡/PUNCT", "!/PUNCT")
    question_marks = ("¿/PUNCT", "?/PUNCT")
    conjunction = "y/CCONJ"
    links = {"but": (",/PUNCT pero/CCONJ", "conj"), "because": ("porque/SCONJ", "advcl")}

    def city(self, name: str) -> list[Token]:
        return tagged(CITIES.get(name, name), "PROPN")

    def name(self, phrase: Phrase) -> list[Token]:
        if phrase.kind == "institution":
            city = CITIES.get(phrase.city, phrase.city)
            return entity(tagged(INSTITUTIONS[phrase.head][1].format(city)), "ORG")
        if phrase.kind == "company":
            return entity(tagged(phrase.head, "PROPN"), "ORG")
        return person(NAMES.get(phrase.head, phrase.head), SURNAMES.get(phrase.surname, phrase.surname))

    def phrase(self, phrase: Phrase, a: bool = False) -> list[Token]:
        """The phrase; with the personal "a" before every conjunct if `a`."""
        tokens = self._single(phrase)
        if a:
            tokens = tagged("al/ADP") + tokens[1:] if tokens[0].form == "el" else tagged("a/ADP") + tokens
        if phrase.also is not None:
            tokens += rel("conj", tagged(self.conjunction) + self.phrase(phrase.also, a))
        return tokens

    def _single(self, phrase: Phrase) -> list[Token]:
        if phrase.kind == "pronoun":
            return tagged(PRONOUNS[phrase.head], "PRON")
        if phrase.kind == "institution":
            return tagged(INSTITUTIONS[phrase.head][0], "DET") + self.name(phrase)
        if phrase.kind != "noun":
            return self.name(phrase)
        gender, singular, plural = NOUNS[phrase.head].split()
        several = phrase.number > 1
        adjective = rel("amod", self._adjective(phrase.adjective, gender, several))
        words = tagged(plural if several else singular, "NOUN") + adjective
        if phrase.owner:
            article = tagged(DETERMINERS["the"][gender], "DET")
            return article + words + rel("nmod", tagged("de/ADP") + self.name(Phrase(phrase.owner, "person")))
        if several:
            return tagged(NUMERALS[phrase.number], "NUM/nummod") + words
        return tagged(DETERMINERS[phrase.determiner][gender], "DET") + words

    def _adjective(self, adjective: str, gender: str, plural: bool) -> list[Token]:
        if not adjective:
            return []
        return tagged(ADJECTIVES[adjective].split()[(gender == "f") + 2 * plural], "ADJ")

    def clause(self, clause: Clause, *, subordinate: bool = False) -> list[Token]:
        time = adverbial(TIMES.get(clause.time, ""))
        if clause.year:
            time = adverbial(f"en/ADP {clause.year}/NUM") + time
        first, time, place = pick_adjuncts(clause, time, adverbial(PLACES.get(clause.place, "")))
        front = first + tagged(self.comma) if first else []
        negation = tagged("no/ADV" if clause.negated else "")
        subject = rel("nsubj", self.phrase(clause.subject))
        return front + subject + negation + self._predicate(clause) + place + time

    def _predicate(self, clause: Clause) -> list[Token]:
        subject, plural = clause.subject, clause.subject.plural
        if clause.kind == "be":
            gender = NOUNS[subject.head].split()[0] if subject.kind == "noun" else "f" if subject.female else "m"
            copula = tagged("son/AUX/cop" if plural else "es/AUX/cop") + tagged("muy/ADV" if clause.very else "")
            return copula + self._adjective(clause.adjective, gender, plural)
        if clause.kind == "isa":
            role = self.phrase(Phrase(clause.role, determiner="a"))
            return tagged("es/AUX/cop") + role + rel("nmod", tagged("de/ADP") + entity(self.city(clause.city), "LOC"))
        if clause.kind == "cost":
            price = rel("obj", tagged(f"{clause.price}/NUM/nummod €/SYM"))
            return tagged("cuestan/VERB" if plural else "cuesta/VERB") + price
        if clause.verb == "lie":
            return tagged("está/AUX/cop en/ADP") + entity(self.city(clause.city), "LOC")
        *finite, infinitive = VERBS[clause.verb]
        frequency = tagged(FREQUENCIES.get(clause.frequency, ""), "ADV")
        if clause.wants:
            wished = tagged("reírse" if clause.verb == "laugh" else infinitive, "VERB") + self._complements(clause)
            return frequency + tagged("quieren/VERB" if plural else "quiere/VERB") + rel("xcomp", wished)
        tense = ("present", "past", "future").index(clause.tense)
        reflexive = tagged("se/PRON/expl" if clause.verb == "laugh" else "")
        verb = tagged(finite[plural].split()[tense], "VERB")
        return frequency + reflexive + verb + self._complements(clause)

    def _complements(self, clause: Clause) -> list[Token]:
        tokens = []
        if clause.object is not None:
            tokens += rel("obj", self.phrase(clause.object, a=clause.object.human))
        if clause.employer is not None:
            at = tagged("para/ADP" if clause.employer.kind == "company" else "en/ADP")
            tokens += rel("obl", at + self.phrase(clause.employer))
        for preposition, city in (("de", clause.origin), ("a", clause.goal), ("en", clause.city)):
            if city:
                tokens += rel("obl", tagged(preposition, "ADP") + entity(self.city(city), "LOC"))
        return tokens

    def reported(self, speaker: Phrase, said: Sentence) -> list[Token]:
        says = tagged("dicen/VERB" if speaker.plural else "dice/VERB")
        return rel("nsubj", self.phrase(speaker)) + says + rel("ccomp", tagged("que/SCONJ") + self.linked(said))
