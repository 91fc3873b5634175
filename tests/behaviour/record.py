"""What the program does, written down: `python tests/behaviour/record.py` writes `recorded.json` beside this file.

`--check` makes the same record again and says what differs; `test_behaviour.py` does so with a part of it. Times,
versions and paths are left out. Record anew only what is changed on purpose, and say why in the commit.
"""

import contextlib
import hashlib
import io
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
RECORDED = Path(__file__).with_name("recorded.json")

TASKS = ("xnli", "pawsx", "panx", "udpos", "xquad", "uddep-upos", "uddep-distance", "uddep-arcs", "uddep")
OF_RUNS = ("xnli", "panx", "udpos", "xquad", "uddep", "uddep-arcs", "uddep-depth")
FAMILIES = ("bert", "xlm-roberta", "distilbert", "modernbert")
FUSIONS = ("none", "aif", "concat")
FLAGS = shlex.split(
    "--max_length 16 --learning_rate 5e-3 --pooling mean --per_device_train_batch_size 8 --num_train_epochs 2 "
    "--eval_steps 10 --use_cpu --disable_tqdm true --fusion_layer 1 --seed 3"
)
CONTROLS = {
    "shuffled": ("panx", "--shuffle_labels true"),
    "easy": ("uddep-direction", "--train_half easy"),
    "hard": ("uddep", "--train_half hard --half_by depth"),
    "first": ("udpos", "--label_piece first --max_train_samples 20 --max_eval_samples 7 --languages de,zh"),
    "validation": ("pawsx", "--eval_split validation --freeze_embeddings true --head_learning_rate 1e-2"),
    "auto": ("xnli", "--fusion_layer auto --max_steps 4"),
    "chain": ("xnli", "--intermediate_tasks uddep-upos,uddep --carry_fusion true --max_steps 3 --max_length 16"),
}


class Workshop:
    """Tiny encoders of several families, and small data, in a temporary folder."""

    def __init__(self, root: Path):
        from tests.conftest import write_tiny_encoder, write_xtreme_folder

        self.root = root
        self.data = write_xtreme_folder(root / "data")
        self.encoders = {"bert": write_tiny_encoder(root / "bert", dropout=0.1)}

    def encoder(self, family: str) -> str:
        if family not in self.encoders:
            import torch
            from transformers import AutoConfig, AutoModel, AutoTokenizer

            from tests.conftest import FAMILIES as CHANGES
            from tests.conftest import TINY

            folder = self.root / family
            tokenizer = AutoTokenizer.from_pretrained(self.encoders["bert"])
            changes = {**TINY, **CHANGES[family], "pad_token_id": 0, "type_vocab_size": 2}
            torch.manual_seed(0)
            AutoModel.from_config(AutoConfig.for_model(family, **changes)).save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            self.encoders[family] = str(folder)
        return self.encoders[family]

    def argv(self, task: str, family: str, output: Path) -> list[str]:
        start = ["--task", task, "--data", str(self.data), "--model_name_or_path", self.encoder(family)]
        return [*start, "--output_dir", str(output), *FLAGS]

    def clean(self, text: str) -> str:
        """A text without what differs from machine to machine and from one moment to the next."""
        text = text.replace(str(self.root), "ROOT")
        text = re.sub(r"[\d.]+ s of training; python [^\n]*", "TIME; VERSIONS", text)
        return re.sub(r"stage \d+ of|[\d.]+ hours|made with[^\n<]*|(python|torch) [\d.+a-z]+[^\n<]*", "", text)


def digest(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def encoded_rows(shop: Workshop) -> dict[str, Any]:
    """Every kind's rows for the encoder, by tokenizer: fingerprints, and one row to look at."""
    from transformers import AutoConfig

    from modeling_dlfa.training.command_line import CommandLine
    from modeling_dlfa.training.data import prepare
    from tests.conftest import FAMILIES as CHANGES
    from tests.conftest import TINY
    from tests.tiny_tokenizers import TOKENIZERS

    found = {}
    for name, make in TOKENIZERS.items():
        folder = shop.root / f"tokenizer-{name}"
        tokenizer = make()
        tokenizer.save_pretrained(folder)
        changes = {**TINY, **CHANGES["bert"], "vocab_size": len(tokenizer), "type_vocab_size": 2}
        AutoConfig.for_model("bert", **changes).save_pretrained(folder)  # rows are made for an encoder
        for task in TASKS:
            for piece in ("character", "first"):
                argv = [*shop.argv(task, "bert", shop.root / "unused"), "--model_name_or_path", str(folder)]
                arguments, _ = CommandLine([*argv, "--label_piece", piece]).arguments(task, "none", "unused")
                data = prepare(arguments)
                sets = {"train": data.train, "dev": data.development.features}
                sets |= {code: one.features for code, one in data.evaluation.items()}
                found[f"{name} {task} {piece}"] = {
                    "rows": {code: digest(rows.to_list()) for code, rows in sets.items()},
                    "columns": data.train.column_names,
                    "types": str(data.train.features),
                    "first": data.train[0],
                    "majority": data.development.majority_scores(),
                }
    return found


def left_behind(shop: Workshop, output: Path, whole_card: bool = True) -> dict[str, Any]:
    """Predictions, results and card of a finished run."""
    values = json.loads((output / "all_results.json").read_text(encoding="utf-8"))
    for name in ("train_runtime", "versions", "used"):  # fingerprints of weights drawn on this machine
        values.pop(name, None)
    if values["scouting"]:
        del values["scouting"]["seconds"]
    card = shop.clean((output / "README.md").read_text(encoding="utf-8"))
    files = [file for file in sorted((output / "predictions").rglob("*-*.*")) if file.suffix != ".npz"]
    return {
        "results": json.loads(shop.clean(json.dumps(values))),
        "predictions": {
            file.relative_to(output).as_posix(): digest(file.read_text(encoding="utf-8")) for file in files
        },
        "card": card.splitlines() if whole_card else digest(card.splitlines()),
    }


def runs(shop: Workshop, part: bool = False) -> Iterator[tuple[str, dict[str, Any]]]:
    """One run of every kind of task, family and fusion, and some with controls, stages and scouting.

    Args:
        part: of the families but the first, and of the fusions but AIF, the runs of trees only.
    """
    from modeling_dlfa.training.__main__ import main

    asked = {
        f"{task} {family} {fusion}": (task, family, ["--fusion", fusion])
        for task in OF_RUNS
        for family in (FAMILIES if task in ("xnli", "panx", "uddep") else FAMILIES[:1])
        for fusion in FUSIONS
    }
    asked |= {name: (task, "bert", flags.split()) for name, (task, flags) in CONTROLS.items()}
    for name, (task, family, flags) in asked.items():
        if part and name not in CONTROLS and task != "uddep" and (family, flags[1]) != (FAMILIES[0], "aif"):
            continue
        output = shop.root / "runs" / name.replace(" ", "-")
        with contextlib.redirect_stdout(io.StringIO()):
            assert main([*shop.argv(task, family, output), *flags]) == 0, name
        yield name, left_behind(shop, output, whole_card=family == FAMILIES[0])


def two_processes(shop: Workshop) -> dict[str, Any]:
    """The same from two processes."""
    found = {}
    for task in ("xnli", "uddep"):
        output = shop.root / "two" / task
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
        argv = [*shop.argv(task, "bert", output), "--per_device_train_batch_size", "4"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run([*command, "run_xtreme.py", *argv], cwd=ROOT, env=environment, check=True, capture_output=True)
        found[task] = left_behind(shop, output)
    return found


def study_report(shop: Workshop) -> dict[str, list[str]]:
    """The tables of a small study with conditions."""
    from modeling_dlfa.study.__main__ import main

    spec = {
        "name": "small",
        "tasks": {"xnli": {}, "panx": {}},
        "encoders": [shop.encoder("bert")],
        "models": {"dlfa": {"fusion": "aif", "fusion_layer": [0, 2]}},
        "conditions": {"after": {"intermediate_tasks": "uddep-upos"}},
        "seeds": [1, 2],
        "arguments": {
            **{"data": str(shop.data), "max_length": 16, "learning_rate": 5e-3, "pooling": "mean", "use_cpu": True},
            **{"per_device_train_batch_size": 8, "max_steps": 6, "eval_strategy": "no"},
        },
        "output_dir": str(shop.root / "study"),
    }
    file = shop.root / "small.yaml"
    file.write_text(json.dumps(spec), encoding="utf-8")
    with contextlib.redirect_stdout(io.StringIO()):
        assert main(["run", str(file)]) == 0
    report = shop.root / "study" / "report"
    names = ("report.md", "summary.csv", "models.csv", "languages.csv", "scores.csv", "conditions.csv")
    return {name: shop.clean((report / name).read_text(encoding="utf-8")).splitlines() for name in names}


def code_lengths(shop: Workshop) -> dict[str, Any]:
    """What the labels of a task of every kind cost."""
    from modeling_dlfa.analysis.difficulty import code_length
    from modeling_dlfa.training.command_line import CommandLine

    found = {}
    for task in ("xnli", "panx", "uddep"):
        argv = [*shop.argv(task, "bert", shop.root / "unused"), "--max_train_samples", "20"]
        arguments, _ = CommandLine(argv).arguments(task, "none", "unused")
        values = code_length(arguments).as_dict()
        del values["encoder"]
        found[task] = values
    return found


def machine() -> dict[str, str]:
    """What decides whether arithmetic gives the same bits."""
    import torch

    processor = platform.processor()
    if sys.platform == "linux":  # of one name there are several, which need not round alike
        first = Path("/proc/cpuinfo").read_text().partition("\n\n")[0]
        named = r"^(?:vendor_id|cpu family|model|model name|stepping|flags)\s*:.*$"
        processor = digest("\n".join(re.findall(named, first, re.MULTILINE)))
    return {
        "processor": processor,
        "capability": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "threads": str(torch.get_num_threads()),
    }


def record(root: Path, part: bool = False) -> dict[str, Any]:
    """The record, made in an empty folder.

    Args:
        part: less of everything, in about a minute.
    """
    import torch

    torch.set_num_threads(1)
    shop = Workshop(root)
    made = {
        "machine": machine(),
        "encoded": encoded_rows(shop),
        "runs": dict(runs(shop, part)),
        "study": study_report(shop),
        "code lengths": code_lengths(shop),
    }
    return json.loads(json.dumps(made if part else {**made, "two processes": two_processes(shop)}))


def differences(before: Any, now: Any, place: str = "") -> Iterator[str]:
    """Where two records differ, a line each; of what only one of them holds, runs are passed over."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in before.keys() | now.keys():
            if name in before and name in now:
                yield from differences(before[name], now[name], f"{place}/{name}")
            elif place not in ("", "/runs"):
                yield f"{place}/{name}: only {'before' if name in before else 'now'}"
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for number, (one, other) in enumerate(zip(before, now)):
            yield from differences(one, other, f"{place}/{number}")
    elif before != now:
        yield f"{place}: {before!r}, now {now!r}"


if __name__ == "__main__":
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    with tempfile.TemporaryDirectory() as folder:
        made = record(Path(folder))
    if sys.argv[1:] == ["--check"]:
        found = list(differences(json.loads(RECORDED.read_text(encoding="utf-8")), made))
        sys.exit("\n".join(found) if found else 0)
    RECORDED.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{RECORDED}: {len(made['runs'])} runs")
