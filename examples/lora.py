"""Fine-tune DLFA with LoRA (needs peft): only small adapters, the fusion and the head are trained and saved.

    python examples/lora.py --encoder FacebookAI/xlm-roberta-large

`dlfa train --train lora` does all of this, for every encoder and task. Here it is by hand, with the plain Trainer.

LoRA freezes whatever it is not told about. For DLFA that is one line, modules_to_save=["fusion", "classifier"] (the
parser's head is called "parser"): without it the fusion keeps its start, is not saved, and the model is the baseline.
LoRA's own matrices go into the attention's "query" and "value" (BERT, XLM-R, ELECTRA; other encoders use other names,
target_modules="all-linear" finds them).
"""

import argparse
from pathlib import Path

import torch
from datasets import load_dataset
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from transformers import AutoTokenizer, DataCollatorWithPadding, Trainer, TrainingArguments, set_seed

from modeling_dlfa import DLFAForSequenceClassification
from modeling_dlfa.encoders import resolve_encoder
from modeling_dlfa.tasks.kinds.pairs import encode_pairs


PAIRS = Path(__file__).parent / "data" / "hotel" / "train.csv"  # sentence1, sentence2, label


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="embedded", help='a Hub id, a folder, or "embedded" (default)')
    parser.add_argument("--fusion_layer", type=int, help="k; default: two thirds of the encoder's depth")
    parser.add_argument("--num_train_epochs", type=float, default=20)
    parser.add_argument("--learning_rate", type=float, default=2e-3)
    parser.add_argument("--output_dir", default="runs/lora", help="where adapter and merged checkpoint go")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    set_seed(42)  # before the model: its head starts at random
    encoder, output_dir = resolve_encoder(arguments.encoder), Path(arguments.output_dir)
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    train = load_dataset("csv", data_files=str(PAIRS), split="train").class_encode_column("label")  # pyright: ignore
    labels = train.features["label"].names

    def base_model() -> DLFAForSequenceClassification:
        """What the adapter sits on: the pretrained encoder with a new fusion and head."""
        return DLFAForSequenceClassification.from_encoder(
            encoder,
            fusion_layer=arguments.fusion_layer,
            pooling="mean",
            id2label=dict(enumerate(labels)),
            label2id={label: index for index, label in enumerate(labels)},
        )

    lora = LoraConfig(
        task_type=TaskType.SEQ_CLS, target_modules=["query", "value"], modules_to_save=["fusion", "classifier"]
    )
    model = get_peft_model(base_model(), lora)
    model.print_trainable_parameters()
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            str(output_dir),
            num_train_epochs=arguments.num_train_epochs,
            learning_rate=arguments.learning_rate,
            per_device_train_batch_size=8,
            save_strategy="no",
        ),
        train_dataset=encode_pairs(train, tokenizer, max_length=128),
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),
    )
    trainer.train()
    trainer.save_model(str(output_dir / "adapter"))  # some megabytes

    # Later: the same base, and the adapter on it.
    model = PeftModel.from_pretrained(base_model(), str(output_dir / "adapter")).eval()
    with torch.no_grad():
        logits = model(**tokenizer("War es ruhig?", "Wir haben wunderbar geschlafen.", return_tensors="pt")).logits
    print("adapter:", labels[logits.argmax().item()])

    # To share: merged into an ordinary checkpoint, which opens without peft and without this package.
    merged = model.merge_and_unload()
    merged.save_pretrained(output_dir / "merged")
    tokenizer.save_pretrained(output_dir / "merged")
    print(f"merged: {output_dir / 'merged'}")


if __name__ == "__main__":
    main()
