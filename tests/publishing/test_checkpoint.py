"""What is published: exactly the list, whole, and nothing of this machine; and the dry run that shows it."""

import json
import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from modeling_dlfa import DLFAForSequenceClassification
from modeling_dlfa.errors import InputError
from modeling_dlfa.publishing import read_checkpoint
from modeling_dlfa.publishing.__main__ import main
from modeling_dlfa.publishing.hub import _additions
from modeling_dlfa.training.__main__ import main as train
from tests.publishing.conftest import FLAGS


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


def weights(name: str, change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Path], object]:
    """Change one tensor of the weights."""

    def damage(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        save_file({**tensors, name: change(tensors[name])}, folder / "model.safetensors", {"format": "pt"})

    return damage


def linked(name: str, link: Callable[[Path, Path], None]) -> Callable[[Path], object]:
    """Move a file out of the folder and leave a link to it."""

    def damage(folder: Path) -> None:
        (folder / name).rename(folder.parent / name)
        link(folder / name, folder.parent / name)

    return damage


SECRET = "hf_" + "aB3" * 11
CODE_OF_OTHERS = "names code, or where it comes from, and a checkpoint has none but configuration_dlfa.py and modeling"
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
        rewrite("config.json", '"AutoModelForTokenClassification"', '"AutoModelForCausalLM"'),
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
        r"modeling_dlfa\.py is not that of the installed modeling_dlfa",
    ),
    "code that is none": (
        rewrite("configuration_dlfa.py", "import", "import import"),
        r"configuration_dlfa\.py is not that of the installed modeling_dlfa",
    ),
    "code with a line more": (
        rewrite("modeling_dlfa.py", "import torch\n", "import torch\nimport socket\n"),
        r"modeling_dlfa\.py is not that of the installed modeling_dlfa, .*: publish with the version that the run was",
    ),
    "a broken configuration": (rewrite("config.json", "{", "["), r"config\.json cannot be read"),
    "a broken tokenizer": (rewrite("tokenizer.json", "}", ""), r"tokenizer\.json cannot be read"),
    "a card without metadata": (rewrite("README.md", "library_name: ", "library_name: ["), "README.md: its metadata"),
    "a card with a model index that is none": (rewrite("README.md", "value:", "val:"), "README.md: its metadata"),
    "a card that names a folder": (
        lambda folder: rewrite("README.md", "## Scores", f"## Scores\nfrom {folder.resolve()}")(folder),
        r"README\.md:\d+: names a folder of this machine",
    ),
    "code of others for the tokenizer": (
        set_to("tokenizer_config.json", "auto_map", value={"AutoTokenizer": ["jane/code--tok.Tok", None]}),
        rf"tokenizer_config\.json: auto_map {CODE_OF_OTHERS}",
    ),
    "code of others for the encoder": (
        set_to("config.json", "encoder_config", "auto_map", value={"AutoModel": "jane/code--model.Model"}),
        rf"config\.json: encoder_config\.auto_map {CODE_OF_OTHERS}",
    ),
    "code of others in the depth of results": (
        set_to("all_results.json", "intermediate", value=[{"data": "x", "custom_pipelines": {"a": "b"}}]),
        rf"all_results\.json: intermediate\.custom_pipelines {CODE_OF_OTHERS}",
    ),
    "code of others beside the vocabulary": (
        set_to("tokenizer.json", "auto_map", value="jane/code--tok.Tok"),
        rf"tokenizer\.json: auto_map {CODE_OF_OTHERS}",
    ),
    "trust in others": (
        set_to("tokenizer_config.json", "trust_remote_code", value=True),
        rf"tokenizer_config\.json: trust_remote_code {CODE_OF_OTHERS}",
    ),
    "a chat template": (
        set_to("tokenizer_config.json", "chat_template", value="{{ messages }}"),
        rf"tokenizer_config\.json: chat_template {CODE_OF_OTHERS}",
    ),
    "an auto_map that is none": (set_to("config.json", "auto_map", value="jane/code--model.M"), "auto_map is 'jane/"),
    "weights that are not numbers": (
        weights("classifier.out_proj.bias", lambda tensor: tensor * float("nan")),
        r"model\.safetensors: classifier\.out_proj\.bias is not finite",
    ),
    "weights that are infinite": (
        weights("classifier.out_proj.bias", lambda tensor: tensor + float("inf")),
        r"model\.safetensors: classifier\.out_proj\.bias is not finite",
    ),
    "weights of whole numbers": (
        weights("classifier.out_proj.bias", lambda tensor: tensor.long()),
        r"model\.safetensors: classifier\.out_proj\.bias is of torch\.int64, expected torch\.float32",
    ),
    "a symbolic link": (
        linked("tokenizer.json", Path.symlink_to),
        r"run/tokenizer\.json is a link to .*/tokenizer\.json: put a copy",
    ),
    "a hard link": (
        linked("tokenizer.json", Path.hardlink_to),
        r"run/tokenizer\.json is the same file as one outside .*\(a hard link\): put a copy",
    ),
    "a linked file of weights": (linked("model.safetensors", Path.symlink_to), r"model\.safetensors is a link to"),
    "a token of the Hub": (
        set_to("all_results.json", "training", "optim", value=f"see https://jane:{SECRET}@example.org/data"),
        r"all_results\.json:\d+: holds a secret, .*\*\*\*",
    ),
    "a password": (
        rewrite("README.md", "## Scores", "## Scores\nsqlite and postgresql://jane:pw123@host/db"),
        r"README\.md:\d+: holds a secret, .*jane:\*\*\*@host",
    ),
    "a secret of the environment": (
        rewrite("README.md", "## Scores", "## Scores\nwith 0123456789abcdef"),
        r"README\.md:\d+: holds a secret",
    ),
    "a home folder inside a text": (
        set_to("all_results.json", "training", "optim", value="as in /home/jane/notes"),
        r"all_results\.json:\d+: names a folder of this machine, /home/jane",
    ),
    "a card that is only a word": (
        lambda folder: (folder / "README.md").write_text("hello"),
        r"README\.md: expected metadata at its beginning, between two lines of ---",
    ),
    "a card that is no text": (
        lambda folder: (folder / "README.md").write_bytes(b"\xff\xfe\x00"),
        r"README\.md: its metadata cannot be read: .*utf-8",
    ),
    "results of no task": (set_to("all_results.json", "task", value="chess"), r"all_results\.json: no task 'chess'"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_refused(run_folder: Path, damage: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")
    change, says = DAMAGE[damage]
    change(run_folder)
    with pytest.raises(InputError, match=says) as raised:
        read_checkpoint(run_folder, REPOSITORY)
    message = str(raised.value)
    assert "\n" not in message
    assert not any(secret in message for secret in (SECRET, "pw123", "0123456789abcdef"))


def test_files_linked_inside_the_folder_are_published(run_folder: Path):
    (run_folder / "tokenizer.json").rename(run_folder / "first.json")
    (run_folder / "tokenizer.json").symlink_to("first.json")
    (run_folder / "second.json").hardlink_to(run_folder / "first.json")
    assert read_checkpoint(run_folder, REPOSITORY).files["tokenizer.json"] == (run_folder / "first.json").read_bytes()


def test_what_is_published_is_what_was_checked(run_folder: Path):
    checkpoint = read_checkpoint(run_folder, REPOSITORY)
    for name in FILES:
        (run_folder / name).write_text("changed since", "utf-8")
    assert all(b"changed since" not in content for content in checkpoint.files.values() if isinstance(content, bytes))
    later = {name for name, content in checkpoint.files.items() if isinstance(content, Path)}
    assert later == {"model.safetensors"}
    assert len(_additions(checkpoint)) == len(FILES) + 1
    weights("classifier.out_proj.bias", lambda tensor: tensor + 1)(run_folder)
    with pytest.raises(InputError, match=r"model\.safetensors has changed since it was checked"):
        _additions(checkpoint)


def test_what_an_encoder_names_of_others_is_not_saved(
    tiny_encoder: str, xtreme_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Code for the tokenizer and the encoder, and a chat template: the run needs none of it, and leaves none."""
    encoder = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    edit(encoder / "tokenizer_config.json", "auto_map", value={"AutoTokenizer": ["somebody/else--tok.Tok", None]})
    edit(encoder / "config.json", "auto_map", value={"AutoModel": "somebody/else--model.Model"})
    edit(encoder / "config.json", "custom_pipelines", value={"x": {"impl": "somebody.Else"}})
    (encoder / "chat_template.jinja").write_text("{{ messages }} somebody else")
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked whether to run code"))
    output = tmp_path / "run"
    argv = ["--task", "xnli", "--output_dir", str(output), "--model_name_or_path", str(encoder), "--keep_checkpoints"]
    argv += [
        "--save_strategy",
        "steps",
        "--save_steps",
        "2",
        "--eval_strategy",
        "no",
        "--load_best_model_at_end",
        "no",
    ]
    assert train([*argv, "--data", str(xtreme_folder), *FLAGS.split()]) == 0
    texts = {path: path.read_text("utf-8") for path in output.rglob("*.json*")}
    assert (output / "checkpoint-2" / "tokenizer_config.json") in texts
    assert not [path for path, text in texts.items() if "somebody" in text]
    assert not list(output.rglob("*.jinja"))
    assert set(read_checkpoint(output, REPOSITORY).files) == FILES | {"model.safetensors"}


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
