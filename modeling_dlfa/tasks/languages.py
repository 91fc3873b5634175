"""The languages of XTREME and XTREME-R: names, families and scripts, and the order in which tables show them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import InputError, shortened


@dataclass(frozen=True)
class Language:
    """One language.

    Attributes:
        code: two-letter ISO 639-1 code, as in XTREME's file names.
        name: English name as Universal Dependencies writes it; `google/xtreme` names its udpos configs with it.
        family: language family; Indo-European, which holds half of XTREME, is given by branch ("IE: Germanic").
        script: English name of the script of the benchmark's texts.
    """

    code: str
    name: str
    family: str
    script: str


# In the order of the tables: Germanic with English first, the other branches of Indo-European, then the rest.
_TABLE = """
    en English     IE: Germanic     Latin
    af Afrikaans   IE: Germanic     Latin
    de German      IE: Germanic     Latin
    nl Dutch       IE: Germanic     Latin
    es Spanish     IE: Romance      Latin
    fr French      IE: Romance      Latin
    it Italian     IE: Romance      Latin
    pt Portuguese  IE: Romance      Latin
    ro Romanian    IE: Romance      Latin
    bg Bulgarian   IE: Slavic       Cyrillic
    pl Polish      IE: Slavic       Latin
    ru Russian     IE: Slavic       Cyrillic
    uk Ukrainian   IE: Slavic       Cyrillic
    lt Lithuanian  IE: Baltic       Latin
    el Greek       IE: Greek        Greek
    bn Bengali     IE: Indo-Aryan   Bengali
    gu Gujarati    IE: Indo-Aryan   Gujarati
    hi Hindi       IE: Indo-Aryan   Devanagari
    mr Marathi     IE: Indo-Aryan   Devanagari
    pa Punjabi     IE: Indo-Aryan   Gurmukhi
    ur Urdu        IE: Indo-Aryan   Arabic
    fa Persian     IE: Iranian      Arabic
    et Estonian    Uralic           Latin
    fi Finnish     Uralic           Latin
    hu Hungarian   Uralic           Latin
    az Azerbaijani Turkic           Latin
    kk Kazakh      Turkic           Cyrillic
    tr Turkish     Turkic           Latin
    ar Arabic      Afro-Asiatic     Arabic
    he Hebrew      Afro-Asiatic     Hebrew
    ml Malayalam   Dravidian        Malayalam
    ta Tamil       Dravidian        Tamil
    te Telugu      Dravidian        Telugu
    ka Georgian    Kartvelian       Georgian
    eu Basque      Basque           Latin
    id Indonesian  Austronesian     Latin
    jv Javanese    Austronesian     Latin
    ms Malay       Austronesian     Latin
    tl Tagalog     Austronesian     Latin
    vi Vietnamese  Austro-Asiatic   Latin
    th Thai        Kra-Dai          Thai
    my Burmese     Sino-Tibetan     Burmese
    zh Chinese     Sino-Tibetan     Han
    ja Japanese    Japonic          Japanese
    ko Korean      Koreanic         Hangul
    sw Swahili     Niger-Congo      Latin
    wo Wolof       Niger-Congo      Latin
    yo Yoruba      Niger-Congo      Latin
    qu Quechua     Quechuan         Latin
    ht Haitian     Creole           Latin
"""


def _read_table() -> dict[str, Language]:
    languages = {}
    for line in _TABLE.strip().splitlines():
        code, name, *family, script = line.split()
        languages[code] = Language(code, name, " ".join(family), script)
    return languages


LANGUAGES: dict[str, Language] = _read_table()
"""Code -> Language for every language of xnli, pawsx, panx and udpos in XTREME and XTREME-R, in table order."""

OTHER_FAMILY = "Other"
CODE = "[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*"


def check_code(code: object, where: str) -> str:
    """The code of a language itself, which need not be one of `LANGUAGES`: "de", "zh-Hant", "en_gum".

    Args:
        where: it stands, for messages.

    Raises:
        InputError: it can be none: codes become names of files, and stand in cards and tables.
    """
    if not isinstance(code, str) or not re.fullmatch(CODE, code) or len(code) > LONGEST_CODE:
        raise InputError(
            f"{where}: {shortened(str(code))} is no code of a language: expected letters, digits, - and _"
        )
    return code


LONGEST_CODE = 35  # RFC 5646


def language_name(code: str) -> str:
    """English name of a language; one that is not in `LANGUAGES` is called by its code."""
    return LANGUAGES[code].name if code in LANGUAGES else code


def language_label(code: str, train_language: str | None = None) -> str:
    """How tables call a language: "de German", "en English *" for the training language, a code without a name."""
    name = code if language_name(code) == code else f"{code} {language_name(code)}"
    return f"{name} *" if code == train_language else name


def by_family(codes: Iterable[str]) -> dict[str, list[str]]:
    """Group language codes by family, in the order of the tables (English and Germanic first).

    Codes that are not in `LANGUAGES` come last, alphabetically, under "Other".
    """
    given = set(codes)
    groups: dict[str, list[str]] = {}
    for code, language in LANGUAGES.items():
        if code in given:
            groups.setdefault(language.family, []).append(code)
    if others := sorted(given - LANGUAGES.keys()):
        groups[OTHER_FAMILY] = others
    return groups
