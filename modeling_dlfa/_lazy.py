"""Names that a package offers without importing what they stand for (PEP 562)."""

import importlib
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any


def offer(package: str, names: Mapping[str, str]) -> None:
    """Make a package import the modules of the names that it offers when they are asked for.

    Args:
        package: `__name__` of the package.
        names: name -> the module that has it, relative to the package.
    """

    class Package(ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name not in names:
                raise AttributeError(f"module {package!r} has no attribute {name!r}")
            value = getattr(importlib.import_module(f".{names[name]}", package), name)
            super().__setattr__(name, value)
            return value

        def __setattr__(self, name: str, value: Any) -> None:
            # Importing a module of the name would otherwise put it where what is offered under that name belongs.
            if not (name in names and isinstance(value, ModuleType)):
                super().__setattr__(name, value)

        def __dir__(self) -> list[str]:
            return sorted({*super().__dir__(), *names})

    sys.modules[package].__class__ = Package
