"""`--data hub` through the real `datasets` client: small data sets on a test server, laid out as the Hub's are."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from datasets import ClassLabel, Dataset, Features, List, Value

from modeling_dlfa.data.folder import FolderSource
from modeling_dlfa.tasks.registry import TASKS
from modeling_dlfa.tasks.task import FILE_PREFIXES
from modeling_dlfa.training.__main__ import main
from tests import forks
from tests.conftest import TAG_WORDS
from tests.hub import HubServer
from tests.of_kinds import task_features


ROOT = Path(__file__).resolve().parents[2]
# Labels in the order of the Hub's cards, not of the package.
XNLI = ("entailment", "neutral", "contradiction")
PANX = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
UDPOS = (
    "ADJ",
    "ADP",
    "ADV",
    "AUX",
    "CCONJ",
    "DET",
    "INTJ",
    "NOUN",
    "NUM",
    "PART",
    "PRON",
    "PROPN",
    "PUNCT",
    "SCONJ",
    "SYM",
    "VERB",
    "X",
)
UD_UPOS = (*reversed(UDPOS), "_")


def labels(names: tuple[str, ...]) -> dict[str, Any]:
    return {"class_label": {"names": {str(index): name for index, name in enumerate(names)}}}


def feature(name: str, kind: Any, sequence: bool = False) -> dict[str, Any]:
    """A column as the YAML of a card declares it."""
    return {"name": name, "sequence" if sequence else "dtype": kind}


PAIRS = [feature("premise", "string"), feature("hypothesis", "string")]
TOKENS, LANGS = (feature(name, "string", sequence=True) for name in ("tokens", "langs"))
FEATURES = {
    "xnli": [*PAIRS, feature("label", labels(XNLI))],
    "pawsx": [
        feature("id", "int32"),
        feature("sentence1", "string"),
        feature("sentence2", "string"),
        feature("label", labels(("0", "1"))),
    ],
    "panx": [TOKENS, feature("ner_tags", labels(PANX), sequence=True), LANGS],
    "udpos": [TOKENS, feature("pos_tags", labels(UDPOS), sequence=True)],
}
ANSWERS = {
    "name": "answers",
    "sequence": [{"name": "text", "dtype": "string"}, {"name": "answer_start", "dtype": "int32"}],
}
QUESTIONS = [feature(name, "string") for name in ("id", "title", "context", "question")] + [ANSWERS]
FEATURES["wikiann"] = [*FEATURES["panx"], feature("spans", "string", sequence=True)]


class Repository:
    """Parquet files that say nothing of labels, and a card that does: one configuration is one folder."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.card: dict[str, list] = {"dataset_info": [], "configs": []}

    def add(self, config: str, features: list[dict], splits: dict[str, dict[str, list]]) -> None:
        about, patterns = [], []
        for split, columns in splits.items():
            table = pa.table(columns)
            content = io.BytesIO()
            pq.write_table(table, content)
            self.files[f"{config}/{split}-00000-of-00001.parquet"] = content.getvalue()
            about.append({"name": split, "num_bytes": table.nbytes, "num_examples": len(table)})
            patterns.append({"split": split, "path": f"{config}/{split}-*"})
        sizes = {"download_size": 1, "dataset_size": 1}
        self.card["dataset_info"].append({"config_name": config, "features": features, "splits": about, **sizes})
        self.card["configs"].append({"config_name": config, "data_files": patterns})

    def everything(self) -> dict[str, bytes]:
        return self.files | {"README.md": f"---\n{yaml.safe_dump(self.card)}---\n# Data\n".encode()}


def raw(name: str, rows: Dataset, language: str) -> dict[str, list]:
    """The rows of a folder as the Hub has them."""
    task = TASKS[name]

    def renumbered(ids: list[int], order: tuple[str, ...]) -> list[int]:
        return [order.index(task.labels[index]) for index in ids]

    if name == "xnli":
        sentences = {"premise": rows["sentence1"][:], "hypothesis": rows["sentence2"][:]}
        return sentences | {"label": renumbered(rows["label"][:], XNLI)}
    if task.kind.name == "answers":
        pairs = zip(rows["texts"][:], rows["starts"][:], strict=True)
        answers = [{"text": texts, "answer_start": starts} for texts, starts in pairs]
        texts = {column: rows[column][:] for column in ("id", "context", "question")}
        return texts | {"title": ["letters"] * len(rows), "answers": answers}
    if name == "pawsx":
        return {"id": list(range(len(rows))), **{column: rows[column][:] for column in rows.column_names}}
    column, order = ("ner_tags", PANX) if name == "panx" else ("pos_tags", UDPOS)
    columns = {"tokens": rows["tokens"][:], column: [renumbered(ids, order) for ids in rows["tags"]]}
    return columns | ({"langs": [[language] * len(tokens) for tokens in rows["tokens"]]} if name == "panx" else {})


TAG_OF = {word: tag for tag, word in TAG_WORDS["udpos"].items()}


def trees(rows: Dataset) -> bytes:
    """Trees as the Hub's conversion of a loading script leaves them: no card, types in the file, heads as strings."""
    task = TASKS["uddep"]
    features = {name: List(Value("string")) for name in ("tokens", "head", "deprel")}
    upos = List(ClassLabel(names=list(UD_UPOS)))
    columns = {
        "tokens": rows["tokens"][:],
        "upos": [[UD_UPOS.index(TAG_OF[token[0]]) for token in tokens] for tokens in rows["tokens"]],
        "head": [[str(head) for head in heads] for heads in rows["heads"]],
        "deprel": [[task.labels[index] for index in ids] for ids in rows["relations"]],
    }
    content = io.BytesIO()
    Dataset.from_dict(columns, features=Features({**features, "upos": upos})).to_parquet(content)
    return content.getvalue()


def fill(hub: HubServer, folder: FolderSource) -> None:
    def splits(name: str, language: str) -> dict[str, dict[str, list]]:
        there = [split for split in FILE_PREFIXES if language in folder.languages(TASKS[name], split)]
        return {split: raw(name, folder.load(TASKS[name], split, language), language) for split in there}

    xnli, pawsx, xtreme, wikiann = (Repository() for _ in range(4))
    for language, english in (("en", "English"), ("de", "German")):
        xnli.add(language, FEATURES["xnli"], splits("xnli", language))
        pawsx.add(language, FEATURES["pawsx"], splits("pawsx", language))
        xtreme.add(f"PAN-X.{language}", FEATURES["panx"], splits("panx", language))
        xtreme.add(f"udpos.{english}", FEATURES["udpos"], splits("udpos", language))
        spans = {split: columns | {"spans": columns["langs"]} for split, columns in splits("panx", language).items()}
        wikiann.add(language, FEATURES["wikiann"], dict(sorted(spans.items(), reverse=True)))

    german = splits("xnli", "de")
    for language in DISTURBED:
        marked = [f"{language} {premise}" for premise in german["test"]["premise"]]  # the client knows equal files
        xnli.add(language, FEATURES["xnli"], {"test": german["test"] | {"premise": marked}})
    names = [XNLI[label] for label in german["validation"]["label"]]
    xnli.add("fr", [*PAIRS, feature("label", "string")], {"validation": german["validation"] | {"label": names}})
    reversed_ids = [2 - label for label in german["validation"]["label"]]
    reversed_names = [*PAIRS, feature("label", labels(XNLI[::-1]))]
    xnli.add("vi", reversed_names, {"validation": german["validation"] | {"label": reversed_ids}})
    xnli.add("hi", [*PAIRS, feature("label", "int64")], german)
    xnli.add("ru", FEATURES["xnli"], {"test": german["test"]})
    xnli.add("zh", FEATURES["pawsx"], {"test": splits("pawsx", "de")["test"]})
    xnli.add("th", FEATURES["pawsx"], {"test": german["test"]})
    xnli.add("sw", FEATURES["xnli"], {"test": german["test"]})
    xnli.files["sw/test-00000-of-00001.parquet"] = b"version https://git-lfs.github.com/spec/v1\n"
    words = splits("udpos", "de")["test"]
    tags = [[UDPOS[tag] for tag in ids] for ids in words["pos_tags"]]
    xtreme.add("udpos.French", [TOKENS, feature("pos_tags", "string", True)], {"test": words | {"pos_tags": tags}})

    squad, xquad, mlqa, tydiqa = (Repository() for _ in range(4))
    english = splits("xquad", "en")
    squad.add("plain_text", QUESTIONS, {split: english[split] for split in ("train", "validation")})
    for language in ("en", "de"):
        xquad.add(f"xquad.{language}", QUESTIONS, {"validation": splits("xquad", language)["test"]})
        mlqa.add(f"mlqa.{language}.{language}", QUESTIONS, {"test": splits("mlqa", language)["test"]})
    mixed = {
        column: [*splits("tydiqa", "ru")["test"][column], *values]
        for column, values in splits("tydiqa", "en")["test"].items()
    }
    tydiqa.add("secondary_task", QUESTIONS, {"train": splits("tydiqa", "en")["train"], "validation": mixed})
    hub.add("dataset", "rajpurkar/squad", squad.everything())
    hub.add("dataset", "google/xquad", xquad.everything())
    hub.add("dataset", "facebook/mlqa", mlqa.everything())
    hub.add("dataset", "google-research-datasets/tydiqa", tydiqa.everything())

    hub.add("dataset", "facebook/xnli", xnli.everything())
    hub.add("dataset", "google-research-datasets/paws-x", pawsx.everything())
    hub.add("dataset", "google/xtreme", xtreme.everything())
    hub.add("dataset", "unimelb-nlp/wikiann", wikiann.everything())
    hub.add("dataset", "tester/private", wikiann.everything(), private=True)
    files = {"de_gsd/test/0000.parquet": trees(folder.load(TASKS["uddep"], "test", "de"))}
    name = "universal-dependencies/universal_dependencies"
    hub.add("dataset", name, {"universal_dependencies.py": b"raise SystemExit\n"})
    hub.add("dataset", name, files, branch="refs/convert/parquet")


# Reads [task, split, language, repository or null] from the command line, one after the other in one process.
LOAD = """
import json, sys
from dataclasses import replace
from modeling_dlfa.errors import InputError
from modeling_dlfa.data.sources import open_source
from modeling_dlfa.tasks.registry import TASKS

source, answers = open_source("hub"), []
for name, split, language, repository in json.loads(sys.argv[1]):
    task = TASKS[name]
    if repository:
        task = replace(task, hub=replace(task.hub, path=repository, config="{code}"))
    try:
        rows = source.load(task, split, language)
        answers.append({"columns": rows.to_dict(), "features": str(rows.features)})
    except InputError as error:
        answers.append({"error": str(error)})
    except Exception as error:
        answers.append({"crash": repr(error)})
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def hub(xtreme_folder: Path) -> Iterator[HubServer]:
    with HubServer() as server:
        fill(server, FolderSource(xtreme_folder))
        yield server


WIKIANN = "unimelb-nlp/wikiann"
GOOD = [(name, split, "en", None) for name in ("xnli", "pawsx", "panx", "udpos") for split in FILE_PREFIXES]
GOOD += [(name, split, "de", None) for name in ("xnli", "pawsx", "panx", "udpos") for split in ("validation", "test")]
GOOD += [("panx", split, "en", WIKIANN) for split in FILE_PREFIXES] + [("uddep", "test", "de", None)]
GOOD += [("xquad", split, "en", None) for split in FILE_PREFIXES]
GOOD += [("xquad", "test", "de", None), ("mlqa", "test", "de", None), ("tydiqa", "train", "en", None)]
GOOD += [("tydiqa", "test", "en", None), ("tydiqa", "test", "ru", None)]
BY_NAME = [("xnli", "validation", "fr", None), ("udpos", "test", "fr", None), ("xnli", "validation", "vi", None)]

LOST = "cannot load facebook/xnli, {}, {} from the Hub ({}"
REFUSED = {
    ("udpos", "train", "th", None): "udpos has no train data for 'th' in google/xtreme: there is en, af, ar, bg, de,",
    ("xquad", "train", "de", None): "xquad has no train data for 'de' in rajpurkar/squad: there is en",
    ("tydiqa", "test", "fi", None): "google-research-datasets/tydiqa, secondary_task, validation: no data",
    ("panx", "test", "pl", None): "panx has no test data for 'pl' in google/xtreme: there is en, af, ar, bg, bn, de,",
    ("xnli", "test", "es", None): LOST.format("es", "test", "ValueError: BuilderConfig 'es' not found. Available: ['"),
    ("xnli", "validation", "ru", None): LOST.format("ru", "validation", 'ValueError: Unknown split "validation"'),
    ("xnli", "test", "hi", None): "facebook/xnli, hi, test: unknown label '0'; seen 0, 1, 2; expected entailment,",
    (
        "xnli",
        "test",
        "zh",
        None,
    ): "facebook/xnli, zh, test: no column 'premise'; found id, sentence1, sentence2, label",
    ("xnli", "test", "th", None): LOST.format("th", "test", "CastError: Couldn't cast premise: string hypothesis: "),
    ("xnli", "test", "sw", None): LOST.format("sw", "test", "ArrowInvalid: Could not open Parquet input source"),
    ("panx", "test", "de", "tester/private"): "cannot load tester/private, de, test from the Hub (DatasetNotFoundErro",
}

# How the download of a language's test data is disturbed, and the error that it comes to, if any, at the first try.
DISTURBED = {
    "el": ({"after_bytes": 300}, None),
    "bg": ({"status": 500}, "HfHubHTTPError: Server error '500"),
    "tr": ({"after_bytes": 300, "times": 6}, "RemoteProtocolError: peer closed connection without"),
}


@pytest.fixture(scope="module")
def environment(hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Of processes that load from the server, into one cache."""
    own = hub.environment(tmp_path_factory.mktemp("home"))
    return own | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def answers(hub: HubServer, environment: dict[str, str]) -> dict[tuple, list[dict]]:
    """What every request was answered with, once or twice, in one process."""
    for language, (how, _) in DISTURBED.items():
        hub.fail("GET", f"/{language}/test-", **how)
    wanted = [*GOOD, *BY_NAME, *REFUSED, *[("xnli", "test", language, None) for language in DISTURBED] * 2]
    done = forks.run(["-c", LOAD, json.dumps(wanted)], environment=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    assert not list(Path(environment["HF_HOME"]).rglob("*.incomplete"))
    found: dict[tuple, list[dict]] = {}
    for request, answer in zip(wanted, json.loads(done.stdout.splitlines()[-1]), strict=True):
        found.setdefault(request, []).append(answer)
    return found


def expected(xtreme_folder: Path, name: str, split: str, language: str) -> dict[str, Any]:
    rows = FolderSource(xtreme_folder).load(TASKS[name], split, language)
    return {"columns": rows.to_dict(), "features": str(task_features(TASKS[name]))}


@pytest.mark.parametrize("request_", GOOD, ids=str)
def test_rows_and_label_types_are_those_of_a_folder(answers, xtreme_folder: Path, request_: tuple):
    name, split, language, _ = request_
    assert answers[request_] == [expected(xtreme_folder, name, split, language)]


@pytest.mark.parametrize("request_", BY_NAME, ids=str)
def test_labels_may_be_strings_or_in_another_order(answers, xtreme_folder: Path, request_: tuple):
    name, split, _, _ = request_
    assert answers[request_] == [expected(xtreme_folder, name, split, "de")]


@pytest.mark.parametrize("request_", REFUSED, ids=str)
def test_what_is_not_there_is_one_line(answers, request_: tuple):
    (answer,) = answers[request_]
    assert answer.keys() == {"error"}, answer
    assert answer["error"].startswith(REFUSED[request_]) and "\n" not in answer["error"]


@pytest.mark.parametrize("language", DISTURBED)
def test_a_disturbed_download_is_repeated_or_refused_and_leaves_nothing_wrong(
    answers, xtreme_folder: Path, language: str
):
    first, second = answers["xnli", "test", language, None]
    whole = expected(xtreme_folder, "xnli", "test", "de")
    whole["columns"]["sentence1"] = [f"{language} {sentence}" for sentence in whole["columns"]["sentence1"]]
    _, error = DISTURBED[language]
    if error is None:
        assert first == whole
    else:
        assert first.keys() == {"error"}, first
        assert first["error"].startswith(LOST.format(language, "test", error)) and "\n" not in first["error"]
        assert first["error"].endswith("check the network, or give a folder or 'sample' as data")
    assert second == whole


def test_a_run_scores_as_with_a_folder(
    environment: dict[str, str], tiny_encoder: str, xtreme_folder: Path, tmp_path: Path
):
    argv = ["--task", "udpos", "--languages", "en,de", "--model_name_or_path", tiny_encoder, "--pooling", "mean"]
    argv += ["--num_train_epochs", "2", "--learning_rate", "5e-3", "--max_length", "16", "--use_cpu"]
    command = [ROOT / "run_xtreme.py", *argv, "--data", "hub", "--output_dir", tmp_path / "hub"]
    done = forks.run(command, environment=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    assert main([*argv, "--data", str(xtreme_folder), "--output_dir", str(tmp_path / "folder")]) == 0
    online, offline = (
        json.loads((tmp_path / name / "all_results.json").read_text(encoding="utf-8")) for name in ("hub", "folder")
    )
    assert online["data"] == "hub"
    assert online["all_metrics"].keys() == {"en", "de"} and online["all_metrics"] == offline["all_metrics"]
