"""Use a checkpoint, your own or a published one. This needs transformers and torch, and nothing of modeling_dlfa.

    python examples/use_checkpoint.py runs/hotel/aif "Ist es ruhig?" "Die Straße ist laut."
    python examples/use_checkpoint.py runs/entities/aif "Maria trinkt Kaffee."
    python examples/use_checkpoint.py user/repository --revision 0123456789abcdef... "A sentence."

(The commands in examples/tasks/hotel.yaml and entities.yaml make the first two.) The Python files of the checkpoint
are executed, that is what trust_remote_code means. So a repository must be pinned: --revision names the commit whose
files you have looked at, and nobody can change them behind your back.
"""

import argparse
from pathlib import Path
from typing import Any

from transformers import AutoConfig, pipeline


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="a folder or a Hub id")
    parser.add_argument("text", nargs="+", help="a sentence; two for a classifier of pairs")
    parser.add_argument("--revision", help="the commit, of a Hub id")
    parser.add_argument("--words", action="store_true", help="the text is split into words: one argument, one word")
    arguments = parser.parse_args()
    folder = Path(arguments.checkpoint)
    if arguments.revision is None and not folder.is_dir():
        parser.error(f"{folder} is no folder; of a Hub id, --revision must name the commit")
    if folder.is_dir() and not (folder / "config.json").is_file():
        inside = ", ".join(sorted(str(path.parent) for path in folder.glob("*/config.json")))
        parser.error(f"{folder} holds no model{f'; give one of {inside}' if inside else ''}")
    return arguments


def main() -> None:
    arguments = parse_arguments()
    where: dict[str, Any] = {"revision": arguments.revision, "trust_remote_code": True}
    architectures = AutoConfig.from_pretrained(arguments.checkpoint, **where).architectures
    if architectures == ["DLFAForSequenceClassification"]:
        classify: Any = pipeline("text-classification", arguments.checkpoint, **where)
        inputs = dict(zip(("text", "text_pair"), arguments.text))
        # The checkpoint does not say which of the two it takes.
        print(f"read as {'a pair' if len(inputs) > 1 else 'one sentence'}:")
        for answer in classify([inputs], top_k=None)[0]:
            print(f"{answer['label']}: {answer['score']:.1%}")
    elif architectures == ["DLFAForTokenClassification"]:
        # A word's label was learnt at one of its pieces: "max" takes that of the piece which is surest.
        tag: Any = pipeline("token-classification", arguments.checkpoint, aggregation_strategy="max", **where)
        text = arguments.text if arguments.words else " ".join(arguments.text)
        for entity in tag([text], is_split_into_words=arguments.words)[0]:
            # The pipeline's "word" has lost its spaces where the vocabulary is SentencePiece's.
            words = entity["word"] if arguments.words else text[entity["start"] : entity["end"]]
            print(f"{entity['entity_group']}: {words} ({entity['score']:.1%})")
    else:
        embed: Any = pipeline("feature-extraction", arguments.checkpoint, **where)
        states = embed(" ".join(arguments.text), return_tensors=True)[0]  # (T, E)
        print(f"{states.shape[0]} tokens, {states.shape[1]} numbers each")


if __name__ == "__main__":
    main()
