"""`dlfa analyse`, end to end on a tiny encoder and a tiny run, and what it says of bad input."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from modeling_dlfa.__main__ import main
from modeling_dlfa.analysis.commands import ANALYSES, load_analysis, run_analysis
from tests.analyses import analyse, csv_rows
from tests.browser import CHROMIUM, Page, seen


ROOT = Path(__file__).resolve().parents[2]
SMALL = ["--seeds", "2", "--max_length", "40"]


@pytest.fixture(scope="module")
def run(tiny_encoder: str, xtreme_folder: Path, tmp_path_factory) -> Path:
    """A finished run of UD-POS with a fusion; not to be written to."""
    folder = tmp_path_factory.mktemp("run") / "udpos"
    argv = f"--task udpos --model_name_or_path {tiny_encoder} --data {xtreme_folder} --output_dir {folder} --use_cpu"
    more = "--max_length 24 --num_train_epochs 1 --fusion_layer 1 --eval_strategy no --disable_tqdm true"
    assert main(["train", *argv.split(), *more.split()]) == 0
    return folder


@pytest.mark.parametrize("name", ANALYSES)
def test_every_analysis_has_what_the_frame_asks_for(name: str, capsys):
    analysis = load_analysis(name)
    assert analysis.MODEL and analysis.__doc__ and callable(analysis.analysed)
    assert main(["analyse", name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: dlfa analyse {name} {analysis.MODEL} --data DATA") and "--output_dir" in shown


# ---------------------------------------------------------------------------------------------------------------------
# Layers
# ---------------------------------------------------------------------------------------------------------------------

MEASURES = {
    *("language", "retrieval", "retrieval_centred", "pos", "pos_others", "control", "selectivity", "code"),
    *("arcs", "arcs_others"),
}


def test_layers_of_an_encoder(tiny_encoder: str, xtreme_folder: Path, tmp_path: Path, capsys):
    flags = ["--data", xtreme_folder, "--max_samples", 20, *SMALL]
    said = analyse(capsys, "layers", tiny_encoder, *flags, "--output_dir", tmp_path / "one")
    assert said[-1] == f"page: {tmp_path / 'one' / 'index.html'}" and said[0].startswith("- DLFA's paper expects")
    values = csv_rows(tmp_path / "one" / "seeds.csv")
    assert {row["measure"] for row in values} == MEASURES
    assert {(row["layer"], row["seed"]) for row in values} == {(str(k), str(s)) for k in range(4) for s in range(2)}
    of = {(row["measure"], row["layer"], row["seed"]): float(row["value"]) for row in values}
    assert all(0 <= value <= 100 for (name, *_), value in of.items() if name != "selectivity")
    for (name, layer, seed), value in of.items():
        if name == "selectivity":
            assert value == pytest.approx(of["pos", layer, seed] - of["control", layer, seed], abs=1e-3)
    # The words tell the tags, in every language alike; a layer of random weights keeps which word it is.
    assert of["pos", "0", "0"] > 95 and of["pos_others", "0", "0"] > 95
    # The same words the other way round: their mean is nearest in the embeddings, but for their places.
    assert of["retrieval", "0", "0"] > 50
    languages = {row["language"] for row in csv_rows(tmp_path / "one" / "languages.csv")}
    assert languages == {"de", "ru", "zh"}
    analyse(capsys, "layers", tiny_encoder, *flags, "--output_dir", tmp_path / "two")
    for file in (tmp_path / "one").glob("*.[cp]*"):
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_layers_of_a_run_have_the_fused_states(run: Path, xtreme_folder: Path, tmp_path: Path, capsys):
    flags = ["--data", xtreme_folder, "--max_samples", 10, "--languages", "de", "--seeds", 1, "--max_length", 40]
    analyse(capsys, "layers", run, *flags, "--output_dir", tmp_path)
    layers = [row["layer"] for row in csv_rows(tmp_path / "layers.csv")]
    assert layers == ["0", "1", "2", "3", "after fusion"]
    shown = Page((tmp_path / "index.html").read_text("utf-8"))
    assert "after fusion" in shown.text and "One seed: there are no intervals" in shown.text
    assert str(run.parent) not in shown.text


def test_what_the_data_lack_is_said(tiny_encoder: str, xtreme_folder: Path, tmp_path: Path, capsys):
    only = tmp_path / "only" / "udpos"
    only.mkdir(parents=True)
    for file in (xtreme_folder / "udpos").iterdir():
        (only / file.name).write_bytes(file.read_bytes())
    flags = ["--data", only.parent, "--max_samples", 10, *SMALL]
    said = analyse(capsys, "layers", tiny_encoder, *flags, "--output_dir", tmp_path / "page")
    assert "- Not measured, since the data lack it: tatoeba, uddep." in said


# ---------------------------------------------------------------------------------------------------------------------
# Families
# ---------------------------------------------------------------------------------------------------------------------


def test_families_of_an_encoder_with_scores(tiny_encoder: str, run: Path, tmp_path: Path, capsys):
    flags = ["--data", "sample", "--max_samples", 40, *SMALL, "--scores", run, "--output_dir", tmp_path]
    said = analyse(capsys, "families", tiny_encoder, *flags)
    assert said[-1] == f"page: {tmp_path / 'index.html'}"
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= {
        "index.html",
        "curves.png",
        "maps.png",
        "trees.png",
        "kinship.csv",
        "similarities.csv",
        "rows.csv",
    }
    pairs = csv_rows(tmp_path / "similarities.csv")
    assert len(pairs) == 3 * 4 * 10 * 9 // 2  # kinds, layers, pairs of ten languages
    assert all(-1.001 <= float(row["value"]) <= 1.001 for row in pairs)
    shown = Page((tmp_path / "index.html").read_text("utf-8"))
    assert "Too few languages have scores" in shown.text and "labels agree in 100.0 % of 100 rows" in shown.text


def test_families_of_a_run(run: Path, tmp_path: Path, capsys):
    analyse(capsys, "families", run, "--data", "sample", "--max_samples", 20, *SMALL, "--output_dir", tmp_path)
    assert {row["layer"] for row in csv_rows(tmp_path / "kinship.csv")} == {"0", "1", "2", "3", "after fusion"}


def test_families_without_two_languages_of_a_branch(tiny_encoder: str, tmp_path: Path, capsys):
    flags = ["--data", "sample", "--languages", "fr,ru", "--max_samples", 10, *SMALL, "--output_dir", tmp_path]
    said = "\n".join(analyse(capsys, "families", tiny_encoder, *flags))
    assert "no two languages of one branch are here" in said and "different family" not in said


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no /usr/bin/chromium")
def test_pages_open_in_a_browser(tiny_encoder: str, tmp_path: Path, capsys):
    flags = ["--data", "sample", "--max_samples", 10, *SMALL, "--languages", "de,fr,tr"]
    for name in ANALYSES.keys() & {"layers", "families"}:
        analyse(capsys, name, tiny_encoder, *flags, "--output_dir", tmp_path / name)
        html = (tmp_path / name / "index.html").read_text("utf-8")
        assert "http" not in re.sub(r"base64,[\w+/=]+", "", html)
        assert seen(tmp_path / name / "index.html", tmp_path).split()[1:3] == ["true", "true"]


# ---------------------------------------------------------------------------------------------------------------------
# Bad input
# ---------------------------------------------------------------------------------------------------------------------

BAD = [
    ("layrs ENCODER --data sample --output_dir OUT", "unknown analysis 'layrs'; did you mean 'layers'?"),
    ("layers", "the following arguments are required: ENCODER|RUN, --data, --output_dir"),
    ("layers ENCODER --data nowhere --output_dir OUT", "no data folder 'nowhere'"),
    ("layers nowhere --data sample --output_dir OUT", "cannot open the encoder nowhere"),
    ("layers EMPTY --data sample --output_dir OUT", "holds no model: expected an encoder or a finished run"),
    ("layers ENCODER --data EMPTY --output_dir OUT", "expected test data of tatoeba or udpos or uddep, found none"),
    ("layers ENCODER --data sample --output_dir OUT --seeds 0", "--seeds 0: expected a positive number"),
    ("layers ENCODER --data sample --output_dir OUT --max_samples -3", "--max_samples -3: expected a positive number"),
    ("layers ENCODER --data sample --output_dir OUT --max_samples 1", "--max_samples 1: expected 4 or more"),
    (
        "layers ENCODER --data XTREME --output_dir OUT --max_length 3 --max_samples 9",
        "--max_length 3: none of 27 sent",
    ),
    ("layers ENCODER --data sample --output_dir OUT --languages ,", "expected codes such as 'de,ru,zh'"),
    ("layers ENCODER --data sample --output_dir OUT --languages de,xx", "no test data for xx in"),
    ("layers ENCODER --data sample --output_dir OUT --max_length 900", "reads 64 positions at most"),
    ("layers ENCODER --data sample --output_dir FILE", "is a file"),
    ("families ENCODER --data sample --output_dir OUT --max_samples 3", "--max_samples 3: expected 8 or more"),
    ("families ENCODER --data sample --output_dir OUT --task udpos", "comparing sentences is not there for tasks"),
    ("families ENCODER --data sample --output_dir OUT --task nothing", "nothing"),
    ("families ENCODER --data XTREME --output_dir OUT", "expected test rows that are translations of those in en"),
    ("families ENCODER --data sample --output_dir OUT --languages de", "expected test rows that are translations"),
    ("families ENCODER --data sample --output_dir OUT --scores FILE", "is not the results file of a run"),
    ("families ENCODER --data sample --output_dir OUT --scores nowhere.json", "nowhere.json is not the results file"),
]


@pytest.mark.parametrize(("line", "said"), BAD, ids=[line for line, _ in BAD])
def test_bad_input_is_one_line(line: str, said: str, tiny_encoder, xtreme_folder, tmp_path: Path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("text")
    names = {"ENCODER": tiny_encoder, "EMPTY": "empty", "OUT": "out", "FILE": "file", "XTREME": str(xtreme_folder)}
    assert main(["analyse", *(names.get(word, word) for word in line.split())]) == 2
    shown = capsys.readouterr()
    assert re.fullmatch(r"error: [^\n]+\n", shown.err) and said in shown.err, shown.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("missing", ["sklearn", pytest.param("matplotlib", marks=pytest.mark.slow)])
def test_a_missing_extra_is_one_line(missing: str, tmp_path: Path):
    program = f"import sys; sys.modules[{missing!r}] = None; from modeling_dlfa.__main__ import main; sys.exit(main())"
    argv = ["analyse", "layers", "nowhere", "--data", "sample", "--output_dir", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-c", program, *argv],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == f"error: {missing} is not installed: pip install 'modeling-dlfa[analyse]'\n"


def test_what_else_is_missing_is_not_called_a_matter_of_the_extra(tmp_path: Path, monkeypatch):
    def analysed(arguments):
        raise ModuleNotFoundError("No module named 'tokenizer_of_an_encoder'", name="tokenizer_of_an_encoder")

    monkeypatch.setattr(load_analysis("layers"), "analysed", analysed)
    with pytest.raises(ModuleNotFoundError, match="^No module named 'tokenizer_of_an_encoder'$"):
        run_analysis("layers", ["nowhere", "--data", "sample", "--output_dir", str(tmp_path / "out")], debug=True)
