"""Scripts of the repository, for their tests."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


ROOT = Path(__file__).resolve().parents[1]


def script(path: str) -> ModuleType:
    """A script of the repository as a module; what lies beside it can be imported, as when it is run."""
    if (beside := str((ROOT / path).parent)) not in sys.path:
        sys.path.append(beside)
    spec = importlib.util.spec_from_file_location(f"script_{Path(path).stem}", ROOT / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
