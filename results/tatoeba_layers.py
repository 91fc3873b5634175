"""Which layer of the embedded encoder finds translations, both ways: the first 300 lines of Tatoeba's foreign files.

    python results/tatoeba_layers.py DATA_FOLDER [LANGUAGE ...] > results/tatoeba/both_ways.csv

Top-1 accuracy in percent of mean-pooled vectors, each sentence with "query: " before it. `to_english` asks for the
English sentence of a foreign one; `from_english`, XTREME's direction, for the foreign one of an English sentence.
"""

import csv
import sys

import numpy as np

from modeling_dlfa import DLFAModel
from modeling_dlfa.data.folder import FolderSource
from modeling_dlfa.encoders import read_tokenizer, resolve_encoder
from modeling_dlfa.tasks.neighbours import nearest
from modeling_dlfa.tasks.reading import Reader
from modeling_dlfa.tasks.registry import get_task


PAIRS = 300
PREFIX = "query: "


def main(folder: str, languages: list[str]) -> None:
    task, source = get_task("tatoeba"), FolderSource(folder)
    tokenizer = read_tokenizer("embedded")
    model = DLFAModel.from_encoder(resolve_encoder("embedded"), fusion="none")
    reader = Reader(model, task.kind.collator(tokenizer))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["language", "layer", "to_english", "from_english"])
    for language in languages:
        rows = source.load(task, "test", language)
        rows = task.kind.prefixed(task, rows.select(np.argsort(rows["place"][:])[:PAIRS]), PREFIX)
        features = task.kind.encode(task, rows, tokenizer, 128).sort("length", reverse=True)
        own = np.arange(len(rows))
        for layer, vectors in reader.vectors(features, reader.layers).items():
            foreign, english = vectors[: len(rows)], vectors[len(rows) :]
            found = nearest(foreign, english)[1][:, 0], nearest(english, foreign)[1][:, 0]
            writer.writerow([language, layer, *(f"{100 * np.mean(places == own):.1f}" for places in found)])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:] or ["de", "zh", "hi", "sw"])
