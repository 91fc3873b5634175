"""The vocabulary of the sample, the same for all languages: which concepts there are and what goes with what.

A concept is named by an English word in lower case ("book"), a name by its English spelling ("Anna"). Every language
module has a word for every concept. Those in HELD_OUT occur in validation and test only, so that the training set does
not show the whole vocabulary.
"""

PERSON_NOUNS = (
    "teacher", "doctor", "student", "farmer", "writer", "cook", "child", "nurse",
    "engineer", "lawyer", "singer", "neighbour",
)  # fmt: skip
KIN = ("brother", "sister", "mother", "friend")
FEMALE_NOUNS = frozenset({"doctor", "student", "writer", "nurse", "singer", "sister", "mother"})

FEMALE_NAMES = ("Anna", "Maria", "Laura", "Elena", "Sofia", "Julia", "Nina", "Clara", "Marta")
MALE_NAMES = ("Peter", "Thomas", "David", "Daniel", "Martin", "Robert", "Victor", "Paul", "Oscar")
GIVEN_NAMES = FEMALE_NAMES + MALE_NAMES
# London, Berlin and Ford are also a city or a company; Martin is also a given name.
SURNAMES = (
    "Weber",
    "Miller",
    "Garcia",
    "Rossi",
    "Novak",
    "Martin",
    "London",
    "Ford",
    "Lopez",
    "Keller",
    "Romano",
    "Berlin",
)
CITIES = (
    "Paris", "London", "Berlin", "Madrid", "Rome", "Moscow", "Tokyo", "Vienna",
    "Lisbon", "Prague", "Milan", "Oslo", "Athens", "Chicago",
)  # fmt: skip
COMPANIES = ("Siemens", "Toyota", "Nokia", "Samsung", "Ford", "Renault", "Sony", "Airbus", "Bosch", "Fiat")
INSTITUTIONS = ("university", "bank", "museum", "theatre")  # of a city

HYPERNYMS = {
    "apple": "fruit", "orange": "fruit", "pear": "fruit",
    "dog": "animal", "cat": "animal", "horse": "animal",
    "rose": "flower", "tulip": "flower",
}  # fmt: skip
ANIMALS = ("dog", "cat", "horse", "animal", "fish")

_GOODS = (
    "book newspaper apple egg fish cake car bicycle dog cat rose table chair lamp shirt bag box house "
    "orange pear boat horse tulip clock hat suitcase poem letter"
)
_PEOPLE = " ".join(PERSON_NOUNS)
# The objects of each transitive verb. Names of persons fit wherever "teacher" does.
OBJECTS = {
    verb: tuple(nouns.split())
    for verb, nouns in {
        "read": "book letter newspaper poem",
        "write": "book letter poem",
        "eat": "apple egg fish cake orange pear",
        "buy": _GOODS.removesuffix(" poem letter"),
        "sell": _GOODS.removesuffix(" poem letter"),
        "find": _GOODS.replace(" house", ""),
        "lose": "book letter newspaper dog cat bicycle shirt bag lamp horse clock hat suitcase",
        "open": "door window box bag letter suitcase",
        "close": "door window box bag book suitcase",
        "paint": "house door window chair table box boat bicycle",
        "wash": "car bicycle shirt apple dog cat window chair table bag orange pear horse hat",
        "repair": "car bicycle chair table lamp door window house boat clock",
        "see": f"{_GOODS} {_PEOPLE}",
        "search": f"{_GOODS} {_PEOPLE}".replace(" house", ""),
        "greet": _PEOPLE,
        "understand": _PEOPLE,
    }.items()
}
INTRANSITIVE = ("sleep", "work", "sing", "dance", "wait", "laugh", "swim", "cry")
MOTION = ("go", "return")
OTHER_VERBS = ("be_born", "found", "lie")  # "lie": to be located
VERBS = (*OBJECTS, *INTRANSITIVE, *MOTION, *OTHER_VERBS)
PERSON_VERBS = ("see", "search", "greet", "understand")
HABITUAL = ("read", "write", "eat", "open", "close", "wash", "see", *INTRANSITIVE)  # fit for the present tense
ANTONYM_VERBS = {"buy": "sell", "sell": "buy", "open": "close", "close": "open", "find": "lose", "lose": "find"}

THING_ADJECTIVES = ("new", "old", "big", "small", "red", "cheap", "beautiful", "white", "expensive")
PERSON_ADJECTIVES = ("young", "famous", "rich", "happy", "strong")
ATTRIBUTIVE_OF_PERSONS = ("young", "famous", "happy")
COLOURS = ("red", "white")
ADJECTIVES = THING_ADJECTIVES + PERSON_ADJECTIVES
ANTONYM_ADJECTIVES = {
    "new": "old",
    "old": "new",
    "big": "small",
    "small": "big",
    "cheap": "expensive",
    "expensive": "cheap",
}

_ALIVE_OR_EATEN = (*HYPERNYMS, *ANIMALS, "egg", "cake")  # neither new nor old
_COLOURLESS = (*ANIMALS, "orange", "pear", "egg", "poem", "letter", "newspaper")


def adjectives_for(*nouns: str) -> tuple[str, ...]:
    """The adjectives that fit all these things."""
    unfit: set[str] = set()
    for noun in nouns:
        unfit |= {"new", "old"} if noun in _ALIVE_OR_EATEN else set()
        unfit |= set(COLOURS) if noun in _COLOURLESS else set()
    return tuple(adjective for adjective in THING_ADJECTIVES if adjective not in unfit)


PLACES = ("park", "garden", "market", "station", "library", "kitchen", "beach", "village")
PLACES_OF = {
    "read": ("park", "garden", "library", "kitchen", "station", "beach"),
    "write": ("park", "garden", "library", "kitchen"),
    "eat": ("park", "garden", "kitchen", "station", "beach"),
    "buy": ("market", "station", "village"),
    "sell": ("market", "station", "village"),
    "work": ("park", "garden", "market", "station", "library", "kitchen", "village"),
    "swim": (),
}
TIMES = {
    "past": ("yesterday", "last_week", "monday", "morning", "today", "last_year", "sunday", "evening"),
    "present": ("every_day", "every_morning", "every_evening"),
    "future": ("tomorrow", "next_week", "monday", "next_year", "sunday", "evening"),
}
ALL_TIMES = tuple(sorted({time for times in TIMES.values() for time in times}))
FREQUENCIES = ("often", "always", "rarely")

HELD_OUT = frozenset(
    {
        "engineer", "lawyer", "singer", "neighbour", "Nina", "Clara", "Marta", "Victor", "Paul", "Oscar",
        "Lopez", "Keller", "Romano", "Berlin", "Lisbon", "Prague", "Milan", "Oslo", "Athens", "Chicago", "Sony",
        "Airbus", "Bosch", "Fiat", "poem", "orange", "pear", "boat", "horse", "tulip", "clock",
        "hat", "suitcase", "swim", "cry", "repair", "return", "white", "expensive", "strong", "beach",
        "village", "sunday", "evening", "last_year", "next_year", "every_evening", "rarely",
    }
)  # fmt: skip
