"""Save checkpoints with one transformers and open them, as remote code, with another.

`floor.py save FOLDER`, then with another transformers `floor.py open FOLDER`, or with one that is too old
`floor.py refuse FOLDER`. `.ci/floor` runs it; no test, since it needs several environments.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    BertTokenizer,
    pipeline,
)


INPUTS = {
    "input_ids": torch.tensor([[0, 5, 6, 7, 2], [0, 8, 2, 1, 1]]),
    "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]),
}
WORDS = {"word_positions": torch.tensor([[1, 2, 3], [1, -1, -1]])}
VOCABULARY = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]", "the", "cat", "sat"]
AUTO_CLASSES = {
    "DLFAModel": AutoModel,
    "DLFAForSequenceClassification": AutoModelForSequenceClassification,
    "DLFAForTokenClassification": AutoModelForTokenClassification,
    "DLFAForDependencyParsing": AutoModel,
    "DLFAForMaskedLM": AutoModelForMaskedLM,
}
PIPELINES = {
    "DLFAForSequenceClassification": "text-classification",
    "DLFAForTokenClassification": "token-classification",
}
EXPECTED = "expected.json"


@torch.no_grad()
def scores(model: Any) -> torch.Tensor:
    return model.eval()(**INPUTS, **(WORDS if hasattr(model, "parser") else {}))[0]


def answers(name: str, folder: Path, **kwargs: Any) -> list[tuple[str, float]]:
    """Labels and scores of the pipeline, where the model has one."""
    if name not in PIPELINES:
        return []
    answer = pipeline(PIPELINES[name], model=str(folder), **kwargs)("the cat sat")  # pyright: ignore
    return [(one.get("label") or one["entity"], float(one["score"])) for one in answer]


def save(folder: Path) -> str:
    import modeling_dlfa

    torch.manual_seed(0)
    for family in ("bert", "xlm-roberta"):
        for name in AUTO_CLASSES:
            encoder_config = AutoConfig.for_model(
                family,
                vocab_size=64,
                hidden_size=32,
                num_hidden_layers=3,
                num_attention_heads=4,
                intermediate_size=37,
                initializer_range=0.2,
                pad_token_id=1,
            )
            config = modeling_dlfa.DLFAConfig(
                encoder_config=encoder_config, fusion_layer=1, aif_norm="batch", id2label={0: "A", 1: "B", 2: "C"}
            )
            model = getattr(modeling_dlfa, name)(config)
            for parameter in model.base_model.fusion.parameters():  # far from z = x, so that layer 1 matters
                torch.nn.init.normal_(parameter, std=0.3)
            target = folder / f"{family}-{name}"
            model.save_pretrained(target)
            BertTokenizer(vocab={word: i for i, word in enumerate(VOCABULARY)}).save_pretrained(target)
            expected = {"scores": scores(model).tolist(), "answers": answers(name, target)}
            (target / EXPECTED).write_text(json.dumps(expected))
    return "saved"


def load(folder: Path) -> str:
    sys.modules["modeling_dlfa"] = None  # pyright: ignore  # an installed package cannot be imported
    targets = sorted(path.parent for path in folder.glob(f"*/{EXPECTED}"))
    if not targets:
        raise SystemExit(f"nothing was saved in {folder}")
    for target in targets:
        name = target.name.rpartition("-")[2]
        model, info = AUTO_CLASSES[name].from_pretrained(target, trust_remote_code=True, output_loading_info=True)
        if type(model).__name__ != name or info["missing_keys"]:
            raise SystemExit(f"{target.name} opened as {type(model).__name__}, without {info['missing_keys']}")
        expected = json.loads((target / EXPECTED).read_text())
        difference = (scores(model) - torch.tensor(expected["scores"])).abs().max().item()
        found = answers(name, target, trust_remote_code=True)
        same = len(found) == len(expected["answers"]) and all(
            label == other and abs(score - wanted) < 1e-5
            for (label, score), (other, wanted) in zip(found, expected["answers"])
        )
        if not difference < 1e-5 or not same:
            raise SystemExit(f"{target.name}: scores differ by {difference}; {found} for {expected['answers']}")
    return f"{len(targets)} checkpoints and their pipelines give the same scores"


def refuse(folder: Path) -> str:
    for target in folder.glob(f"*/{EXPECTED}"):
        try:
            AutoConfig.from_pretrained(target.parent, trust_remote_code=True)
        except ImportError as error:
            return f"refused: {str(error).strip()}"
    raise SystemExit(f"{folder} was not refused")


COMMANDS = {"save": save, "open": load, "refuse": refuse}

if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    _, command, name = sys.argv
    print(f"transformers {transformers.__version__}:", COMMANDS[command](Path(name)))
