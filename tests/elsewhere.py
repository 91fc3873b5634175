"""A process with transformers and torch, and without this package: there a checkpoint's own code has to do."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


WITHOUT_PACKAGE = """
import sys
sys.modules["modeling_dlfa"] = None  # an installed package cannot be imported either
"""


def run_elsewhere(program: str, *arguments: object, cwd: Path, environment: Mapping[str, str] = os.environ) -> str:
    """Run a Python program far from the repository, without what this process adds to the import path.

    Returns:
        what it printed.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-c", WITHOUT_PACKAGE + program, *map(str, arguments)],
        cwd=cwd,
        env={name: value for name, value in environment.items() if not name.startswith("PYTHON")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout
