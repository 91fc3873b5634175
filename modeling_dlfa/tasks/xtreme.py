"""XTREME's tasks as data (Hu et al. 2020, arXiv 2003.11080): all nine of the benchmark."""

from .rungs import RUNGS
from .squad import COLUMNS
from .task import HubDataset, Recipe, Task


def english_first(codes: str) -> tuple[str, ...]:
    """Codes of languages in the order of a task: English, then alphabetically."""
    return ("en", *sorted(set(codes.split()) - {"en"}))


_TREEBANKS_NOTE = (
    "Treebanks differ in genre and in their conventions, and part of a gap between languages is only that."
)

XNLI = Task(
    name="xnli",
    kind="pairs",  # pyright: ignore[reportArgumentType]
    languages=english_first("ar bg de el en es fr hi ru sw th tr ur vi zh"),
    labels=("entailment", "neutral", "contradiction"),
    metric="accuracy",
    recipe=Recipe(5, 2e-5, 32, 128, eval_steps=100, seed=42),
    hub=HubDataset(
        "facebook/xnli",
        "{code}",
        columns={"sentence1": "premise", "sentence2": "hypothesis", "label": "label"},
    ),
    label_aliases={"contradictory": "contradiction"},  # the spelling of XNLI's machine-translated files
    together="sentence1",  # three hypotheses, one of each label, were written for a premise
    note="The test pairs are translations from English, and English hypotheses alone give part of the labels away.",
)
PAWSX = Task(
    name="pawsx",
    kind="pairs",  # pyright: ignore[reportArgumentType]
    languages=english_first("de en es fr ja ko zh"),
    labels=("0", "1"),
    metric="accuracy",
    recipe=Recipe(5, 2e-5, 32, 128, eval_steps=200, seed=42),
    hub=HubDataset(
        "google-research-datasets/paws-x",
        "{code}",
        columns={"sentence1": "sentence1", "sentence2": "sentence2", "label": "label"},
    ),
    note="The sentences are Wikipedia's or made from them, and the test pairs are translations from English.",
)
PANX = Task(
    name="panx",
    kind="tags",  # pyright: ignore[reportArgumentType]
    languages=english_first(
        "af ar bg bn de el en es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr ms my nl pt ru sw ta te th tl tr "
        "ur vi yo zh"
    ),
    labels=("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"),
    metric="f1",
    recipe=Recipe(10, 2e-5, 32, 128, eval_steps=1000, seed=1),
    hub=HubDataset("google/xtreme", "PAN-X.{code}", columns={"tokens": "tokens", "tags": "ner_tags"}),
    note=("The entities were marked automatically, from Wikipedia's links: part of what counts as an error is none."),
)
UDPOS = Task(
    name="udpos",
    kind="tags",  # pyright: ignore[reportArgumentType]
    languages=english_first(
        "af ar bg de el en es et eu fa fi fr he hi hu id it ja kk ko mr nl pt ru ta te th tl tr ur vi yo zh"
    ),
    labels=RUNGS["upos"].labels,
    metric="f1",
    metrics=("accuracy", "f1"),
    recipe=Recipe(10, 2e-5, 32, 128, eval_steps=500, seed=1),
    hub=HubDataset(
        "google/xtreme",
        "udpos.{name}",
        columns={"tokens": "tokens", "tags": "pos_tags"},
        missing={"train": ("th", "tl", "yo"), "validation": ("kk", "th", "tl", "yo")},
    ),
    metric_note=(
        "F1 is XTREME's: seqeval spans over the raw tags, not token accuracy. Both are in `all_results.json`."
    ),
    note=_TREEBANKS_NOTE,
)

SQUAD_REPOSITORY = "rajpurkar/squad"
_XQUAD_LANGUAGES = english_first("ar de el en es hi ru th tr vi zh")
_MLQA_LANGUAGES = english_first("ar de en es hi vi zh")
SQUAD_COLUMNS = {name: name for name in COLUMNS}
SQUAD_FILES = {"train": "squad/train-v1.1.json", "validation": "squad/dev-v1.1.json"}
# As in XTREME the model of the last step is taken: XQuAD's test set is made of SQuAD's development data, and those of
# TyDiQA are scored.
# It warms up for 500 updates of some 8,300: their share, so that smaller data reach the peak as well (our choice).
_ANSWERS_RECIPE = Recipe(3, 3e-5, 32, 384, eval_steps=500, warmup_steps=0.06, weight_decay=1e-4)
_ANSWERS_NOTE = "The score is the mean of exact match and F1, XTREME's for questions; both are in `all_results.json`."
_AS_ENGLISH = (
    "Answers are compared as English ones in every language, so that Chinese and Thai ones hardly match in part."
)

XQUAD = Task(
    name="xquad",
    kind="answers",  # pyright: ignore[reportArgumentType]
    languages=_XQUAD_LANGUAGES,
    labels=(),
    recipe=_ANSWERS_RECIPE,
    selects=False,
    hub=HubDataset(
        "google/xquad",
        "xquad.{code}",
        columns=SQUAD_COLUMNS,
        missing=dict.fromkeys(("train", "validation"), _XQUAD_LANGUAGES[1:]),
        splits={"test": "validation"},
        repositories=dict.fromkeys(("train", "validation"), SQUAD_REPOSITORY),
        configs={"train": "plain_text", "validation": "plain_text"},
    ),
    layout={**SQUAD_FILES, "test": "xquad/xquad.{code}.json"},
    metric_note=f"{_ANSWERS_NOTE} {_AS_ENGLISH}",
    note="The test questions are translations from English.",
)
MLQA = Task(
    name="mlqa",
    kind="answers",  # pyright: ignore[reportArgumentType]
    languages=_MLQA_LANGUAGES,
    labels=(),
    metric="em_f1_mlqa",
    recipe=_ANSWERS_RECIPE,
    selects=False,
    hub=HubDataset(
        "facebook/mlqa",
        "mlqa.{code}.{code}",
        columns=SQUAD_COLUMNS,
        missing=dict.fromkeys(("train", "validation"), _MLQA_LANGUAGES[1:]),
        repositories=dict.fromkeys(("train", "validation"), SQUAD_REPOSITORY),
        configs={"train": "plain_text", "validation": "plain_text"},
    ),
    layout={**SQUAD_FILES, "test": "mlqa/MLQA_V1/test/test-context-{code}-question-{code}.json"},
    note="The texts are of each language's Wikipedia, the questions translated from English.",
    metric_note=f"{_ANSWERS_NOTE} Articles and punctuation of each language are left out, as MLQA does it.",
)
TYDIQA = Task(
    name="tydiqa",
    kind="answers",  # pyright: ignore[reportArgumentType]
    languages=english_first("ar bn en fi id ko ru sw te"),
    labels=(),
    recipe=_ANSWERS_RECIPE,
    selects=False,
    hub=HubDataset(
        "google-research-datasets/tydiqa",
        "secondary_task",
        columns=SQUAD_COLUMNS,
        splits={"test": "validation"},
        ids="{name}-",
    ),
    layout={
        "train": "tydiqa/tydiqa-goldp-v1.1-train/tydiqa.goldp.{code}.train.json",
        "validation": "tydiqa/tydiqa-goldp-v1.1-dev/tydiqa.goldp.{code}.dev.json",
        "test": "tydiqa/tydiqa-goldp-v1.1-dev/tydiqa.goldp.{code}.dev.json",
    },
    metric_note=f"{_ANSWERS_NOTE} {_AS_ENGLISH}",
    note="There is no test set: scored are development data, the English part of which is looked at in training.",
)

# Tatoeba's codes, as the Hub's configurations have them.
_OF_TATOEBA = (
    "ar=ara he=heb vi=vie id=ind jv=jav tl=tgl eu=eus ml=mal ta=tam te=tel af=afr nl=nld de=deu el=ell bn=ben hi=hin "
    "mr=mar ur=urd fa=pes fr=fra it=ita pt=por es=spa bg=bul ru=rus ja=jpn ka=kat ko=kor th=tha sw=swh zh=cmn kk=kaz "
    "tr=tur et=est fi=fin hu=hun"
)
_TATOEBA_CODES: dict[str, str] = {pair[:2]: pair[3:] for pair in _OF_TATOEBA.split()}
_COMPARES = Recipe(max_length=512)  # the seed decides nothing
_BUCC_LANGUAGES = ("de", "fr", "ru", "zh")

TATOEBA = Task(
    name="tatoeba",
    kind="retrieval",  # pyright: ignore[reportArgumentType]
    languages=tuple(sorted(_TATOEBA_CODES)),
    labels=(),
    recipe=_COMPARES,
    hub=HubDataset(
        "mteb/tatoeba-bitext-mining",
        "{own}-eng",
        columns={"sentence1": "sentence1", "sentence2": "sentence2"},
        missing=dict.fromkeys(("train", "validation"), tuple(sorted(_TATOEBA_CODES))),
        own_codes=_TATOEBA_CODES,
    ),
    layout={"test": "tatoeba/{code}-en.{code}"},
    metric_note="For every English sentence the nearest foreign one is looked for, as XTREME does it.",
    note="The sentences are short and simple, and a language has 1,000 of them at most, some far fewer.",
)
BUCC2018 = Task(
    name="bucc2018",
    kind="mining",  # pyright: ignore[reportArgumentType]
    languages=_BUCC_LANGUAGES,
    labels=(),
    recipe=_COMPARES,
    hub=HubDataset(
        "mteb/BUCC",
        "{code}-en",
        columns={name: name for name in ("sentence1", "sentence2", "gold")},
        missing=dict.fromkeys(("train", "validation"), _BUCC_LANGUAGES),
    ),
    layout={"validation": "bucc2018/{code}-en.dev.{code}", "test": "bucc2018/{code}-en.test.{code}"},
    metric_note="F1 of the pairs that are mined by the ratio margin of four neighbours.",
    note=(
        "Translated pairs were put into texts of Wikipedia; other pairs in them that translate each other count as "
        "wrong."
    ),
)

XTREME_TASKS: tuple[Task, ...] = (XNLI, PAWSX, PANX, UDPOS, XQUAD, MLQA, TYDIQA, BUCC2018, TATOEBA)
