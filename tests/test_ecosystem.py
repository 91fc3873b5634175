"""Other people's tools take DLFA for one of their own: accelerate, peft, ONNX Runtime, quantisation, pipelines.

Saving, remote code and torch's own compiler and exporter are in test_modeling_dlfa.py and test_remote_code.py.
"""

import copy
import json
from typing import Any

import pytest
import torch
from accelerate.hooks import AlignDevicesHook, add_hook_to_module
from safetensors.torch import load_file
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import AutoTokenizer, Trainer, TrainerCallback, TrainingArguments

from modeling_dlfa import (
    DLFAConfig,
    DLFAForDependencyParsing,
    DLFAForMaskedLM,
    DLFAForMultipleChoice,
    DLFAForQuestionAnswering,
    DLFAForSequenceClassification,
    DLFAForTokenClassification,
    DLFAModel,
)
from modeling_dlfa.configuration_dlfa import FUSION_READS
from tests.elsewhere import run_elsewhere


HEADS = (
    DLFAForSequenceClassification,
    DLFAForTokenClassification,
    DLFAForDependencyParsing,
    DLFAForQuestionAnswering,
    DLFAForMultipleChoice,
    DLFAForMaskedLM,
)
by_head = pytest.mark.parametrize("head", HEADS, ids=lambda c: c.__name__)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def inputs_for(model: Any, rows: int = 3, length: int = 9) -> dict[str, torch.Tensor]:
    """A batch whose first row is padded, with places of words for a parser; twice as many sequences of choices."""
    inputs = {"input_ids": torch.randint(5, 20, (rows, length)), "attention_mask": torch.ones(rows, length).long()}
    inputs["attention_mask"][0, length // 2 + 1 :] = 0
    if type(model) is DLFAForDependencyParsing:
        inputs["word_positions"] = torch.arange(1, length - 1).repeat(rows, 1)
        inputs["word_positions"][0, length // 2 :] = -1
    if type(model) is DLFAForMultipleChoice:
        inputs = {name: torch.stack((values, values.flip(0)), dim=1) for name, values in inputs.items()}
    return inputs


@torch.no_grad()
def scores(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """The first output but the loss; a parser's scores of arcs."""
    return model(**inputs)[0]


@torch.no_grad()
def randomize(*modules: nn.Module) -> None:
    """Trained weights, as far as a test can tell: nothing is at its start any more."""
    for module in modules:
        for parameter in module.parameters():
            parameter.normal_(std=0.3)


def build(head, encoder: str, **kwargs) -> Any:
    """A model around a pretrained encoder, in evaluation mode, with a fusion that does something."""
    arguments = {"fusion_layer": 1, "num_labels": 3, "parser_arc_size": 12, "parser_relation_size": 6, **kwargs}
    model = head.from_encoder(encoder, **arguments)
    randomize(model.base_model.fusion)
    return model


# ---------------------------------------------------------------------------------------------------------------------
# A process that has transformers, accelerate and peft, and not this package
# ---------------------------------------------------------------------------------------------------------------------

# Sentence, and what each of its pieces says: the label of a word's first piece, and "O", less sure, of its second.
SENTENCE = "n1 p2 p3 o4 g1 v2"
TAGS = ["O", "B-PER", "I-PER", "O", "B-LOC", "O"]
WHOLE = [["PER", "p2 p3"], ["LOC", "g1"]]
ENTITIES = {"first": WHOLE, "average": WHOLE, "max": WHOLE, "simple": [["PER", "p"], ["PER", "p"], ["LOC", "g"]]}
LABELS = ["O", "B-PER", "I-PER", "B-LOC"]

PROGRAM = """
import json, sys
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification, Trainer, pipeline

root, tensors, report = Path(sys.argv[1]), {}, {}
inputs, rows = torch.load(root / "inputs.pt"), torch.load(root / "rows.pt")
trust = {"trust_remote_code": True}


@torch.no_grad()
def scores(model):
    return model(**inputs)[0].float().cpu()


for name, options in {"plain": {}, "cpu": {"device_map": "cpu"}, "auto": {"device_map": "auto"},
                      "bfloat16": {"dtype": torch.bfloat16}}.items():
    model = AutoModelForTokenClassification.from_pretrained(root / "sharded", **options, **trust)
    tensors[f"sharded {name}"] = scores(model)
    report[f"sharded {name}"] = [str(model.dtype), str(model.device)]

for strategy in json.loads(sys.argv[2]):
    tag = pipeline("token-classification", str(root / "tagger"), aggregation_strategy=strategy, **trust)
    report[strategy] = [[entity["entity_group"], entity["word"]] for entity in tag(sys.argv[3])]
embed = pipeline("feature-extraction", str(root / "tagger"), **trust)
tensors["features"] = embed(sys.argv[3], return_tensors=True)

for folder in ("checkpoint-2", "checkpoint-4"):
    model = AutoModelForSequenceClassification.from_pretrained(root / "run" / folder, **trust)
    tensors[folder] = scores(model)
model = AutoModelForSequenceClassification.from_pretrained(root / "run" / "checkpoint-2", **trust)
arguments = torch.load(root / "run" / "checkpoint-2" / "training_args.bin", weights_only=False)
arguments.output_dir = str(root / "resumed")
trainer = Trainer(model=model, args=arguments, train_dataset=rows)
trainer.train(resume_from_checkpoint=str(root / "run" / "checkpoint-2"))
tensors["resumed"] = scores(model.eval())
report["resumed"] = trainer.state.global_step
report["files"] = sorted(path.name for path in (root / "resumed" / "checkpoint-4").glob("*.py"))

from peft import AutoPeftModelForSequenceClassification, PeftModel

base = AutoModelForSequenceClassification.from_pretrained(root / "run" / "checkpoint-4", **trust)
tensors["adapter"] = scores(PeftModel.from_pretrained(base, root / "adapter").eval())
tensors["auto adapter"] = scores(AutoPeftModelForSequenceClassification.from_pretrained(root / "adapter", **trust))
tensors["merged"] = scores(AutoModelForSequenceClassification.from_pretrained(root / "merged", **trust))

report["imported"] = [name for name in sys.modules if name.startswith("modeling_dlfa.")]
torch.save(tensors, root / "tensors.pt")
(root / "report.json").write_text(json.dumps(report))
"""


class NoteScores(TrainerCallback):
    """What the model says whenever a checkpoint is saved."""

    def __init__(self, inputs: dict[str, torch.Tensor]):
        self.inputs, self.noted = inputs, {}

    def on_save(self, args, state, control, model=None, **kwargs):
        assert model is not None
        self.noted[f"checkpoint-{state.global_step}"] = scores(model.eval(), self.inputs)
        model.train()


@torch.no_grad()
def teach(model: Any, tokenizer: Any) -> None:
    """Choose the classifier that gives the sentence's pieces their labels, by solving for it."""
    pieces = tokenizer(SENTENCE, return_tensors="pt")
    words = pieces.word_ids()
    wanted = torch.zeros(len(words), len(LABELS))
    for place, word in enumerate(words):
        if word is not None and words[place - 1] != word:
            wanted[place, LABELS.index(TAGS[word])] = 10.0
        else:
            wanted[place, LABELS.index("O")] = 5.0
    states = model.dlfa(**pieces).last_hidden_state[0]
    assert len(states) < states.shape[1]  # so that there is a solution
    model.classifier.weight.copy_(torch.linalg.lstsq(states, wanted).solution.T)
    model.classifier.bias.zero_()


@pytest.fixture(scope="module")
def elsewhere(tiny_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the process reported and computed, and what was expected, by the same names."""
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("elsewhere")
    expected: dict[str, torch.Tensor] = {}

    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    tagger = build(DLFAForTokenClassification, tiny_encoder, id2label=dict(enumerate(LABELS)), num_labels=4)
    inputs = inputs_for(tagger)
    torch.save(inputs, root / "inputs.pt")
    tagger.save_pretrained(root / "sharded", max_shard_size="20KB")
    for name in ("plain", "cpu", "auto"):
        expected[f"sharded {name}"] = scores(tagger, inputs)
    expected["sharded bfloat16"] = scores(copy.deepcopy(tagger).bfloat16(), inputs).float()
    teach(tagger, tokenizer)
    for saved in (tagger, tokenizer):
        saved.save_pretrained(root / "tagger")
    expected["features"] = scores(tagger.dlfa, tokenizer(SENTENCE, return_tensors="pt"))

    rows = [{"input_ids": torch.randint(5, 20, (8,)), "labels": i % 3} for i in range(8)]
    torch.save(rows, root / "rows.pt")
    model = build(DLFAForSequenceClassification, tiny_encoder)
    note = NoteScores(inputs)
    arguments = TrainingArguments(
        str(root / "run"),
        max_steps=4,
        save_steps=2,
        per_device_train_batch_size=4,
        learning_rate=1e-2,
        use_cpu=True,
        disable_tqdm=True,
    )
    Trainer(model=model, args=arguments, train_dataset=rows, callbacks=[note]).train()  # pyright: ignore
    expected |= note.noted | {"resumed": note.noted["checkpoint-4"]}

    base = DLFAForSequenceClassification.from_pretrained(root / "run" / "checkpoint-4")
    lora = peft.LoraConfig(task_type="SEQ_CLS", target_modules=["query", "value"], modules_to_save=["fusion"])
    adapted = peft.get_peft_model(base, lora).eval()
    randomize(*(module for name, module in adapted.named_modules() if name.endswith(("lora_B", "modules_to_save"))))
    adapted.save_pretrained(root / "adapter")
    for name in ("adapter", "auto adapter", "merged"):
        expected[name] = scores(adapted, inputs)
    adapted.merge_and_unload().save_pretrained(root / "merged")

    run_elsewhere(PROGRAM, root, json.dumps([*ENTITIES]), SENTENCE, cwd=root, from_nothing=True)
    return {
        "root": root,
        "expected": expected,
        "tensors": torch.load(root / "tensors.pt"),
        "report": json.loads((root / "report.json").read_text()),
    }


def same_as_expected(elsewhere: dict[str, Any], name: str, tolerance: float = 1e-5):
    expected = elsewhere["expected"][name]
    assert expected.std() > 0.01
    torch.testing.assert_close(elsewhere["tensors"][name], expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", ["plain", "cpu", "auto", "bfloat16"])
def test_sharded_checkpoints(elsewhere, name: str):
    """Several files of weights; opened as they are, by accelerate on devices, and in another type."""
    index = json.loads((elsewhere["root"] / "sharded" / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) >= 4
    same_as_expected(elsewhere, f"sharded {name}", 0.05 if name == "bfloat16" else 1e-5)
    dtype, device = elsewhere["report"][f"sharded {name}"]
    assert dtype == ("torch.bfloat16" if name == "bfloat16" else "torch.float32")
    assert device == "cpu" or name == "auto"


@pytest.mark.parametrize("strategy", ENTITIES)
def test_entities_of_the_pipeline(elsewhere, strategy: str):
    """Whole entities under their names, also where a word's later pieces say nothing ("simple" reads every piece)."""
    assert elsewhere["report"][strategy] == ENTITIES[strategy]


def test_features_of_the_pipeline(elsewhere):
    same_as_expected(elsewhere, "features")


@pytest.mark.parametrize("folder", ["checkpoint-2", "checkpoint-4"])
def test_checkpoints_of_the_trainer_open_elsewhere(elsewhere, folder: str):
    same_as_expected(elsewhere, folder)
    first, last = (elsewhere["expected"][name] for name in ("checkpoint-2", "checkpoint-4"))
    assert not torch.allclose(first, last, atol=1e-2)
    assert elsewhere["report"]["imported"] == []


def test_training_goes_on_elsewhere(elsewhere):
    """From the folder of an intermediate checkpoint, to the weights of the run that was not interrupted."""
    same_as_expected(elsewhere, "resumed", 1e-4)
    assert elsewhere["report"]["resumed"] == 4
    assert elsewhere["report"]["files"] == ["configuration_dlfa.py", "modeling_dlfa.py"]


@pytest.mark.parametrize("name", ["adapter", "auto adapter", "merged"])
def test_adapters_open_elsewhere(elsewhere, name: str):
    same_as_expected(elsewhere, name)
    without = elsewhere["expected"]["checkpoint-4"]
    assert not torch.allclose(elsewhere["expected"][name], without, atol=1e-2)


# ---------------------------------------------------------------------------------------------------------------------
# peft
# ---------------------------------------------------------------------------------------------------------------------

ADAPTERS = {  # head, task type, what is saved whole; the library adds "classifier" for its task types
    "sequence": (DLFAForSequenceClassification, "SEQ_CLS", ["fusion"]),
    "sequence, named twice": (DLFAForSequenceClassification, "SEQ_CLS", ["fusion", "classifier"]),
    "tokens": (DLFAForTokenClassification, "TOKEN_CLS", ["fusion"]),
    "tokens, nested name": (DLFAForTokenClassification, "TOKEN_CLS", ["dlfa.fusion"]),
    "no task type": (DLFAForTokenClassification, None, ["fusion", "classifier"]),
    "parser": (DLFAForDependencyParsing, None, ["fusion", "parser"]),
}
FUSIONS = {
    "aif": {},
    "aif-batch": {"aif_norm": "batch"},  # whose statistics are no parameters
    "concat": {"fusion": "concat"},
    "scalar_mix": {"fusion": "scalar_mix"},
}


def train_adapter(model: Any, inputs: dict[str, torch.Tensor]) -> None:
    """A few large steps, of whatever is not frozen."""
    optimizer = torch.optim.SGD([weight for weight in model.parameters() if weight.requires_grad], lr=0.05)
    for _ in range(3):
        optimizer.zero_grad()
        outputs = model.train()(**inputs)
        (outputs[0].clamp(min=-10).square().mean() + outputs[-1].clamp(min=-10).square().mean()).backward()
        optimizer.step()
    model.eval()


@pytest.mark.parametrize(
    "adapter, fusion, target_modules",
    [
        *((name, "aif", ["query", "value"]) for name in ADAPTERS),
        *(("tokens", name, ["query", "value"]) for name in FUSIONS if name != "aif"),
        *((name, "aif", "all-linear") for name in ADAPTERS if len(ADAPTERS[name][2]) == 2),
    ],
)
def test_lora_trains_and_saves_fusion_and_head(adapter, fusion, target_modules, encoder_folder, tmp_path):
    """On a new base, whose fusion and head are others, the adapter gives the logits that were trained."""
    peft = pytest.importorskip("peft")
    head, task_type, whole = ADAPTERS[adapter]
    config = peft.LoraConfig(task_type=task_type, target_modules=target_modules, modules_to_save=whole)

    def base(seed: int):
        torch.manual_seed(seed)
        return build(head, encoder_folder(), **FUSIONS[fusion])

    model = peft.get_peft_model(base(1), config)
    inputs = inputs_for(base(1))
    before = {name: value.clone() for name, value in model.base_model.model.state_dict().items()}
    train_adapter(model, inputs)
    after = model.base_model.model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    new = {name for name in before if "modules_to_save" in name and "num_batches" not in name}
    assert {name.split(".")[0] for name in new} == {"dlfa", "parser" if adapter == "parser" else "classifier"}
    without_effect = {name for name in new if fusion == "aif-batch" and name.endswith("reduce.bias")}  # before a norm
    assert new - without_effect <= changed
    assert not [name for name in changed - new if "lora" not in name and "num_batches" not in name]

    expected = scores(model, inputs)
    model.save_pretrained(tmp_path)
    other = base(2)
    assert not torch.allclose(scores(other, inputs), expected, atol=1e-2)
    assert torch.equal(scores(peft.PeftModel.from_pretrained(other, tmp_path).eval(), inputs), expected)
    merged = model.merge_and_unload()
    assert type(merged) is head
    torch.testing.assert_close(scores(merged, inputs), expected, rtol=1e-4, atol=1e-4)


def test_lora_without_modules_to_save_loses_the_fusion(encoder_folder, tmp_path):
    """Why the option is documented: nothing warns."""
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(task_type="SEQ_CLS", target_modules=["query", "value"])
    model = peft.get_peft_model(build(DLFAForSequenceClassification, encoder_folder()), config)
    assert not any(weight.requires_grad for name, weight in model.named_parameters() if "fusion" in name)
    inputs = inputs_for(model)
    train_adapter(model, inputs)
    model.save_pretrained(tmp_path)
    saved = load_file(tmp_path / "adapter_model.safetensors")
    assert any("classifier" in name for name in saved) and not any("fusion" in name for name in saved)
    torch.manual_seed(2)
    other = build(DLFAForSequenceClassification, encoder_folder())
    reopened = peft.PeftModel.from_pretrained(other, tmp_path).eval()
    assert not torch.allclose(scores(reopened, inputs), scores(model, inputs), atol=1e-2)


def test_lora_finds_the_linear_maps_of_every_encoder(family, encoder_folder):
    peft = pytest.importorskip("peft")
    both = ["fusion", "classifier"]
    config = peft.LoraConfig(task_type="TOKEN_CLS", target_modules="all-linear", modules_to_save=both)
    model = peft.get_peft_model(build(DLFAForTokenClassification, encoder_folder(family)), config)
    adapted = {name.split(".lora_")[0] for name, _ in model.named_parameters() if ".lora_" in name}
    assert len(adapted) >= 3 * 4 and all(".encoder." in name for name in adapted)
    train_adapter(model, inputs_for(model))


# ---------------------------------------------------------------------------------------------------------------------
# ONNX and 8 bits
# ---------------------------------------------------------------------------------------------------------------------


@by_head
@torch.no_grad()
def test_exports_with_free_sizes(head, encoder_folder):
    model = build(head, encoder_folder(), pooling="mean")
    inputs = inputs_for(model)
    sizes = {name: dict.fromkeys(range(values.dim()), torch.export.Dim.DYNAMIC) for name, values in inputs.items()}
    program = torch.export.export(model, (), inputs, dynamic_shapes=sizes).module()
    for rows, length in ((2, 5), (4, 12)):
        inputs = inputs_for(model, rows, length)
        torch.testing.assert_close(scores(program, inputs), scores(model, inputs), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "head, family, arguments",
    [
        (DLFAForTokenClassification, "xlm-roberta", {"aif_norm": "batch"}),
        (DLFAForDependencyParsing, "bert", {"fusion": "scalar_mix"}),
    ],
    ids=["tokens", "parser"],
)
def test_onnx_gives_the_same_logits(head, family, arguments, encoder_folder, tmp_path):
    for name in ("onnx", "onnxscript"):
        pytest.importorskip(name)
    runtime = pytest.importorskip("onnxruntime")
    from transformers.exporters.configs import OnnxConfig
    from transformers.exporters.exporter_onnx import OnnxExporter

    model = build(head, encoder_folder(family), **arguments)
    exporter: Any = OnnxExporter()
    exporter.export(model, inputs_for(model), config=OnnxConfig(dynamic=True)).save_pretrained(tmp_path)
    session = runtime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    for rows, length in ((1, 5), (4, 12), (2, 30)):
        inputs = inputs_for(model, rows, length)
        names = {DLFAForDependencyParsing: "arc_logits", DLFAForQuestionAnswering: "start_logits"}
        name = names.get(head, "logits")
        (logits,) = session.run([name], {name: tensor.numpy() for name, tensor in inputs.items()})
        expected = scores(model, inputs)
        assert expected.std() > 0.01
        torch.testing.assert_close(torch.from_numpy(logits), expected, rtol=1e-4, atol=1e-4)


@by_head
def test_eight_bits(head, encoder_folder):
    """Dynamic quantisation of the linear maps; saved and loaded as torch does it."""
    from torch.ao.nn.quantized.dynamic import Linear
    from torch.ao.quantization import quantize_dynamic

    model = build(head, encoder_folder())
    inputs = inputs_for(model)
    expected = scores(model, inputs)
    small = quantize_dynamic(copy.deepcopy(model), {nn.Linear}, dtype=torch.qint8)
    quantised = {name for name, module in small.named_modules() if isinstance(module, Linear)}
    assert sum(name.startswith("dlfa.encoder.") for name in quantised) == 3 * 6
    assert "dlfa.fusion.local_branch.reduce" in quantised
    actual = scores(small, inputs)
    real = expected > -1e30  # a parser's padding has the lowest number
    assert 0 < (actual - expected)[real].abs().max() < 0.1 * expected[real].std() + 0.05
    other = quantize_dynamic(build(head, encoder_folder()), {nn.Linear}, dtype=torch.qint8)
    other.load_state_dict(small.state_dict())
    assert torch.equal(scores(other, inputs), actual)


# ---------------------------------------------------------------------------------------------------------------------
# Devices and weights
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["bert", "xlm-roberta", "modernbert"])  # which name what must not be divided
def test_weights_on_several_devices(family, encoder_folder, tmp_path):
    """Where memory is short, accelerate divides the model between two layers, never within one."""
    model = build(DLFAForTokenClassification, encoder_folder(family))
    model.save_pretrained(tmp_path / "model")
    size = sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
    divided: Any = DLFAForTokenClassification.from_pretrained(
        tmp_path / "model", device_map="auto", max_memory={"cpu": int(0.6 * size)}, offload_folder=tmp_path / "disk"
    )
    places = divided.hf_device_map
    assert set(places.values()) == {"cpu", "disk"}
    whole = [name for name, module in model.named_modules() if type(module).__name__ in model._no_split_modules]
    assert len(whole) == 5 and "dlfa.fusion" in whole  # embeddings, three layers, AIF
    assert not [place for place in places for name in whole if place.startswith(f"{name}.")]
    inputs = inputs_for(model)
    torch.testing.assert_close(scores(divided, inputs), scores(model, inputs), rtol=1e-5, atol=1e-5)


def place(module: nn.Module, device: str) -> None:
    """Put a module on an imaginary device and let accelerate bring it its inputs, as `device_map` does."""
    for part in module.modules():
        for name, weight in part.named_parameters(recurse=False):
            part.register_parameter(name, nn.Parameter(torch.empty(weight.shape, device=device)))
        for name, buffer in part.named_buffers(recurse=False):
            part.register_buffer(name, torch.empty(buffer.shape, dtype=buffer.dtype, device=device))
    add_hook_to_module(module, AlignDevicesHook(device))


@pytest.mark.crossed("fusion", "head")
@pytest.mark.parametrize("fusion", list(FUSION_READS))
@pytest.mark.parametrize(
    "head, pooling",
    [(head, "cls") for head in HEADS] + [(DLFAForSequenceClassification, "mean")],
)
def test_layer_k_may_be_on_another_device_than_the_last(head, pooling, fusion, tiny_config):
    """Two imaginary devices ("lazy" is one that torch can imagine on every machine); a mixture of them raises."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        config = DLFAConfig(encoder_config=tiny_config(), fusion=fusion, fusion_layer=1, pooling=pooling)
        model: Any = head(config).eval()
        encoder = model.dlfa.encoder
        place(encoder.embeddings, "lazy:0")
        for number, layer in enumerate(encoder.encoder.layer):
            place(layer, "lazy:0" if number < 2 else "lazy:1")
        for module in (model.dlfa.fusion, *(part for name, part in model.named_children() if name != "dlfa")):
            if next(module.parameters(), None) is not None:  # accelerate passes over modules without weights
                place(module, "lazy:1")
        inputs = {name: value.to("lazy:0") for name, value in inputs_for(model).items()}
        assert scores(model, inputs).device == torch.device("lazy:1")


@pytest.mark.crossed("family", "model_class")
@pytest.mark.parametrize(
    "model_class", [DLFAModel, *(head for head in HEADS if head is not DLFAForMaskedLM)], ids=lambda c: c.__name__
)
def test_no_weights_are_tied(family, model_class, tiny_config):
    """Encoders tie weights to a language model's head only; that of DLFA has tests of its own."""
    model = model_class(DLFAConfig(encoder_config=tiny_config(family), fusion_layer=1))
    assert model.all_tied_weights_keys == {}
    places = [tensor.data_ptr() for tensor in model.state_dict().values() if tensor.numel()]
    assert len(set(places)) == len(places)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.tie_weights()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
