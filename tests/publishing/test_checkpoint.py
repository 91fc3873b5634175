"""What is published: exactly the list, whole, and nothing of this machine; and the dry run that shows it."""

import json
import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from modeling_dlfa import DLFAForSequenceClassification
from modeling_dlfa.errors import InputError
from modeling_dlfa.publishing import read_checkpoint
from modeling_dlfa.publishing.__main__ import main


REPOSITORY = "tester/dlfa"
CODE = {"configuration_dlfa.py", "modeling_dlfa.py"}
FILES = {"README.md", "all_results.json", "config.json", "tokenizer.json", "tokenizer_config.json", *CODE}
NEVER = (
    "settings.json",  # with paths of this machine
    "training_args.bin",
    "optimizer.pt",
    "pytorch_model.bin",
    ".env",
    "tokens.txt",
    "notes.md",
    "other.safetensors",
)


def edit(path: Path, *keys: str, value: object) -> None:
    """Set an entry of a JSON file; without a value, delete it."""
    content = entry = json.loads(path.read_text("utf-8"))
    for key in keys[:-1]:
        entry = entry[key]
    entry[keys[-1]] = value
    path.write_text(json.dumps(content), "utf-8")


def shard(folder: Path) -> list[str]:
    """Replace the one file of weights by several, and return their names."""
    model = DLFAForSequenceClassification.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="40KB")
    return sorted(path.name for path in folder.glob("*.safetensors"))


def test_only_the_list_is_published(run_folder: Path):
    for name in NEVER:
        (run_folder / name).write_text("hf_secret")
    (run_folder / "checkpoint-2").mkdir()
    (run_folder / "checkpoint-2" / "model.safetensors").write_text("")
    checkpoint = read_checkpoint(run_folder, REPOSITORY)
    assert set(checkpoint.files) == FILES | {"model.safetensors"}
    assert set(checkpoint.left_out) == {*NEVER, "checkpoint-2", "predictions"}
    assert checkpoint.sizes["model.safetensors"] == (run_folder / "model.safetensors").stat().st_size


def test_shards(run_folder: Path):
    names = shard(run_folder)
    assert len(names) > 2
    checkpoint = read_checkpoint(run_folder, REPOSITORY)
    assert set(checkpoint.files) == FILES | {"model.safetensors.index.json", *names}
    (run_folder / names[1]).unlink()
    with pytest.raises(InputError, match=f"{run_folder} is incomplete: {names[1]} missing"):
        read_checkpoint(run_folder, REPOSITORY)


@pytest.mark.parametrize("name", sorted(FILES - {"all_results.json"} | {"model.safetensors"}))
def test_a_missing_file_is_named(run_folder: Path, name: str, capsys: pytest.CaptureFixture[str]):
    (run_folder / name).unlink()
    assert main([str(run_folder), REPOSITORY, "--dry_run"]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"error: {run_folder} is incomplete: {name} missing\n")


def test_all_missing_files_are_named(run_folder: Path):
    for name in ("tokenizer.json", "modeling_dlfa.py"):
        (run_folder / name).unlink()
    with pytest.raises(InputError, match="modeling_dlfa.py, tokenizer.json missing"):
        read_checkpoint(run_folder, REPOSITORY)


def test_a_folder_without_a_finished_run(run_folder: Path):
    with pytest.raises(InputError, match=f"{run_folder / 'no'} is no folder"):
        read_checkpoint(run_folder / "no", REPOSITORY)
    with pytest.raises(InputError, match=f"holds several runs: give one of {run_folder}$"):
        read_checkpoint(run_folder.parent, REPOSITORY)
    (run_folder / "all_results.json").unlink()
    with pytest.raises(InputError, match="no finished run: all_results.json, which a run writes last, is missing"):
        read_checkpoint(run_folder, REPOSITORY)


def truncate(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def rewrite(name: str, old: str, new: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text("utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new), "utf-8")

    return change


def set_to(name: str, *keys: str, value: object) -> Callable[[Path], object]:
    return lambda folder: edit(folder / name, *keys, value=value)


def escape_by_the_index(folder: Path) -> None:
    shard(folder)
    edit(folder / "model.safetensors.index.json", "weight_map", "classifier.bias", value="../x.safetensors")


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "weights cut off": (truncate, r"model\.safetensors is damaged: "),
    "weights of another shape": (
        set_to("config.json", "encoder_config", "intermediate_size", value=8),
        r"do not fit config\.json: dlfa\.encoder\..*in shape \[64, 32\], expected \[8, 32\]",
    ),
    "weights of another fusion": (
        set_to("config.json", "fusion", value="concat"),
        r"do not fit config\.json: dlfa\.fusion\S+ missing",
    ),
    "an impossible configuration": (set_to("config.json", "fusion_layer", value=9), r"config\.json: .*fusion_layer"),
    "an index that leaves the folder": (escape_by_the_index, r"index\.json: .* found '\.\./x\.safetensors'"),
    "no auto_map": (set_to("config.json", "auto_map", value=None), "auto_map has None for AutoConfig"),
    "an incomplete auto_map": (
        rewrite("config.json", '"AutoModelForTokenClassification"', '"AutoModelForMaskedLM"'),
        "auto_map has None for AutoModelForTokenClassification",
    ),
    "an auto_map to another repository": (
        rewrite("config.json", '"modeling_dlfa.DLFAModel"', '"jane/code--modeling_dlfa.DLFAModel"'),
        "auto_map has 'jane/code--modeling_dlfa.DLFAModel' for AutoModel, expected 'modeling_dlfa.DLFAModel'",
    ),
    "an auto_map to more code": (
        set_to("config.json", "auto_map", "AutoTokenizer", value=["jane/code--tokenization.T", None]),
        r"auto_map has \['jane/code--tokenization.T', None\] for AutoTokenizer, expected None",
    ),
    "another head": (
        rewrite("config.json", '"DLFAForSequenceClassification"\n', '"DLFAForTokenClassification"\n'),
        "architectures .*, expected DLFAForSequenceClassification for xnli",
    ),
    "code without the class": (
        rewrite("modeling_dlfa.py", "class DLFAForTokenClassification(", "class Other("),
        r"modeling_dlfa\.py: no class DLFAForTokenClassification",
    ),
    "code that is none": (rewrite("configuration_dlfa.py", "import", "import import"), "is no Python"),
    "a broken configuration": (rewrite("config.json", "{", "["), r"config\.json cannot be read"),
    "a broken tokenizer": (rewrite("tokenizer.json", "}", ""), r"tokenizer\.json cannot be read"),
    "a card without metadata": (rewrite("README.md", "library_name: ", "library_name: ["), "README.md: its metadata"),
    "a card with a model index that is none": (rewrite("README.md", "value:", "val:"), "README.md: its metadata"),
    "a card that names a folder": (
        lambda folder: rewrite("README.md", "## Scores", f"## Scores\nfrom {folder.resolve()}")(folder),
        r"README\.md:\d+: names a folder of this machine",
    ),
    "results of no task": (set_to("all_results.json", "task", value="chess"), r"all_results\.json: no task 'chess'"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_refused(run_folder: Path, damage: str):
    change, says = DAMAGE[damage]
    change(run_folder)
    with pytest.raises(InputError, match=says) as raised:
        read_checkpoint(run_folder, REPOSITORY)
    assert "\n" not in str(raised.value)


def test_no_path_of_this_machine_leaves_it(run_folder: Path, xtreme_folder: Path, tiny_encoder: str):
    private = re.compile(f"{xtreme_folder.parent}|{Path(tiny_encoder).parent}|jane")
    edit(run_folder / "config.json", "encoder_config", "_name_or_path", value="/home/jane/runs/encoder")
    edit(run_folder / "tokenizer_config.json", "name_or_path", value="C:\\Users\\jane\\encoder")
    stage = {"task": "uddep", "metric": "las", "development_score": 50.0, "data": "~jane/xtreme"}
    edit(run_folder / "all_results.json", "intermediate", value=[stage])
    assert private.search((run_folder / "all_results.json").read_text("utf-8"))
    checkpoint = read_checkpoint(run_folder, REPOSITORY)
    assert set(checkpoint.rewritten) == {"README.md", "all_results.json", "config.json", "tokenizer_config.json"}
    uploaded = {}
    for name, content in checkpoint.files.items():
        uploaded[name] = content if isinstance(content, bytes) else content.read_bytes()
        assert not private.search(uploaded[name].decode("utf-8", "replace")), name
    results = json.loads(uploaded["all_results.json"])
    assert (results["encoder"], results["data"]) == ("tiny-encoder", "xtreme")
    assert results["intermediate"] == [{**stage, "data": "xtreme"}]
    assert json.loads(uploaded["config.json"])["encoder_config"]["_name_or_path"] == "encoder"
    assert json.loads(uploaded["tokenizer_config.json"])["name_or_path"] == "encoder"


def test_folders_given_relative_to_another_are_shortened(run_folder: Path, monkeypatch: pytest.MonkeyPatch):
    (run_folder.parent / "jane" / "xtreme").mkdir(parents=True)
    monkeypatch.chdir(run_folder.parent)
    edit(run_folder / "all_results.json", "data", value="jane/xtreme")
    edit(run_folder / "all_results.json", "encoder", value="google-bert/bert-base-cased")
    content = read_checkpoint(run_folder, REPOSITORY).files["all_results.json"]
    assert isinstance(content, bytes)
    assert {"xtreme", "google-bert/bert-base-cased"} < {
        value for value in json.loads(content).values() if isinstance(value, str)
    }


def test_dry_run_shows_everything_and_needs_no_network(
    run_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object) -> None:
        raise AssertionError("the dry run wants the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("HF_TOKEN", "hf_not_to_be_seen")
    assert main([str(run_folder), REPOSITORY, "--dry_run", "--public", "--message", "Second try"]) == 0
    printed = capsys.readouterr()
    listed = set(re.findall(r"^(\S+) +\d[\d.]* (?:B|kB)\b", printed.out, flags=re.MULTILINE))
    assert listed - {"8"} == FILES | {"model.safetensors"}
    assert f"would publish {run_folder} to {REPOSITORY} (public), one commit: Second try" in printed.out
    assert re.search(r"^all_results.json .*  local paths shortened$", printed.out, flags=re.MULTILINE)
    assert "stays here: predictions, settings.json\n" in printed.out
    card = printed.out.split("README.md:\n\n", 1)[1]
    assert card.startswith("---\n") and f'"{REPOSITORY}", revision="<commit>"' in card and "PATH_OR" not in card
    assert printed.err == "" and "hf_not" not in printed.out


@pytest.mark.parametrize("name", ["dlfa", "a/b/c", "user/na me", "user/..", "https://huggingface.co/user/name"])
def test_repository_names(run_folder: Path, name: str, capsys: pytest.CaptureFixture[str]):
    assert main([str(run_folder), name, "--dry_run"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: repository {name!r}: ") and error.count("\n") == 1


def test_arguments_are_checked(capsys: pytest.CaptureFixture[str]):
    """A token among them would stand in the list of processes; it is refused, and not said again."""
    assert main(["folder", REPOSITORY, "--token", "hf_abcDEF123"]) == 2
    error = capsys.readouterr().err
    assert "unrecognized arguments: --token" in error and "abcDEF" not in error


def test_the_code_of_another_version_is_published_as_it_is(run_folder: Path):
    """The weights were trained with it."""
    path = run_folder / "modeling_dlfa.py"
    path.write_text(path.read_text("utf-8") + "# older\n", "utf-8")
    assert read_checkpoint(run_folder, REPOSITORY).files["modeling_dlfa.py"] == path
    shutil.rmtree(run_folder / "predictions")
    (run_folder / "settings.json").unlink()
    assert read_checkpoint(run_folder, REPOSITORY).left_out == []
