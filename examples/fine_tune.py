"""Fine-tune DLFA with the plain `Trainer`, save it, and use it in another language.

    python examples/fine_tune.py [ENCODER] [FOLDER]

ENCODER is a Hub id, a folder or "embedded" (default); the checkpoint goes to FOLDER (default: runs/fine_tune). Replace
the two lines that load the data by your own: a data set with `sentence1`, `sentence2` and `label`.
"""

import sys

from transformers import AutoTokenizer, DataCollatorWithPadding, Trainer, TrainingArguments, pipeline

from modeling_dlfa import DLFAForSequenceClassification
from modeling_dlfa.backbones import resolve_encoder
from modeling_dlfa.xtreme.sources import open_source
from modeling_dlfa.xtreme.tasks import get_task


def main(encoder: str = "embedded", folder: str = "runs/fine_tune") -> None:
    task = get_task("xnli")
    train = open_source("sample").load(task, "train", "en").shuffle(seed=0).select(range(256))

    encoder = resolve_encoder(encoder)
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    train = train.map(lambda row: tokenizer(row["sentence1"], row["sentence2"], truncation=True, max_length=128))

    model = DLFAForSequenceClassification.from_encoder(
        encoder,
        fusion_layer=8,
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
    main(*sys.argv[1:])
