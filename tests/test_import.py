"""`import modeling_dlfa` is cheap, offers its names, and makes the Auto classes know DLFA in whatever order."""

import ast
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import modeling_dlfa
from tests import forks
from tests.marks import rest_is_slow


ROOT = Path(__file__).resolve().parents[1]
HEAVY = "torch", "transformers", "datasets", "optuna", "huggingface_hub"


def fresh(program: str, *arguments: object, cwd: Path = ROOT) -> str:
    """What a program prints in an interpreter of its own, which finds this package."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def test_importing_the_package_imports_no_library():
    program = f"""
        import sys
        import modeling_dlfa
        print([name for name in {HEAVY} if name in sys.modules])
        modeling_dlfa.InputError, dir(modeling_dlfa), modeling_dlfa.__version__
        print([name for name in {HEAVY} if name in sys.modules])
    """
    assert fresh(program).splitlines() == ["[]", "[]"]


def without_transformers(program: str, *arguments: object) -> str:
    """What a program prints where torch and other libraries are imported already, but Transformers is not."""
    command = ["-c", textwrap.dedent(program), *arguments]
    done = forks.run(command, cwd=ROOT, environment={**os.environ, "PYTHONPATH": str(ROOT)}, imported=forks.LIBRARIES)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


# ---------------------------------------------------------------------------------------------------------------------
# Names
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", modeling_dlfa.__all__)
def test_names(name: str):
    assert name in dir(modeling_dlfa)
    try:
        value = getattr(modeling_dlfa, name)
    except ModuleNotFoundError as error:
        pytest.skip(f"{error.name} is not there")
    assert value is getattr(modeling_dlfa, name) and value.__name__ == name
    assert value.__module__.startswith("modeling_dlfa.")


def test_type_checkers_see_the_names_that_are_offered():
    tree = ast.parse((ROOT / "modeling_dlfa" / "__init__.py").read_text("utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    imported = {(alias.name, node.module) for node in imports for alias in node.names}
    homes = {(name, module) for module, names in modeling_dlfa._HOMES.items() for name in names}
    assert imported == homes and sorted(modeling_dlfa.__all__) == sorted(name for name, _ in homes)


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="module 'modeling_dlfa' has no attribute 'DLFAForEverything'"):
        _ = modeling_dlfa.DLFAForEverything  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ImportError, match="DLFAForEverything"):
        exec("from modeling_dlfa import DLFAForEverything")


def test_a_module_does_not_hide_the_name_that_is_offered(tmp_path: Path):
    """`predict` is a function, and the module that has it, whichever is imported first."""
    (tmp_path / "predict.py").write_text("def predict():\n    return 'predicted'\n\ndef main():\n    return 0\n")
    program = """
        import sys
        import modeling_dlfa
        modeling_dlfa.__path__.insert(0, sys.argv[1])
        from modeling_dlfa.predict import main
        import modeling_dlfa.predict
        print(modeling_dlfa.predict(), main())
        from modeling_dlfa import predict
        print(predict())
    """
    assert fresh(program, tmp_path).split() == ["predicted", "0", "predicted"]


# ---------------------------------------------------------------------------------------------------------------------
# Auto classes
# ---------------------------------------------------------------------------------------------------------------------

KNOWN = """
import sys
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoModelForTokenClassification

encoder = dict(model_type="bert", vocab_size=9, hidden_size=8, num_hidden_layers=2, num_attention_heads=2)
config = AutoConfig.for_model("dlfa", encoder_config=encoder | {"intermediate_size": 8})
autos = AutoModel, AutoModelForSequenceClassification, AutoModelForTokenClassification
print(*(type(auto.from_config(config)).__name__ for auto in autos))
config.architectures = ["DLFAForDependencyParsing"]
print(type(AutoModel.from_config(config)).__name__)
import modeling_dlfa
assert type(config) is modeling_dlfa.DLFAConfig
assert type(AutoModel.from_config(config)) is modeling_dlfa.DLFAForDependencyParsing
print([finder for finder in sys.meta_path if type(finder).__module__.startswith("modeling_dlfa")])
"""
CLASSES = "DLFAModel DLFAForSequenceClassification DLFAForTokenClassification"


@pytest.mark.parametrize(
    "first",
    rest_is_slow(
        [
            "import modeling_dlfa",
            "import transformers, modeling_dlfa",
            "from transformers import AutoModel; import modeling_dlfa",
            "from transformers import AutoConfig; import modeling_dlfa",  # of the two auto modules one is there
            "import modeling_dlfa; from transformers import AutoConfig",
            "import modeling_dlfa; from transformers import BertModel",  # imports an auto module half-way
            "import modeling_dlfa; from transformers import pipeline",
            "from modeling_dlfa import DLFAModel",  # our own modules import the auto modules in their first lines
            "from modeling_dlfa import DLFAConfig",
            "import modeling_dlfa, importlib; from transformers import AutoModel; importlib.reload(modeling_dlfa)",
        ]
    ),
)
def test_auto_classes_know_dlfa(first: str):
    printed = without_transformers(f"{first}\n{KNOWN}")
    assert printed.splitlines() == [CLASSES, "DLFAForDependencyParsing", "[]"]


@pytest.mark.slow
def test_auto_classes_know_dlfa_where_nothing_was_imported():
    assert fresh(f"import modeling_dlfa\n{KNOWN}").splitlines() == [CLASSES, "DLFAForDependencyParsing", "[]"]


def test_the_hook_leaves_nothing_behind():
    program = """
        import importlib.util, inspect, sys
        import modeling_dlfa
        from transformers.models.auto import configuration_auto, modeling_auto
        for module in (configuration_auto, modeling_auto, sys.modules["modeling_dlfa.modeling_dlfa"]):
            assert "exec_module" not in vars(module.__spec__.loader) and module.__loader__ is module.__spec__.loader
            assert inspect.getsource(module)
        print([finder for finder in sys.meta_path if type(finder).__module__.startswith("modeling_dlfa")])
    """
    assert without_transformers(program).split() == ["[]"]


PIPELINE = """
import sys
import modeling_dlfa
from transformers import pipeline
print(pipeline("text-classification", sys.argv[1])("yes a b")[0]["label"])
"""


@pytest.mark.slow
def test_a_saved_model_in_a_pipeline_and_a_spawned_child(tiny_encoder: str, tmp_path: Path):
    """A pickled configuration says where its class is; a child that unpickles it knows DLFA too."""
    from transformers import AutoTokenizer

    model = modeling_dlfa.DLFAForSequenceClassification.from_encoder(tiny_encoder, fusion_layer=1, num_labels=2)
    model.save_pretrained(tmp_path / "model")
    AutoTokenizer.from_pretrained(tiny_encoder).save_pretrained(tmp_path / "model")
    assert without_transformers(PIPELINE, tmp_path / "model").split()[-1] in ("LABEL_0", "LABEL_1")
    (tmp_path / "spawns.py").write_text(
        textwrap.dedent("""
            import multiprocessing, pickle, sys
            import modeling_dlfa

            def child(content):
                from transformers import AutoConfig
                config = pickle.loads(content)
                return type(config).__module__, AutoConfig.from_pretrained(sys.argv[1]).fusion

            if __name__ == "__main__":
                config = modeling_dlfa.DLFAConfig.from_pretrained(sys.argv[1])
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    print(*pool.apply(child, (pickle.dumps(config),)))
        """)
    )
    done = subprocess.run(
        [sys.executable, tmp_path / "spawns.py", tmp_path / "model"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == ["modeling_dlfa.configuration_dlfa", "aif"]
