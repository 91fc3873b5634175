"""A saved folder opens where the package is not installed: everything happens in a process that cannot import it."""

import ast
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertTokenizer

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
from modeling_dlfa.configuration_dlfa import AUTO_MAP
from tests.elsewhere import run_elsewhere


PACKAGE = Path(__file__).parents[1] / "modeling_dlfa"
CLASSES = {
    "AutoModel": DLFAModel,
    "AutoModelForMaskedLM": DLFAForMaskedLM,
    "AutoModelForMultipleChoice": DLFAForMultipleChoice,
    "AutoModelForQuestionAnswering": DLFAForQuestionAnswering,
    "AutoModelForSequenceClassification": DLFAForSequenceClassification,
    "AutoModelForTokenClassification": DLFAForTokenClassification,
}
SAVERS = {**CLASSES, "parser": DLFAForDependencyParsing}  # folder -> what is saved there
SAVED = {"config.json", "model.safetensors", "configuration_dlfa.py", "modeling_dlfa.py"}
LABELS = ["O", "B-PER", "I-PER"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat"]

# What the fresh process runs. In its folder it finds one model for each of the Auto classes, named after it, and a
# parser, which AutoModel opens.
PROGRAM = """
import json, sys
from pathlib import Path

import torch
import transformers

root, report, tensors = Path(sys.argv[1]), {}, {}
inputs = torch.load(root / "inputs.pt")
autos = ("AutoModel", "AutoModelForQuestionAnswering", "AutoModelForSequenceClassification")
autos += ("AutoModelForTokenClassification", "AutoModelForMultipleChoice", "AutoModelForMaskedLM")


def opened(auto, folder, **kwargs):
    return getattr(transformers, auto).from_pretrained(folder, trust_remote_code=True, **kwargs)


@torch.no_grad()
def outputs(model):
    words = {"word_positions": torch.tensor([[1, 3, 4, 7], [2, 3, 5, -1], [4, 5, -1, -1]])}
    if hasattr(model, "choice_scorer"):
        return model.eval()(**{name: values[None] for name, values in inputs.items()})[0]
    return model.eval()(**inputs, **(words if hasattr(model, "parser") else {}))[0]


for saved in (*autos, "parser"):
    for auto in autos:
        model, info = opened(auto, root / saved, output_loading_info=True)
        tensors[f"{saved} {auto}"] = outputs(model)
        report[f"{saved} {auto}"] = [type(model).__module__, type(model).__name__, sorted(info["missing_keys"])]
    own = "AutoModel" if saved == "parser" else saved
    opened(own, root / saved).save_pretrained(root / f"{saved} again")
    tensors[f"{saved} again"] = outputs(opened(own, root / f"{saved} again"))

opened("AutoModelForTokenClassification", root / "parser").save_pretrained(root / "tagger of parser")
parser_config = opened("AutoConfig", root / "parser")
torch.use_deterministic_algorithms(True)  # fills new memory with NaN
tensors["fresh root"] = transformers.AutoModel.from_config(parser_config, trust_remote_code=True).parser.root.detach()
torch.use_deterministic_algorithms(False)

config = opened("AutoConfig", root / "AutoModel")
report["config"] = [type(config).__module__, config.to_dict()]
for auto in ("AutoConfig", *autos):
    try:
        getattr(transformers, auto).from_pretrained(root / "AutoModel", trust_remote_code=False)
    except ValueError as error:
        report[f"{auto} untrusted"] = str(error)

fresh = transformers.AutoModelForTokenClassification.from_config(config, trust_remote_code=True)
for name, parameter in fresh.named_parameters():
    if name.startswith(("dlfa.fusion", "classifier")):
        tensors[f"fresh {name}"] = parameter.detach()

for task, auto in (("text", "AutoModelForSequenceClassification"), ("token", "AutoModelForTokenClassification")):
    run = transformers.pipeline(f"{task}-classification", model=str(root / auto), trust_remote_code=True)
    report[f"{task} pipeline"] = [{key: str(value) for key, value in item.items()} for item in run("the cat sat")]

model_class = type(opened("AutoModelForTokenClassification", root / "AutoModelForTokenClassification"))
transformers.BertModel(config.encoder_config).save_pretrained(root / "plain")
try:
    model_class.from_pretrained(root / "plain")
except ValueError as error:
    report["plain"] = str(error)
report["from_encoder"] = type(model_class.from_encoder(root / "plain", fusion_layer=1)).__name__
report["imported"] = sorted(name for name in sys.modules if name.startswith("modeling_dlfa."))

torch.save(tensors, root / "tensors.pt")
(root / "report.json").write_text(json.dumps(report))
"""


@pytest.fixture(scope="module")
def elsewhere(tiny_config, tmp_path_factory) -> dict[str, Any]:
    """Models saved here, opened in a fresh process: what it reported, its tensors, and our models and inputs."""
    root = tmp_path_factory.mktemp("elsewhere")
    tokenizer = BertTokenizer(vocab={word: i for i, word in enumerate(WORDS)})
    torch.manual_seed(0)
    inputs = {"input_ids": torch.randint(5, 64, (3, 9)), "attention_mask": torch.ones(3, 9, dtype=torch.long)}
    inputs["attention_mask"][1:, 6:] = 0
    torch.save(inputs, root / "inputs.pt")
    models = {}
    for folder, model_class in SAVERS.items():
        arguments = {"fusion_layer": 1, "aif_norm": "batch", "id2label": dict(enumerate(LABELS))}
        config = DLFAConfig(encoder_config=tiny_config(pad_token_id=0), **arguments)
        models[folder] = model_class(config).eval()
        with torch.no_grad():
            for parameter in models[folder].base_model.fusion.parameters():
                parameter.normal_(std=0.3)
        models[folder].save_pretrained(root / folder)
        assert {path.name for path in (root / folder).iterdir()} == SAVED
        tokenizer.save_pretrained(root / folder)
    run_elsewhere(PROGRAM, root, cwd=root, from_nothing=True)
    return {
        "root": root,
        "report": json.loads((root / "report.json").read_text()),
        "tensors": torch.load(root / "tensors.pt"),
        "models": models,
        "inputs": inputs,
    }


@pytest.mark.parametrize("auto", CLASSES)
def test_logits_are_the_same_elsewhere(elsewhere, auto):
    inputs = elsewhere["inputs"]
    if auto == "AutoModelForMultipleChoice":
        inputs = {name: values[None] for name, values in inputs.items()}
    with torch.no_grad():
        expected = elsewhere["models"][auto](**inputs)[0]
    # As many rows as choices are summed in an order that the number of threads decides.
    rounding = 1e-6 if auto == "AutoModelForMultipleChoice" else 0
    assert torch.allclose(elsewhere["tensors"][f"{auto} {auto}"], expected, rtol=0, atol=rounding)
    module, name, missing = elsewhere["report"][f"{auto} {auto}"]
    assert module.startswith("transformers_modules.") and name == CLASSES[auto].__name__ and not missing
    assert elsewhere["report"]["imported"] == []


@pytest.mark.parametrize("saved", SAVERS)
def test_every_auto_class_opens_what_any_class_saved(elsewhere, saved):
    if saved != "parser":
        with torch.no_grad():
            expected = elsewhere["models"][saved].base_model(**elsewhere["inputs"])[0]
        assert torch.equal(elsewhere["tensors"][f"{saved} AutoModel"], expected)
    for auto in CLASSES:
        _, name, missing = elsewhere["report"][f"{saved} {auto}"]
        model_class = SAVERS["parser"] if (saved, auto) == ("parser", "AutoModel") else CLASSES[auto]
        assert name == model_class.__name__
        heads = ("classifier.", "qa_outputs.", "choice_scorer.", "lm_head.")
        assert not [key for key in missing if not key.startswith(heads)]
        assert elsewhere["tensors"][f"{saved} {auto}"].isfinite().all()


def test_a_parser_is_the_same_elsewhere(elsewhere):
    words = torch.tensor([[1, 3, 4, 7], [2, 3, 5, -1], [4, 5, -1, -1]])
    with torch.no_grad():
        expected = elsewhere["models"]["parser"](**elsewhere["inputs"], word_positions=words).arc_logits
    assert torch.equal(elsewhere["tensors"]["parser AutoModel"], expected)
    assert elsewhere["report"]["parser AutoModel"][2] == []
    assert 0.1 < elsewhere["tensors"]["fresh root"].std() < 0.3  # the encoder's initializer_range is 0.2


@pytest.mark.parametrize("saved", SAVERS)
def test_saved_again_elsewhere(elsewhere, saved):
    folder = elsewhere["root"] / f"{saved} again"
    assert {path.name for path in folder.iterdir()} == SAVED
    for name in ("configuration_dlfa.py", "modeling_dlfa.py"):
        assert (folder / name).read_text() == (PACKAGE / name).read_text()
    parser = {"AutoModel": "modeling_dlfa.DLFAForDependencyParsing"} if saved == "parser" else {}
    assert json.loads((folder / "config.json").read_text())["auto_map"] == {**AUTO_MAP, **parser}
    auto = "AutoModel" if saved == "parser" else saved
    assert torch.equal(elsewhere["tensors"][f"{saved} again"], elsewhere["tensors"][f"{saved} {auto}"])


def test_a_tagger_made_from_a_parser_is_no_parser_elsewhere(elsewhere):
    config = json.loads((elsewhere["root"] / "tagger of parser" / "config.json").read_text())
    assert config["auto_map"] == AUTO_MAP and config["architectures"] == ["DLFAForTokenClassification"]


def test_config_is_the_same_elsewhere(elsewhere):
    module, config = elsewhere["report"]["config"]
    assert module.startswith("transformers_modules.")
    expected = DLFAConfig.from_pretrained(elsewhere["root"] / "AutoModel").to_dict()
    assert {**config, "_name_or_path": ""} == json.loads(json.dumps(expected))


@pytest.mark.parametrize("auto", ["AutoConfig", *CLASSES])
def test_code_is_not_run_without_trust(elsewhere, auto):
    assert "trust_remote_code=True" in elsewhere["report"][f"{auto} untrusted"]


def test_new_fusion_starts_at_identity_elsewhere(elsewhere):
    """Transformers initialises the modules of remote code in its own way (`_initialize_weights`)."""
    fresh = {name[6:]: tensor for name, tensor in elsewhere["tensors"].items() if name.startswith("fresh ")}
    for branch in ("local_branch", "global_branch"):
        assert not fresh[f"dlfa.fusion.{branch}.expand.weight"].any()
        assert (fresh[f"dlfa.fusion.{branch}.expand.bias"] == 2).all()
        assert 0.15 < fresh[f"dlfa.fusion.{branch}.reduce.weight"].std() < 0.25
    assert 0.15 < fresh["classifier.weight"].std() < 0.25


def test_pipelines_work_elsewhere(elsewhere):
    (text,) = elsewhere["report"]["text pipeline"]
    assert text["label"] in LABELS
    tokens = elsewhere["report"]["token pipeline"]
    model = elsewhere["models"]["AutoModelForTokenClassification"]
    with torch.no_grad():
        logits = model(torch.tensor([[2, 5, 6, 7, 3]])).logits[0, 1:4]  # [CLS] the cat sat [SEP]
    expected = [
        (word, LABELS[label]) for word, label in zip(("the", "cat", "sat"), logits.argmax(-1).tolist()) if label
    ]
    assert [(item["word"], item["entity"]) for item in tokens] == expected  # the pipeline leaves "O" out


def test_a_plain_encoder_is_refused_elsewhere(elsewhere):
    assert "holds a plain 'bert' model, not a DLFA one" in elsewhere["report"]["plain"]
    assert elsewhere["report"]["from_encoder"] == "DLFAForTokenClassification"


@pytest.mark.parametrize("name", ["configuration_dlfa", "modeling_dlfa"])
def test_model_files_need_only_torch_and_transformers(name):
    """What they import becomes a requirement of opening a checkpoint; what is beside them must be named with a dot."""
    allowed = {*sys.stdlib_module_names, "torch", "transformers"}
    for node in ast.walk(ast.parse((PACKAGE / f"{name}.py").read_text())):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= allowed
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None  # "from . import x" is not copied
            if node.level:
                assert (node.level, node.module) == (1, "configuration_dlfa")
            else:
                assert node.module.split(".")[0] in allowed
