"""Japanese (polite style): verb-final, particles, counters, inflecting adjectives; words, tags and trees as in
UD Japanese-GSD: conjuncts are "nmod" and linked clauses "advcl" of the last one, です after an adjective is "aux"."""

from .frames import Clause, Phrase, Sentence
from .grammar import Grammar, Token, adverbial, entity, person, pick_adjuncts, rel, tagged


# concept: noun, counter
NOUNS = {
    "teacher": "教師 人",
    "doctor": "医者 人",
    "student": "学生 人",
    "farmer": "農夫 人",
    "writer": "作家 人",
    "cook": "料理人 人",
    "child": "子供 人",
    "nurse": "看護師 人",
    "engineer": "技術者 人",
    "lawyer": "弁護士 人",
    "singer": "歌手 人",
    "neighbour": "隣人 人",
    "brother": "兄 人",
    "sister": "姉 人",
    "mother": "母 人",
    "friend": "友人 人",
    "book": "本 冊",
    "letter": "手紙 通",
    "newspaper": "新聞 部",
    "poem": "詩 編",
    "apple": "りんご 個",
    "egg": "卵 個",
    "fish": "魚 匹",
    "cake": "ケーキ 個",
    "orange": "オレンジ 個",
    "pear": "梨 個",
    "fruit": "果物 個",
    "car": "車 台",
    "bicycle": "自転車 台",
    "boat": "ボート 隻",
    "dog": "犬 匹",
    "cat": "猫 匹",
    "horse": "馬 頭",
    "animal": "動物 匹",
    "rose": "バラ 本",
    "tulip": "チューリップ 本",
    "flower": "花 本",
    "table": "机 台",
    "chair": "椅子 脚",
    "lamp": "ランプ 台",
    "shirt": "シャツ 枚",
    "bag": "かばん 個",
    "clock": "時計 個",
    "hat": "帽子 個",
    "door": "ドア 枚",
    "window": "窓 枚",
    "box": "箱 個",
    "suitcase": "スーツケース 個",
    "house": "家 軒",
}
# concept: the form before ます; some take another particle than を for their object
VERBS = {
    "read": "読み/VERB",
    "write": "書き/VERB",
    "eat": "食べ/VERB",
    "buy": "買い/VERB",
    "sell": "売り/VERB",
    "find": "見つけ/VERB",
    "lose": "なくし/VERB",
    "open": "開け/VERB",
    "close": "閉め/VERB",
    "paint": "塗り/VERB",
    "wash": "洗い/VERB",
    "repair": "修理/VERB し/AUX",
    "see": "見/VERB",
    "search": "探し/VERB",
    "greet": "挨拶/VERB し/AUX",
    "understand": "理解/VERB し/AUX",
    "sleep": "眠り/VERB",
    "work": "働き/VERB",
    "sing": "歌い/VERB",
    "dance": "踊り/VERB",
    "wait": "待ち/VERB",
    "laugh": "笑い/VERB",
    "swim": "泳ぎ/VERB",
    "cry": "泣き/VERB",
    "go": "行き/VERB",
    "return": "戻り/VERB",
    "be_born": "生まれ/VERB",
    "found": "設立/VERB し/AUX",
    "lie": "あり/VERB",
}
PARTICLES = {"greet": "に/ADP"}
# concept: attributive and predicative form, stem before the negation; a na-adjective has only the stem
ADJECTIVES = {
    "new": "新しい 新しく",
    "old": "古い 古く",
    "big": "大きい 大きく",
    "small": "小さい 小さく",
    "red": "赤い 赤く",
    "cheap": "安い 安く",
    "beautiful": "美しい 美しく",
    "white": "白い 白く",
    "expensive": "高い 高く",
    "young": "若い 若く",
    "famous": "有名",
    "rich": "裕福",
    "happy": "幸せ",
    "strong": "強い 強く",
}
PLACES = {
    "park": "公園/NOUN",
    "garden": "庭/NOUN",
    "market": "市場/NOUN",
    "station": "駅/NOUN",
    "library": "図書館/NOUN",
    "kitchen": "台所/NOUN",
    "beach": "海岸/NOUN",
    "village": "村/NOUN",
}
TIMES = {
    "yesterday": "昨日/NOUN",
    "today": "今日/NOUN",
    "tomorrow": "明日/NOUN",
    "last_week": "先週/NOUN",
    "next_week": "来週/NOUN",
    "last_year": "去年/NOUN",
    "next_year": "来年/NOUN",
    "monday": "月曜日/NOUN に/ADP",
    "sunday": "日曜日/NOUN に/ADP",
    "morning": "朝/NOUN に/ADP",
    "evening": "夕方/NOUN に/ADP",
    "every_day": "毎日/NOUN",
    "every_morning": "毎朝/NOUN",
    "every_evening": "毎晩/NOUN",
}
FREQUENCIES = {"often": "よく", "always": "いつも", "rarely": "たまに"}
NUMERALS = {2: "二", 3: "三", 4: "四"}
PRONOUNS = {
    "he": "彼/PRON",
    "she": "彼女/PRON",
    "they": "彼/PRON/compound ら/NOUN",
    "someone": "誰/PRON か/PART/mark",
    "who": "誰/PRON",
}
NAMES = {
    "Anna": "アンナ",
    "Maria": "マリア",
    "Laura": "ラウラ",
    "Elena": "エレナ",
    "Sofia": "ソフィア",
    "Julia": "ユリア",
    "Nina": "ニーナ",
    "Clara": "クララ",
    "Marta": "マルタ",
    "Peter": "ピーター",
    "Thomas": "トーマス",
    "David": "デイビッド",
    "Daniel": "ダニエル",
    "Martin": "マルティン",
    "Robert": "ロバート",
    "Victor": "ビクトル",
    "Paul": "ポール",
    "Oscar": "オスカー",
}
SURNAMES = {
    "Weber": "ウェーバー",
    "Miller": "ミラー",
    "Garcia": "ガルシア",
    "Rossi": "ロッシ",
    "Novak": "ノバク",
    "Martin": "マルティン",
    "London": "ロンドン",
    "Ford": "フォード",
    "Lopez": "ロペス",
    "Keller": "ケラー",
    "Romano": "ロマーノ",
    "Berlin": "ベルリン",
}
CITIES = {
    "Paris": "パリ",
    "London": "ロンドン",
    "Berlin": "ベルリン",
    "Madrid": "マドリード",
    "Rome": "ローマ",
    "Moscow": "モスクワ",
    "Tokyo": "東京",
    "Vienna": "ウィーン",
    "Lisbon": "リスボン",
    "Prague": "プラハ",
    "Milan": "ミラノ",
    "Oslo": "オスロ",
    "Athens": "アテネ",
    "Chicago": "シカゴ",
}
COMPANIES = {
    "Siemens": "シーメンス",
    "Toyota": "トヨタ",
    "Nokia": "ノキア",
    "Samsung": "サムスン",
    "Ford": "フォード",
    "Renault": "ルノー",
    "Sony": "ソニー",
    "Airbus": "エアバス",
    "Bosch": "ボッシュ",
    "Fiat": "フィアット",
}
INSTITUTIONS = {"university": "大学", "bank": "銀行", "museum": "博物館", "theatre": "劇場"}


_IS_NOT = "で/AUX/cop は/ADP/<fixed あり/VERB/<fixed ませ/AUX/<fixed ん/AUX/<fixed"


class Japanese(Grammar):
    code = "ja"
    spaced = False
    stop = "。/PUNCT"
    exclamation_marks = ("", "ね/PART/mark ！/PUNCT")
    question_marks = ("", "か/PART/mark 。/PUNCT")
    comma = "、/PUNCT"
    listing_comma = "、/PUNCT"
    brackets = ("（/PUNCT", "）/PUNCT")
    interjection = "ああ/INTJ"
    conjunction = "と/ADP"
    links = {"but": ("が/SCONJ 、/PUNCT", "advcl"), "because": ("から/SCONJ 、/PUNCT", "advcl")}

    def city(self, name: str) -> list[Token]:
        return tagged(CITIES[name], "PROPN")

    def name(self, phrase: Phrase) -> list[Token]:
        if phrase.kind == "institution":
            return entity(rel("compound", self.city(phrase.city)) + tagged(INSTITUTIONS[phrase.head], "NOUN"), "ORG")
        if phrase.kind == "company":
            return entity(tagged(COMPANIES[phrase.head], "PROPN"), "ORG")
        return person(NAMES[phrase.head], SURNAMES.get(phrase.surname, ""), separator="・/PUNCT")

    def phrase(self, phrase: Phrase) -> list[Token]:
        """The phrase. The last of its conjuncts is the head, as と is a particle like any other (UD has it so)."""
        if phrase.also is not None:
            return rel("nmod", self._single(phrase) + tagged(self.conjunction)) + self.phrase(phrase.also)
        return self._single(phrase)

    def _single(self, phrase: Phrase) -> list[Token]:
        if phrase.kind == "pronoun":
            return tagged(PRONOUNS[phrase.head])
        if phrase.kind != "noun":
            return self.name(phrase)
        noun, counter = NOUNS[phrase.head].split()
        words = self._attribute(phrase.adjective) + tagged(noun, "NOUN")
        if phrase.owner:
            return rel("nmod", self.name(Phrase(phrase.owner, "person")) + tagged("の/ADP")) + words
        if phrase.number > 1:
            return rel("nmod", tagged(f"{NUMERALS[phrase.number]}/NUM/nummod {counter}/NOUN の/ADP")) + words
        determiner = {"this": "この/DET", "a": "ある/DET" if phrase.human else ""}.get(phrase.determiner, "")
        return tagged(determiner) + words

    def _attribute(self, adjective: str) -> list[Token]:
        if not adjective:
            return []
        forms = ADJECTIVES[adjective].split()
        return rel("amod", tagged(forms[0], "ADJ") + tagged("な/AUX" if len(forms) == 1 else ""))

    def linked(self, sentence: Sentence) -> list[Token]:
        if sentence.second is None:
            return self.clause(sentence.clause)
        words, relation = self.links[sentence.link]
        first, second = self.clause(sentence.clause), sentence.second
        if sentence.link == "because":  # the reason comes first
            return rel(relation, self.clause(second, subordinate=True) + tagged(words)) + first
        return rel(relation, first + tagged(words)) + self.clause(second)

    def clause(self, clause: Clause, *, subordinate: bool = False) -> list[Token]:
        time = adverbial(TIMES.get(clause.time, ""))
        if clause.year:
            time = adverbial(f"{clause.year}/NUM/nummod 年/NOUN に/ADP") + time
        place = adverbial(f"{PLACES[clause.place]} で/ADP" if clause.place else "")
        first, time, place = pick_adjuncts(clause, time, place)
        front = first + tagged(self.comma) if first else []
        particle = "が/ADP" if subordinate or clause.subject.head in ("someone", "who") else "は/ADP"
        subject = rel("nsubj", self.phrase(clause.subject) + tagged(particle))
        frequency = tagged(FREQUENCIES.get(clause.frequency, ""), "ADV")
        return front + subject + time + frequency + place + self._predicate(clause)

    def _predicate(self, clause: Clause) -> list[Token]:
        if clause.kind == "be":
            very = tagged("とても/ADV" if clause.very else "")
            forms = ADJECTIVES[clause.adjective].split()
            if not clause.negated:
                return very + tagged(f"{forms[0]}/ADJ です/AUX")
            if len(forms) == 1:
                return very + tagged(f"{forms[0]}/ADJ {_IS_NOT}")
            return very + tagged(f"{forms[1]}/ADJ ない/AUX です/AUX")
        if clause.kind == "isa":
            origin = rel("compound", entity(self.city(clause.city), "LOC")) + tagged("出身/NOUN の/ADP")
            role = tagged(NOUNS[clause.role].split()[0], "NOUN")
            return rel("nmod", origin) + role + tagged(_IS_NOT if clause.negated else "です/AUX/cop")
        if clause.kind == "cost":
            return tagged(f"{clause.price}/NUM/nummod €/SYM です/AUX/cop")
        tokens = []
        if clause.object is not None:
            particle = tagged(PARTICLES.get(clause.verb, "を/ADP"))
            tokens += rel("obl" if clause.verb in PARTICLES else "obj", self.phrase(clause.object) + particle)
        if clause.employer is not None:
            tokens += rel("obl", self.name(clause.employer) + tagged("で/ADP"))
        where = "に" if clause.verb == "lie" else "で"
        for city, particle in ((clause.origin, "から"), (clause.goal, "へ"), (clause.city, where)):
            if city:
                tokens += rel("obl", entity(self.city(city), "LOC") + tagged(particle, "ADP"))
        return tokens + self._verb(clause)

    def _verb(self, clause: Clause) -> list[Token]:
        stem = tagged(VERBS[clause.verb])
        if clause.wants:  # of a third person: "shows signs of wanting"
            stem += tagged("たがっ/AUX て/SCONJ い/VERB/<fixed")
        elif clause.employer is not None and clause.tense == "present":
            stem = tagged("働い/VERB て/SCONJ い/VERB/<fixed")
        if clause.tense == "past":
            return stem + tagged("ませ/AUX ん/AUX でし/AUX た/AUX" if clause.negated else "まし/AUX た/AUX")
        return stem + tagged("ませ/AUX ん/AUX" if clause.negated else "ます/AUX")

    def reported(self, speaker: Phrase, said: Sentence) -> list[Token]:
        said_that = rel("ccomp", tagged("「/PUNCT") + self.linked(said) + tagged("」/PUNCT と/ADP"))
        says = tagged("言っ/VERB て/SCONJ い/VERB/<fixed ます/AUX")
        return rel("nsubj", self.phrase(speaker) + tagged("は/ADP")) + said_that + says
