"""Make the results under this folder: `python results/reproduce.py --data PATH [--workers 2] [--groups udpos panx]`.

PATH is a folder in XTREME's layout. Every run is one `run_xtreme.py` command. Its results file is kept as
`<group>/<name>.json`, and the command that made it stands in `<group>/commands.txt`. A run whose file is there is not
run again, so the script can be stopped and started at will; the rest of a run (checkpoint, predictions) stays under
`--work`, without the weights unless `--keep_weights` is given.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


HERE = Path(__file__).resolve().parent
SCRIPT = HERE.parent / "run_xtreme.py"

SEEDS = (1, 2)
MODELS = {"baseline": "--fusion none", "dlfa-k4": "--fusion_layer 4", "dlfa-k8": "--fusion_layer 8"}

# Sized for two CPU cores. The learning rates were set beforehand for such short runs and are the same for all models.
SHORT = "--learning_rate 1e-4 --head_learning_rate 1e-3 --freeze_embeddings"
TAGGING = f"{SHORT} --max_train_samples 2000 --max_eval_samples 200 --num_train_epochs 2"
PAIRS = f"{SHORT} --max_train_samples 2000 --num_train_epochs 1 --per_device_train_batch_size 16"

GROUPS = {
    "udpos": {model: f"--task udpos {TAGGING} {flags}" for model, flags in MODELS.items()},
    "panx": {model: f"--task panx {TAGGING} {flags}" for model, flags in MODELS.items()},
    "xnli": {model: f"--task xnli {PAIRS} --max_eval_samples 150 {flags}" for model, flags in MODELS.items()},
    "pawsx": {model: f"--task pawsx {PAIRS} --max_eval_samples 150 {flags}" for model, flags in MODELS.items()},
    # Where a word's label sits, for the baseline. The character rows of udpos are those of the group udpos.
    "label_piece": {
        "udpos-first": f"--task udpos {TAGGING} --fusion none --label_piece first",
        "panx-character": f"--task panx {TAGGING} --fusion none --eval_split validation --languages en,de,bg,zh,ja",
        "panx-first": f"--task panx {TAGGING} --fusion none --eval_split validation --languages en,de,bg,zh,ja "
        "--label_piece first",
    },
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder in XTREME's layout")
    parser.add_argument("--work", type=Path, default=Path("runs/reproduce"), help="where the runs take place")
    parser.add_argument("--workers", type=int, default=1, help="runs at the same time, one CPU thread each")
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--seeds", nargs="+", type=int, choices=SEEDS, default=SEEDS)
    parser.add_argument("--keep_weights", action="store_true")
    args = parser.parse_args()

    runs = [
        (group, f"{name}-seed{seed}", f"{flags} --seed {seed}")
        for seed in args.seeds
        for group in args.groups
        for name, flags in GROUPS[group].items()
    ]
    with ThreadPoolExecutor(args.workers) as pool:
        failed = sum(pool.map(lambda run: one_run(args, *run), runs))
    print(f"{failed} of {len(runs)} runs failed" if failed else "all results are there")
    return min(failed, 1)


def one_run(args: argparse.Namespace, group: str, name: str, flags: str) -> bool:
    """Run one command unless its result is there; whether it failed."""
    result = HERE / group / f"{name}.json"
    if result.exists():
        return False
    folder = args.work / group / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    flags = f"{flags} --data {args.data} --output_dir {folder}"
    print("run_xtreme.py", flags, flush=True)
    with open(folder.with_suffix(".log"), "w", encoding="utf-8") as log:
        done = subprocess.run(
            [sys.executable, str(SCRIPT), *shlex.split(flags), "--disable_tqdm", "true"],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    if done.returncode:
        print(f"failed: {group}/{name}, see {folder.with_suffix('.log')}", flush=True)
        return True
    result.parent.mkdir(exist_ok=True)
    with open(result.parent / "commands.txt", "a", encoding="utf-8") as commands:
        commands.write(f"python run_xtreme.py {flags}\n")
    if not args.keep_weights:
        (folder / "model.safetensors").unlink()
    shutil.copy(folder / "all_results.json", result.with_suffix(".tmp"))
    result.with_suffix(".tmp").rename(result)
    return False


if __name__ == "__main__":
    sys.exit(main())
