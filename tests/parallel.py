"""Sentences in the words of the tiny encoder, and others that mean the same: the same words the other way round."""

import random
from pathlib import Path


WORDS = [f"{letter}{number}" for letter in "vdopnal" for number in range(6)]


def sentences(name: str, count: int) -> list[str]:
    """So many different sentences."""
    draw = random.Random(name)
    found: dict[str, None] = {}
    while len(found) < count:
        found[" ".join(draw.sample(WORDS, draw.choice((3, 4, 6))))] = None
    return list(found)


def translation(sentence: str) -> str:
    return " ".join(reversed(sentence.split()))


def write_tatoeba(root: Path, languages: tuple[str, ...], count: int = 20) -> None:
    """XTREME's three files for each language: English sorted, the others in an order of their own."""
    folder = root / "tatoeba"
    folder.mkdir(parents=True, exist_ok=True)
    for code in languages:
        english = sorted(sentences(f"tatoeba {code}", count))
        order = random.Random(code).sample(range(count), count)  # place of a translation -> which it is
        texts = {
            f"{code}-en.en": english,
            f"{code}-en.{code}": [translation(english[one]) for one in order],
            f"test-{code}.tsv": [str(order.index(number)) for number in range(count)],
        }
        for name, lines in texts.items():
            (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def write_bucc(root: Path, languages: tuple[str, ...], pairs: int = 8, alone: int = 12) -> None:
    """XTREME's files: two corpora for development and two that are scored, with the pairs in them."""
    folder = root / "bucc2018"
    folder.mkdir(parents=True, exist_ok=True)
    for code in languages:
        for split in ("dev", "test"):
            texts = sentences(f"bucc {code} {split}", pairs + 2 * alone)
            sides = {
                code: [*map(translation, texts[:pairs]), *texts[pairs : pairs + alone]],
                "en": texts[:pairs] + texts[pairs + alone :],
            }
            places = {side: random.Random(f"{code} {side}").sample(range(len(s)), len(s)) for side, s in sides.items()}
            for side, corpus in sides.items():
                lines = [f"{side}-{row:04d}\t{corpus[one]}\n" for row, one in enumerate(places[side])]
                (folder / f"{code}-en.{split}.{side}").write_text("".join(lines), encoding="utf-8")
            gold = [
                "\t".join(f"{side}-{places[side].index(number):04d}" for side in (code, "en")) + "\n"
                for number in range(pairs)
            ]
            (folder / f"{code}-en.{split}.gold").write_text("".join(gold), encoding="utf-8")
