"""The intermediate tasks on the Hub: a small data set of each on a test server, with the columns and types of its own.

What the columns are is in the tables of the data sets' cards; rows are made up.
"""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, Features, List, Value

from modeling_dlfa.data.sources import open_source
from modeling_dlfa.tasks.registry import TASKS
from modeling_dlfa.tasks.stilts import INTERMEDIATE_TASKS, OTHER_TASKS
from modeling_dlfa.tasks.task import SPLITS, task_of_definition
from tests.data.test_hub_data import Repository, feature, labels
from tests.hub import HubServer


ROOT = Path(__file__).resolve().parents[2]
NLI = ("entailment", "neutral", "contradiction")
TEXT, NUMBER = Value("string"), Value("int32")
CONVERTED = "refs/convert/parquet"


def parquet(features: dict[str, Any], *rows: dict[str, Any]) -> bytes:
    content = io.BytesIO()
    Dataset.from_list(list(rows), features=Features(features)).to_parquet(content)
    return content.getvalue()


def copy(row: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**row, **changes}


def nli(*given: int) -> dict[str, list]:
    return {
        "premise": [f"p{number}" for number in range(len(given))],
        "hypothesis": [f"h{number}" for number in range(len(given))],
        "label": list(given),
    }


NLI_FEATURES = [feature("premise", "string"), feature("hypothesis", "string"), feature("label", labels(NLI))]
TEXTS = [feature(name, "string") for name in ("premise", "choice1", "choice2", "question")]
HELLASWAG = {
    "ind": 1, "activity_label": "Roof", "ctx_a": "A man sits.", "ctx_b": "he", "ctx": "A man sits. he",
    "endings": ["stands.", "flies.", "sings.", "swims."], "source_id": "s", "split": "train", "split_type": "in",
    "label": "3",
}  # fmt: skip
COSMOS = {
    "id": "1", "context": "It rained.", "question": "Why?", **{f"answer{n}": f"a{n}" for n in range(4)}, "label": 2,
}  # fmt: skip
SIQA = {"context": "Pia ran.", "question": "Why?", "answerA": "a", "answerB": "b", "answerC": "c", "label": "2"}


def fill(hub: HubServer) -> None:
    glue, anli, snli, super_glue, xcopa = (Repository() for _ in range(5))
    dev = {"validation_matched": nli(0, 1), "validation_mismatched": nli(2, 0)}
    glue.add("mnli", NLI_FEATURES, {"train": nli(0, 1, 2), **dev, "test_matched": nli(-1)})
    questions = [feature("question1", "string"), feature("question2", "string")]
    pairs = {"question1": ["a?"] * 2, "question2": ["b?"] * 2}
    of_qqp = {"train": pairs | {"label": [0, 1]}, "validation": pairs | {"label": [1, 0]}}
    of_qqp["test"] = pairs | {"label": [-1, -1]}
    glue.add("qqp", [*questions, feature("label", labels(("not_duplicate", "duplicate")))], of_qqp)
    rounds = {f"{split}_r{n}": nli(*[n - 1] * n) for split in ("train", "dev", "test") for n in (1, 2, 3)}
    anli.add("plain_text", NLI_FEATURES, rounds)
    snli.add("plain_text", NLI_FEATURES, {split: nli(-1, 2, -1, 0) for split in ("train", "validation", "test")})
    options = {"label": list("ABCDE"), "text": ["one", "two", "three", "four", "five"]}
    hub.add(
        "dataset",
        "tau/commonsense_qa",
        {
            f"data/{split}-00000-of-00001.parquet": parquet(
                {
                    **dict.fromkeys(("id", "question", "question_concept"), TEXT),
                    "choices": {"label": List(TEXT), "text": List(TEXT)},
                    "answerKey": TEXT,
                },
                {"id": "1", "question": "Where?", "question_concept": "x", "choices": options, "answerKey": key},
            )
            for split, key in (("train", "D"), ("validation", "B"), ("test", ""))
        },
    )
    of_squad = {
        **dict.fromkeys(("id", "title", "context", "question"), TEXT),
        "answers": {"text": List(TEXT), "answer_start": List(NUMBER)},
    }
    row: dict[str, Any] = {"id": "q", "title": "T", "context": "Maria sings.", "question": "Who?"}
    row["answers"] = {"text": ["Maria"], "answer_start": [0]}
    nothing = copy(row, answers={"text": [], "answer_start": []})
    for name, config, one in (("squad", "plain_text", row), ("squad_v2", "squad_v2", nothing)):
        files = {f"{config}/{split}-0.parquet": parquet(of_squad, one) for split in ("train", "validation")}
        splits = [{"split": split, "path": f"{config}/{split}-*"} for split in ("train", "validation")]
        card = {"configs": [{"config_name": config, "data_files": splits}]}
        hub.add("dataset", f"rajpurkar/{name}", files | {"README.md": f"---\n{json.dumps(card)}\n---\n".encode()})
    copa = {"premise": ["It rained."] * 2, "choice1": ["I got wet."] * 2, "choice2": ["I won."] * 2}
    copa |= {"question": ["cause", "effect"], "idx": [0, 1]}
    features = [*TEXTS, feature("idx", "int32"), feature("label", labels(("choice1", "choice2")))]
    of_copa = {split: copa | {"label": [0, 1]} for split in ("train", "validation")}
    super_glue.add("copa", features, of_copa | {"test": copa | {"label": [-1, -1]}})
    plain = [*TEXTS, feature("label", "int32"), feature("idx", "int32"), feature("changed", "bool")]
    for language in ("et", "zh"):
        translated = copa | {"premise": [f"{language} rained."] * 2, "label": [0, 1], "changed": [False] * 2}
        xcopa.add(language, plain, {"validation": translated, "test": translated})
    for name, repository in {
        "nyu-mll/glue": glue,
        "facebook/anli": anli,
        "stanfordnlp/snli": snli,
        "aps/super_glue": super_glue,
        "cambridgeltl/xcopa": xcopa,
    }.items():
        hub.add("dataset", name, repository.everything())
    texts = dict.fromkeys(
        ("activity_label", "ctx_a", "ctx_b", "ctx", "source_id", "split", "split_type", "label"), TEXT
    )
    converted: dict[str, tuple[dict[str, Any], dict[str, Any], Any]] = {
        "Rowan/hellaswag": ({"ind": NUMBER, **texts, "endings": List(TEXT)}, HELLASWAG, ""),
        "allenai/cosmos_qa": ({**dict.fromkeys(COSMOS, TEXT), "label": NUMBER}, COSMOS, -1),
        "allenai/social_i_qa": (dict.fromkeys(SIQA, TEXT), SIQA, None),
    }
    for name, (features, one, hidden) in converted.items():
        hub.add("dataset", name, {f"{name.rpartition('/')[2]}.py": b"raise SystemExit\n"})
        splits = {"train": one, "validation": one} | ({} if hidden is None else {"test": copy(one, label=hidden)})
        files = {f"default/{split}/0000.parquet": parquet(features, row) for split, row in splits.items()}
        hub.add("dataset", name, files, branch=CONVERTED)


LOAD = """
import json, sys
from modeling_dlfa.errors import InputError
from modeling_dlfa.data.sources import open_source
from modeling_dlfa.tasks.registry import TASKS

source, answers = open_source("hub"), []
for name, split, language in json.loads(sys.argv[1]):
    try:
        rows = source.load(TASKS[name], split, language).to_list()
        assert len(source.fingerprint(TASKS[name], split, language)) == 16
        answers.append(rows)
    except InputError as error:
        answers.append(str(error))
print(json.dumps(answers))
"""
WANTED = [
    (task.name, split, "en") for task in (*INTERMEDIATE_TASKS, *OTHER_TASKS) for split in ("train", "validation")
]
WANTED += [(task.name, "test", "en") for task in (*INTERMEDIATE_TASKS, *OTHER_TASKS) if task.name != "xcopa"]
WANTED += [("xcopa", "test", language) for language in ("et", "zh", "en")]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple, Any]:
    """The rows of every task and split, all loaded in one fresh process."""
    with HubServer() as hub:
        fill(hub)
        done = subprocess.run(
            [sys.executable, "-c", LOAD, json.dumps(WANTED)],
            env=hub.environment(tmp_path_factory.mktemp("home")) | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=600,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(zip(WANTED, json.loads(done.stdout.splitlines()[-1]), strict=True))


def labels_of(rows: list[dict[str, Any]]) -> list[int]:
    assert isinstance(rows, list), rows
    return [row["label"] for row in rows]


def choice(prompt: str, choices: list[str], label: int) -> dict[str, Any]:
    return {"id": "", "prompt": prompt, "choices": choices, "label": label}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mnli", {"train": [0, 1, 2], "validation": [0, 1], "test": [2, 0]}),
        ("qqp", {"train": [0, 1], "validation": [1, 0], "test": [1, 0]}),
        # three rounds, then MNLI, then SNLI without the rows that have no label
        ("anli-plus", {"train": [0, 1, 1, 2, 2, 2, 0, 1, 2, 2, 0], "validation": [0, 1, 1, 2, 2, 2]}),
    ],
)
def test_pairs(answers, name: str, expected: dict[str, list[int]]):
    for split, given in expected.items():
        assert labels_of(answers[name, split, "en"]) == given, split


OF_QUESTIONS = {"squad": ["Maria"], "squad2": []}


@pytest.mark.parametrize("name", OF_QUESTIONS)
@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_questions(answers, name: str, split: str):
    (row,) = answers[name, split, "en"]
    assert (row["question"], row["context"], row["texts"]) == ("Who?", "Maria sings.", OF_QUESTIONS[name])


ROWS = {
    "hellaswag": [choice("A man sits.", ["he stands.", "he flies.", "he sings.", "he swims."], 3)],
    "cosmosqa": [choice("It rained. Why?", ["a0", "a1", "a2", "a3"], 2)],
    "siqa": [choice("Pia ran. Why?", ["a", "b", "c"], 1)],
    "copa": [
        choice("It rained. What was the cause of this?", ["I got wet.", "I won."], 0),
        choice("It rained. What happened as a result?", ["I got wet.", "I won."], 1),
    ],
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_choices(answers, name: str, split: str):
    assert answers[name, split, "en"] == ROWS[name]


@pytest.mark.parametrize(("split", "label"), [("train", 3), ("validation", 1), ("test", 1)])
def test_the_choices_of_commonsenseqa_are_an_object(answers, split: str, label: int):
    assert answers["commonsenseqa", split, "en"] == [choice("Where?", ["one", "two", "three", "four", "five"], label)]


def test_xcopa_is_trained_on_copa(answers):
    assert answers["xcopa", "train", "en"] == answers["xcopa", "validation", "en"] == ROWS["copa"]
    for language in ("et", "zh"):
        prompts = [row["prompt"] for row in answers["xcopa", "test", language]]
        assert prompts[0] == f"{language} rained. What was the cause of this?"
    assert (
        "xcopa has no test data for 'en' in cambridgeltl/xcopa: there is et, ht, id" in answers["xcopa", "test", "en"]
    )


OF_ALL_LANGUAGES = [
    (task, split)
    for task in TASKS.values()
    for split in SPLITS
    if task.hub is not None and not task.hub.ids and "{" not in task.hub.configs.get(split, task.hub.config)
]


@pytest.mark.parametrize(("task", "split"), OF_ALL_LANGUAGES, ids=str)
def test_what_does_not_name_the_language_has_the_training_language_alone(task, split: str):
    assert open_source("hub").languages(task, split) == [task.train_language]


@pytest.mark.parametrize("task", [*INTERMEDIATE_TASKS, *OTHER_TASKS], ids=str)
def test_a_definition_is_read_back(task):
    again = task_of_definition(json.loads(json.dumps(task.definition())))
    assert again.definition() == task.definition() and again.hub is not None
    assert again.hub == task_of_definition(again.definition()).hub
    if task.name == "anli-plus":
        assert [one.path for one in again.hub.parts("train")] == ["facebook/anli", "nyu-mll/glue", "stanfordnlp/snli"]
        assert len(again.hub.parts("test")) == 1
