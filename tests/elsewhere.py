"""A process with transformers and torch, and without this package: there a checkpoint's own code has to do."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests import forks


WITHOUT_PACKAGE = """
import sys
sys.modules["modeling_dlfa"] = None  # an installed package cannot be imported either
"""


def run_elsewhere(
    program: str,
    *arguments: object,
    cwd: Path,
    environment: Mapping[str, str] = os.environ,
    from_nothing: bool = False,
) -> str:
    """Run a Python program far from the repository, without what this process adds to the import path.

    Args:
        from_nothing: in an interpreter that imports everything itself, which takes long.

    Returns:
        what it printed.
    """
    command = ["-P", "-c", WITHOUT_PACKAGE + program, *map(str, arguments)]
    clean = {name: value for name, value in environment.items() if not name.startswith("PYTHON")}
    if from_nothing:
        argv = [sys.executable, *command]
        done = subprocess.run(argv, cwd=cwd, env=clean, capture_output=True, text=True, timeout=forks.PATIENCE)
    else:
        done = forks.run(command, cwd=cwd, environment=clean)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout
