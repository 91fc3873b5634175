"""What the program does, written down: `python tests/behaviour/record.py` writes `recorded.json` beside this file.

`test_behaviour.py` makes the same record again and compares. Times, versions and paths are left out.
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

TASKS = ("xnli", "pawsx", "panx", "udpos", "uddep-upos", "uddep-distance", "uddep-arcs", "uddep")
OF_RUNS = ("xnli", "panx", "udpos", "uddep", "uddep-arcs", "uddep-depth")
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
    from modeling_dlfa.training.command_line import CommandLine
    from modeling_dlfa.training.data import prepare
    from tests.tokenizers import TOKENIZERS

    found = {}
    for name, make in TOKENIZERS.items():
        folder = shop.root / f"tokenizer-{name}"
        make().save_pretrained(folder)
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


def left_behind(shop: Workshop, output: Path) -> dict[str, Any]:
    """Predictions, results and card of a finished run."""
    values = json.loads((output / "all_results.json").read_text(encoding="utf-8"))
    for name in ("train_runtime", "versions"):
        del values[name]
    if values["scouting"]:
        del values["scouting"]["seconds"]
    files = sorted((output / "predictions").rglob("*-*.*"))
    return {
        "results": json.loads(shop.clean(json.dumps(values))),
        "predictions": {
            file.relative_to(output).as_posix(): digest(file.read_text(encoding="utf-8")) for file in files
        },
        "card": shop.clean((output / "README.md").read_text(encoding="utf-8")).splitlines(),
    }


def runs(shop: Workshop) -> Iterator[tuple[str, dict[str, Any]]]:
    """One run of every kind of task, family and fusion, and some with controls, stages and scouting."""
    from modeling_dlfa.training.launch import main

    asked = {
        f"{task} {family} {fusion}": (task, family, ["--fusion", fusion])
        for task in OF_RUNS
        for family in (FAMILIES if task in ("xnli", "panx", "uddep") else FAMILIES[:1])
        for fusion in FUSIONS
    }
    asked |= {name: (task, "bert", flags.split()) for name, (task, flags) in CONTROLS.items()}
    for name, (task, family, flags) in asked.items():
        output = shop.root / "runs" / name.replace(" ", "-")
        with contextlib.redirect_stdout(io.StringIO()):
            assert main([*shop.argv(task, family, output), *flags]) == 0, name
        yield name, left_behind(shop, output)


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

    cpu = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text()) if sys.platform == "linux" else None
    return {
        "processor": cpu[1] if cpu else platform.processor(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "threads": str(torch.get_num_threads()),
    }


def record(root: Path) -> dict[str, Any]:
    """The whole record, made in an empty folder."""
    import torch

    torch.set_num_threads(1)
    shop = Workshop(root)
    return json.loads(
        json.dumps(
            {
                "machine": machine(),
                "encoded": encoded_rows(shop),
                "runs": dict(runs(shop)),
                "two processes": two_processes(shop),
                "study": study_report(shop),
                "code lengths": code_lengths(shop),
            }
        )
    )


if __name__ == "__main__":
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    with tempfile.TemporaryDirectory() as folder:
        made = record(Path(folder))
    RECORDED.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{RECORDED}: {len(made['runs'])} runs")
