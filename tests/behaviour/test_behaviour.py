"""What the program does is what it did: encoded rows, scores, predictions, results, cards, reports, code lengths."""

import json
from pathlib import Path

import pytest
import torch

from tests.behaviour.record import RECORDED, differences, machine, record


# What depends on arithmetic. On another processor than the recorded one, training may take another turn.
LEARNT = ("scores", "average", "zero_shot_average", "transfer_gap", "all_metrics", "development_score", "chance_level")


def unlearnt(values: dict) -> dict:
    """A record without what depends on the last bits of numbers."""
    runs = {
        name: {key: value for key, value in run["results"].items() if key not in (*LEARNT, "scouting", "intermediate")}
        for name, run in values["runs"].items()
        if name != "auto"  # the layer that is found is learnt too
    }
    return {"encoded": values["encoded"], "runs": runs}


@pytest.mark.slow
def test_what_is_done_is_what_was_recorded(tmp_path: Path):
    threads = torch.get_num_threads()
    try:
        made = record(tmp_path, part=True)
    finally:
        torch.set_num_threads(threads)
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    assert len(made["runs"]) >= 20 and made["runs"].keys() <= recorded["runs"].keys()
    if made["machine"] != recorded["machine"]:
        recorded, made = unlearnt(recorded), unlearnt(made)
    assert not list(differences(recorded, made))


def test_differences_are_found():
    before = {"runs": {"a": {"card": ["x", "y"], "results": {"average": 1.0}}, "b": {}}, "encoded": {}}
    now = {"runs": {"a": {"card": ["x", "z"], "results": {"average": 1.0}}}, "encoded": {"c": 1}}
    assert sorted(differences(before, now)) == ["/encoded/c: only now", "/runs/a/card/1: 'y', now 'z'"]
    assert list(differences([1], [1, 2])) == [": [1], now [1, 2]"]


def test_the_machine_is_told():
    assert machine()["torch"] == torch.__version__
