"""XQuAD divided by article, to train and to score on: `python results/xquad_articles.py --data PATH --output FOLDER`.

There is no SQuAD among the project's data, so XQuAD's 48 articles are divided: English questions about the first 32
train, about the next 4 they are development data, and about the last 12 every language is scored. This is not the
benchmark, whose training set is a hundred times as large. PATH holds `xquad/xquad.<language>.json`; then

    dlfa train --task xquad --data FOLDER ...
"""

import argparse
import json
from pathlib import Path

from modeling_dlfa.files import write_text


PARTS = {"train": slice(0, 32), "dev": slice(32, 36), "test": slice(36, 48)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder in XTREME's layout")
    parser.add_argument("--output", type=Path, required=True, help="a new folder in XTREME's layout")
    args = parser.parse_args()
    folder = args.output / "xquad"
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted((args.data / "xquad").glob("xquad.*.json")):
        whole = json.loads(path.read_text("utf-8"))
        code = path.name.split(".")[1]
        for part, articles in PARTS.items() if code == "en" else [("test", PARTS["test"])]:
            text = json.dumps({**whole, "data": whole["data"][articles]}, ensure_ascii=False)
            write_text(folder / f"{part}-{code}.json", text + "\n")


if __name__ == "__main__":
    main()
