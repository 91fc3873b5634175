"""Fine-tune DLFA with the plain `Trainer`, save it, and use it in another language.

    python examples/fine_tune.py --encoder FacebookAI/xlm-roberta-base

This is the lesson for those who want no command: the model is an ordinary one. Replace the two lines that load the
data by your own, a data set with `sentence1`, `sentence2` and `label`. With `dlfa train --task mine.yaml`
(examples/tasks) the baseline, scores per language and a model card come with it.
"""

import argparse

from transformers import AutoTokenizer, DataCollatorWithPadding, Trainer, TrainingArguments, pipeline, set_seed

from modeling_dlfa import DLFAForSequenceClassification
from modeling_dlfa.data.sources import open_source
from modeling_dlfa.encoders import resolve_encoder
from modeling_dlfa.tasks.registry import get_task


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="embedded", help='a Hub id, a folder, or "embedded" (default)')
    parser.add_argument("--fusion_layer", type=int, help="k; default: two thirds of the encoder's depth")
    parser.add_argument("--output_dir", default="runs/fine_tune", help="where the checkpoint goes")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    set_seed(42)  # before the model: its head starts at random
    folder = arguments.output_dir
    task = get_task("xnli")
    train = open_source("sample").load(task, "train", "en").shuffle(seed=0).select(range(256))

    encoder = resolve_encoder(arguments.encoder)
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    train = train.map(lambda row: tokenizer(row["sentence1"], row["sentence2"], truncation=True, max_length=128))

    model = DLFAForSequenceClassification.from_encoder(
        encoder,
        fusion_layer=arguments.fusion_layer,
        pooling="mean",
        id2label=dict(enumerate(task.labels)),
        label2id={label: index for index, label in enumerate(task.labels)},
    )
    model.get_input_embeddings().requires_grad_(False)  # most of a multilingual encoder's parameters
    trainer = Trainer(
        model=model,
        args=TrainingArguments(folder, num_train_epochs=1, learning_rate=1e-4, per_device_train_batch_size=16),
        train_dataset=train,
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),
    )
    trainer.train()
    trainer.save_model(folder)

    # Anyone can open the folder like this, without this package: it carries its code.
    classify = pipeline("text-classification", folder, trust_remote_code=True)
    print(classify({"text": "Der Arzt schläft im Garten.", "text_pair": "Jemand schläft."}))


if __name__ == "__main__":
    main()
