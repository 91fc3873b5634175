"""What the machine has: cores that processes share, and bfloat16. Imports nothing heavy."""

import os
from pathlib import Path


CPU_BF16 = {"avx512_bf16", "amx_bf16"}
"""Names of the processor's instructions for bfloat16, as Linux and torch call them; without, torch emulates it."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def shared_threads(processes: int) -> dict[str, str]:
    """Environment of one of several processes that compute at once: its share of the cores, at least one thread.

    Torch takes all cores in every process: two processes of two threads on two cores were seen 5 to 10 times slower
    than one after the other. Empty where OMP_NUM_THREADS is set: the user knows better.

    Examples:
        >>> subprocess.Popen(command, env={**os.environ, **shared_threads(2)})  # doctest: +SKIP
    """
    return {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": str(max(1, cores() // processes))}


def native_bf16(use_cpu: bool = False) -> bool:
    """Whether what a run computes on has bfloat16 of its own.

    A GPU of compute capability 8 or higher has it, and a processor with `CPU_BF16`; of other accelerators it is not
    known.

    Args:
        use_cpu: leave a GPU aside.
    """
    import torch

    if torch.accelerator.is_available() and not use_cpu:
        return torch.cuda.is_available() and torch.cuda.get_device_capability() >= (8, 0)
    if hasattr(torch.cpu, "get_capabilities"):  # not in old versions
        return any(torch.cpu.get_capabilities().get(name) for name in CPU_BF16)
    return not CPU_BF16.isdisjoint(_cpu_flags())


def _cpu_flags() -> list[str]:
    """The processor's flags, where Linux tells them."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
