"""PAN-X with training data in many languages: `python results/panx_sources.py --data PATH --output FOLDER`.

The folder has training sentences in English only, and 1,000 development sentences of most languages. Of each of those
the first 600 train, the next 150 are development data, and the last 250 are scored. PATH holds
`panx/dev-<language>.tsv`; then

    dlfa study run examples/studies/sources.yaml
"""

import argparse
from pathlib import Path

from modeling_dlfa.files import write_text


PARTS = {"train": slice(0, 600), "dev": slice(600, 750), "test": slice(750, 1000)}
SENTENCES = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder in XTREME's layout")
    parser.add_argument("--output", type=Path, required=True, help="a new folder in XTREME's layout")
    args = parser.parse_args()
    folder = args.output / "panx"
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted((args.data / "panx").glob("dev-*.tsv")):
        sentences = [sentence for sentence in path.read_text("utf-8").strip().split("\n\n") if sentence]
        if len(sentences) < SENTENCES:
            print(f"{path} left out: {len(sentences)} sentences, expected {SENTENCES}")
            continue
        for part, its in PARTS.items():
            write_text(folder / f"{part}-{path.stem.split('-')[1]}.tsv", "\n\n".join(sentences[its]) + "\n")


if __name__ == "__main__":
    main()
