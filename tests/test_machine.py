"""What is asked of the machine: cores to share, and bfloat16."""

import os

import pytest
import torch

from modeling_dlfa import machine


@pytest.mark.parametrize(
    ("cores", "processes", "threads"), [(8, 1, "8"), (8, 3, "2"), (2, 2, "1"), (2, 5, "1"), (1, 1, "1")]
)
def test_processes_share_the_cores(monkeypatch: pytest.MonkeyPatch, cores: int, processes: int, threads: str):
    monkeypatch.setattr(machine, "cores", lambda: cores)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert machine.shared_threads(processes) == {"OMP_NUM_THREADS": threads}
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert machine.shared_threads(processes) == {}


def test_cores_are_those_that_may_be_used(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 4}, raising=False)
    assert machine.cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert machine.cores() == 1


@pytest.mark.parametrize(
    ("accelerator", "capability", "flags", "use_cpu", "native"),
    [
        (None, None, {"avx2": True}, False, False),
        (None, None, {"avx512_bf16": True}, False, True),
        (None, None, {"amx_bf16": True, "avx512_bf16": False}, False, True),
        (None, None, {"avx512_bf16": False, "amx_bf16": False}, False, False),
        ("cuda", (8, 0), {}, False, True),
        ("cuda", (9, 0), {}, False, True),
        ("cuda", (7, 5), {"avx512_bf16": True}, False, False),
        ("cuda", (8, 0), {"avx512_bf16": False}, True, False),
        ("cuda", (7, 5), {"avx512_bf16": True}, True, True),
        ("another", None, {"avx512_bf16": True}, False, False),
    ],
)
@pytest.mark.parametrize("torch_knows", [True, False])
def test_bfloat16_of_its_own(
    monkeypatch: pytest.MonkeyPatch, accelerator, capability, flags, use_cpu: bool, native: bool, torch_knows: bool
):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: accelerator is not None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: accelerator == "cuda")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    if torch_knows:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags, raising=False)
    else:
        monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
        monkeypatch.setattr(machine, "_cpu_flags", lambda: [name for name, there in flags.items() if there])
    assert machine.native_bf16(use_cpu) is native
