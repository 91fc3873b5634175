"""Quantise a checkpoint's linear maps to 8 bits for a CPU, and look at what that changes.

    dlfa train --task examples/tasks/hotel.yaml --output_dir runs/hotel && python examples/quantize.py runs/hotel

Activations are quantised as they come (dynamic quantisation), so that no calibration data are needed. Embeddings, most
of a multilingual encoder, stay as they are.
"""

import argparse
import copy

import torch
from torch import nn
from torch.ao.quantization import quantize_dynamic
from transformers import AutoModelForSequenceClassification, AutoTokenizer


PAIRS = [("Was the room clean?", "The sheets were spotless."), ("War es ruhig?", "Die Straße war laut.")]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", nargs="?", default="runs/hotel", help="a folder (default: runs/hotel)")
    return parser.parse_args()


def main() -> None:
    checkpoint = parse_arguments().checkpoint
    tokenizer = AutoTokenizer.from_pretrained(checkpoint, trust_remote_code=True)
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint, trust_remote_code=True).eval()
    small = quantize_dynamic(copy.deepcopy(model), {nn.Linear}, dtype=torch.qint8)
    inputs = tokenizer(*zip(*PAIRS), padding=True, return_tensors="pt")
    for name, one in (("float", model), ("8 bits", small)):
        with torch.no_grad():
            probabilities = one(**inputs).logits.softmax(-1)
        for (first, second), row in zip(PAIRS, probabilities):
            label = model.config.id2label[row.argmax().item()]
            print(f"{name}: {first} {second} {label} ({row.max():.1%})")


if __name__ == "__main__":
    main()
