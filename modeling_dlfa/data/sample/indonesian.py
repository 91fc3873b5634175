"""Indonesian: classifiers, adjectives and demonstratives after the noun; tags as in UD Indonesian-PUD."""

from .frames import Clause, Phrase, Sentence
from .grammar import Grammar, Token, adverbial, entity, person, pick_adjuncts, rel, tagged


# concept: noun; persons count with "orang", animals with "ekor", the rest with "buah"
NOUNS = {
    "teacher": "guru",
    "doctor": "dokter",
    "student": "mahasiswi",
    "farmer": "petani",
    "writer": "penulis",
    "cook": "koki",
    "child": "anak",
    "nurse": "perawat",
    "engineer": "insinyur",
    "lawyer": "pengacara",
    "singer": "penyanyi",
    "neighbour": "tetangga",
    "brother": "kakak",
    "sister": "adik",
    "mother": "ibu",
    "friend": "teman",
    "book": "buku",
    "letter": "surat",
    "newspaper": "koran",
    "poem": "puisi",
    "apple": "apel",
    "egg": "telur",
    "fish": "ikan",
    "cake": "kue",
    "orange": "jeruk",
    "pear": "pir",
    "fruit": "buah",
    "car": "mobil",
    "bicycle": "sepeda",
    "boat": "perahu",
    "dog": "anjing",
    "cat": "kucing",
    "horse": "kuda",
    "animal": "hewan",
    "rose": "mawar",
    "tulip": "tulip",
    "flower": "bunga",
    "table": "meja",
    "chair": "kursi",
    "lamp": "lampu",
    "shirt": "kemeja",
    "bag": "tas",
    "clock": "jam",
    "hat": "topi",
    "door": "pintu",
    "window": "jendela",
    "box": "kotak",
    "suitcase": "koper",
    "house": "rumah",
}
ANIMALS = ("dog", "cat", "horse", "fish", "animal")
VERBS = {
    "read": "membaca",
    "write": "menulis",
    "eat": "makan",
    "buy": "membeli",
    "sell": "menjual",
    "find": "menemukan",
    "lose": "kehilangan",
    "open": "membuka",
    "close": "menutup",
    "paint": "mengecat",
    "wash": "mencuci",
    "repair": "memperbaiki",
    "see": "melihat",
    "search": "mencari",
    "greet": "menyapa",
    "understand": "memahami",
    "sleep": "tidur",
    "work": "bekerja",
    "sing": "bernyanyi",
    "dance": "menari",
    "wait": "menunggu",
    "laugh": "tertawa",
    "swim": "berenang",
    "cry": "menangis",
    "go": "pergi",
    "return": "kembali",
    "be_born": "lahir",
    "found": "mendirikan",
    "lie": "terletak",
}
ADJECTIVES = {
    "new": "baru",
    "old": "lama",
    "big": "besar",
    "small": "kecil",
    "red": "merah",
    "cheap": "murah",
    "beautiful": "indah",
    "white": "putih",
    "expensive": "mahal",
    "young": "muda",
    "famous": "terkenal",
    "rich": "kaya",
    "happy": "bahagia",
    "strong": "kuat",
}
PLACES = {
    "park": "di/ADP taman/NOUN",
    "garden": "di/ADP kebun/NOUN",
    "market": "di/ADP pasar/NOUN",
    "station": "di/ADP stasiun/NOUN",
    "library": "di/ADP perpustakaan/NOUN",
    "kitchen": "di/ADP dapur/NOUN",
    "beach": "di/ADP pantai/NOUN",
    "village": "di/ADP desa/NOUN",
}
TIMES = {
    "yesterday": "kemarin/NOUN",
    "today": "hari/NOUN ini/DET",
    "tomorrow": "besok/NOUN",
    "last_week": "minggu/NOUN lalu/ADJ/amod",
    "next_week": "minggu/NOUN depan/ADJ/amod",
    "last_year": "tahun/NOUN lalu/ADJ/amod",
    "next_year": "tahun/NOUN depan/ADJ/amod",
    "monday": "pada/ADP hari/NOUN Senin/PROPN/compound",
    "sunday": "pada/ADP hari/NOUN Minggu/PROPN/compound",
    "morning": "pada/ADP pagi/NOUN hari/NOUN/compound",
    "evening": "pada/ADP malam/NOUN hari/NOUN/compound",
    "every_day": "setiap/DET hari/NOUN",
    "every_morning": "setiap/DET pagi/NOUN",
    "every_evening": "setiap/DET malam/NOUN",
}
FREQUENCIES = {"often": "sering", "always": "selalu", "rarely": "jarang"}
NUMERALS = {2: "dua", 3: "tiga", 4: "empat"}
PRONOUNS = {"he": "dia", "she": "dia", "they": "mereka", "someone": "seseorang", "who": "siapa/PRON yang/SCONJ"}
CITIES = {
    "Rome": "Roma",
    "Moscow": "Moskow",
    "Vienna": "Wina",
    "Lisbon": "Lisboa",
    "Prague": "Praha",
    "Milan": "Milano",
    "Athens": "Athena",
}
NAMES = {"Maria": "Maria", "Victor": "Viktor", "Thomas": "Tomas", "Oscar": "Oskar", "Clara": "Klara"}
INSTITUTIONS = {"university": "Universitas", "bank": "Bank", "museum": "Museum", "theatre": "Teater"}


class Indonesian(Grammar):
    code = "id"
    interjection = "wah/INTJ"
    conjunction = "dan/CCONJ"
    links = {"but": (",/PUNCT tetapi/CCONJ", "conj"), "because": ("karena/SCONJ", "advcl")}

    def city(self, name: str) -> list[Token]:
        return tagged(CITIES.get(name, name), "PROPN")

    def name(self, phrase: Phrase) -> list[Token]:
        if phrase.kind == "institution":
            return entity(tagged(INSTITUTIONS[phrase.head], "PROPN") + rel("nmod", self.city(phrase.city)), "ORG")
        if phrase.kind == "company":
            return entity(tagged(phrase.head, "PROPN"), "ORG")
        return person(NAMES.get(phrase.head, phrase.head), phrase.surname)

    def phrase(self, phrase: Phrase) -> list[Token]:
        tokens = self._single(phrase)
        if phrase.also is not None:
            tokens += rel("conj", tagged(self.conjunction) + self.phrase(phrase.also))
        return tokens

    def _single(self, phrase: Phrase) -> list[Token]:
        if phrase.kind == "pronoun":
            return tagged(PRONOUNS[phrase.head], "PRON")
        if phrase.kind != "noun":
            return self.name(phrase)
        words = tagged(NOUNS[phrase.head], "NOUN") + tagged(ADJECTIVES.get(phrase.adjective, ""), "ADJ/amod")
        if phrase.owner:
            return words + rel("nmod", self.name(Phrase(phrase.owner, "person")))
        classifier = "orang" if phrase.human else "ekor" if phrase.head in ANIMALS else "buah"
        if phrase.number > 1:
            return tagged(f"{NUMERALS[phrase.number]}/NUM/nummod {classifier}/NOUN/<clf") + words
        if phrase.determiner == "a":
            return tagged(f"se{classifier}/DET") + words
        return words + tagged({"the": "itu", "this": "ini"}[phrase.determiner], "DET")

    def clause(self, clause: Clause, *, subordinate: bool = False) -> list[Token]:
        time = adverbial(TIMES.get(clause.time, ""))
        if clause.year:
            time = adverbial(f"pada/ADP tahun/NOUN {clause.year}/NUM/nummod") + time
        first, time, place = pick_adjuncts(clause, time, adverbial(PLACES.get(clause.place, "")))
        front = first + tagged(self.comma) if first else []
        return front + rel("nsubj", self.phrase(clause.subject)) + self._predicate(clause) + place + time

    def _predicate(self, clause: Clause) -> list[Token]:
        negation = tagged("tidak/PART/advmod" if clause.negated else "")
        if clause.kind == "be":
            very = tagged("sangat/ADV" if clause.very else "")
            return negation + very + tagged(ADJECTIVES[clause.adjective], "ADJ")
        if clause.kind == "isa":
            copula = tagged("bukan/PART/advmod" if clause.negated else "adalah/AUX/cop")
            city = rel("nmod", tagged("dari/ADP") + entity(self.city(clause.city), "LOC"))
            return copula + tagged(f"seorang/DET {NOUNS[clause.role]}/NOUN") + city
        if clause.kind == "cost":
            return tagged("berharga/VERB") + rel("obj", tagged(f"{clause.price}/NUM/nummod €/SYM"))
        tokens = negation + tagged("akan/AUX" if clause.tense == "future" else "")
        if clause.tense == "past" and not clause.negated and not clause.time and clause.verb != "be_born":
            tokens += tagged("telah/AUX")
        tokens += tagged(FREQUENCIES.get(clause.frequency, ""), "ADV")
        verb = tagged(VERBS[clause.verb], "VERB") + self._complements(clause)
        return tokens + (tagged("ingin/VERB") + rel("xcomp", verb) if clause.wants else verb)

    def _complements(self, clause: Clause) -> list[Token]:
        tokens = []
        if clause.object is not None:
            tokens += rel("obj", self.phrase(clause.object))
        if clause.employer is not None:
            tokens += rel("obl", tagged("di/ADP") + self.name(clause.employer))
        for preposition, city in (("dari", clause.origin), ("ke", clause.goal), ("di", clause.city)):
            if city:
                tokens += rel("obl", tagged(preposition, "ADP") + entity(self.city(city), "LOC"))
        return tokens

    def reported(self, speaker: Phrase, said: Sentence) -> list[Token]:
        said_that = rel("ccomp", tagged("bahwa/SCONJ") + self.linked(said))
        return rel("nsubj", self.phrase(speaker)) + tagged("mengatakan/VERB") + said_that
