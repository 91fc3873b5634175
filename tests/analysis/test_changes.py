"""`dlfa analyse changes`: what did not change is seen as such, and what is compared is what `layers` measures."""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modeling_dlfa.__main__ import main
from modeling_dlfa.analysis import changes_measures, lineage
from modeling_dlfa.analysis.changes_measures import Change, Looked, likeness
from modeling_dlfa.analysis.changes_page import _tables
from modeling_dlfa.analysis.changes_words import course_of_change, course_of_likeness, in_short
from modeling_dlfa.analysis.figures import _look, small_multiples
from modeling_dlfa.analysis.lineage import usual_names
from modeling_dlfa.analysis.measures import Found, Measure
from modeling_dlfa.analysis.wanted import OF_LIKENESS
from modeling_dlfa.drawing import COLOURS
from modeling_dlfa.errors import InputError
from modeling_dlfa.training.results import RunResults
from modeling_dlfa.vectors import FUSED, Layer
from tests.analyses import analyse, csv_rows
from tests.browser import CHROMIUM, Page, seen
from tests.conftest import write_tiny_encoder
from tests.parallel import write_tatoeba


SMALL = ("--max_samples", "16", "--seeds", "2", "--max_length", "40")
FROZEN = ("udpos", "--train", "fusion", "--fusion", "none")
STAGED = ("pawsx", "--intermediate_tasks", "udpos")


@pytest.fixture(scope="module")
def stage(run_of) -> Path:
    """The folder of a stage, which is an ordinary run."""
    (folder,) = (path for path in (run_of(*STAGED).parent / "stages").glob("udpos-*") if path.is_dir())
    return folder


@pytest.fixture(scope="module")
def compared(run_of, stage: Path, tiny_encoder: str, xtreme_folder: Path, tmp_path_factory) -> Path:
    """The page of an encoder, a run that left it as it was, a stage, and a run behind it."""
    output = tmp_path_factory.mktemp("changes")
    runs = [f"frozen={run_of(*FROZEN)}", stage, run_of(*STAGED)]
    argv = ["analyse", "changes", tiny_encoder, *runs, "--data", xtreme_folder, "--output_dir", output, *SMALL]
    assert main(list(map(str, argv))) == 0
    return output


def test_what_is_there(compared: Path, run_of):
    beside = {"changes.png", "differences.png", "summary.md", "last.csv", "best.csv", "cka.csv", "changes.csv"}
    beside |= {"seeds.csv", "languages.csv", "runs.csv"}
    assert {path.name for path in compared.iterdir()} == {"index.html", "index.files.json", *beside}
    shown = Page((compared / "index.html").read_text("utf-8"))
    assert {"What frozen changes", "What udpos changes", "What pawsx changes"} <= set(shown.headings)
    assert "Each run is one training" in shown.text and str(run_of(*FROZEN).parent) not in shown.text
    values = csv_rows(compared / "changes.csv")
    names = ["language", "retrieval", "retrieval_centred", "pos", "pos_others", "cka", "cka_others"]
    assert list(dict.fromkeys(row["measure"] for row in values)) == names
    assert list(dict.fromkeys(row["run"] for row in values)) == ["frozen", "udpos", "pawsx"]
    for row in values:  # nothing comes before a fusion, or is like itself
        assert (row["before"] == "") is (row["layer"] == "after fusion" or row["measure"].startswith("cka"))
        assert (row["change"] == "") is (row["before"] == "")
    assert "| parts of speech in English | frozen |" in (compared / "summary.md").read_text("utf-8")
    told = {row["run"]: (row["task"], row["model"]) for row in csv_rows(compared / "runs.csv")}
    assert told["pawsx"] == ("pawsx", "DLFA k=1 after udpos") and told["frozen"] == ("udpos", "baseline")
    assert re.search(r"not by its weights, .* with which weights they began: pawsx\.", shown.text)


def test_an_encoder_that_was_left_as_it_was_has_not_changed(compared: Path):
    of = {(row["run"], row["measure"], row["layer"]): row for row in csv_rows(compared / "changes.csv")}
    for (run, measure, layer), row in of.items():
        if run == "frozen" and measure.startswith("cka"):
            assert float(row["after"]) == pytest.approx(1, abs=1e-6)
        elif run == "frozen":
            assert row["before"] == row["after"] and float(row["change"]) == 0, (measure, layer)
    for run in ("udpos", "pawsx"):
        assert float(of[run, "cka", "3"]["after"]) < 0.98
        assert any(float(row["change"] or 0) for (name, *_), row in of.items() if name == run)
    shown = Page((compared / "index.html").read_text("utf-8")).text
    assert "in the last layer as before, " in shown
    assert "frozen: parts of speech in other languages are best in layer" in shown
    assert "CKA with the encoder, English: 1.00 (1.00 to 1.00) in the embeddings" in shown
    assert "0.9 or more in every layer" in shown


@pytest.mark.parametrize("model", ["encoder", "udpos"])
def test_both_analyses_measure_the_same(
    compared: Path, stage: Path, tiny_encoder, xtreme_folder, tmp_path, capsys, model
):
    folder = {"encoder": tiny_encoder, "udpos": stage}[model]
    flags = ["--data", xtreme_folder, *SMALL, "--measures", "pos,retrieval,language", "--output_dir", tmp_path]
    analyse(capsys, "layers", folder, *flags)
    ours = [
        row for row in csv_rows(compared / "seeds.csv") if row.pop("model") == model and "cka" not in row["measure"]
    ]
    assert ours == csv_rows(tmp_path / "seeds.csv")


def test_states_are_computed_once_for_each_model(run_of, tiny_encoder, xtreme_folder, tmp_path, capsys, monkeypatch):
    opened, read = [], []
    real_open, real_read = changes_measures.open_model, changes_measures.measured
    monkeypatch.setattr(
        changes_measures, "open_model", lambda name, *more: opened.append(name) or real_open(name, *more)
    )
    monkeypatch.setattr(
        changes_measures, "measured", lambda one, *more: read.append(one.name) or real_read(one, *more)
    )
    runs = [f"one={run_of(*FROZEN)}", f"two={run_of(*STAGED)}"]
    flags = ["--data", xtreme_folder, *SMALL, "--measures", "cka", "--languages", "de", "--output_dir", tmp_path]
    said = analyse(capsys, "changes", tiny_encoder, *runs, *flags)
    assert opened == [tiny_encoder, *(run.partition("=")[2] for run in runs)] and len(read) == 3
    assert said[0].startswith("- one: CKA with the encoder, other languages: 1.00 (1.00 to 1.00) in the last layer.")
    assert {path.name for path in tmp_path.glob("*.png")} == {"changes.png"}
    assert not (tmp_path / "last.csv").exists() and len(csv_rows(tmp_path / "cka.csv")) == 4


def test_too_few_sentences_are_not_called_no_data(run_of, tiny_encoder, xtreme_folder, tmp_path: Path, capsys):
    data = tmp_path / "data"
    shutil.copytree(xtreme_folder / "udpos", data / "udpos")
    write_tatoeba(data, ("de",), 10)
    flags = ["--data", data, *SMALL, "--languages", "de", "--output_dir", tmp_path / "page"]
    said = analyse(capsys, "changes", tiny_encoder, run_of(*FROZEN), *flags, "--measures", "pos,cka")
    few = "- Not measured, since there is too little of tatoeba: no language has 16 sentences for cka."
    assert few in said and not any("lack" in line for line in said)


@pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no /usr/bin/chromium")
def test_it_opens_in_a_browser(compared: Path, tmp_path: Path):
    for width in (1200, 500):
        assert seen(compared / "index.html", tmp_path, width).split()[1:3] == ["true", "true"]


# ---------------------------------------------------------------------------------------------------------------------
# Bad input
# ---------------------------------------------------------------------------------------------------------------------

BAD = [
    ("ENCODER --data sample", "the following arguments are required: "),
    ("ENCODER nowhere --data sample", "nowhere holds no finished run (all_results.json)"),
    ("ENCODER UNFINISHED --data sample", "UNFINISHED holds no finished run (all_results.json)"),
    ("ENCODER EMPTY --data sample", "EMPTY holds no model: expected an encoder or a finished run"),
    ("ENCODER PARENT --data sample", "PARENT holds no model: give one of PARENT/run"),
    ("ENCODER ENCODER --data sample", "ENCODER holds no finished run"),
    ("RUN RUN --data sample", "RUN is a finished run of the encoder tiny-encoder: expected the encoder that the runs"),
    ("nowhere RUN --data sample", "cannot open the encoder nowhere"),
    ("OTHER RUN --data sample", "RUN is a run of the encoder tiny-encoder: expected runs that started from OTHER"),
    ("DEEPER STAGED --data sample", "STAGED has an encoder of 3 layers, and DEEPER has 4"),
    ("DEEPER RUN --data sample", "RUN has an encoder of 3 layers, and DEEPER has 4"),
    ("CHANGED RUN --data sample", "RUN started from other weights than CHANGED has now (fingerprint "),
    ("ENCODER RUN RUN --data sample", "RUN and RUN are both called 'udpos': give one a name, NAME=FOLDER"),
    ("ENCODER a=RUN b=RUN --data sample", "RUN is given twice, as a and as b: leave out one of the two"),
    ("ENCODER a=RUN a=STAGED --data sample", "RUN and STAGED are both called 'a': give one a name"),
    ("ENCODER encoder=RUN --data sample", "ENCODER and RUN are both called 'encoder'"),
    ("ENCODER =RUN --data sample", "expected NAME=FOLDER, a name of 1 to 60 printable characters"),
    ("ENCODER RUN --data nowhere", "no data folder 'nowhere'"),
    ("ENCODER RUN --data EMPTY", "expected test data of tatoeba or udpos, found none"),
    ("ENCODER RUN --data sample --measures poss", "--measures: unknown measure 'poss'; did you mean 'pos'?"),
    ("ENCODER RUN --data sample --measures ,", "--measures ',': expected some of language, retrieval, pos, control"),
    ("ENCODER RUN --data sample --languages de,xx", "no test data for xx in"),
    ("ENCODER RUN --data sample --max_samples 2", "--max_samples 2: expected 4 or more"),
    (
        "ENCODER RUN --data sample --max_samples 15",
        "--max_samples 15: expected 16 or more for cka, or --measures without",
    ),
    ("ENCODER RUN --data sample --measures pos,cka --max_samples 10", "--max_samples 10: expected 16 or more for cka"),
    (
        "ENCODER RUN --data SHORT --measures cka --max_length 40",
        "nothing to measure: tatoeba: no language has 16 sentences for cka",
    ),
    ("ENCODER RUN --data sample --seeds 0", "--seeds 0: expected a positive number"),
    ("ENCODER RUN --data sample --max_length 900", "reads 64 positions at most"),
]


@pytest.fixture(scope="module")
def places(run_of, tiny_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Words of the table -> folders."""
    root = tmp_path_factory.mktemp("places")
    (root / "empty").mkdir()
    unfinished = root / "unfinished"
    unfinished.mkdir()
    (unfinished / "config.json").write_text("{}")
    deeper = write_tiny_encoder(root / "deeper" / "tiny-encoder", 0.0, layers=4)
    changed = write_tiny_encoder(root / "changed" / "tiny-encoder", 0.1)
    other = write_tiny_encoder(root / "other", 0.1)
    run = run_of(*FROZEN)
    found = {"ENCODER": tiny_encoder, "RUN": run, "STAGED": run_of(*STAGED), "PARENT": run.parent}
    write_tatoeba(root / "short", ("de",), 10)
    found |= {
        "EMPTY": root / "empty",
        "SHORT": root / "short",
        "UNFINISHED": unfinished,
        "OTHER": other,
        "DEEPER": deeper,
        "CHANGED": changed,
    }
    return {word: str(folder) for word, folder in found.items()}


@pytest.mark.parametrize(("line", "said"), BAD, ids=[line for line, _ in BAD])
def test_bad_input_is_one_line(line: str, said: str, places: dict[str, str], tmp_path: Path, capsys):
    def put(text: str) -> str:
        return re.sub(r"\b(" + "|".join(places) + r")\b", lambda match: places[match[0]], text)

    argv = [put(word) for word in line.split()]
    assert main(["analyse", "changes", *argv, "--output_dir", str(tmp_path / "out")]) == 2
    shown = capsys.readouterr().err
    assert re.fullmatch(r"error: [^\n]+\n", shown) and put(said) in shown, shown
    assert not (tmp_path / "out").exists()


# ---------------------------------------------------------------------------------------------------------------------
# Names
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ([{}, {"task": "xnli"}], ["udpos", "xnli"]),
        ([{"seed": 1}, {"seed": 2}, {"task": "xnli", "seed": 1}], ["udpos, seed 1", "udpos, seed 2", "xnli"]),
        ([{"fusion": "none", "fusion_layer": None}, {}], ["udpos, baseline", "udpos, DLFA k=1"]),
        ([{}, {"intermediate": [{"task": "uddep"}]}], ["udpos, DLFA k=1", "udpos, DLFA k=1 after uddep"]),
        ([{"train_samples": 1000}, {"train_samples": 50}], ["udpos, 1,000 rows", "udpos, 50 rows"]),
        ([{"training": {"train": "top:1"}}, {"training": {}}], ["udpos, top:1 trained", "udpos, all trained"]),
        (
            [{"training": {"train_half": "easy"}}, {"training": {"shuffle_labels": True}}, {"training": {}}],
            ["udpos, easy half", "udpos, both halves, labels shuffled", "udpos, both halves, true labels"],
        ),
        ([{"seed": 1, "train_samples": 5}, {"seed": 2, "train_samples": 7}], ["udpos, 5 rows", "udpos, 7 rows"]),
        ([{}, {}], ["udpos", "udpos"]),
    ],
)
def test_runs_are_called_by_what_sets_them_apart(run_of, changes: list[dict[str, Any]], names: list[str]):
    known = replace(RunResults.load(run_of("udpos")), training={"train": "all"})
    assert usual_names([replace(known, **change) for change in changes]) == names


def test_a_folder_with_an_equals_sign_is_a_folder(tmp_path: Path):
    (tmp_path / "a=b").mkdir()
    assert lineage._named(str(tmp_path / "a=b")) == (None, tmp_path / "a=b")
    assert lineage._named(f"name={tmp_path}/a=b") == ("name", tmp_path / "a=b")
    with pytest.raises(InputError, match="expected NAME=FOLDER"):
        lineage._named(f"{'n' * 61}={tmp_path}")


def test_an_old_run_without_fingerprints_is_compared_by_name(run_of, tiny_encoder: str):
    run = run_of("udpos")
    old = replace(RunResults.load(run), used={})
    lineage._check_started_from(run, old, tiny_encoder)
    with pytest.raises(InputError, match="is a run of the encoder other"):
        lineage._check_started_from(run, replace(old, encoder="/somewhere/other"), tiny_encoder)


# ---------------------------------------------------------------------------------------------------------------------
# Numbers, sentences, pictures
# ---------------------------------------------------------------------------------------------------------------------

DRAW = np.random.default_rng(0)


def of_vectors(*layers: np.ndarray) -> Found:
    """Of English, Germans's and Russian's sentences alike."""
    return Found(sentences={k: {"en": one, "de": one, "ru": one} for k, one in enumerate(layers)}, pivot="en")


def test_likeness_is_that_of_the_layers():
    plain, other = DRAW.normal(size=(60, 8)), DRAW.normal(size=(60, 8))
    turned = 3 * plain @ np.linalg.qr(DRAW.normal(size=(8, 8)))[0] + 5
    found = likeness(of_vectors(plain, plain, plain), of_vectors(plain, turned, other, plain), 3)
    cka, others = (found.by_name[name].values for name in ("cka", "cka_others"))
    assert list(cka) == [0, 1, 2] and cka == others and all(len(of_layer) == 3 for of_layer in cka.values())
    assert np.allclose([cka[0], cka[1]], 1) and np.abs(cka[2]).max() < 0.3
    assert {row["language"] for row in found.rows} == {"en", "de", "ru"}
    assert likeness(Found(), of_vectors(plain), 3) == Found()


def measure(name: str, *values: float, fused: float | None = None) -> Measure:
    """Over the layers; three seeds that differ by a point."""
    layers: dict[Layer, list[float]] = {k: [one - 1, one, one + 1] for k, one in enumerate(values)}
    if fused is not None:
        layers[FUSED] = [fused - 1, fused, fused + 1]
    return Measure(name, "English", "Panel", "%", layers)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            measure("retrieval", 20, 60, 95),
            measure("retrieval", 21, 70, 61),
            "Translations found: best in layer 2 before (95.0 %), in layer 1 after (70.0 %); in the last layer from "
            "95.0 down to 61.0 % (−34.0, −34.000 to −34.000).",
        ),
        (
            measure("pos", 50, 80, 70),
            measure("pos", 50, 92, 75, fused=77),
            "Parts of speech in English: best in layer 1 before (80.0 %) and after (92.0 %); in the last layer from "
            "70.0 up to 75.0 % (+5.0, +5.000 to +5.000); most in layer 1, from 80.0 up to 92.0 % (+12.0, +12.000 to "
            "+12.000); after fusion 77.0 % (74.5 to 79.5).",
        ),
        (
            measure("code", 3, 2, 2.5),
            measure("code", 3, 2, 2.25),
            "Bits per word of the parts of speech: best in layer 1 before (2.00 bits) and after (2.00 bits); in the "
            "last layer from 2.50 down to 2.25 bits (−0.25, −0.250 to −0.250).",
        ),
    ],
)
def test_what_is_said_of_a_change(before: Measure, after: Measure, said: str):
    assert course_of_change(Change("run", before, after)) == said


def test_changes_of_code_length_have_two_decimals_throughout():
    before = replace(measure("code", 3, 2), unit="bits per word")
    after = replace(before, values={0: before.values[0], 1: [1.01, 2.04, 3.07]})
    said = course_of_change(Change("run", before, after))
    assert "from 2.00 to 2.04 bits (+0.04, −0.03 to +0.11, not told from none)" in said
    looked = Looked(Found([measure("pos", 50, 80), before]), {"run": Found([measure("pos", 50, 92), after])})
    tables = {sheet.file: sheet.table.rows for sheet in _tables(looked)}
    assert tables["last.csv"][0][2:4] == ["80.0", "92.0"] and tables["best.csv"][0][3:] == ["80.0", "1", "92.0"]
    assert tables["last.csv"][1][2:] == ["2.00", "2.04", "0.04", "−0.03", "0.11"]
    assert tables["best.csv"][1][2:] == ["1", "2.00", "1", "2.04"]


def test_measures_of_likeness_are_named_in_one_place():
    files = Path(lineage.__file__).parent.glob("*.py")
    assert [file.name for file in files if f'"{OF_LIKENESS[-1]}"' in file.read_text("utf-8")] == ["wanted.py"]


def test_what_seeds_do_not_tell_is_said():
    before = measure("pos", 50, 80)
    after = replace(before, values={0: [50, 50, 50], 1: [81, 79, 82]})
    said = course_of_change(Change("run", before, after))
    assert "in the last layer from 80.0 to 80.7 % (+0.7, −3.1 to +4.5, not told from none)" in said
    alone = replace(before, values={0: [50.0], 1: [80.0]}), replace(before, values={0: [50.0], 1: [85.0]})
    assert "from 80.0 to 85.0 % (+5.0)." in course_of_change(Change("run", *alone))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((1, 0.99, 0.95), "; 0.9 or more in every layer."),
        (
            (1, 0.99, 0.62),
            "1.00 (1.00 to 1.00) in the embeddings, 0.62 (0.62 to 0.62) in the last layer; below 0.9 in ",
        ),
        ((1, 0.8, 0.7, 0.5), "; below 0.9 in layers 1 to 3."),
        ((0.8, 1, 0.7), "; below 0.9 in layers 0 and 2."),
    ],
)
def test_what_is_said_of_likeness(values: tuple[float, ...], said: str):
    layers: dict[Layer, list[float]] = {k: [one] * 3 for k, one in enumerate(values)}
    one = Measure("cka", "English", "CKA", "", layers, 1.0)
    assert said in course_of_likeness(Change("run", None, one))


def test_a_run_in_short():
    pairs = [("pos_others", (50, 75, 70), (50, 76, 78)), ("retrieval", (20, 60, 95), (21, 70, 61))]
    changes = [Change("uddep", measure(name, *before), measure(name, *after)) for name, before, after in pairs]
    cka = Measure("cka_others", "2 others", "CKA", "", {0: [1.0] * 3, 1: [0.95] * 3, 2: [0.61] * 3})
    assert in_short("uddep", [*changes, Change("uddep", None, cka)]) == (
        "uddep: parts of speech in other languages are best in layer 1 before (75.0 %), in layer 2 after (78.0 %); in "
        "the last layer parts of speech in other languages from 70.0 up to 78.0 % (+8.0, +8.000 to +8.000); "
        "translations found from 95.0 down to 61.0 % (−34.0, −34.000 to −34.000); CKA with the encoder, other "
        "languages: 0.61 (0.61 to 0.61) in the last layer."
    )
    code = Change("uddep", measure("code", 3, 2), measure("code", 3, 2.5))
    assert in_short("uddep", [code]).startswith(
        "uddep: in the last layer bits per word of the parts of speech from 2.00"
    )


def test_lines_are_told_apart_and_look_alike_in_all_panels():
    looks = [tuple(map(str, _look(number).values())) for number in range(3 * len(COLOURS))]
    assert len(set(looks)) == len(looks)
    names = ["encoder", *(f"run {number}" for number in range(8))]
    panels = {
        title: {name: measure("pos", 50, 60, 70, fused=65) for name in names} for title in ("one", "two", "three")
    }
    del panels["two"]["encoder"], panels["two"]["run 0"]
    figure = small_multiples(panels, "encoder", bands=True)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == ["one", "two", "three"]
    of_panels = [{line.get_label(): line for line in axes.lines if line.get_label() in names} for axes in shown]
    for name in names:
        assert len({(line.get_color(), str(line.get_linestyle())) for of in of_panels if (line := of.get(name))}) == 1
    assert of_panels[0]["encoder"].get_color() == "black" and of_panels[0]["encoder"].get_linestyle() == "--"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == names
