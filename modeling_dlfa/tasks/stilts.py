"""The intermediate tasks of X-STILTs (Phang et al. 2020, arXiv 2005.13013) as data, and XCOPA with those before it.

What a row's text is, is jiant's choice (nyu-mll/jiant), as are epochs, rate and batch of intermediate tasks. Of the
nine, CCG is not here: CCGbank is licensed (LDC2005T13); `examples/tasks/licensed/ccg.yaml` is for who has it. Many of
the data sets hide the labels of their test rows: then the development data are scored, and the task's note says so.
All are in English but XCOPA's test rows.
"""

from typing import Any

from .kinds.answers import NO_ANSWER
from .task import HubDataset, Recipe, Task
from .xtreme import SQUAD_COLUMNS, SQUAD_FILES, SQUAD_REPOSITORY, english_first


_RECIPE = Recipe(3, 1e-5, 32, 128, eval_steps=500, seed=42)
_LONG = Recipe(3, 1e-5, 32, 256, eval_steps=500, seed=42)
# The model of the last step is taken: XQuAD's test set is made of SQuAD's development data.
_QUESTIONS = Recipe(3, 1e-5, 32, 384, eval_steps=500, seed=42)
_ENGLISH = ("en",)
_NLI = ("entailment", "neutral", "contradiction")
_NLI_COLUMNS = {"sentence1": "premise", "sentence2": "hypothesis", "label": "label"}
_AS_TEST = {"test": "validation"}
_NO_TEST = "There is no test set with labels: scored are the development data that training looks at too."
# Loading scripts no longer run: what the Hub has made of these is on a branch of its own.
_CONVERTED: dict[str, Any] = {"revision": "refs/convert/parquet", "in_folders": True}

_MNLI_DATA = HubDataset(
    "nyu-mll/glue",
    "mnli",
    columns=_NLI_COLUMNS,
    splits={"validation": "validation_matched", "test": "validation_mismatched"},
)
_SNLI_DATA = HubDataset("stanfordnlp/snli", "plain_text", columns=_NLI_COLUMNS, drops_unlabelled=True)

MNLI = Task(
    name="mnli",
    kind="pairs",  # pyright: ignore[reportArgumentType]
    languages=_ENGLISH,
    labels=_NLI,
    recipe=_RECIPE,
    hub=_MNLI_DATA,
    note="Development data are of the genres of training, test data (its mismatched part) of others.",
)
QQP = Task(
    name="qqp",
    kind="pairs",  # pyright: ignore[reportArgumentType]
    languages=_ENGLISH,
    labels=("not_duplicate", "duplicate"),
    recipe=_RECIPE,
    hub=HubDataset(
        "nyu-mll/glue",
        "qqp",
        columns={"sentence1": "question1", "sentence2": "question2", "label": "label"},
        splits=_AS_TEST,
    ),
    note=_NO_TEST,
)
ANLI = Task(
    name="anli-plus",
    kind="pairs",  # pyright: ignore[reportArgumentType]
    languages=_ENGLISH,
    labels=_NLI,
    recipe=_RECIPE,
    hub=HubDataset(
        "facebook/anli",
        "plain_text",
        columns=_NLI_COLUMNS,
        splits={
            split: "+".join(f"{theirs}_r{number}" for number in (1, 2, 3))
            for split, theirs in {"train": "train", "validation": "dev", "test": "test"}.items()
        },
        more=(_MNLI_DATA, _SNLI_DATA),
    ),
    note="Trained on ANLI, then MNLI and SNLI; development and test data are ANLI's three rounds.",
    license="cc-by-nc-4.0",
)
SQUAD = Task(
    name="squad",
    kind="answers",  # pyright: ignore[reportArgumentType]
    languages=_ENGLISH,
    labels=(),
    recipe=_QUESTIONS,
    selects=False,
    hub=HubDataset(SQUAD_REPOSITORY, "plain_text", columns=SQUAD_COLUMNS, splits=_AS_TEST),
    layout={**SQUAD_FILES, "test": SQUAD_FILES["validation"]},
    note=_NO_TEST,
    license="cc-by-sa-4.0",
)
SQUAD2 = Task(
    name="squad2",
    kind="answers",  # pyright: ignore[reportArgumentType]
    languages=_ENGLISH,
    labels=(NO_ANSWER,),
    recipe=_QUESTIONS,
    selects=False,
    hub=HubDataset("rajpurkar/squad_v2", "squad_v2", columns=SQUAD_COLUMNS, splits=_AS_TEST),
    layout={"train": "squad/train-v2.0.json", "validation": "squad/dev-v2.0.json", "test": "squad/dev-v2.0.json"},
    note=_NO_TEST,
    license="cc-by-sa-4.0",
)
HELLASWAG = Task(
    name="hellaswag",
    kind="choices",  # pyright: ignore[reportArgumentType]
    languages=_ENGLISH,
    labels=(),
    recipe=_RECIPE,
    hub=HubDataset(
        "Rowan/hellaswag",
        "default",
        columns={"prompt": "ctx_a", "choices": "{ctx_b} {endings}", "label": "label"},
        splits=_AS_TEST,
        **_CONVERTED,
    ),
    note=_NO_TEST,
    license="mit",
)
COSMOSQA = Task(
    name="cosmosqa",
    kind="choices",  # pyright: ignore[reportArgumentType]
    languages=_ENGLISH,
    labels=(),
    recipe=_LONG,
    hub=HubDataset(
        "allenai/cosmos_qa",
        "default",
        columns={
            "prompt": "{context} {question}",
            "choices": ["answer0", "answer1", "answer2", "answer3"],
            "label": "label",
        },
        splits=_AS_TEST,
        **_CONVERTED,
    ),
    note=_NO_TEST,
    license="cc-by-4.0",
)
COMMONSENSEQA = Task(
    name="commonsenseqa",
    kind="choices",  # pyright: ignore[reportArgumentType]
    languages=_ENGLISH,
    labels=("A", "B", "C", "D", "E"),
    recipe=_RECIPE,
    hub=HubDataset(
        "tau/commonsense_qa",
        "default",
        columns={"prompt": "question", "choices": "{choices[text]}", "label": "answerKey"},
        splits=_AS_TEST,
    ),
    note=_NO_TEST,
    license="mit",
)

# Of XTREME-R: SIQA, then COPA, five epochs each, then scored on XCOPA's languages.
_XCOPA_RECIPE = Recipe(5, 2e-5, 32, 128, eval_steps=100, seed=42)
_COPA_COLUMNS = {"prompt": "{premise} {question}", "choices": ["choice1", "choice2"], "label": "label"}
_XCOPA_LANGUAGES = english_first("et ht id it qu sw ta th tr vi zh")
_COPA_WORDS = {"question": {"cause": "What was the cause of this?", "effect": "What happened as a result?"}}

SIQA = Task(
    name="siqa",
    kind="choices",  # pyright: ignore[reportArgumentType]
    languages=_ENGLISH,
    labels=("1", "2", "3"),
    recipe=_XCOPA_RECIPE,
    hub=HubDataset(
        "allenai/social_i_qa",
        "default",
        columns={
            "prompt": "{context} {question}",
            "choices": ["answerA", "answerB", "answerC"],
            "label": "label",
        },
        splits=_AS_TEST,
        **_CONVERTED,
    ),
    note=_NO_TEST,
)
COPA = Task(
    name="copa",
    kind="choices",  # pyright: ignore[reportArgumentType]
    languages=_ENGLISH,
    labels=(),
    recipe=_XCOPA_RECIPE,
    hub=HubDataset("aps/super_glue", "copa", columns=_COPA_COLUMNS, words=_COPA_WORDS, splits=_AS_TEST),
    note=_NO_TEST,
    license="bsd-2-clause",
)
XCOPA = Task(
    name="xcopa",
    kind="choices",  # pyright: ignore[reportArgumentType]
    languages=_XCOPA_LANGUAGES,
    labels=(),
    recipe=_XCOPA_RECIPE,
    hub=HubDataset(
        "cambridgeltl/xcopa",
        "{code}",
        columns=_COPA_COLUMNS,
        words=_COPA_WORDS,
        repositories=dict.fromkeys(("train", "validation"), "aps/super_glue"),
        configs=dict.fromkeys(("train", "validation"), "copa"),
        missing={**dict.fromkeys(("train", "validation"), _XCOPA_LANGUAGES[1:]), "test": _ENGLISH},
    ),
    note="Trained on English COPA, in XTREME-R after SIQA. Test rows are translations; the questions stay English.",
    license="cc-by-4.0",
)

INTERMEDIATE_TASKS: tuple[Task, ...] = (MNLI, QQP, ANLI, SQUAD, SQUAD2, HELLASWAG, COSMOSQA, COMMONSENSEQA)
OTHER_TASKS: tuple[Task, ...] = (SIQA, COPA, XCOPA)
