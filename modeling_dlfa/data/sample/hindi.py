"""Hindi: verb-final, postpositions with oblique forms, ergative "ने" in the past tense; tags as in UD Hindi-PUD."""

from .frames import Clause, Phrase, Sentence
from .grammar import Grammar, Token, adverbial, entity, person, pick_adjuncts, rel, tagged


# concept: gender; direct and oblique singular; direct and oblique plural
NOUNS = {
    "teacher": "m शिक्षक शिक्षक शिक्षक शिक्षकों",
    "doctor": "m डॉक्टर डॉक्टर डॉक्टर डॉक्टरों",
    "student": "f छात्रा छात्रा छात्राएँ छात्राओं",
    "farmer": "m किसान किसान किसान किसानों",
    "writer": "f लेखिका लेखिका लेखिकाएँ लेखिकाओं",
    "cook": "m रसोइया रसोइए रसोइए रसोइयों",
    "child": "m बच्चा बच्चे बच्चे बच्चों",
    "nurse": "f नर्स नर्स नर्सें नर्सों",
    "engineer": "m इंजीनियर इंजीनियर इंजीनियर इंजीनियरों",
    "lawyer": "m वकील वकील वकील वकीलों",
    "singer": "f गायिका गायिका गायिकाएँ गायिकाओं",
    "neighbour": "m पड़ोसी पड़ोसी पड़ोसी पड़ोसियों",
    "brother": "m भाई भाई भाई भाइयों",
    "sister": "f बहन बहन बहनें बहनों",
    "mother": "f माँ माँ माँएँ माँओं",
    "friend": "m दोस्त दोस्त दोस्त दोस्तों",
    "book": "f किताब किताब किताबें किताबों",
    "letter": "m पत्र पत्र पत्र पत्रों",
    "newspaper": "m अख़बार अख़बार अख़बार अख़बारों",
    "poem": "f कविता कविता कविताएँ कविताओं",
    "apple": "m सेब सेब सेब सेबों",
    "egg": "m अंडा अंडे अंडे अंडों",
    "fish": "f मछली मछली मछलियाँ मछलियों",
    "cake": "m केक केक केक केकों",
    "orange": "m संतरा संतरे संतरे संतरों",
    "pear": "f नाशपाती नाशपाती नाशपातियाँ नाशपातियों",
    "fruit": "m फल फल फल फलों",
    "car": "f कार कार कारें कारों",
    "bicycle": "f साइकिल साइकिल साइकिलें साइकिलों",
    "boat": "f नाव नाव नावें नावों",
    "dog": "m कुत्ता कुत्ते कुत्ते कुत्तों",
    "cat": "f बिल्ली बिल्ली बिल्लियाँ बिल्लियों",
    "horse": "m घोड़ा घोड़े घोड़े घोड़ों",
    "animal": "m जानवर जानवर जानवर जानवरों",
    "rose": "m गुलाब गुलाब गुलाब गुलाबों",
    "tulip": "m ट्यूलिप ट्यूलिप ट्यूलिप ट्यूलिपों",
    "flower": "m फूल फूल फूल फूलों",
    "table": "f मेज़ मेज़ मेज़ें मेज़ों",
    "chair": "f कुर्सी कुर्सी कुर्सियाँ कुर्सियों",
    "lamp": "m लैंप लैंप लैंप लैंपों",
    "shirt": "f क़मीज़ क़मीज़ क़मीज़ें क़मीज़ों",
    "bag": "m थैला थैले थैले थैलों",
    "clock": "f घड़ी घड़ी घड़ियाँ घड़ियों",
    "hat": "f टोपी टोपी टोपियाँ टोपियों",
    "door": "m दरवाज़ा दरवाज़े दरवाज़े दरवाज़ों",
    "window": "f खिड़की खिड़की खिड़कियाँ खिड़कियों",
    "box": "m डिब्बा डिब्बे डिब्बे डिब्बों",
    "suitcase": "m सूटकेस सूटकेस सूटकेस सूटकेसों",
    "house": "m मकान मकान मकान मकानों",
}
# concept: stem, future without its ending (singular, plural), perfective m, m plural, f, f plural
VERBS = {
    "read": "पढ़ पढ़े पढ़ें पढ़ा पढ़े पढ़ी पढ़ीं",
    "write": "लिख लिखे लिखें लिखा लिखे लिखी लिखीं",
    "eat": "खा खाए खाएँ खाया खाए खाई खाईं",
    "buy": "ख़रीद ख़रीदे ख़रीदें ख़रीदा ख़रीदे ख़रीदी ख़रीदीं",
    "sell": "बेच बेचे बेचें बेचा बेचे बेची बेचीं",
    "find": "पा पाए पाएँ पाया पाए पाई पाईं",
    "lose": "खो खोए खोएँ खोया खोए खोई खोईं",
    "open": "खोल खोले खोलें खोला खोले खोली खोलीं",
    "paint": "रँग रँगे रँगें रँगा रँगे रँगी रँगीं",
    "wash": "धो धोए धोएँ धोया धोए धोई धोईं",
    "see": "देख देखे देखें देखा देखे देखी देखीं",
    "search": "ढूँढ ढूँढे ढूँढें ढूँढा ढूँढे ढूँढी ढूँढीं",
    "understand": "समझ समझे समझें समझा समझे समझी समझीं",
    "sleep": "सो सोए सोएँ सोया सोए सोई सोईं",
    "sing": "गा गाए गाएँ गाया गाए गाई गाईं",
    "dance": "नाच नाचे नाचें नाचा नाचे नाची नाचीं",
    "laugh": "हँस हँसे हँसें हँसा हँसे हँसी हँसीं",
    "swim": "तैर तैरे तैरें तैरा तैरे तैरी तैरीं",
    "cry": "रो रोए रोएँ रोया रोए रोई रोईं",
    "go": "जा जाए जाएँ गया गए गई गईं",
    "return": "लौट लौटे लौटें लौटा लौटे लौटी लौटीं",
    "be_born": "हो हो हों हुआ हुए हुई हुईं",
    "do": "कर करे करें किया किए की कीं",
}
# verbs made of "do" and a word before it; those with a noun link their object with का or की and agree with the noun
WITH_DO = {
    "close": ("बंद/ADJ", "", ""),
    "repair": ("ठीक/ADJ", "", ""),
    "work": ("काम/NOUN", "", "m"),
    "wait": ("इंतज़ार/NOUN", "", "m"),
    "greet": ("अभिवादन/NOUN", "का/ADP", "m"),
    "found": ("स्थापना/NOUN", "की/ADP", "f"),
}
NOT_ERGATIVE = ("sleep", "dance", "laugh", "swim", "cry", "go", "return", "be_born")
# direct masculine, other masculine, feminine; the others do not inflect
ADJECTIVES = {
    "new": "नया नए नई",
    "old": "पुराना पुराने पुरानी",
    "big": "बड़ा बड़े बड़ी",
    "small": "छोटा छोटे छोटी",
    "red": "लाल",
    "cheap": "सस्ता सस्ते सस्ती",
    "beautiful": "सुंदर",
    "white": "सफ़ेद",
    "expensive": "महँगा महँगे महँगी",
    "young": "युवा",
    "famous": "मशहूर",
    "rich": "अमीर",
    "happy": "ख़ुश",
    "strong": "ताक़तवर",
}
PLACES = {
    "park": "पार्क/NOUN में/ADP",
    "garden": "बग़ीचे/NOUN में/ADP",
    "market": "बाज़ार/NOUN में/ADP",
    "station": "स्टेशन/NOUN पर/ADP",
    "library": "पुस्तकालय/NOUN में/ADP",
    "kitchen": "रसोई/NOUN में/ADP",
    "beach": "समुद्र/NOUN/compound तट/NOUN पर/ADP",
    "village": "गाँव/NOUN में/ADP",
}
TIMES = {
    "yesterday": "कल/NOUN",
    "today": "आज/NOUN",
    "tomorrow": "कल/NOUN",
    "last_week": "पिछले/ADJ/amod हफ़्ते/NOUN",
    "next_week": "अगले/ADJ/amod हफ़्ते/NOUN",
    "last_year": "पिछले/ADJ/amod साल/NOUN",
    "next_year": "अगले/ADJ/amod साल/NOUN",
    "monday": "सोमवार/NOUN को/ADP",
    "sunday": "रविवार/NOUN को/ADP",
    "morning": "सुबह/NOUN",
    "evening": "शाम/NOUN को/ADP",
    "every_day": "हर/DET दिन/NOUN",
    "every_morning": "हर/DET सुबह/NOUN",
    "every_evening": "हर/DET शाम/NOUN",
}
FREQUENCIES = {"often": "अक्सर", "always": "हमेशा", "rarely": "कभी-कभार"}
NUMERALS = {2: "दो", 3: "तीन", 4: "चार"}
# direct, with ने
PRONOUNS = {
    "he": ("वह", "उसने"),
    "she": ("वह", "उसने"),
    "they": ("वे", "उन्होंने"),
    "someone": ("कोई", "किसी ने/ADP"),
    "who": ("कौन", "किसने"),
}
NAMES = {
    "Anna": "अन्ना",
    "Maria": "मारिया",
    "Laura": "लौरा",
    "Elena": "एलेना",
    "Sofia": "सोफ़िया",
    "Julia": "जूलिया",
    "Nina": "नीना",
    "Clara": "क्लारा",
    "Marta": "मार्टा",
    "Peter": "पीटर",
    "Thomas": "थॉमस",
    "David": "डेविड",
    "Daniel": "डैनियल",
    "Martin": "मार्टिन",
    "Robert": "रॉबर्ट",
    "Victor": "विक्टर",
    "Paul": "पॉल",
    "Oscar": "ऑस्कर",
}
SURNAMES = {
    "Weber": "वेबर",
    "Miller": "मिलर",
    "Garcia": "गार्सिया",
    "Rossi": "रॉसी",
    "Novak": "नोवाक",
    "Martin": "मार्टिन",
    "London": "लंदन",
    "Ford": "फ़ोर्ड",
    "Lopez": "लोपेज़",
    "Keller": "केलर",
    "Romano": "रोमानो",
    "Berlin": "बर्लिन",
}
CITIES = {
    "Paris": "पेरिस",
    "London": "लंदन",
    "Berlin": "बर्लिन",
    "Madrid": "मैड्रिड",
    "Rome": "रोम",
    "Moscow": "मॉस्को",
    "Tokyo": "टोक्यो",
    "Vienna": "वियना",
    "Lisbon": "लिस्बन",
    "Prague": "प्राग",
    "Milan": "मिलान",
    "Oslo": "ओस्लो",
    "Athens": "एथेंस",
    "Chicago": "शिकागो",
}
COMPANIES = {
    "Siemens": "सीमेंस",
    "Toyota": "टोयोटा",
    "Nokia": "नोकिया",
    "Samsung": "सैमसंग",
    "Ford": "फ़ोर्ड",
    "Renault": "रेनॉल्ट",
    "Sony": "सोनी",
    "Airbus": "एयरबस",
    "Bosch": "बॉश",
    "Fiat": "फ़िएट",
}
INSTITUTIONS = {
    "university": "विश्वविद्यालय/NOUN",
    "bank": "बैंक/NOUN",
    "museum": "संग्रहालय/NOUN",
    "theatre": "थिएटर/NOUN",
}
NE, KO = "ने/ADP", "को/ADP"


class Hindi(Grammar):
    code = "hi"
    stop = "।/PUNCT"
    interjection = "अरे/INTJ"
    conjunction = "और/CCONJ"
    links = {"but": (",/PUNCT लेकिन/CCONJ", "conj"), "because": (",/PUNCT क्योंकि/SCONJ", "advcl")}

    def city(self, name: str) -> list[Token]:
        return tagged(CITIES[name], "PROPN")

    def name(self, phrase: Phrase) -> list[Token]:
        if phrase.kind == "institution":
            return entity(rel("compound", self.city(phrase.city)) + tagged(INSTITUTIONS[phrase.head]), "ORG")
        if phrase.kind == "company":
            return entity(tagged(COMPANIES[phrase.head], "PROPN"), "ORG")
        return person(NAMES[phrase.head], SURNAMES.get(phrase.surname, ""))

    def phrase(self, phrase: Phrase, postposition: str = "") -> list[Token]:
        """The phrase; before a postposition, which both conjuncts share, in its oblique form."""
        if phrase.kind == "pronoun":
            return tagged(PRONOUNS[phrase.head][postposition == NE], "PRON")
        tokens = self._single(phrase, oblique=bool(postposition))
        if phrase.also is not None:
            second = self._single(phrase.also, oblique=bool(postposition))
            tokens += rel("conj", tagged(self.conjunction) + second)
        return tokens + tagged(postposition)

    def _single(self, phrase: Phrase, oblique: bool) -> list[Token]:
        if phrase.kind != "noun":
            return self.name(phrase)
        gender, *forms = NOUNS[phrase.head].split()
        several = phrase.number > 1
        words = rel("amod", self._adjective(phrase.adjective, gender, direct=not oblique and not several))
        words += tagged(forms[oblique + 2 * several], "NOUN")
        if phrase.owner:
            of = "की" if gender == "f" else "के" if oblique else "का"
            return rel("nmod", person(NAMES[phrase.owner], "") + tagged(of, "ADP")) + words
        if several:
            return tagged(NUMERALS[phrase.number], "NUM/nummod") + words
        determiner = {"a": "एक", "this": "इस" if oblique else "यह"}.get(phrase.determiner, "")
        return tagged(determiner, "DET") + words

    def _adjective(self, adjective: str, gender: str, direct: bool = True) -> list[Token]:
        if not adjective:
            return []
        forms = ADJECTIVES[adjective].split()
        return tagged(forms[0] if len(forms) == 1 else forms[2] if gender == "f" else forms[not direct], "ADJ")

    def _gender(self, phrase: Phrase) -> str:
        if phrase.also is not None:
            first = self._gender(Phrase(phrase.head, phrase.kind))
            return "f" if first == self._gender(phrase.also) == "f" else "m"
        if phrase.kind == "noun":
            return NOUNS[phrase.head].split()[0]
        return "f" if phrase.female else "m"

    def clause(self, clause: Clause, *, subordinate: bool = False) -> list[Token]:
        time = adverbial(TIMES.get(clause.time, ""))
        if clause.year:
            time = adverbial(f"{clause.year}/NUM में/ADP") + time
        first, time, place = pick_adjuncts(clause, time, adverbial(PLACES.get(clause.place, "")))
        frequency = tagged(FREQUENCIES.get(clause.frequency, ""), "ADV")
        if clause.kind == "cost":
            price = rel("nsubj", rel("nmod", self.phrase(clause.subject, "की/ADP")) + tagged("क़ीमत/NOUN"))
            return price + tagged(f"{clause.price}/NUM/nummod €/SYM है/AUX/cop")
        ergative = (
            clause.kind == "act" and clause.tense == "past" and not clause.wants and clause.verb not in NOT_ERGATIVE
        )
        subject = rel("nsubj", self.phrase(clause.subject, NE if ergative else ""))
        return first + subject + time + frequency + place + self._predicate(clause, ergative)

    def _predicate(self, clause: Clause, ergative: bool) -> list[Token]:
        plural, gender = clause.subject.plural, self._gender(clause.subject)
        negation = tagged("नहीं/PART/advmod" if clause.negated else "")
        copula = tagged("हैं/AUX/cop" if plural else "है/AUX/cop")
        if clause.kind == "be":
            quality = self._adjective(clause.adjective, gender, direct=not plural)
            return tagged("बहुत/ADV" if clause.very else "") + quality + negation + copula
        if clause.kind == "isa":
            of = tagged("की/ADP" if clause.subject.female else "के/ADP" if plural else "का/ADP")
            city = rel("nmod", entity(self.city(clause.city), "LOC") + of)
            return city + self.phrase(Phrase(clause.role, determiner="a")) + negation + copula
        if clause.verb == "lie":
            city = rel("obl", entity(self.city(clause.city), "LOC") + tagged("में/ADP"))
            return city + tagged("स्थित/ADJ") + negation + copula
        before, link, fixed = WITH_DO.get(clause.verb, ("", "", ""))
        patient = clause.object
        if patient is not None:
            marker = link or (KO if patient.human else "")
            complements = rel("nmod" if link else "obj", self.phrase(patient, marker))
            if ergative and not marker:
                patients = [patient] if patient.also is None else [patient, patient.also]
                last = patients[-1]  # the verb agrees with the nearest conjunct
                gender, plural = self._gender(Phrase(last.head)), last.number > 1
            elif ergative:
                gender, plural = "m", False
        else:
            complements = []
            if ergative:
                gender, plural = "m", False
        if ergative and fixed:
            gender, plural = fixed, False
        if clause.employer is not None:
            complements += rel("obl", self.phrase(clause.employer, "में/ADP"))
        for city, postposition in ((clause.origin, "से"), (clause.goal, ""), (clause.city, "में")):
            if city:
                complements += rel("obl", entity(self.city(city), "LOC") + tagged(postposition, "ADP"))
        before = tagged("पैदा/ADJ" if clause.verb == "be_born" else before)
        # the object that a postposition links belongs to the noun, any other to the verb
        complements = rel("compound", complements + before) if link else complements + rel("compound", before)
        if clause.wants:
            infinitive = VERBS["do" if clause.verb in WITH_DO else clause.verb].split()[0] + "ना"
            complements = rel("xcomp", complements + tagged(infinitive, "VERB"))
        return complements + negation + self._verb(clause, gender, plural)

    def _verb(self, clause: Clause, gender: str, plural: bool) -> list[Token]:
        stem, future, futures, *perfective = VERBS["do" if clause.verb in WITH_DO else clause.verb].split()
        vowel = "ी" if gender == "f" else "े" if plural else "ा"
        copula = [] if clause.negated else tagged("हैं/AUX" if plural else "है/AUX")
        if clause.wants:
            return tagged(f"चाहत{vowel}/VERB") + copula
        if clause.tense == "present":
            return tagged(f"{stem}त{vowel}/VERB") + copula
        if clause.tense == "future":
            return tagged(f"{futures if plural else future}ग{vowel}/VERB")
        return tagged(perfective[plural + 2 * (gender == "f")], "VERB")

    def reported(self, speaker: Phrase, said: Sentence) -> list[Token]:
        ending = "ी" if self._gender(speaker) == "f" else "े" if speaker.plural else "ा"
        says = tagged(f"कहत{ending}/VERB {'हैं' if speaker.plural else 'है'}/AUX")
        return rel("nsubj", self.phrase(speaker)) + says + rel("ccomp", tagged("कि/SCONJ") + self.linked(said))
