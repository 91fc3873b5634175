"""Export a checkpoint to ONNX and run it with ONNX Runtime (needs onnx, onnxscript and onnxruntime).

    dlfa train --task examples/tasks/hotel.yaml --output_dir runs/hotel && python examples/export_onnx.py runs/hotel

Batch size and length stay free. The folder then holds model.onnx and its weights, model.onnx.data; with tokenizer and
configuration beside them it needs neither this package nor torch to run.
"""

import argparse
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
)
from transformers.exporters.configs import OnnxConfig
from transformers.exporters.exporter_onnx import OnnxExporter


SENTENCES = ["The street is loud.", "Das Zimmer war sehr sauber, und Maria brachte uns Kaffee.", "晚上很安静。"]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", nargs="?", default="runs/hotel", help="a folder (default: runs/hotel)")
    parser.add_argument("--output_dir", help="default: the folder onnx in the checkpoint's")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    checkpoint, output_dir = arguments.checkpoint, Path(arguments.output_dir or f"{arguments.checkpoint}/onnx")
    config = AutoConfig.from_pretrained(checkpoint, trust_remote_code=True)
    tags_words = config.architectures == ["DLFAForTokenClassification"]
    auto_class = AutoModelForTokenClassification if tags_words else AutoModelForSequenceClassification
    model = auto_class.from_pretrained(checkpoint, trust_remote_code=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(checkpoint, trust_remote_code=True)

    example = tokenizer(SENTENCES[:2], padding=True, return_tensors="pt")  # two rows: a size of 1 would stay fixed
    exported = OnnxExporter().export(model, dict(example), config=OnnxConfig(dynamic=True))
    exported.save_pretrained(output_dir)
    tokenizer.save_pretrained(output_dir)

    session = onnxruntime.InferenceSession(output_dir / "model.onnx", providers=["CPUExecutionProvider"])
    for sentences in (SENTENCES, SENTENCES[:1]):
        inputs = tokenizer(sentences, padding=True, return_tensors="pt")
        (logits,) = session.run(["logits"], {name: tensor.numpy() for name, tensor in inputs.items()})
        with torch.no_grad():
            difference = np.abs(logits - model(**inputs).logits.numpy()).max()
        print(f"{len(sentences)} x {inputs.input_ids.shape[1]} tokens: logits differ by {difference:.1e}")
        assert difference < 1e-4


if __name__ == "__main__":
    main()
