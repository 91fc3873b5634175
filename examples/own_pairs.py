"""Fine-tune DLFA on your own pairs of sentences: a CSV file in one language in, scores in the others out.

    python examples/own_pairs.py --train en.csv --test de.csv hi.csv --encoder FacebookAI/xlm-roberta-base

The files have the columns sentence1, sentence2 and label; the labels are those of the training file. Without arguments
it learns from 32 English pairs (a question about a hotel, a guest's answer) and is tried in three other languages:
that shows how it is done, for good scores it takes more data.
"""

import argparse
import csv
from pathlib import Path
from typing import Any

from datasets import ClassLabel, Dataset, Features, Value
from transformers import AutoTokenizer, DataCollatorWithPadding, Trainer, TrainingArguments

from modeling_dlfa import DLFAForSequenceClassification
from modeling_dlfa.encoders import resolve_encoder
from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.kinds.pairs import encode_pairs


DATA = Path(__file__).parent / "data"
TRAIN = DATA / "pairs-en.csv"
TESTS = sorted(path for path in DATA.glob("pairs-*.csv") if path != TRAIN)
COLUMNS = ("sentence1", "sentence2", "label")


def read_pairs(path: str | Path, labels: list[str] | None = None) -> Dataset:
    """The rows of a CSV file. Labels: those allowed; default: those that the file has."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if missing := [column for column in COLUMNS if column not in (reader.fieldnames or ())]:
            raise InputError(f"{path}:1: no column {missing[0]!r}; expected {','.join(COLUMNS)}")
        rows = []
        for row in reader:
            if not row["label"] or (labels and row["label"] not in labels):
                expected = f"one of {', '.join(labels)}" if labels else "a label in every row"
                raise InputError(f"{path}:{reader.line_num}: the label is {row['label']!r}; expected {expected}")
            rows.append({column: row[column] for column in COLUMNS})
    if not rows:
        raise InputError(f"{path}: no rows")
    label = ClassLabel(names=labels or sorted({row["label"] for row in rows}))
    return Dataset.from_list(
        rows, Features({"sentence1": Value("string"), "sentence2": Value("string"), "label": label})
    )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", default=TRAIN, help="CSV file in the language you have labels in")
    parser.add_argument("--test", nargs="*", default=TESTS, help="CSV files to score")
    parser.add_argument("--encoder", default="embedded", help='a Hub id, a folder, or "embedded" (default)')
    parser.add_argument("--fusion_layer", type=int, help="k; default: two thirds of the encoder's depth")
    parser.add_argument("--num_train_epochs", type=float, default=10)
    parser.add_argument("--learning_rate", type=float, default=1e-4)
    parser.add_argument("--output_dir", default="runs/own_pairs", help="where the checkpoint goes")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    train = read_pairs(arguments.train)
    labels = train.features["label"].names
    tests = {Path(path).stem: read_pairs(path, labels) for path in arguments.test}  # before the time is spent

    encoder = resolve_encoder(arguments.encoder)
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    model = DLFAForSequenceClassification.from_encoder(
        encoder,
        fusion_layer=arguments.fusion_layer,
        pooling="mean",
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
    )
    model.get_input_embeddings().requires_grad_(False)  # most of a multilingual encoder's parameters: saves time
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            arguments.output_dir,
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
    trainer.save_model(arguments.output_dir)  # with tokenizer and code: examples/use_checkpoint.py opens it

    for name, rows in {"training data": train, **tests}.items():
        output: Any = trainer.predict(encode_pairs(rows, tokenizer, max_length=128))  # pyright: ignore
        accuracy = (output.predictions.argmax(-1) == output.label_ids).mean()
        print(f"{name}: {accuracy:.1%} of {len(rows)} pairs are right")


if __name__ == "__main__":
    main()
