"""The promise that after `import modeling_dlfa` the Auto classes know DLFA, kept without importing transformers.

They can be told only once they are there, and they are there only once somebody wants them. So `install` registers
DLFA at once where transformers' auto modules have been imported, and otherwise leaves a finder on `sys.meta_path` that
does it as soon as they are. The finder finds nothing itself: it asks the others, and adds a step to the loader of a
watched module, after its execution. It goes when everything is registered.

Our own two modules are watched too: they import the auto modules in their first lines, when they have no classes yet.
"""

import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


CONFIGURATION_AUTO = "transformers.models.auto.configuration_auto"
MODELING_AUTO = "transformers.models.auto.modeling_auto"
CONFIGURATION, MODELING = f"{__package__}.configuration_dlfa", f"{__package__}.modeling_dlfa"

# Module -> a name that it defines late: without it, its execution has not come far enough.
WATCHED = {
    CONFIGURATION_AUTO: "AutoConfig",
    MODELING_AUTO: "AutoModelForTokenClassification",
    CONFIGURATION: "DLFAConfig",
    MODELING: "DLFAForDependencyParsing",
}

_registered: set[str] = set()  # the auto modules that know DLFA


def install() -> None:
    """Make the Auto classes know DLFA: now, as far as they are imported, or as soon as they are."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    _register()


def _register() -> None:
    try:
        if auto := _executed(CONFIGURATION_AUTO):
            _register_configuration(auto)
        if (auto := _executed(MODELING_AUTO)) and CONFIGURATION_AUTO in _registered:
            _register_models(auto)
    except ImportError as error:  # a transformers that is too old, which `modeling_dlfa.DLFAModel` says again
        warnings.warn(f"the Auto classes do not know DLFA: {error}", stacklevel=2)
    if len(_registered) == 2:
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]


def _register_configuration(auto: ModuleType) -> None:
    importlib.import_module(CONFIGURATION)  # while it is being imported, this returns it as far as it is
    if (ours := _executed(CONFIGURATION)) and CONFIGURATION_AUTO not in _registered:
        _registered.add(CONFIGURATION_AUTO)
        auto.AutoConfig.register(ours.DLFAConfig.model_type, ours.DLFAConfig)


def _register_models(auto: ModuleType) -> None:
    importlib.import_module(MODELING)
    if (ours := _executed(MODELING)) and MODELING_AUTO not in _registered:
        _registered.add(MODELING_AUTO)
        config = ours.DLFAConfig
        # Of the two, AutoModel takes the one that a checkpoint's configuration names as its architecture, else the
        # first.
        auto.AutoModel.register(config, (ours.DLFAModel, ours.DLFAForDependencyParsing))
        auto.AutoModelForMaskedLM.register(config, ours.DLFAForMaskedLM)
        auto.AutoModelForMultipleChoice.register(config, ours.DLFAForMultipleChoice)
        auto.AutoModelForQuestionAnswering.register(config, ours.DLFAForQuestionAnswering)
        auto.AutoModelForSequenceClassification.register(config, ours.DLFAForSequenceClassification)
        auto.AutoModelForTokenClassification.register(config, ours.DLFAForTokenClassification)


def _executed(name: str) -> ModuleType | None:
    """A watched module, if its execution has come far enough."""
    module = sys.modules.get(name)
    return module if module is not None and hasattr(module, WATCHED[name]) else None


class _Finder(MetaPathFinder):
    """Has the other finders find the watched modules, and registers DLFA after their execution."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in WATCHED:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        specs = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next((spec for spec in specs if spec is not None), None)
        if spec is not None and spec.loader is not None:
            _then(spec.loader, _register)
        return spec


def _then(loader, step) -> None:
    """Have a loader, which is that of a single module, take a step after it has executed the module."""
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        del loader.exec_module  # as if nothing had been there
        execute(module)
        step()

    loader.exec_module = exec_module
