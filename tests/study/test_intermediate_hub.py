"""The study for mBERT and XLM-R, begun from a Hub: tiny models and data under the names that it asks for."""

from pathlib import Path

import pytest
import yaml
from transformers import AutoConfig, AutoModel

from modeling_dlfa.data.folder import FolderSource
from modeling_dlfa.study.records import load_records
from modeling_dlfa.study.spec import load_spec
from modeling_dlfa.tasks.registry import TASKS
from modeling_dlfa.tasks.task import SPLITS
from tests import forks
from tests.conftest import write_tiny_encoder
from tests.data.test_hub_data import FEATURES, Repository, raw, trees
from tests.hub import HubServer


ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "examples" / "studies" / "intermediate_hub.yaml"
LANGUAGES = ("en", "de")
FEWER = {
    "seeds": [1],
    "conditions": ("upos", "tree"),
    "arguments": {"languages": ",".join(LANGUAGES), "max_train_samples": 16, "max_length": 32, "use_cpu": True},
}
"""What of the study is left out here; its encoders, models, data and recipes stay."""


def fill(hub: HubServer, folder: FolderSource, scratch: Path) -> None:
    xnli = Repository()
    for language in LANGUAGES:
        there = [split for split in SPLITS if language in folder.languages(TASKS["xnli"], split)]
        rows = {split: folder.load(TASKS["xnli"], split, language) for split in there}
        xnli.add(language, FEATURES["xnli"], {split: raw("xnli", rows[split], language) for split in there})
    hub.add("dataset", "facebook/xnli", xnli.everything())
    files = {
        f"en_ewt/{split}/0000.parquet": trees(folder.load(TASKS["uddep"], split, "en"))
        for split in ("train", "validation")
    }
    hub.add("dataset", "universal-dependencies/universal_dependencies", files, branch="refs/convert/parquet")
    mbert = Path(write_tiny_encoder(scratch / "mbert", dropout=0.0, positions=160, layers=9))
    xlmr = Path(write_tiny_encoder(scratch / "xlmr", dropout=0.0, positions=160, layers=9))
    shape = AutoConfig.from_pretrained(xlmr).to_dict() | {"max_position_embeddings": 162}
    config = AutoConfig.for_model("xlm-roberta", **{key: value for key, value in shape.items() if key != "model_type"})
    AutoModel.from_config(config).save_pretrained(xlmr)
    for name, path in (("google-bert/bert-base-multilingual-cased", mbert), ("FacebookAI/xlm-roberta-base", xlmr)):
        hub.add("model", name, {file.name: file.read_bytes() for file in path.iterdir()})


@pytest.mark.slow
def test_mbert_and_xlm_r_go_through_stages_from_the_hub(xtreme_folder: Path, tmp_path: Path):
    study = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    study |= {"seeds": FEWER["seeds"], "conditions": {name: study["conditions"][name] for name in FEWER["conditions"]}}
    study["arguments"] |= FEWER["arguments"]
    file = tmp_path / "intermediate_hub.yaml"
    file.write_text(yaml.safe_dump(study), encoding="utf-8")
    with HubServer() as hub:
        fill(hub, FolderSource(xtreme_folder), tmp_path)
        environment = hub.environment(tmp_path) | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        command = ["-m", "modeling_dlfa.study", "run", str(file), "--output_dir", str(tmp_path / "out")]
        done = forks.run(command, environment=environment)
        assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    spec = load_spec(file, tmp_path / "out")
    records = {record.cell.name: record.results for record in load_records(spec.records, spec.cells)}
    encoders = ("bert-base-multilingual-cased", "xlm-roberta-base")
    models = [f"{model}{stage}" for model in ("baseline", "dlfa") for stage in ("", "+upos", "+tree")]
    assert records.keys() == {f"xnli/{encoder}/{model}-seed1" for encoder in encoders for model in models}
    for encoder in encoders:
        for model in models:
            results = records[f"xnli/{encoder}/{model}-seed1"]
            assert results.scores.keys() == set(LANGUAGES) and results.data == "hub"
            assert [stage["fusion"] for stage in results.intermediate] == ["none"] * ("+" in model)
        # One stage for both models.
        trained = [record for name, record in records.items() if encoder in name and name.endswith("+tree-seed1")]
        assert len({str(record.intermediate) for record in trained}) == 1
    report = (tmp_path / "out" / "report" / "report.md").read_text(encoding="utf-8")
    assert "Intermediate tasks" in report and all(encoder in report for encoder in encoders)
