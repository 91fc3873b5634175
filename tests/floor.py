"""Save checkpoints with one transformers and open them, as remote code, with another: `floor.py save|open FOLDER`.

Run by CI with the lowest transformers on which a checkpoint's code works; no test, since it needs two environments.
"""

import sys
from pathlib import Path

import torch
from transformers import AutoModel, AutoModelForSequenceClassification, AutoModelForTokenClassification


INPUTS = {
    "input_ids": torch.tensor([[0, 5, 6, 7, 2], [0, 8, 2, 1, 1]]),
    "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]),
}
WORDS = {"word_positions": torch.tensor([[1, 2, 3], [1, -1, -1]])}
AUTO_CLASSES = {
    "DLFAForSequenceClassification": AutoModelForSequenceClassification,
    "DLFAForTokenClassification": AutoModelForTokenClassification,
    "DLFAForDependencyParsing": AutoModel,
}


@torch.no_grad()
def scores(model) -> torch.Tensor:
    return model.eval()(**INPUTS, **(WORDS if hasattr(model, "parser") else {}))[0]


def save(folder: Path) -> None:
    from transformers import AutoConfig

    import modeling_dlfa

    for family in ("bert", "xlm-roberta"):
        for name in AUTO_CLASSES:
            encoder_config = AutoConfig.for_model(
                family,
                vocab_size=64,
                hidden_size=32,
                num_hidden_layers=3,
                num_attention_heads=4,
                intermediate_size=37,
                pad_token_id=1,
            )
            config = modeling_dlfa.DLFAConfig(encoder_config=encoder_config, fusion_layer=1)
            model = getattr(modeling_dlfa, name)(config)
            target = folder / f"{family}-{name}"
            model.save_pretrained(target)
            torch.save(scores(model), target / "logits.pt")


def load(folder: Path) -> None:
    if (there := sys.modules.get("modeling_dlfa")) is not None:
        raise SystemExit(f"the installed package must not be used here: {there}")
    targets = [target for target in folder.iterdir() if (target / "logits.pt").exists()]
    assert targets, f"nothing was saved in {folder}"
    for target in targets:
        auto_class = AUTO_CLASSES[target.name.rpartition("-")[2]]
        model = auto_class.from_pretrained(target, trust_remote_code=True)
        name = type(model).__name__
        assert target.name.endswith(name), f"{target.name} opened as {name}"
        difference = (scores(model) - torch.load(target / "logits.pt")).abs().max()
        assert difference < 1e-5, f"{target.name}: logits differ by {difference}"
        print(target.name, "ok")


if __name__ == "__main__":
    {"save": save, "open": load}[sys.argv[1]](Path(sys.argv[2]))
