"""Chinese (simplified): measure words, aspect particle, adjuncts before the verb; tags as in UD Chinese-GSD."""

from .frames import Clause, Phrase, Sentence
from .grammar import Grammar, Token, adverbial, entity, person, pick_adjuncts, rel, tagged


# concept: noun, measure word
NOUNS = {
    "teacher": "老师 位",
    "doctor": "医生 位",
    "student": "学生 个",
    "farmer": "农民 个",
    "writer": "作家 位",
    "cook": "厨师 位",
    "child": "孩子 个",
    "nurse": "护士 位",
    "engineer": "工程师 位",
    "lawyer": "律师 位",
    "singer": "歌手 位",
    "neighbour": "邻居 个",
    "brother": "哥哥 个",
    "sister": "姐姐 个",
    "mother": "母亲 位",
    "friend": "朋友 个",
    "book": "书 本",
    "letter": "信 封",
    "newspaper": "报纸 份",
    "poem": "诗 首",
    "apple": "苹果 个",
    "egg": "鸡蛋 个",
    "fish": "鱼 条",
    "cake": "蛋糕 个",
    "orange": "橙子 个",
    "pear": "梨 个",
    "fruit": "水果 个",
    "car": "汽车 辆",
    "bicycle": "自行车 辆",
    "boat": "船 条",
    "dog": "狗 只",
    "cat": "猫 只",
    "horse": "马 匹",
    "animal": "动物 只",
    "rose": "玫瑰 朵",
    "tulip": "郁金香 朵",
    "flower": "花 朵",
    "table": "桌子 张",
    "chair": "椅子 把",
    "lamp": "台灯 盏",
    "shirt": "衬衫 件",
    "bag": "包 个",
    "clock": "钟 个",
    "hat": "帽子 顶",
    "door": "门 扇",
    "window": "窗户 扇",
    "box": "盒子 个",
    "suitcase": "行李箱 个",
    "house": "房子 座",
}
VERBS = {
    "read": "读",
    "write": "写",
    "eat": "吃",
    "buy": "买",
    "sell": "卖",
    "find": "找到",
    "lose": "弄丢",
    "open": "打开",
    "close": "关上",
    "paint": "粉刷",
    "wash": "洗",
    "repair": "修理",
    "see": "看见",
    "search": "寻找",
    "greet": "问候",
    "understand": "理解",
    "sleep": "睡觉",
    "work": "工作",
    "sing": "唱歌",
    "dance": "跳舞",
    "wait": "等待",
    "laugh": "大笑",
    "swim": "游泳",
    "cry": "哭",
    "go": "去",
    "return": "回到",
    "be_born": "出生",
    "found": "创办",
    "lie": "位于",
}
ADJECTIVES = {
    "new": "新",
    "old": "旧",
    "big": "大",
    "small": "小",
    "red": "红色/NOUN",
    "cheap": "便宜",
    "beautiful": "漂亮",
    "white": "白色/NOUN",
    "expensive": "昂贵",
    "young": "年轻",
    "famous": "有名",
    "rich": "富有",
    "happy": "幸福",
    "strong": "强壮",
}
PLACES = {
    "park": "在/ADP 公园/NOUN 里/ADP",
    "garden": "在/ADP 花园/NOUN 里/ADP",
    "market": "在/ADP 市场/NOUN 上/ADP",
    "station": "在/ADP 车站/NOUN",
    "library": "在/ADP 图书馆/NOUN 里/ADP",
    "kitchen": "在/ADP 厨房/NOUN 里/ADP",
    "beach": "在/ADP 海滩/NOUN 上/ADP",
    "village": "在/ADP 村子/NOUN 里/ADP",
}
TIMES = {
    "yesterday": "昨天/NOUN",
    "today": "今天/NOUN",
    "tomorrow": "明天/NOUN",
    "last_week": "上周/NOUN",
    "next_week": "下周/NOUN",
    "last_year": "去年/NOUN",
    "next_year": "明年/NOUN",
    "monday": "星期一/NOUN",
    "sunday": "星期天/NOUN",
    "morning": "早上/NOUN",
    "evening": "晚上/NOUN",
    "every_day": "每/DET 天/NOUN",
    "every_morning": "每/DET/det> 天/NOUN/nmod 早上/NOUN",
    "every_evening": "每/DET/det> 天/NOUN/nmod 晚上/NOUN",
}
FREQUENCIES = {"often": "经常", "always": "总是", "rarely": "很少"}
NUMERALS = {2: "两", 3: "三", 4: "四"}
PRONOUNS = {"he": "他/PRON", "she": "她/PRON", "they": "他们/PRON", "someone": "人/NOUN", "who": "谁/PRON"}
NAMES = {
    "Anna": "安娜",
    "Maria": "玛丽亚",
    "Laura": "劳拉",
    "Elena": "埃琳娜",
    "Sofia": "索菲亚",
    "Julia": "朱莉娅",
    "Nina": "尼娜",
    "Clara": "克拉拉",
    "Marta": "玛尔塔",
    "Peter": "彼得",
    "Thomas": "托马斯",
    "David": "大卫",
    "Daniel": "丹尼尔",
    "Martin": "马丁",
    "Robert": "罗伯特",
    "Victor": "维克托",
    "Paul": "保罗",
    "Oscar": "奥斯卡",
}
SURNAMES = {
    "Weber": "韦伯",
    "Miller": "米勒",
    "Garcia": "加西亚",
    "Rossi": "罗西",
    "Novak": "诺瓦克",
    "Martin": "马丁",
    "London": "伦敦",
    "Ford": "福特",
    "Lopez": "洛佩斯",
    "Keller": "凯勒",
    "Romano": "罗马诺",
    "Berlin": "柏林",
}
CITIES = {
    "Paris": "巴黎",
    "London": "伦敦",
    "Berlin": "柏林",
    "Madrid": "马德里",
    "Rome": "罗马",
    "Moscow": "莫斯科",
    "Tokyo": "东京",
    "Vienna": "维也纳",
    "Lisbon": "里斯本",
    "Prague": "布拉格",
    "Milan": "米兰",
    "Oslo": "奥斯陆",
    "Athens": "雅典",
    "Chicago": "芝加哥",
}
COMPANIES = {
    "Siemens": "西门子",
    "Toyota": "丰田",
    "Nokia": "诺基亚",
    "Samsung": "三星",
    "Ford": "福特",
    "Renault": "雷诺",
    "Sony": "索尼",
    "Airbus": "空客",
    "Bosch": "博世",
    "Fiat": "菲亚特",
}
INSTITUTIONS = {"university": "大学", "bank": "银行", "museum": "博物馆", "theatre": "剧院"}


class Chinese(Grammar):
    code = "zh"
    spaced = False
    stop = "。/PUNCT"
    exclamation_marks = ("", "！/PUNCT")
    question_marks = ("", "？/PUNCT")
    comma = "，/PUNCT"
    listing_comma = "、/PUNCT"
    brackets = ("（/PUNCT", "）/PUNCT")
    interjection = "啊/INTJ"
    conjunction = "和/CCONJ"
    links = {"but": ("，/PUNCT 但是/CCONJ", "conj"), "because": ("，/PUNCT 因为/SCONJ", "advcl")}

    def city(self, name: str) -> list[Token]:
        return tagged(CITIES[name], "PROPN")

    def name(self, phrase: Phrase) -> list[Token]:
        if phrase.kind == "institution":
            return entity(rel("compound", self.city(phrase.city)) + tagged(INSTITUTIONS[phrase.head], "NOUN"), "ORG")
        if phrase.kind == "company":
            return entity(tagged(COMPANIES[phrase.head], "PROPN"), "ORG")
        return person(NAMES[phrase.head], SURNAMES.get(phrase.surname, ""), separator="·/PUNCT")

    def phrase(self, phrase: Phrase) -> list[Token]:
        tokens = self._single(phrase)
        if phrase.also is not None:
            tokens += rel("conj", tagged(self.conjunction) + self.phrase(phrase.also))
        return tokens

    def _single(self, phrase: Phrase) -> list[Token]:
        if phrase.kind == "pronoun":
            return tagged(PRONOUNS[phrase.head])
        if phrase.kind != "noun":
            return self.name(phrase)
        noun, measure = NOUNS[phrase.head].split()
        words = self._attribute(phrase) + tagged(noun, "NOUN")
        if phrase.owner:
            return rel("nmod", self.name(Phrase(phrase.owner, "person")) + tagged("的/PART/case")) + words
        if phrase.number > 1:
            return tagged(f"{NUMERALS[phrase.number]}/NUM/nummod {measure}/NOUN/<clf") + words
        determiner = {"the": "那/DET", "this": "这/DET", "a": "一/NUM/nummod"}.get(phrase.determiner, "")
        return tagged(f"{determiner} {measure}/NOUN/<clf" if determiner else "") + words

    def _attribute(self, phrase: Phrase) -> list[Token]:
        if not phrase.adjective:
            return []
        quality = tagged(ADJECTIVES[phrase.adjective], "ADJ")
        if quality[0].upos == "NOUN":
            return rel("nmod", quality + tagged("的/PART/case"))
        return rel("amod", quality + tagged("的/PART/mark" if len(quality[0].form) > 1 else ""))

    def clause(self, clause: Clause, *, subordinate: bool = False) -> list[Token]:
        time = adverbial(TIMES.get(clause.time, ""))
        if clause.year:
            time = adverbial(f"{clause.year}/NUM/nummod 年/NOUN") + time
        first, time, place = pick_adjuncts(clause, time, adverbial(PLACES.get(clause.place, "")))
        front = first + tagged(self.comma) if first else []
        frequency = tagged(FREQUENCIES.get(clause.frequency, ""), "ADV")
        return front + self._subject(clause.subject) + time + self._predicate(clause, frequency, place)

    def _subject(self, subject: Phrase) -> list[Token]:
        """An indefinite subject needs 有 to introduce it: "there is a teacher", and the teacher does something."""
        if subject.determiner == "a" or subject.head == "someone":
            return rel("advcl", tagged("有/VERB") + rel("obj", self.phrase(subject)))
        return rel("nsubj", self.phrase(subject))

    def _predicate(self, clause: Clause, frequency: list[Token], place: list[Token]) -> list[Token]:
        if clause.kind == "be":
            quality = tagged(ADJECTIVES[clause.adjective], "ADJ")
            if quality[0].upos == "NOUN":
                copula = tagged("不/ADV 是/AUX/cop" if clause.negated else "是/AUX/cop")
                return copula + quality + tagged("的/PART/case")
            return tagged("不/ADV" if clause.negated else "非常/ADV" if clause.very else "很/ADV") + quality
        if clause.kind == "isa":
            noun, measure = NOUNS[clause.role].split()
            copula = tagged(f"{'不/ADV ' if clause.negated else ''}是/AUX/cop 一/NUM/nummod {measure}/NOUN/<clf")
            city = rel("obj", entity(self.city(clause.city), "LOC"))
            return copula + rel("acl", tagged("来自/VERB") + city + tagged("的/PART/mark")) + tagged(noun, "NOUN")
        if clause.kind == "cost":
            return tagged("要/VERB") + rel("obj", tagged(f"{clause.price}/NUM/nummod €/SYM"))
        # 没有 and 不 stand before the place, the aspect particle after the verb
        past = clause.tense == "past" and clause.verb not in ("be_born", "lie")
        if clause.negated:
            helper = (
                "没有/AUX"
                if past
                else "不/ADV 想/AUX"
                if clause.wants
                else "不/ADV 会/AUX"
                if clause.tense == "future"
                else "不/ADV"
            )
        else:
            helper = "想/AUX" if clause.wants else "会/AUX" if clause.tense == "future" else ""
        before = []
        if clause.employer is not None:
            before += rel("obl", tagged("在/ADP") + self.name(clause.employer))
        if clause.origin:
            before += rel("obl", tagged("从/ADP") + entity(self.city(clause.origin), "LOC"))
        verb = tagged(VERBS[clause.verb], "VERB") + tagged("了/AUX" if past and not clause.negated else "")
        after = rel("obj", self.phrase(clause.object)) if clause.object is not None else []
        if clause.verb == "be_born":
            after += rel("obl", tagged("于/ADP") + entity(self.city(clause.city), "LOC"))
        elif clause.goal or clause.city:
            after += rel("obj", entity(self.city(clause.goal or clause.city), "LOC"))
        return frequency + tagged(helper) + place + before + verb + after

    def reported(self, speaker: Phrase, said: Sentence) -> list[Token]:
        return rel("nsubj", self.phrase(speaker)) + tagged("说/VERB") + rel("ccomp", self.linked(said))
