"""Russian: cases, animacy, gender in the past tense, no article, no present copula; tags as in UD Russian-GSD."""

from .frames import Clause, Phrase, Sentence
from .grammar import Grammar, Token, adverbial, entity, person, pick_adjuncts, rel, tagged


# concept: gender, nominative, accusative, genitive (which also follows the numerals 2 to 4)
NOUNS = {
    "teacher": "m учитель учителя учителя",
    "doctor": "m врач врача врача",
    "student": "f студентка студентку студентки",
    "farmer": "m фермер фермера фермера",
    "writer": "f писательница писательницу писательницы",
    "cook": "m повар повара повара",
    "child": "m ребёнок ребёнка ребёнка",
    "nurse": "f медсестра медсестру медсестры",
    "engineer": "m инженер инженера инженера",
    "lawyer": "m адвокат адвоката адвоката",
    "singer": "f певица певицу певицы",
    "neighbour": "m сосед соседа соседа",
    "brother": "m брат брата брата",
    "sister": "f сестра сестру сестры",
    "mother": "f мать мать матери",
    "friend": "m друг друга друга",
    "book": "f книга книгу книги",
    "letter": "n письмо письмо письма",
    "newspaper": "f газета газету газеты",
    "poem": "n стихотворение стихотворение стихотворения",
    "apple": "n яблоко яблоко яблока",
    "egg": "n яйцо яйцо яйца",
    "fish": "f рыба рыбу рыбы",
    "cake": "m торт торт торта",
    "orange": "m апельсин апельсин апельсина",
    "pear": "f груша грушу груши",
    "fruit": "m фрукт фрукт фрукта",
    "car": "f машина машину машины",
    "bicycle": "m велосипед велосипед велосипеда",
    "boat": "f лодка лодку лодки",
    "dog": "f собака собаку собаки",
    "cat": "f кошка кошку кошки",
    "horse": "f лошадь лошадь лошади",
    "animal": "n животное животное животного",
    "rose": "f роза розу розы",
    "tulip": "m тюльпан тюльпан тюльпана",
    "flower": "m цветок цветок цветка",
    "table": "m стол стол стола",
    "chair": "m стул стул стула",
    "lamp": "f лампа лампу лампы",
    "shirt": "f рубашка рубашку рубашки",
    "bag": "f сумка сумку сумки",
    "clock": "m будильник будильник будильника",
    "hat": "f шляпа шляпу шляпы",
    "door": "f дверь дверь двери",
    "window": "n окно окно окна",
    "box": "f коробка коробку коробки",
    "suitcase": "m чемодан чемодан чемодана",
    "house": "m дом дом дома",
}
# concept: present and its plural; past masculine, feminine, plural; future and its plural; infinitive
# perfective and, for those that can be wished for, imperfective, which stands after "не хочет"
VERBS = {
    "read": "читает читают прочитал прочитала прочитали прочитает прочитают прочитать читать",
    "write": "пишет пишут написал написала написали напишет напишут написать писать",
    "eat": "ест едят съел съела съели съест съедят съесть есть",
    "buy": "покупает покупают купил купила купили купит купят купить покупать",
    "sell": "продаёт продают продал продала продали продаст продадут продать продавать",
    "find": "находит находят нашёл нашла нашли найдёт найдут найти находить",
    "lose": "теряет теряют потерял потеряла потеряли потеряет потеряют потерять",
    "open": "открывает открывают открыл открыла открыли откроет откроют открыть открывать",
    "close": "закрывает закрывают закрыл закрыла закрыли закроет закроют закрыть закрывать",
    "paint": "красит красят покрасил покрасила покрасили покрасит покрасят покрасить красить",
    "wash": "моет моют помыл помыла помыли помоет помоют помыть мыть",
    "repair": "чинит чинят починил починила починили починит починят починить чинить",
    "see": "видит видят увидел увидела увидели увидит увидят увидеть видеть",
    "greet": "приветствует приветствуют поприветствовал поприветствовала поприветствовали поприветствует "
    "поприветствуют поприветствовать приветствовать",
    "understand": "понимает понимают понял поняла поняли поймёт поймут понять",
    "go": "едет едут поехал поехала поехали поедет поедут поехать",
    "return": "возвращается возвращаются вернулся вернулась вернулись вернётся вернутся вернуться",
    "be_born": "рождается рождаются родился родилась родились родится родятся родиться",
    "found": "основывает основывают основал основала основали оснует оснуют основать",
    "lie": "находится находятся находился находилась находились найдётся найдутся находиться",
}
# imperfective verbs, whose future is compound: present and its plural; past; infinitive
IMPERFECTIVE = {
    "sleep": "спит спят спал спала спали спать",
    "work": "работает работают работал работала работали работать",
    "sing": "поёт поют пел пела пели петь",
    "dance": "танцует танцуют танцевал танцевала танцевали танцевать",
    "wait": "ждёт ждут ждал ждала ждали ждать",
    "laugh": "смеётся смеются смеялся смеялась смеялись смеяться",
    "swim": "плавает плавают плавал плавала плавали плавать",
    "cry": "плачет плачут плакал плакала плакали плакать",
    "search": "ищет ищут искал искала искали искать",
}
# endings of the adjective: nominative m f n, plural; accusative m f n (things), m (persons); genitive plural
_HARD = "ый ая ое ые ый ую ое ого ых"
_STRESSED = "ой ая ое ые ой ую ое ого ых"
_VELAR = "ий ая ое ие ий ую ое ого их"
ADJECTIVES = {
    "new": ("нов", _HARD),
    "old": ("стар", _HARD),
    "big": ("больш", "ой ая ое ие ой ую ое ого их"),
    "small": ("маленьк", _VELAR),
    "red": ("красн", _HARD),
    "cheap": ("дешёв", _HARD),
    "beautiful": ("красив", _HARD),
    "white": ("бел", _HARD),
    "expensive": ("дорог", "ой ая ое ие ой ую ое ого их"),
    "young": ("молод", _STRESSED),
    "famous": ("известн", _HARD),
    "rich": ("богат", _HARD),
    "happy": ("счастлив", _HARD),
    "strong": ("сильн", _HARD),
}
# short forms of persons' qualities in predicates: masculine, feminine, plural
SHORT = {
    "young": "молод молода молоды",
    "famous": "известен известна известны",
    "rich": "богат богата богаты",
    "happy": "счастлив счастлива счастливы",
    "strong": "силён сильна сильны",
}
PLACES = {
    "park": "в/ADP парке/NOUN",
    "garden": "в/ADP саду/NOUN",
    "market": "на/ADP рынке/NOUN",
    "station": "на/ADP вокзале/NOUN",
    "library": "в/ADP библиотеке/NOUN",
    "kitchen": "на/ADP кухне/NOUN",
    "beach": "на/ADP пляже/NOUN",
    "village": "в/ADP деревне/NOUN",
}
TIMES = {
    "yesterday": "вчера/ADV",
    "today": "сегодня/ADV",
    "tomorrow": "завтра/ADV",
    "last_week": "на/ADP прошлой/ADJ/amod неделе/NOUN",
    "next_week": "на/ADP следующей/ADJ/amod неделе/NOUN",
    "last_year": "в/ADP прошлом/ADJ/amod году/NOUN",
    "next_year": "в/ADP следующем/ADJ/amod году/NOUN",
    "monday": "в/ADP понедельник/NOUN",
    "sunday": "в/ADP воскресенье/NOUN",
    "morning": "утром/ADV",
    "evening": "вечером/ADV",
    "every_day": "каждый/DET день/NOUN",
    "every_morning": "каждое/DET утро/NOUN",
    "every_evening": "каждый/DET вечер/NOUN",
}
FREQUENCIES = {"often": "часто", "always": "всегда", "rarely": "редко"}
NUMERALS = {2: ("два", "две"), 3: ("три", "три"), 4: ("четыре", "четыре")}
PRONOUNS = {"he": "он", "she": "она", "they": "они", "someone": "кто-то", "who": "кто"}
# given name: nominative, accusative, genitive
NAMES = {
    "Anna": "Анна Анну Анны",
    "Maria": "Мария Марию Марии",
    "Laura": "Лаура Лауру Лауры",
    "Elena": "Елена Елену Елены",
    "Sofia": "София Софию Софии",
    "Julia": "Юлия Юлию Юлии",
    "Nina": "Нина Нину Нины",
    "Clara": "Клара Клару Клары",
    "Marta": "Марта Марту Марты",
    "Peter": "Пётр Петра Петра",
    "Thomas": "Томас Томаса Томаса",
    "David": "Давид Давида Давида",
    "Daniel": "Даниил Даниила Даниила",
    "Martin": "Мартин Мартина Мартина",
    "Robert": "Роберт Роберта Роберта",
    "Victor": "Виктор Виктора Виктора",
    "Paul": "Павел Павла Павла",
    "Oscar": "Оскар Оскара Оскара",
}
# surname: nominative, accusative of a man, accusative of a woman
SURNAMES = {
    "Weber": "Вебер Вебера Вебер",
    "Miller": "Миллер Миллера Миллер",
    "Garcia": "Гарсия Гарсию Гарсию",
    "Rossi": "Росси Росси Росси",
    "Novak": "Новак Новака Новак",
    "Martin": "Мартин Мартина Мартин",
    "London": "Лондон Лондона Лондон",
    "Ford": "Форд Форда Форд",
    "Lopez": "Лопес Лопеса Лопес",
    "Keller": "Келлер Келлера Келлер",
    "Romano": "Романо Романо Романо",
    "Berlin": "Берлин Берлина Берлин",
}
# city: nominative, accusative, genitive, prepositional
CITIES = {
    "Paris": "Париж Париж Парижа Париже",
    "London": "Лондон Лондон Лондона Лондоне",
    "Berlin": "Берлин Берлин Берлина Берлине",
    "Madrid": "Мадрид Мадрид Мадрида Мадриде",
    "Rome": "Рим Рим Рима Риме",
    "Moscow": "Москва Москву Москвы Москве",
    "Tokyo": "Токио Токио Токио Токио",
    "Vienna": "Вена Вену Вены Вене",
    "Lisbon": "Лиссабон Лиссабон Лиссабона Лиссабоне",
    "Prague": "Прага Прагу Праги Праге",
    "Milan": "Милан Милан Милана Милане",
    "Oslo": "Осло Осло Осло Осло",
    "Athens": "Афины Афины Афин Афинах",
    "Chicago": "Чикаго Чикаго Чикаго Чикаго",
}
COMPANIES = {
    "Siemens": "Сименс",
    "Toyota": "Тойота",
    "Nokia": "Нокиа",
    "Samsung": "Самсунг",
    "Ford": "Форд",
    "Renault": "Рено",
    "Sony": "Сони",
    "Airbus": "Эйрбас",
    "Bosch": "Бош",
    "Fiat": "Фиат",
}
INSTITUTIONS = {  # nominative (and accusative), prepositional
    "university": ("Университет/NOUN", "Университете/NOUN"),
    "bank": ("Банк/NOUN", "Банке/NOUN"),
    "museum": ("Музей/NOUN", "Музее/NOUN"),
    "theatre": ("Театр/NOUN", "Театре/NOUN"),
}
THIS = {"nom": {"m": "этот", "f": "эта", "n": "это"}, "acc": {"m": "этот", "f": "эту", "n": "это"}}
_GENDERS = "mfn"


class Russian(Grammar):
    code = "ru"
    interjection = "ах/INTJ"
    conjunction = "и/CCONJ"
    links = {
        "but": (",/PUNCT но/CCONJ", "conj"),
        "because": (",/PUNCT потому/SCONJ что/SCONJ/<fixed", "advcl"),
    }

    def city(self, name: str, case: int = 0) -> list[Token]:
        """A city; cases are numbered as in CITIES."""
        return tagged(CITIES[name].split()[case], "PROPN")

    def name(self, phrase: Phrase, case: str = "nom", institution: int = 0) -> list[Token]:
        if phrase.kind == "institution":
            return entity(
                tagged(INSTITUTIONS[phrase.head][institution]) + rel("nmod", self.city(phrase.city, 2)), "ORG"
            )
        if phrase.kind == "company":
            return entity(tagged(COMPANIES[phrase.head], "PROPN"), "ORG")
        given = NAMES[phrase.head].split()[("nom", "acc", "gen").index(case)]
        surname = ""
        if phrase.surname:
            surname = SURNAMES[phrase.surname].split()[0 if case == "nom" else 2 if phrase.female else 1]
        return person(given, surname)

    def phrase(self, phrase: Phrase, case: str = "nom") -> list[Token]:
        tokens = self._single(phrase, case)
        if phrase.also is not None:
            tokens += rel("conj", tagged(self.conjunction) + self.phrase(phrase.also, case))
        return tokens

    def _single(self, phrase: Phrase, case: str) -> list[Token]:
        if phrase.kind == "pronoun":
            return tagged(PRONOUNS[phrase.head], "PRON")
        if phrase.kind != "noun":
            return self.name(phrase, case)
        gender, nominative, accusative, genitive = NOUNS[phrase.head].split()
        if phrase.number > 1:
            numeral = tagged(NUMERALS[phrase.number][gender == "f"], "NUM/nummod")
            adjective = rel("amod", self._adjective(phrase.adjective, 3 if gender == "f" else 8))
            return numeral + adjective + tagged(genitive, "NOUN")
        animate = phrase.human and gender == "m" and case == "acc"
        index = _GENDERS.index(gender)
        ending = index if case == "nom" else 7 if animate else 4 + index
        adjective = rel("amod", self._adjective(phrase.adjective, ending))
        determiner = []
        if phrase.determiner == "this":
            determiner = tagged("этого" if animate else THIS[case][gender], "DET")
        words = determiner + adjective + tagged(nominative if case == "nom" else accusative, "NOUN")
        if phrase.owner:
            words += rel("nmod", self.name(Phrase(phrase.owner, "person"), "gen"))
        return words

    def _adjective(self, adjective: str, ending: int) -> list[Token]:
        if not adjective:
            return []
        stem, endings = ADJECTIVES[adjective]
        return tagged(stem + endings.split()[ending], "ADJ")

    def clause(self, clause: Clause, *, subordinate: bool = False) -> list[Token]:
        time = adverbial(TIMES.get(clause.time, ""))
        if clause.year and clause.verb != "be_born":
            time = adverbial(f"в/ADP {clause.year}/ADJ/amod году/NOUN") + time
        first, time, place = pick_adjuncts(clause, time, adverbial(PLACES.get(clause.place, "")))
        frequency = tagged(FREQUENCIES.get(clause.frequency, ""), "ADV")
        subject = rel("nsubj", self.phrase(clause.subject))
        return first + subject + time + frequency + self._predicate(clause) + place

    def _gender(self, subject: Phrase) -> str:
        if subject.kind == "noun":
            return NOUNS[subject.head].split()[0]
        return "f" if subject.female else "m"

    def _predicate(self, clause: Clause) -> list[Token]:
        subject, plural = clause.subject, clause.subject.plural
        negation = tagged("не/PART/advmod" if clause.negated else "")
        if clause.kind == "be":
            return negation + tagged("очень/ADV" if clause.very else "") + self._quality(clause)
        if clause.kind == "isa":
            dash = negation or tagged("—/PUNCT")
            city = rel("nmod", tagged("из/ADP") + entity(self.city(clause.city, 2), "LOC"))
            return dash + self.phrase(Phrase(clause.role)) + city
        if clause.kind == "cost":
            price = rel("obj", tagged(f"{clause.price}/NUM/nummod €/SYM"))
            return tagged("стоят/VERB" if plural else "стоит/VERB") + price
        if clause.wants:
            wished = tagged(self._infinitive(clause), "VERB") + self._complements(clause)
            return negation + tagged("хотят/VERB" if plural else "хочет/VERB") + rel("xcomp", wished)
        return negation + self._verb(clause, self._gender(subject), plural) + self._complements(clause)

    def _quality(self, clause: Clause) -> list[Token]:
        gender = self._gender(clause.subject)
        if clause.adjective in SHORT:
            return tagged(SHORT[clause.adjective].split()[2 if clause.subject.plural else gender == "f"], "ADJ")
        return self._adjective(clause.adjective, 3 if clause.subject.plural else _GENDERS.index(gender))

    def _infinitive(self, clause: Clause) -> str:
        if clause.verb in IMPERFECTIVE:
            return IMPERFECTIVE[clause.verb].split()[5]
        return VERBS[clause.verb].split()[8 if clause.wants and clause.negated else 7]

    def _verb(self, clause: Clause, gender: str, plural: bool) -> list[Token]:
        imperfective = clause.verb in IMPERFECTIVE
        present, presents, *past = (IMPERFECTIVE if imperfective else VERBS)[clause.verb].split()
        if clause.tense == "past":
            return tagged(past[2 if plural else gender == "f"], "VERB")
        if clause.tense == "present":
            return tagged(presents if plural else present, "VERB")
        if imperfective:
            return tagged(f"{'будут' if plural else 'будет'}/AUX {self._infinitive(clause)}/VERB")
        return tagged(past[3 + plural], "VERB")

    def _complements(self, clause: Clause) -> list[Token]:
        born_in = clause.year if clause.verb == "be_born" else 0
        tokens = adverbial(f"в/ADP {born_in}/ADJ/amod году/NOUN" if born_in else "")
        if clause.object is not None:
            tokens += rel("obj", self.phrase(clause.object, "acc"))
        if clause.employer is not None:
            employer = self.name(clause.employer, institution=1)
            if clause.employer.kind == "company":
                employer = tagged("компании/NOUN") + rel("appos", employer)
            tokens += rel("obl", tagged("в/ADP") + employer)
        for preposition, city, case in (("из", clause.origin, 2), ("в", clause.goal, 1), ("в", clause.city, 3)):
            if city:
                tokens += rel("obl", tagged(preposition, "ADP") + entity(self.city(city, case), "LOC"))
        return tokens

    def reported(self, speaker: Phrase, said: Sentence) -> list[Token]:
        says = tagged("говорят/VERB" if speaker.plural else "говорит/VERB")
        return (
            rel("nsubj", self.phrase(speaker)) + says + rel("ccomp", tagged(",/PUNCT что/SCONJ") + self.linked(said))
        )
