"""What an encoder has to be able to do, and that it fits its tokenizer: known before anything is trained."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoModelForTextEncoding, AutoTokenizer

from modeling_dlfa import DLFAConfig, DLFAForSequenceClassification, DLFAForTokenClassification
from modeling_dlfa.encoders import read_tokenizer
from modeling_dlfa.errors import InputError
from modeling_dlfa.predict import predict
from modeling_dlfa.tasks.registry import TASKS
from modeling_dlfa.training.__main__ import main
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.data import open_tokenizer
from modeling_dlfa.training.encoder_check import check_encoder, check_states, readable_positions
from modeling_dlfa.training.model import build_model, check_model
from modeling_dlfa.training.results import RunResults
from tests.conftest import FAMILIES, TINY


# Beyond the families of the main conftest: a tiny one of each, as it is built from its configuration.
SMALL = {name: TINY[name] for name in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")}
SMALL |= {"intermediate_size": 37, "max_position_embeddings": 40, "initializer_range": 0.2}
T5 = {"vocab_size": 64, "d_model": 32, "num_layers": 3, "num_heads": 4, "d_kv": 8, "d_ff": 37}
HALVES = ("t5", "mt5", "umt5")
GPT2 = {"vocab_size": 64, "n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 40, "initializer_range": 0.2}
OTHERS = {
    **dict.fromkeys(HALVES, T5),
    "gpt2": GPT2,
    "llama": SMALL,
    "eurobert": {**SMALL, "num_key_value_heads": 4, "pad_token_id": 1},
    "gte": {**SMALL, "pad_token_id": 1},
    "longformer": {**SMALL, "attention_window": 4},
    "xlnet": {"vocab_size": 64, "d_model": 32, "n_layer": 3, "n_head": 4, "d_inner": 37, "initializer_range": 0.2},
    "opt": {**SMALL, "ffn_dim": 37, "word_embed_proj_dim": 32},
    "fnet": SMALL,
    "canine": {**SMALL, "max_position_embeddings": 64, "downsampling_rate": 4},
    "big_bird": {**SMALL, "block_size": 2, "num_random_blocks": 1},
    "funnel": {"vocab_size": 64, "d_model": 32, "block_sizes": [1, 1], "n_head": 4, "d_head": 8, "d_inner": 37},
    "reformer": {**SMALL, "axial_pos_embds": False, "attention_head_size": 8, "attn_layers": ["local"] * 3},
    "mbart": {"vocab_size": 64, "d_model": 32, "encoder_layers": 3},
    "m2m_100": {"vocab_size": 64, "d_model": 32, "encoder_layers": 3},
    **dict.fromkeys(("vit", "wav2vec2", "whisper", "clip", "llava"), {}),
}


def config_of(family: str, **changes: Any) -> Any:
    known = {**TINY, **FAMILIES[family]} if family in FAMILIES else OTHERS[family]
    return AutoConfig.for_model(family, **{**known, **changes})


def model_of(family: str, model_class: type = DLFAForSequenceClassification, **changes: Any) -> Any:
    torch.manual_seed(0)
    return model_class(DLFAConfig(encoder_config=config_of(family), fusion_layer=1, **changes)).eval()


@pytest.mark.parametrize(
    "family, readable",
    [
        *(("bert", 40), ("xlm-roberta", 38), ("distilbert", 40), ("rembert", 40), ("electra", 40)),
        *(("modernbert", None), ("deberta-v2", None), ("mt5", None), ("xlnet", None), ("llama", None)),
        *(("gpt2", 40), ("longformer", 38), ("opt", 40), ("canine", 64)),
    ],
)
def test_readable_positions(family, readable):
    """As many as it says can be read, and no more."""
    assert readable_positions(config_of(family)) == readable
    if family in ("canine", "longformer", "opt") or readable is None:
        return
    encoder = AutoModel.from_config(config_of(family)).eval()
    assert encoder(torch.full((1, readable), 5)).last_hidden_state.shape[1] == readable
    with pytest.raises((IndexError, RuntimeError)):
        encoder(torch.full((1, readable + 1), 5))


@pytest.mark.parametrize("head", [DLFAForSequenceClassification, DLFAForTokenClassification])
@pytest.mark.parametrize("family", [*FAMILIES, *HALVES, "longformer", "xlnet", "eurobert", "gte"])
def test_encoders_that_serve(family, head):
    luck = torch.random.get_rng_state()
    check_encoder(family, config_of(family), 16)
    assert torch.equal(luck, torch.random.get_rng_state())
    model = model_of(family, head)
    luck = torch.random.get_rng_state()
    for length in (3, 16, 17):
        check_states(family, model, length)
    assert torch.equal(luck, torch.random.get_rng_state())


@pytest.mark.parametrize(
    "family, message",
    [
        *((family, "the first token sees none of the others.*--pooling mean") for family in ("gpt2", "llama", "opt")),
        *((family, "depends on the padding behind it") for family in ("fnet", "big_bird")),
        ("canine", r"expected 4 of shape \(1, 16, 32\), found 8 of \(1, 16, 32\) and \(1, 4, 32\)"),
        ("reformer", "found 4 of"),
        ("funnel", "no one encoder of the model type funnel"),
        *((family, f"{family} is a model of encoder and decoder, of which") for family in ("mbart", "m2m_100")),
        *(("vit", "vit reads pixel_values, not text"), ("wav2vec2", "reads input_values")),
        *(("clip", "clip is made of several models"), ("llava", "several models"), ("whisper", "encoder and decoder")),
    ],
)
def test_encoders_that_do_not(family, message):
    with pytest.raises(InputError, match=f"^{family}: .*{message}") as caught:
        check_encoder(family, config_of(family), 16)
        check_states(family, model_of(family), 16)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_causal_models_may_read_the_mean_or_tag(family):
    check_states(family, model_of(family, pooling="mean"), 16)
    check_states(family, model_of(family, DLFAForTokenClassification), 16)


# ---------------------------------------------------------------------------------------------------------------------
# Folders of encoders, by the commands
# ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tiny_encoder, tmp_path):
    """folder(family, **changes) -> an encoder in a folder of its own, with the tokenizer of the tiny one."""

    def made(family: str = "bert", dtype=torch.float32, tokenizer=None, **changes: Any) -> Path:
        path = tmp_path / "encoder"
        torch.manual_seed(0)
        auto = AutoModelForTextEncoding if family in HALVES else AutoModel
        config = config_of(family, pad_token_id=0, **({} if family in HALVES else {"type_vocab_size": 2}) | changes)
        auto.from_config(config).to(dtype).save_pretrained(path)
        AutoTokenizer.from_pretrained(tiny_encoder).save_pretrained(path)
        _edit(path / "tokenizer_config.json", **(tokenizer or {}))
        return path

    return made


def _edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.fixture
def arguments(argv, tmp_path):
    """arguments(task, encoder, flags) -> what a run is asked for."""

    def parsed(task: str, encoder: Path, flags: str = ""):
        line = CommandLine(argv(task, tmp_path / "out", f"--model_name_or_path {encoder} --fusion_layer 1 {flags}"))
        return line.arguments(task, "aif", tmp_path / "out")

    return parsed


@pytest.mark.parametrize("task", ["xnli", "udpos", "uddep"])
@pytest.mark.parametrize(
    "made, flags, message",
    [
        ({"max_position_embeddings": 20}, "--max_length 32", "--max_length 32: the encoder .* reads 20 positions"),
        ({"family": "xlm-roberta", "max_position_embeddings": 20}, "--max_length 20", "reads 19 positions"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "", "its weights are quantised"),
        ({"vocab_size": 20}, "", r"ids up to \d+ \(.*\), the encoder has embeddings of 20"),
        ({"tokenizer": {"pad_token": None}}, "", "has no pad_token"),
    ],
)
def test_what_does_not_fit_is_said_before_training(folder, arguments, capsys, made, flags, message, task, argv):
    quantised = made.get("quantization_config")
    encoder = folder(**{name: value for name, value in made.items() if name != "quantization_config"})
    if quantised:
        _edit(encoder / "config.json", quantization_config=quantised)
    with pytest.raises(InputError, match=message):
        run_arguments, _ = arguments(task, encoder, flags)
        check_model(run_arguments)
        open_tokenizer(run_arguments)
    output = encoder.parent / "out"
    capsys.readouterr()
    assert main(argv(task, output, f"--model_name_or_path {encoder} --fusion_layer 1 {flags}")) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "Traceback" not in error
    assert not output.exists()


def test_token_types_count_where_there_are_two_texts(folder, arguments):
    encoder = folder("xlm-roberta", type_vocab_size=1)
    open_tokenizer(arguments("udpos", encoder)[0])
    with pytest.raises(InputError, match="token types up to 1, the encoder has 1"):
        open_tokenizer(arguments("xnli", encoder)[0])


@pytest.mark.parametrize("pooling, message", [("cls", "give --pooling mean"), ("mean", None)])
def test_a_row_without_a_first_token_of_its_own_has_no_cls(folder, arguments, pooling, message):
    encoder = folder("mt5")
    description = json.loads((encoder / "tokenizer.json").read_text())
    (encoder / "tokenizer.json").write_text(json.dumps({**description, "post_processor": None}))
    open_tokenizer(arguments("udpos", encoder, f"--pooling {pooling}")[0])
    if message is None:
        open_tokenizer(arguments("xnli", encoder, f"--pooling {pooling}")[0])
        return
    with pytest.raises(InputError, match=message):
        open_tokenizer(arguments("xnli", encoder, f"--pooling {pooling}")[0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("fusion", ["none", "aif"])
def test_half_precision_is_trained_in_full(folder, arguments, dtype, fusion):
    encoder = folder(dtype=dtype)
    run_arguments, _ = arguments("xnli", encoder, f"--fusion {fusion}")
    model = build_model(run_arguments, TASKS["xnli"])
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model.config.dtype == torch.float32


OWN_CODE = {"model_type": "gte-new", "auto_map": {"AutoConfig": "code.Config", "AutoModel": "code.Model"}}


@pytest.mark.parametrize("way", ["train", "predict", "from_encoder", "tokenizer"])
def test_an_encoders_own_code_is_never_run(folder, argv, tmp_path, capsys, way):
    encoder = folder()
    (encoder / "code.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')\n")
    if way == "tokenizer":
        _edit(encoder / "tokenizer_config.json", tokenizer_class="Own", auto_map={"AutoTokenizer": ["code.T", None]})
        (encoder / "tokenizer.json").unlink()  # from it Transformers would make a tokenizer of its own
    else:
        _edit(encoder / "config.json", **OWN_CODE)
    capsys.readouterr()
    if way == "from_encoder":
        with pytest.raises(ValueError, match="code of its own") as caught:
            DLFAForTokenClassification.from_encoder(str(encoder), fusion_layer=1, trust_remote_code=True)
        message = str(caught.value)
    elif way == "predict":
        (encoder / "all_results.json").write_text("{}")
        with pytest.raises(InputError) as caught:
            predict(encoder, ["a"])
        message = str(caught.value)
    else:
        assert main(argv("udpos", tmp_path / "out", f"--model_name_or_path {encoder}")) == 2
        message = capsys.readouterr().err.strip()
        assert way == "tokenizer" or "code of its own" in message
    assert "trust_remote_code" not in message and "\n" not in message
    assert not (tmp_path / "run").exists()


# ---------------------------------------------------------------------------------------------------------------------
# Whole runs
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.crossed("task", "pooling")
@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("task", ["xnli", "panx", "uddep"])
def test_padding_on_the_left_gives_the_same_run(tiny_encoder, argv, tmp_path, task, pooling):
    if pooling == "mean" and task != "xnli":
        pytest.skip("no vector of the whole row")
    found = []
    for side in ("right", "left"):
        encoder, output = tmp_path / side / "encoder", tmp_path / side / "out"
        AutoModel.from_pretrained(tiny_encoder, add_pooling_layer=False).save_pretrained(encoder)
        AutoTokenizer.from_pretrained(tiny_encoder).save_pretrained(encoder)
        _edit(encoder / "tokenizer_config.json", padding_side=side)
        assert AutoTokenizer.from_pretrained(encoder).padding_side == side
        flags = f"--model_name_or_path {encoder} --pooling {pooling} --max_steps 6 --fusion_layer auto"
        flags = flags.replace("auto", "1") if task == "uddep" else flags
        assert main(argv(task, output, flags)) == 0
        assert AutoTokenizer.from_pretrained(output).padding_side == "right"
        _edit(output / "tokenizer_config.json", padding_side=side)  # as older versions have left it
        assert read_tokenizer(str(output)).padding_side == "right"
        results = RunResults.load(output)
        texts = [("a b", "no a"), ("a b c d e f", "yes")] if task == "xnli" else [["p1", "o2"], ["g1"]]
        scouting = results.scouting and results.scouting["losses"]
        found.append((results.all_metrics, results.development_score, scouting, predict(output, texts)))
        assert results.training["dtype"] == "float32"
    assert found[0] == found[1]


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_parsers_collator_follows_the_side(tiny_encoder, side):
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    tokenizer.padding_side = side
    rows = [{"input_ids": [2, 5, 6, 3], "word_positions": [1, 2]}, {"input_ids": [2, 7, 3], "word_positions": [1]}]
    batch = TASKS["uddep"].kind.collator(tokenizer)(rows)
    found = [
        [row[at].item() for at in places if at >= 0]
        for row, places in zip(batch["input_ids"], batch["word_positions"], strict=True)
    ]
    assert found == [[5, 6], [7]]
    assert batch["word_positions"][1, 1] == -1


@pytest.mark.parametrize("task", ["xnli", "udpos"])
def test_the_encoder_of_an_encoder_and_decoder(folder, argv, tmp_path, task):
    """From training to predicting, and opened again as anyone would."""
    encoder, output = folder("mt5"), tmp_path / "out"
    assert main(argv(task, output, f"--model_name_or_path {encoder} --max_steps 4 --fusion_layer 1")) == 0
    model: Any = TASKS[task].kind.model_class.from_pretrained(output)
    assert type(model.dlfa.encoder).__name__ == "MT5EncoderModel"
    assert not [name for name in model.state_dict() if "decoder" in name]
    texts = [("a b", "no a")] if task == "xnli" else [["n1", "v2"]]
    assert len(predict(output, texts)) == 1
    again = tmp_path / "again"
    flags = f"--model_name_or_path {output} --max_steps 2 --fusion_layer 1"
    assert main(argv(task, again, flags)) == 0


def test_a_head_from_the_pooler_is_told(tiny_encoder, argv, folder, tmp_path):
    flags = "--max_steps 2 --fusion none --pooling cls --model_name_or_path"
    told = []
    for encoder, output in ((folder(), tmp_path / "one"), (tiny_encoder, tmp_path / "two")):
        assert main(argv("xnli", output, f"{flags} {encoder}")) == 0
        told.append(RunResults.load(output).training.get("head_start"))
    assert told == ["pooler", None]
