"""Parallel sentences of the sample and of the Hub, through the real `datasets` client and a test server."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from datasets import Dataset

from modeling_dlfa.data import sample
from modeling_dlfa.data.sample.source import SampleSource
from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.registry import get_task
from tests.hub import HubServer


ROOT = Path(__file__).resolve().parents[2]
OTHERS = [code for code in sample.LANGUAGES if code != "en"]
TATOEBA, BUCC = get_task("tatoeba"), get_task("bucc2018")


@pytest.mark.parametrize("language", OTHERS)
def test_tatoebas_sample_is_parallel_and_says_nothing_twice(language: str):
    rows = sample.parallel("tatoeba", "test", language)
    assert len(rows) == 150
    english = [row["sentence2"] for row in rows]
    assert english == [row["sentence2"] for row in sample.parallel("tatoeba", "test", "de")]
    for column in (english, [row["sentence1"] for row in rows]):
        assert len(set(column)) == 150 and all(column)
    assert sum(row["sentence1"] == row["sentence2"] for row in rows) == 0


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize("language", OTHERS)
def test_buccs_sample_hides_pairs_in_two_corpora(language: str, split: str):
    (row,) = sample.parallel("bucc2018", split, language)
    sizes = sample.PARALLEL["bucc2018"][split]
    foreign, english, gold = row["sentence1"], row["sentence2"], row["gold"]
    assert len(gold) == sizes["pairs"]
    assert (len(foreign), len(english)) == (sizes["pairs"] + sizes["foreign"], sizes["pairs"] + sizes["english"])
    assert len(set(foreign)) == len(foreign) and len(set(english)) == len(english)
    for side, corpus in enumerate((foreign, english)):
        places = [pair[side] for pair in gold]
        assert len(set(places)) == len(places) and set(places) <= set(range(1, len(corpus) + 1))
    assert [pair[0] for pair in gold] != [pair[1] for pair in gold]


def test_the_sample_as_a_source():
    source = SampleSource()
    for task, splits in ((TATOEBA, ["test"]), (BUCC, ["validation", "test"])):
        for split in ("train", "validation", "test"):
            assert set(source.languages(task, split)) == (set(OTHERS) if split in splits else set())
    rows = source.load(TATOEBA, "test", "fr")
    assert rows["sentence2"][:] == sorted(rows["sentence2"]) and sorted(rows["place"]) == list(range(150))
    assert source.fingerprint(TATOEBA, "test", "fr") != source.fingerprint(TATOEBA, "test", "de")


@pytest.mark.parametrize(
    "asked",
    [("udpos", "test", "de"), ("tatoeba", "train", "de"), ("tatoeba", "test", "en"), ("bucc2018", "dev", "de")],
)
def test_what_the_sample_lacks(asked: tuple[str, str, str]):
    with pytest.raises(InputError, match="^the sample has no"):
        sample.parallel(*asked)


# ---------------------------------------------------------------- the Hub


def repository(config: str, columns: dict[str, list]) -> dict[str, bytes]:
    content = io.BytesIO()
    Dataset.from_dict(columns).to_parquet(content)
    card = {"configs": [{"config_name": config, "data_files": [{"split": "test", "path": f"{config}/test-*"}]}]}
    return {
        f"{config}/test-00000-of-00001.parquet": content.getvalue(),
        "README.md": f"---\n{yaml.safe_dump(card)}---\n# Data\n".encode(),
    }


LOAD = """
import json
from modeling_dlfa.data.sources import open_source
from modeling_dlfa.tasks.registry import get_task

source, answers = open_source("hub"), {}
for name, language in (("tatoeba", "zh"), ("bucc2018", "de")):
    task = get_task(name)
    answers[name] = source.load(task, "test", language).to_list()
    answers[f"{name} languages"] = [source.languages(task, split) for split in ("validation", "test")]
print(json.dumps(answers))
"""


def test_the_hubs_parallel_sentences(tmp_path: Path):
    with HubServer() as hub:
        tatoeba = {"sentence1": ["猫 ", "狗"], "sentence2": ["the cat", "a dog"]}
        hub.add("dataset", "mteb/tatoeba-bitext-mining", repository("cmn-eng", tatoeba))
        bucc = {"sentence1": [["Hund", "Katze"]], "sentence2": [["cat", "mouse"]], "gold": [[[2, 1]]]}
        hub.add("dataset", "mteb/BUCC", repository("de-en", bucc))
        done = subprocess.run(
            [sys.executable, "-c", LOAD],
            env=hub.environment(tmp_path) | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=600,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    answers = json.loads(done.stdout.splitlines()[-1])
    assert answers["tatoeba"] == [
        {"sentence1": "狗", "sentence2": "a dog", "place": 1},
        {"sentence1": "猫", "sentence2": "the cat", "place": 0},
    ]
    assert answers["tatoeba languages"] == [[], list(TATOEBA.languages)] and len(TATOEBA.languages) == 36
    assert [row["partners"] for row in answers["bucc2018"]] == [[], ["en-000000001"], [], []]
    assert answers["bucc2018 languages"] == [[], ["de", "fr", "ru", "zh"]]
