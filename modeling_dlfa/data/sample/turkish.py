"""Turkish: verb-final, case and negation as suffixes, vowel harmony; tags as in UD Turkish-IMST."""

from .frames import Clause, Phrase, Sentence
from .grammar import Grammar, Token, adverbial, entity, person, pick_adjuncts, rel, tagged


# concept: nominative, accusative (no plural: a numeral takes the singular)
NOUNS = {
    "teacher": "öğretmen öğretmeni",
    "doctor": "doktor doktoru",
    "student": "öğrenci öğrenciyi",
    "farmer": "çiftçi çiftçiyi",
    "writer": "yazar yazarı",
    "cook": "aşçı aşçıyı",
    "child": "çocuk çocuğu",
    "nurse": "hemşire hemşireyi",
    "engineer": "mühendis mühendisi",
    "lawyer": "avukat avukatı",
    "singer": "şarkıcı şarkıcıyı",
    "neighbour": "komşu komşuyu",
    "book": "kitap kitabı",
    "letter": "mektup mektubu",
    "newspaper": "gazete gazeteyi",
    "poem": "şiir şiiri",
    "apple": "elma elmayı",
    "egg": "yumurta yumurtayı",
    "fish": "balık balığı",
    "cake": "pasta pastayı",
    "orange": "portakal portakalı",
    "pear": "armut armudu",
    "fruit": "meyve meyveyi",
    "car": "araba arabayı",
    "bicycle": "bisiklet bisikleti",
    "boat": "tekne tekneyi",
    "dog": "köpek köpeği",
    "cat": "kedi kediyi",
    "horse": "at atı",
    "animal": "hayvan hayvanı",
    "rose": "gül gülü",
    "tulip": "lale laleyi",
    "flower": "çiçek çiçeği",
    "table": "masa masayı",
    "chair": "sandalye sandalyeyi",
    "lamp": "lamba lambayı",
    "shirt": "gömlek gömleği",
    "bag": "çanta çantayı",
    "clock": "saat saati",
    "hat": "şapka şapkayı",
    "door": "kapı kapıyı",
    "window": "pencere pencereyi",
    "box": "kutu kutuyu",
    "suitcase": "bavul bavulu",
    "house": "ev evi",
}
KIN = {  # "his or her ...": nominative, accusative
    "brother": "ağabeyi ağabeyini",
    "sister": "ablası ablasını",
    "mother": "annesi annesini",
    "friend": "arkadaşı arkadaşını",
}
# concept: positive and negative in the present, past and future, infinitive
VERBS = {
    "read": "okuyor okumuyor okudu okumadı okuyacak okumayacak okumak",
    "write": "yazıyor yazmıyor yazdı yazmadı yazacak yazmayacak yazmak",
    "eat": "yiyor yemiyor yedi yemedi yiyecek yemeyecek yemek",
    "buy": "alıyor almıyor aldı almadı alacak almayacak almak",
    "sell": "satıyor satmıyor sattı satmadı satacak satmayacak satmak",
    "find": "buluyor bulmuyor buldu bulmadı bulacak bulmayacak bulmak",
    "lose": "kaybediyor kaybetmiyor kaybetti kaybetmedi kaybedecek kaybetmeyecek kaybetmek",
    "open": "açıyor açmıyor açtı açmadı açacak açmayacak açmak",
    "close": "kapatıyor kapatmıyor kapattı kapatmadı kapatacak kapatmayacak kapatmak",
    "paint": "boyuyor boyamıyor boyadı boyamadı boyayacak boyamayacak boyamak",
    "wash": "yıkıyor yıkamıyor yıkadı yıkamadı yıkayacak yıkamayacak yıkamak",
    "repair": "onarıyor onarmıyor onardı onarmadı onaracak onarmayacak onarmak",
    "see": "görüyor görmüyor gördü görmedi görecek görmeyecek görmek",
    "search": "arıyor aramıyor aradı aramadı arayacak aramayacak aramak",
    "greet": "selamlıyor selamlamıyor selamladı selamlamadı selamlayacak selamlamayacak selamlamak",
    "understand": "anlıyor anlamıyor anladı anlamadı anlayacak anlamayacak anlamak",
    "sleep": "uyuyor uyumuyor uyudu uyumadı uyuyacak uyumayacak uyumak",
    "work": "çalışıyor çalışmıyor çalıştı çalışmadı çalışacak çalışmayacak çalışmak",
    "sing": "söylüyor söylemiyor söyledi söylemedi söyleyecek söylemeyecek söylemek",
    "dance": "ediyor etmiyor etti etmedi edecek etmeyecek etmek",
    "wait": "bekliyor beklemiyor bekledi beklemedi bekleyecek beklemeyecek beklemek",
    "laugh": "gülüyor gülmüyor güldü gülmedi gülecek gülmeyecek gülmek",
    "swim": "yüzüyor yüzmüyor yüzdü yüzmedi yüzecek yüzmeyecek yüzmek",
    "cry": "ağlıyor ağlamıyor ağladı ağlamadı ağlayacak ağlamayacak ağlamak",
    "go": "gidiyor gitmiyor gitti gitmedi gidecek gitmeyecek gitmek",
    "return": "dönüyor dönmüyor döndü dönmedi dönecek dönmeyecek dönmek",
    "be_born": "doğuyor doğmuyor doğdu doğmadı doğacak doğmayacak doğmak",
    "found": "kuruyor kurmuyor kurdu kurmadı kuracak kurmayacak kurmak",
    "lie": "bulunuyor bulunmuyor bulundu bulunmadı bulunacak bulunmayacak bulunmak",
}
WITH_NOUN = {"sing": "şarkı/NOUN", "dance": "dans/NOUN"}
ADJECTIVES = {
    "new": "yeni",
    "old": "eski",
    "big": "büyük",
    "small": "küçük",
    "red": "kırmızı",
    "cheap": "ucuz",
    "beautiful": "güzel",
    "white": "beyaz",
    "expensive": "pahalı",
    "young": "genç",
    "famous": "ünlü",
    "rich": "zengin",
    "happy": "mutlu",
    "strong": "güçlü",
}
PLACES = {
    "park": "parkta/NOUN",
    "garden": "bahçede/NOUN",
    "market": "pazarda/NOUN",
    "station": "istasyonda/NOUN",
    "library": "kütüphanede/NOUN",
    "kitchen": "mutfakta/NOUN",
    "beach": "plajda/NOUN",
    "village": "köyde/NOUN",
}
TIMES = {
    "yesterday": "dün/NOUN",
    "today": "bugün/NOUN",
    "tomorrow": "yarın/NOUN",
    "last_week": "geçen/ADJ/amod hafta/NOUN",
    "next_week": "gelecek/ADJ/amod hafta/NOUN",
    "last_year": "geçen/ADJ/amod yıl/NOUN",
    "next_year": "gelecek/ADJ/amod yıl/NOUN",
    "monday": "pazartesi/NOUN/nmod günü/NOUN",
    "sunday": "pazar/NOUN/nmod günü/NOUN",
    "morning": "sabah/NOUN",
    "evening": "akşam/NOUN",
    "every_day": "her/DET gün/NOUN",
    "every_morning": "her/DET sabah/NOUN",
    "every_evening": "her/DET akşam/NOUN",
}
FREQUENCIES = {"often": "sıklıkla", "always": "hep", "rarely": "nadiren"}
NUMERALS = {2: "iki", 3: "üç", 4: "dört"}
PRONOUNS = {"he": "o", "she": "o", "they": "onlar", "someone": "biri", "who": "kim"}
NAMES = {"Sofia": "Sofya", "Julia": "Jülya", "Victor": "Viktor", "Clara": "Klara", "Oscar": "Oskar"}
CITIES = {
    "London": "Londra",
    "Rome": "Roma",
    "Moscow": "Moskova",
    "Vienna": "Viyana",
    "Lisbon": "Lizbon",
    "Prague": "Prag",
    "Milan": "Milano",
    "Athens": "Atina",
    "Chicago": "Şikago",
}
INSTITUTIONS = {"university": "Üniversitesi", "bank": "Bankası", "museum": "Müzesi", "theatre": "Tiyatrosu"}
SPOKEN = {
    "Sony": "soni",
    "Renault": "reno",
    "Bosch": "boş",
    "Airbus": "erbas",
    "Siemens": "simens",
}  # where not as written
_VOWELS, _BACK, _ROUNDED, _HARD = "aeıioöuü", "aıou", "oöuü", "çfhkpsşt"


def _suffixed(name: str, case: str) -> str:
    """A proper name with its case suffix, if any, after an apostrophe, by vowel harmony."""
    if not case:
        return name
    spoken = SPOKEN.get(name, name).lower()
    last = [letter for letter in spoken if letter in _VOWELS][-1]
    back, rounded, open_ended = last in _BACK, last in _ROUNDED, spoken[-1] in _VOWELS
    high = ("u" if rounded else "ı") if back else ("ü" if rounded else "i")
    low = "a" if back else "e"
    stop = "t" if spoken[-1] in _HARD else "d"
    if name in INSTITUTIONS.values():  # after the possessive suffix stands an n
        buffer = {"acc": f"n{high}", "loc": f"nd{low}"}[case]
    else:
        buffer = {
            "acc": ("y" if open_ended else "") + high,
            "gen": ("n" if open_ended else "") + f"{high}n",
            "dat": ("y" if open_ended else "") + low,
            "loc": stop + low,
            "abl": f"{stop}{low}n",
        }[case]
    return f"{name}'{buffer}"


class Turkish(Grammar):
    code = "tr"
    capitals = {"i": "İ"}
    interjection = "ah/INTJ"
    conjunction = "ve/CCONJ"
    links = {"but": (",/PUNCT ama/CCONJ", "conj"), "because": (",/PUNCT çünkü/CCONJ", "conj")}

    def city(self, name: str, case: str = "") -> list[Token]:
        return tagged(_suffixed(CITIES.get(name, name), case), "PROPN")

    def name(self, phrase: Phrase, case: str = "") -> list[Token]:
        if phrase.kind == "institution":
            institution = tagged(_suffixed(INSTITUTIONS[phrase.head], case), "PROPN")
            return entity(rel("nmod", self.city(phrase.city)) + institution, "ORG")
        if phrase.kind == "company":
            return entity(tagged(_suffixed(phrase.head, case), "PROPN"), "ORG")
        given = NAMES.get(phrase.head, phrase.head)
        if phrase.surname:
            return person(given, _suffixed(phrase.surname, case))
        return person(_suffixed(given, case), "")

    def phrase(self, phrase: Phrase, case: str = "") -> list[Token]:
        """The phrase in the nominative, or the accusative ("acc"), which only definite objects and persons show."""
        tokens = self._single(phrase, case)
        if phrase.also is not None:
            tokens += rel("conj", tagged(self.conjunction) + self.phrase(phrase.also, case))
        return tokens

    def _single(self, phrase: Phrase, case: str) -> list[Token]:
        if phrase.kind == "pronoun":
            return tagged(PRONOUNS[phrase.head], "PRON")
        if phrase.kind != "noun":
            return self.name(phrase, case)
        if phrase.owner:
            owner = self.name(Phrase(phrase.owner, "person"), "gen")
            return rel("nmod", owner) + tagged(KIN[phrase.head].split()[bool(case)], "NOUN")
        marked = bool(case) and (phrase.definite or phrase.human)
        adjective = tagged(ADJECTIVES.get(phrase.adjective, ""), "ADJ/amod")
        noun = tagged(NOUNS[phrase.head].split()[marked], "NOUN")
        if phrase.number > 1:
            return tagged(NUMERALS[phrase.number], "NUM/nummod") + adjective + noun
        if phrase.determiner == "a":
            return adjective + tagged("bir/DET") + noun
        return tagged("bu/DET" if phrase.determiner == "this" else "") + adjective + noun

    def clause(self, clause: Clause, *, subordinate: bool = False) -> list[Token]:
        time = adverbial(TIMES.get(clause.time, ""))
        if clause.year:
            time = adverbial(f"{clause.year}/NUM/nummod yılında/NOUN") + time
        first, time, place = pick_adjuncts(clause, time, adverbial(PLACES.get(clause.place, "")))
        frequency = tagged(FREQUENCIES.get(clause.frequency, ""), "ADV")
        subject = rel("nsubj", self.phrase(clause.subject))
        if clause.subject.head in ("he", "she"):  # "o" before a noun would be read as "that"
            subject += tagged(self.comma)
        return first + subject + time + frequency + place + self._predicate(clause)

    def _predicate(self, clause: Clause) -> list[Token]:
        negation = tagged("değil/AUX" if clause.negated else "")
        if clause.kind == "be":
            quality = tagged(ADJECTIVES[clause.adjective], "ADJ")
            return tagged("çok/ADV" if clause.very else "") + quality + negation
        if clause.kind == "isa":
            role = NOUNS[clause.role].split()[0]
            city = rel("nmod", entity(self.city(clause.city, "abl"), "LOC"))
            return city + tagged(f"bir/DET {role}/NOUN") + negation
        if clause.kind == "cost":
            return rel("obj", tagged(f"{clause.price}/NUM/nummod €/SYM")) + tagged("tutuyor/VERB")
        tokens = []
        if clause.object is not None:
            tokens += rel("obj", self.phrase(clause.object, "acc"))
        if clause.employer is not None:
            tokens += rel("obl", self.name(clause.employer, "loc"))
        for city, case in ((clause.origin, "abl"), (clause.goal, "dat"), (clause.city, "loc")):
            if city:
                tokens += rel("obl", entity(self.city(city, case), "LOC"))
        tokens += rel("compound", tagged(WITH_NOUN.get(clause.verb, "")))
        if clause.wants:
            tokens = rel("xcomp", tokens + tagged(VERBS[clause.verb].split()[-1], "VERB"))
        return tokens + self._verb(clause)

    def _verb(self, clause: Clause) -> list[Token]:
        if clause.wants:
            form = "istemiyor" if clause.negated else "istiyor"
        else:
            form = VERBS[clause.verb].split()[2 * ("present", "past", "future").index(clause.tense) + clause.negated]
        if clause.subject.head == "they" or clause.subject.also is not None:
            last = [letter for letter in form if letter in _VOWELS][-1]
            form += "lar" if last in _BACK else "ler"
        return tagged(form, "VERB")

    def reported(self, speaker: Phrase, said: Sentence) -> list[Token]:
        says = "diyorlar" if speaker.head == "they" or speaker.also is not None else "diyor"
        said_that = rel("ccomp", tagged("ki/SCONJ") + self.linked(said))
        return rel("nsubj", self.phrase(speaker)) + tagged(says, "VERB") + said_that
