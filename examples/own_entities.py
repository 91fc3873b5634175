"""Fine-tune DLFA on your own tagged words: a CoNLL file in one language in, scores in the others out.

    python examples/own_entities.py --train en.conll --test de.conll th.conll --encoder FacebookAI/xlm-roberta-base

A line holds a word, a tab and its tag (B-DISH, I-DISH, O); a blank line ends a sentence; the tags are those of the
training file. Without arguments it learns from 20 English sentences of restaurant guests and is tried in three other
languages: that shows how it is done, for good scores it takes more data.
"""

import argparse
from pathlib import Path
from typing import Any

from datasets import ClassLabel, Dataset, Features, List, Value
from seqeval.metrics import f1_score
from transformers import AutoTokenizer, DataCollatorForTokenClassification, Trainer, TrainingArguments

from modeling_dlfa import DLFAForTokenClassification
from modeling_dlfa.encoders import resolve_encoder
from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.kinds.tags import at_labels, encode_tags, join_tags


DATA = Path(__file__).parent / "data"
TRAIN = DATA / "entities-en.conll"
TESTS = sorted(path for path in DATA.glob("entities-*.conll") if path != TRAIN)


def read_conll(path: str | Path, labels: list[str] | None = None) -> Dataset:
    """The sentences of a CoNLL file. Labels: those allowed; default: those that the file has."""
    sentences = [{"tokens": [], "tags": []}]
    for number, line in enumerate(Path(path).read_text(encoding="utf-8-sig").split("\n"), start=1):
        if not line.strip():
            sentences.append({"tokens": [], "tags": []})
            continue
        word, _, tag = line.rstrip("\r").partition("\t")
        if not word or not tag or (labels and tag not in labels):
            expected = f"word<tab>tag{', the tag one of ' + ', '.join(labels) if labels else ''}"
            raise InputError(f"{path}:{number}: expected {expected}; found {line!r}")
        sentences[-1]["tokens"].append(word)
        sentences[-1]["tags"].append(tag)
    sentences = [sentence for sentence in sentences if sentence["tokens"]]
    if not sentences:
        raise InputError(f"{path}: no sentences")
    label = ClassLabel(names=labels or sorted({tag for sentence in sentences for tag in sentence["tags"]}))
    return Dataset.from_list(sentences, Features({"tokens": List(Value("string")), "tags": List(label)}))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", default=TRAIN, help="file in the language you have labels in")
    parser.add_argument("--test", nargs="*", default=TESTS, help="files to score")
    parser.add_argument("--encoder", default="embedded", help='a Hub id, a folder, or "embedded" (default)')
    parser.add_argument("--fusion_layer", type=int, help="k; default: two thirds of the encoder's depth")
    parser.add_argument("--num_train_epochs", type=float, default=20)
    parser.add_argument("--learning_rate", type=float, default=3e-4)
    parser.add_argument("--output_dir", default="runs/own_entities", help="where the checkpoint goes")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    train = read_conll(arguments.train)
    labels = train.features["tags"].feature.names
    tests = {Path(path).stem: read_conll(path, labels) for path in arguments.test}  # before the time is spent

    encoder = resolve_encoder(arguments.encoder)
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    model = DLFAForTokenClassification.from_encoder(
        encoder,
        fusion_layer=arguments.fusion_layer,
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
        # One label a word, also in languages without spaces; long sentences become several rows.
        train_dataset=encode_tags(train, tokenizer, max_length=128),
        processing_class=tokenizer,
        data_collator=DataCollatorForTokenClassification(tokenizer),
    )
    trainer.train()
    trainer.save_model(arguments.output_dir)  # with tokenizer and code: examples/use_checkpoint.py opens it

    for name, sentences in {"training data": train, **tests}.items():
        rows = encode_tags(sentences, tokenizer, max_length=128)
        output: Any = trainer.predict(rows)  # pyright: ignore[reportArgumentType]
        ids = join_tags(rows, at_labels(output.predictions.argmax(-1), output.label_ids), len(sentences))
        predicted, expected = (
            [[labels[tag] for tag in tags] for tags in rows] for rows in (ids, sentences["tags"][:])
        )
        print(f"{name}: F1 of entities {f1_score(expected, predicted):.1%}, {len(sentences)} sentences")


if __name__ == "__main__":
    main()
