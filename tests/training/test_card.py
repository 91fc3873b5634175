"""The model card: what huggingface_hub reads back, and what it says."""

import ast
import re
import runpy
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import ModelCard, ModelCardData
from markdown_it import MarkdownIt

from modeling_dlfa.tasks.kinds import get_kind
from modeling_dlfa.tasks.registry import TASKS
from modeling_dlfa.tasks.task import Task
from modeling_dlfa.training.card import REPOSITORY, model_card
from modeling_dlfa.training.results import RunResults, averages
from tests.of_kinds import hub_of


def results(task: str = "udpos", **changes) -> RunResults:
    names = {
        "udpos": ("f1", "accuracy", "precision", "recall"),
        "panx": ("f1", "precision", "recall"),
        "uddep": ("las", "uas"),
        "uddep-arcs": ("uas",),
        **dict.fromkeys(("xquad", "tydiqa", "squad", "squad2"), ("em_f1", "exact_match", "f1")),
        "mlqa": ("em_f1_mlqa", "exact_match", "f1"),
        "bucc2018": ("f1", "precision", "recall"),
    }
    metrics = names.get(task, ("accuracy",))
    scores = {"en": 90.123, "de": 70.456, "zh": 20.5}
    values = {
        "task": task,
        "eval_split": "test",
        "metric": TASKS[task].metric,
        "scores": scores,
        **averages(scores, "en"),
        "all_metrics": {code: {name: value + i for i, name in enumerate(metrics)} for code, value in scores.items()},
        "support": {"en": 100, "de": 101, "zh": 102},
        "chance_level": ["zh"],
        "development_score": 91.0,
        "encoder": "google-bert/bert-base-multilingual-cased",
        "fusion": "aif",
        "fusion_layer": 8,
        "model_config": {"pooling": "cls"},
        "seed": 1,
        "train_language": "en",
        "train_samples": 2000,
        "train_runtime": 12.3,
        "training": {"learning_rate": 2e-5, "steps": 126},
        "data": "hub",
        "versions": {"python": "3.11.7", "torch": "2.13.0"},
    }
    return RunResults(**(values | changes))


def read_back(one: RunResults, folder: Path) -> tuple[ModelCard, ModelCardData]:
    model_card(one).save(folder / "README.md")
    card = ModelCard.load(folder / "README.md")
    assert isinstance(card.data, ModelCardData)
    return card, card.data


@pytest.mark.parametrize("task", TASKS)
def test_metadata_round_trip(task: str, tmp_path: Path):
    one = results(task)
    _, data = read_back(one, tmp_path)
    assert data.library_name == "transformers"
    tags = {"pairs": "text-classification", "answers": "question-answering", "choices": "multiple-choice"}
    tags["masked"] = "fill-mask"
    of_words = "token-classification" if TASKS[task].kind.trains else "sentence-similarity"
    assert data.pipeline_tag == tags.get(TASKS[task].kind.name, of_words)
    assert data.base_model == one.encoder
    assert data.language == ["de", "en", "zh"]
    assert hub_of(TASKS[task]).path in (data.datasets or [])
    assert set(data.tags or []) >= {"dlfa", "custom_code"}
    found = {
        (entry.dataset_config, entry.metric_type): (entry.metric_value, entry.dataset_split, entry.dataset_type)
        for entry in data.eval_results or []
    }
    assert found == {
        (hub_of(TASKS[task]).config_name(code), name): (round(value, 2), "test", hub_of(TASKS[task]).path)
        for code, metrics in one.all_metrics.items()
        for name, value in metrics.items()
    }


SQUAD_DATA, COPA_DATA, GLUE = "rajpurkar/squad", "aps/super_glue", "nyu-mll/glue"


@pytest.mark.parametrize(
    ("task", "split", "trained", "scored", "metrics"),
    [
        ("xquad", "test", [SQUAD_DATA], "google/xquad", ["exact_match", "f1"]),
        ("xquad", "validation", [SQUAD_DATA], SQUAD_DATA, ["exact_match", "f1"]),
        ("mlqa", "test", [SQUAD_DATA], "facebook/mlqa", ["exact_match", "f1"]),
        ("xcopa", "test", [COPA_DATA], "cambridgeltl/xcopa", ["accuracy"]),
        ("anli-plus", "test", ["facebook/anli", GLUE, "stanfordnlp/snli"], "facebook/anli", ["accuracy"]),
        ("udpos", "test", ["google/xtreme"], "google/xtreme", ["f1"]),
    ],
)
def test_data_sets_are_those_of_training_and_scores(task, split, trained, scored, metrics, tmp_path: Path):
    card, metadata = read_back(results(task, eval_split=split), tmp_path)
    assert metadata.datasets == list(dict.fromkeys([*trained, scored])) and metadata.metrics == metrics
    assert {entry.dataset_type for entry in metadata.eval_results or []} == {scored}
    assert f"on {split} data ({scored})" in card.text and f"examples of {task} ({', '.join(trained)})" in card.text
    assert all(f"https://huggingface.co/datasets/{name})" in card.text for name in trained)


@pytest.mark.parametrize("task", ["xquad", "xcopa", "squad2", "xnli", "commonsenseqa"])
def test_what_is_not_there_is_not_spoken_of(task: str):
    """Label ids of a task without labels, terms of data that are the sample's."""
    text = model_card(results(task)).text
    assert ("label ids follow" in text) == (task in ("xnli", "commonsenseqa"))
    assert "The training data" in text
    assert "The training data" not in model_card(results(task, data="sample")).text


def test_the_embedded_encoder_is_named_by_its_hub_id(tmp_path: Path):
    card, metadata = read_back(results(encoder="embedded", data="sample"), tmp_path)
    assert metadata.base_model == "intfloat/multilingual-e5-small"
    assert metadata.datasets is None
    assert {entry.dataset_type for entry in metadata.eval_results or []} == {"udpos-sample"}
    assert "not a benchmark" in card.text


def test_local_folders_do_not_leak(tmp_path: Path):
    encoder, data = tmp_path / "home" / "jane" / "encoder", tmp_path / "home" / "jane" / "xtreme"
    encoder.mkdir(parents=True)
    data.mkdir()
    card, metadata = read_back(results(encoder=str(encoder), data=str(data)), tmp_path)
    assert "jane" not in card.content
    assert metadata.base_model is None and metadata.datasets is None
    assert {entry.dataset_type for entry in metadata.eval_results or []} == {"udpos-local"}
    assert "`encoder` (local folder)" in card.text and "local folder 'xtreme'" in card.text
    assert "huggingface.co/encoder" not in card.text


@pytest.mark.parametrize(
    ("fusion", "layer", "says"),
    [
        ("none", None, "with a task head on its last layer"),
        ("aif", 8, "with layer 8 fused into its last layer by DLFA"),
        ("aif", [4, 8], "with layers 4 and 8 fused into its last layer by DLFA"),
        ("concat", 0, 'with layer 0 and its last layer fused by "concat", an ablation'),
        ("sum", [0, 4, 8], 'with layers 0, 4 and 8 and its last layer fused by "sum", an ablation'),
        ("mix_all", None, 'with its states fused by "mix_all", a rival of DLFA that reads all layers,'),
        ("aif_layer", 8, 'its last layer fused by "aif_layer", a control that has DLFA'),
    ],
)
def test_fusions(fusion: str, layer: int | list[int] | None, says: str):
    text = model_card(results(fusion=fusion, fusion_layer=layer)).text
    assert says in text
    assert "None" not in text and "[4" not in text


@pytest.mark.parametrize(
    ("codes", "tags"),
    [
        (["de", "zh"], ["de", "en", "zh"]),
        (["zh-TW", "pt-BR", "en_gum", "deu"], ["deu", "en", "pt", "zh"]),
        (["x1", "klingon"], ["en"]),
    ],
)
def test_languages_are_those_that_the_hub_takes(codes: list[str], tags: list[str], tmp_path: Path):
    """It refuses the whole commit for "zh-TW"."""
    metrics = {code: {"accuracy": 1.0} for code in codes}
    _, metadata = read_back(results(scores=dict.fromkeys(codes, 1.0), all_metrics=metrics), tmp_path)
    assert metadata.language == tags


def test_without_other_languages():
    one = results(scores={"en": 90.0}, zero_shot_average=None, transfer_gap=None, chance_level=[])
    text = model_card(one).text
    assert "zero-shot average" not in text and "None" not in text


@pytest.mark.parametrize(
    ("encoder", "license"),
    [
        ("google-bert/bert-base-multilingual-cased", "apache-2.0"),
        ("embedded", "mit"),
        ("jane/encoder", None),
    ],
)
def test_license_where_known(encoder: str, license: str | None, tmp_path: Path):
    card, metadata = read_back(results(encoder=encoder), tmp_path)
    assert metadata.license == license
    says = f"The encoder is under `{license}`" if license else "The license of the encoder is said where it comes from"
    assert says in card.text


@pytest.mark.parametrize("task", TASKS)
def test_how_to_load_with_a_pinned_revision(task: str):
    text = model_card(results(task)).text
    (code,) = re.findall("```python\n(.*?)```", text, flags=re.DOTALL)
    ast.parse(code)
    assert len(re.findall(r"<commit>", code)) == code.count("trust_remote_code") == code.count(REPOSITORY) == 1
    loads = [line for line in code.splitlines() if "from_pretrained(" in line]
    assert all("**source" in line or "trust_remote_code" in line for line in loads)  # else Transformers asks back
    assert "In place of `<commit>` write the commit that you have read" in text


@pytest.mark.parametrize("prefix", ["query: ", None])
def test_texts_have_the_prefix_of_those_that_were_scored(prefix: str | None):
    text = model_card(results("tatoeba", training={"prefix": prefix} if prefix else {})).text
    assert f'tokenizer(["{prefix or ""}A man sleeps.", "{prefix or ""}Ein Mann schläft."]' in text
    assert ('- prefix: `"query: "`' in text) == bool(prefix)


@pytest.mark.parametrize("task", TASKS)
def test_limits_name_those_of_the_data(task: str):
    known = TASKS[task].note
    assert known in model_card(results(task)).text
    assert known not in model_card(results(task, data="sample")).text


def test_settings_that_were_not_given_are_left_out():
    text = model_card(results(training={"steps": 3, "head_learning_rate": None, "weight_decay": 0.0})).text
    assert "- steps: 3\n- weight_decay: 0.0\n- Score on" in text and "head_learning_rate" not in text


# ---------------------------------------------------------------------------------------------------------------------
# The worked cards, and the whole of one
# ---------------------------------------------------------------------------------------------------------------------

ROOT = Path(__file__).resolve().parents[2]
CARDS: dict[str, str] = runpy.run_path(str(ROOT / "results" / "tables.py"))["CARDS"]


@pytest.mark.parametrize("card", CARDS)
def test_worked_cards_say_what_the_results_files_say(card: str):
    task, _, regime = card.partition("-")
    one = RunResults.load(ROOT / "results" / CARDS[card])
    data = ModelCard.load(ROOT / "model_cards" / f"{card}.md").data
    assert isinstance(data, ModelCardData) and data.eval_results
    found = {(entry.dataset_config, entry.metric_type): entry.metric_value for entry in data.eval_results}
    expected = {(code, name): value for code, scores in one.all_metrics.items() for name, value in scores.items()}
    assert one.training.get("train", "all") == {"": "all", "frozen": "fusion", "lora": "lora:8"}[regime]
    assert one.task == task and found == {key: round(value, 2) for key, value in expected.items()}
    assert data.language == sorted(one.scores) and data.base_model == "intfloat/multilingual-e5-small"


def test_every_card_has_its_results_file():
    pages = {path.stem for path in (ROOT / "model_cards").iterdir()} - {"README"}
    assert pages == set(CARDS) >= {"udpos", "panx", "xnli", "pawsx"}
    listed = (ROOT / "model_cards" / "README.md").read_text(encoding="utf-8")
    assert all(f"]({page}.md)" in listed for page in pages)


GOLDEN = Path(__file__).with_name("golden_card.md")


def test_golden():
    content = model_card(results()).content
    assert content == GOLDEN.read_text(encoding="utf-8")
    assert not re.search(r"\n{3,}", content) and "{{" not in content and "{%" not in content


def test_text_of_the_user_is_no_markup(tmp_path: Path):
    hostile = "<img src=x>|`*x*`\n## y"
    scores = {"en": 90.0, hostile: 50.0}
    one = replace(
        results("pawsx"),
        task="mine",
        scores=scores,
        all_metrics={code: {"accuracy": score} for code, score in scores.items()},
        support=dict.fromkeys(scores, 10),
        metric="accuracy",
        data=f"/data/{hostile}",
        encoder=f"/encoders/{hostile}",
        training={hostile: hostile},
        chance_level=[],
        intermediate=[{"task": hostile, "metric": "las", "development_score": 1.0}],
        task_definition=Task(
            "mine",
            get_kind("pairs"),
            labels=("a", hostile),
            note=hostile,
            metric_note=hostile,
            license=hostile,
            reference="mine.yaml",
        ).definition(),
    )
    card, _ = read_back(one, tmp_path)
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(card.text)
    assert "<img" not in html and "<em>" not in html and html.count("<h2>") == 6
    assert html.count("<tr>") == 1 + len(scores) + 2
    assert "&lt;img src=x&gt;|`*x*` ## y" in html


def test_a_stage_without_a_development_score_is_named_alone():
    stage = {"task": "uddep", "metric": "las", "development_score": None, "fusion_carried": False}
    assert "fine-tuned before on uddep, then on udpos" in model_card(results(intermediate=[stage])).text
