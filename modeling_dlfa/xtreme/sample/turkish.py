"""Turkish: verb-final, case and negation as suffixes, vowel harmony; tags as in UD Turkish-IMST."""

from .frames import Clause, Phrase, Sentence
from .grammar import Grammar, Token, entity, pick_adjuncts, tagged


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
    "last_week": "geçen/ADJ hafta/NOUN",
    "next_week": "gelecek/ADJ hafta/NOUN",
    "last_year": "geçen/ADJ yıl/NOUN",
    "next_year": "gelecek/ADJ yıl/NOUN",
    "monday": "pazartesi/NOUN günü/NOUN",
    "sunday": "pazar/NOUN günü/NOUN",
    "morning": "sabah/NOUN",
    "evening": "akşam/NOUN",
    "every_day": "her/DET gün/NOUN",
    "every_morning": "her/DET sabah/NOUN",
    "every_evening": "her/DET akşam/NOUN",
}
FREQUENCIES = {"often": "sıklıkla", "always": "hep", "rarely": "nadiren"}
NUMERALS = {2: "iki", 3: "üç", 4: "dört"}
PRONOUNS = {"he": "o", "she": "o", "they": "onlar", "someone": "biri"}
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
    """A proper name with its case suffix after an apostrophe, by vowel harmony."""
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
    links = {"but": ",/PUNCT ama/CCONJ", "because": ",/PUNCT çünkü/CCONJ"}

    def city(self, name: str, case: str = "") -> list[Token]:
        form = CITIES.get(name, name)
        return tagged(_suffixed(form, case) if case else form, "PROPN")

    def name(self, phrase: Phrase, case: str = "") -> list[Token]:
        if phrase.kind == "institution":
            words, label = [CITIES.get(phrase.city, phrase.city), INSTITUTIONS[phrase.head]], "ORG"
        elif phrase.kind == "company":
            words, label = [phrase.head], "ORG"
        else:
            words, label = [NAMES.get(phrase.head, phrase.head), *phrase.surname.split()], "PER"
        if case:
            words[-1] = _suffixed(words[-1], case)
        return entity(tagged(" ".join(words), "PROPN"), label)

    def phrase(self, phrase: Phrase, case: str = "") -> list[Token]:
        """The phrase in the nominative, or the accusative ("acc"), which only definite objects and persons show."""
        tokens = self._single(phrase, case)
        if phrase.also is not None:
            tokens += tagged(self.conjunction) + self.phrase(phrase.also, case)
        return tokens

    def _single(self, phrase: Phrase, case: str) -> list[Token]:
        if phrase.kind == "pronoun":
            return tagged(PRONOUNS[phrase.head], "PRON")
        if phrase.kind != "noun":
            return self.name(phrase, case)
        if phrase.owner:
            owner = self.name(Phrase(phrase.owner, "person"), "gen")
            return owner + tagged(KIN[phrase.head].split()[bool(case)], "NOUN")
        marked = bool(case) and (phrase.definite or phrase.human)
        adjective = tagged(ADJECTIVES.get(phrase.adjective, ""), "ADJ")
        noun = tagged(NOUNS[phrase.head].split()[marked], "NOUN")
        if phrase.number > 1:
            return tagged(NUMERALS[phrase.number], "NUM") + adjective + noun
        if phrase.determiner == "a":
            return adjective + tagged("bir/DET") + noun
        return tagged("bu/DET" if phrase.determiner == "this" else "") + adjective + noun

    def clause(self, clause: Clause, *, subordinate: bool = False) -> list[Token]:
        time = tagged(TIMES.get(clause.time, ""))
        if clause.year:
            time = tagged(f"{clause.year}/NUM yılında/NOUN") + time
        first, time, place = pick_adjuncts(clause, time, tagged(PLACES.get(clause.place, "")))
        frequency = tagged(FREQUENCIES.get(clause.frequency, ""), "ADV")
        subject = self.phrase(clause.subject)
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
            return entity(self.city(clause.city, "abl"), "LOC") + tagged(f"bir/DET {role}/NOUN") + negation
        if clause.kind == "cost":
            return tagged(f"{clause.price}/NUM €/SYM tutuyor/VERB")
        tokens = []
        if clause.object is not None:
            tokens += self.phrase(clause.object, "acc")
        if clause.employer is not None:
            tokens += self.name(clause.employer, "loc")
        for city, case in ((clause.origin, "abl"), (clause.goal, "dat"), (clause.city, "loc")):
            if city:
                tokens += entity(self.city(city, case), "LOC")
        return tokens + tagged(WITH_NOUN.get(clause.verb, "")) + self._verb(clause)

    def _verb(self, clause: Clause) -> list[Token]:
        *finite, infinitive = VERBS[clause.verb].split()
        tokens = []
        if clause.wants:
            tokens, form = tagged(infinitive, "VERB"), "istemiyor" if clause.negated else "istiyor"
        else:
            form = finite[2 * ("present", "past", "future").index(clause.tense) + clause.negated]
        if clause.subject.head == "they" or clause.subject.also is not None:
            last = [letter for letter in form if letter in _VOWELS][-1]
            form += "lar" if last in _BACK else "ler"
        return tokens + tagged(form, "VERB")

    def reported(self, speaker: Phrase, said: Sentence) -> list[Token]:
        says = "diyorlar" if speaker.head == "they" or speaker.also is not None else "diyor"
        return self.phrase(speaker) + tagged(f"{says}/VERB ki/SCONJ") + self.linked(said)
