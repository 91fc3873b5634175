"""What a user can ask of a run, declared once: what every argument is, and what it decides.

`RunArguments` are this project's own; `TrainingArguments` are Transformers', and `trainer_arguments.TRAINER` says what
becomes of theirs; `derived` has what follows from both. Imports nothing heavy, so that help is quick.
"""

import json
from dataclasses import dataclass
from typing import Any, ClassVar

from ..errors import InputError, one_line
from .declared import AUTO, COUNT, NOT_NEGATIVE, SEVERAL, argument, number_or_auto, told


ALL_TASKS = "all"
AUTO_LAYER = "auto"  # what --fusion_layer takes for the layer that scouting finds
LAST_CHECKPOINT = ("last", "true")  # what --resume_from_checkpoint takes for the newest of the output folder


@dataclass
class RunArguments:
    """What to fine-tune, on which data, and what to score. `TrainingArguments` says how."""

    task: str = argument(
        "udpos",
        "What to fine-tune on: a built-in task (xnli, pawsx, panx, udpos, xquad, mlqa, tydiqa; tatoeba and bucc2018, "
        "which train nothing; uddep and the easier uddep-upos, uddep-direction, uddep-depth, uddep-distance, "
        "uddep-arcs, with the control uddep-masked; X-STILTs' mnli, qqp, anli-plus, squad, squad2, hellaswag, "
        "cosmosqa, commonsenseqa; xcopa, siqa, copa), 'all' of XTREME's nine, a task of your own as a YAML file "
        "(docs/tasks.md), or an object in your module, package.module:TASK.",
        ("data", "model"),
        stage=False,
        cell=False,
        path=True,
    )
    data: str = argument(  # None until the task has been asked
        None,
        "'sample' (embedded), 'hub' (the Hub's data sets), 'files' (those that the task's own file names), or a "
        "folder in XTREME's layout. Default: the task's own files, for built-in tasks the sample.",
        ("data",),
        path=True,
    )
    model_name_or_path: str = argument(
        "embedded",
        "Pretrained encoder: a Hub id, a folder, 'embedded' (multilingual-e5-small), or the folder of a finished run, "
        "whose encoder goes on.",
        ("data", "model"),  # its tokenizer makes the rows
        stage=False,
        cell=False,
        path=True,
    )
    model_revision: str | None = argument(
        None, "Branch, tag or commit of a Hub encoder.", ("data", "model"), stage=False
    )
    fusion: str = argument(
        "aif",
        "'aif' is DLFA, 'none' the baseline; sum, concat, scalar_mix and layer (k alone) are ablations, mix_all and "
        "dwatt (all layers) rivals, aif_last and aif_layer (one layer, DLFA's parameters) controls.",
        ("model",),
    )
    # In this order: HfArgumentParser takes the second type, and `__post_init__` makes numbers of it.
    fusion_layer: int | str | list[int] | None = argument(
        None,
        "k, the lower layer, from 0 (embeddings); several, whose mean is fused, as '4,8'; or 'auto': the best on the "
        "training language's development data, found at the cost of about one more run. Default: two thirds of the "
        "depth.",
        ("model",),
    )
    pooling: str | None = argument(
        None,
        "How a pair becomes one vector. Default: 'cls', as XTREME; 'mean' for the embedded encoder.",
        ("model",),
        choices=["cls", "mean"],
    )
    input_norm: str = argument(
        "none",
        "What is done to states before they are fused: 'standard', mean 0 and deviation 1 over the training tokens "
        "(of a frozen encoder), or 'layer', a LayerNorm.",
        ("model",),
        choices=["none", "standard", "layer"],
    )
    config_overrides: str | None = argument(
        None, 'More arguments of DLFAConfig as JSON, such as \'{"aif_output": "scale"}\'.', ("model",)
    )
    train: str = argument(
        "all",
        "What is trained: 'all' weights; 'top:N', fusion, head and the upper N layers; 'lora[:R]', fusion, head and "
        "LoRA of rank R (8) on the encoder's query and value; 'fusion', fusion and head alone, on states of the "
        "encoder that are computed once and kept.",
        ("training",),
        recorded="always",
    )
    warm_start: bool = argument(
        False,
        "Before the training that --train names, train fusion and head alone as --train fusion does, for as many "
        "epochs or updates.",
        ("training",),
    )
    average_checkpoints: int = argument(
        0,
        "The result is the mean of what was trained at so many evenly spaced points of the training, its end among "
        "them. Default: 0, its end.",
        ("training",),
        recorded="given",
        numbers=SEVERAL,
    )
    carry_fusion: bool = argument(
        False,
        "Also take the fusion over from the stage before, or the run in --model_name_or_path.",
        ("model",),
        stage=False,
    )
    head_learning_rate: float | None = argument(
        None,
        "Learning rate of fusion and head. Default: that of the encoder.",
        ("training",),
        recorded="always",
        numbers=NOT_NEGATIVE,
    )
    fusion_learning_rate: float | None = argument(
        None,
        "Learning rate of the fusion. Default: that of the head.",
        ("training",),
        recorded="always",
        numbers=NOT_NEGATIVE,
    )
    freeze_embeddings: bool = argument(False, "Do not train the word embeddings.", ("training",), recorded="always")
    objectives: str | None = argument(
        None,
        "Terms to add to the loss, with their weights, as JSON: '{\"r_drop\": 1.0}'.",
        ("training",),
        recorded="given",
    )
    max_length: int = argument(
        128,
        "Sub-words per example, special tokens included. Default: the task's recipe (128; trees and cosmosqa 256, "
        "questions 384, retrieval 512).",
        ("data",),
        recorded="always",
        numbers=COUNT,
    )
    prefix: str | None = argument(
        None,
        "Tasks that compare sentences: what stands before each, such as 'query: ' for multilingual-e5.",
        ("data",),
        recorded="given",
    )
    label_piece: str = argument(
        "character",
        "Piece that bears a word's label: its first that holds characters, or its first ('▁', XTREME).",
        ("data",),
        recorded="always",
        choices=["character", "first"],
    )
    train_language: str = argument(
        None,
        "Language of the training and development data. Default: the task's, 'en' for built-in ones.",
        ("data",),
        stage=False,
    )
    languages: str | None = argument(
        None,
        "Languages to score, as 'de,ru,zh', if they have data. Default: all.",
        ("evaluation",),
        stage=False,
    )
    eval_split: str = argument(
        "test",
        "Split to score the languages on.",
        ("evaluation",),
        stage=False,
        choices=["test", "validation"],
    )
    max_train_samples: int | None = argument(
        None, "Train on the first N training examples only.", ("data",), numbers=COUNT
    )
    max_eval_samples: int | None = argument(
        None,
        "Score only the first N examples of each language.",
        ("evaluation",),
        recorded="always",
        numbers=COUNT,
    )
    max_dev_samples: int | None = argument(
        None,
        "Use only the first N development examples for selection. Default: as --max_eval_samples.",
        ("evaluation",),
        recorded="always",
        numbers=COUNT,
    )
    no_answer_threshold: float | str | None = argument(  # in this order, as `fusion_layer`
        AUTO,
        "Questions that may lack an answer: 'no answer' is said where its score is more than this above the best "
        "answer's. Default: 'auto', the best on the training language's development data.",
        ("evaluation",),
        stage=False,
    )
    train_half: str | None = argument(
        None,
        "Tasks from trees: train on the easier or the harder sentences by --half_by, half of the words.",
        ("data",),
        recorded="given",
        choices=["easy", "hard"],
    )
    half_by: str = argument(
        "dependency_length",
        "What makes a sentence hard: the mean length of its dependencies, or the depth of its tree.",
        ("data",),
        choices=["dependency_length", "depth"],
    )
    shuffle_labels: bool = argument(
        False,
        "A control: deal the training labels out at random, so that there is nothing to learn.",
        ("data",),
        recorded="given",
    )
    intermediate_tasks: str | None = argument(
        None,
        "Tasks to fine-tune on before, such as 'uddep' or 'uddep-upos,uddep', each in a stage of its own in the "
        "training language. The encoder goes on, the head is dropped.",
        ("model",),
        stage=False,
        chain=True,
    )
    intermediate_arguments: str | None = argument(
        None,
        "Arguments of the stages as JSON, over those of this command: '{\"max_steps\": 200}' for all, "
        '\'{"uddep": {"max_steps": 200}}\' for those of one task.',
        ("model",),
        stage=False,
        chain=True,
    )
    states_dir: str | None = argument(
        None,
        "Where the encoder's states are kept with --train fusion. Default: modeling_dlfa/states under HF_HOME.",
        path=True,
    )
    states_limit: float = argument(
        20.0, "Gigabytes that the states in that folder may take together.", numbers=NOT_NEGATIVE
    )
    states_layers: str | None = argument(
        None,
        "Layers whose states are kept beside those that the run reads, for later ones: such as '4,8', or 'all'.",
        cell=False,
    )
    stages_dir: str | None = argument(
        None,
        "Where stages are kept, and found again. Default: 'stages' beside the output folder.",
        stage=False,
        cell=False,
        path=True,
    )
    compare_baseline: bool = argument(
        False,
        "Also run the baseline (fusion 'none'), and show the difference.",
        stage=False,
        cell=False,
    )
    keep_checkpoints: bool = argument(False, "Keep the Trainer's checkpoints, --save_total_limit N of them.")

    _argument_group_name: ClassVar[str] = "the run"

    def __post_init__(self):
        from .derived import check_given  # it reads the declarations above

        check_given(vars(self))
        self.no_answer_threshold = number_or_auto("no_answer_threshold", self.no_answer_threshold)
        if self.task != ALL_TASKS:
            self._take_from_task()  # first, since a task's module may register what is asked for below
        self.fusion_layer = fused_layers(self.fusion_layer) if reads_layer(self.fusion) else None
        self._name_regime()
        self.overrides()
        self.weighted_objectives()
        if self.stage_tasks and self.fusion_layer == AUTO_LAYER:
            raise InputError(f"--fusion_layer {AUTO_LAYER} --intermediate_tasks: give the layer that the stages fuse")
        if self.carry_fusion and self.fusion_layer == AUTO_LAYER:
            raise InputError(f"--fusion_layer {AUTO_LAYER} --carry_fusion: give the layer of the model before")

    def _take_from_task(self):
        """What the task says where the user did not."""
        from ..tasks.registry import get_task

        task = get_task(self.task)
        self.data = self.data or task.default_data
        self.train_language = self.train_language or task.train_language
        if isinstance(self.no_answer_threshold, float):
            task.kind.settled_as(task, self.no_answer_threshold)
        for stage in self.stage_tasks:
            get_task(stage)

    def _name_regime(self):
        """`train` with its number, so that one regime has one name."""
        from .regimes import get_regime

        self.train = get_regime(self.train).name

    @property
    def stage_tasks(self) -> list[str]:
        """The intermediate tasks in their order, as they were named."""
        return stage_tasks(self.intermediate_tasks)

    def overrides(self) -> dict[str, Any]:
        """`config_overrides` as a dictionary.

        Raises:
            InputError: it is not a JSON object of such fields.
        """
        overrides = json_object("config_overrides", self.config_overrides)
        if overrides and (unknown := [name for name in overrides if name not in overridable()]):
            raise InputError(f"--config_overrides: {unknown[0]!r} is not one of {', '.join(overridable())}")
        return overrides

    @property
    def development_limit(self) -> int | None:
        """The most rows of development data that are read; None for all."""
        return self.max_dev_samples or self.max_eval_samples

    def weighted_objectives(self) -> dict[str, float]:
        """`objectives` as names with their weights.

        Raises:
            InputError: it is not a JSON object of known objectives.
        """
        weights = json_object("objectives", self.objectives)
        if not weights:
            return {}
        from .objectives import check_objectives

        return check_objectives(weights)


def stage_tasks(names: str | None) -> list[str]:
    """The tasks that `--intermediate_tasks` names."""
    return [name.strip() for name in (names or "").split(",") if name.strip()]


JSON_ARGUMENTS = ("config_overrides", "objectives", "intermediate_arguments")


def reads_layer(fusion: str) -> bool:
    """Whether a fusion has a layer k, or several, to be chosen; one that is not known may."""
    from ..configuration_dlfa import FUSION_READS

    return FUSION_READS.get(fusion, "layer") == "layer"


def fused_layers(value: int | list[int] | str | None) -> int | list[int] | str | None:
    """What `--fusion_layer` means: one layer as a number, several ("4,8") as a list from the lowest up.

    Nothing and `AUTO_LAYER` stay as they are. Whether the encoder has these layers, the model's configuration says.

    Raises:
        InputError: it is no number, nor several with commas between.
    """
    from ..configuration_dlfa import in_order

    if not isinstance(value, str) or value == AUTO_LAYER:
        return in_order(value)
    try:
        return in_order([int(layer) for layer in value.split(",")])
    except ValueError:
        raise InputError(
            f"--fusion_layer {told(value)}: expected the number of a layer, several as '4,8', or {AUTO_LAYER!r}"
        ) from None


def layer_name(layer: int | list[int] | str | None) -> int | str | None:
    """A layer as tables and names have it; several as "4+8"."""
    return "+".join(map(str, layer)) if isinstance(layer, list) else layer


def overridable() -> list[str]:
    """Fields of DLFAConfig that `--config_overrides` may set: those without an argument of their own."""
    from ..configuration_dlfa import DLFAConfig

    return sorted(
        set(DLFAConfig.__annotations__) - {"encoder_config", "fusion", "fusion_layer", "pooling", "input_norm"}
    )


def json_object(name: str, value: str | None) -> dict[str, Any]:
    """The value of an argument that takes a JSON object; nothing stands for an empty one.

    Raises:
        InputError: it is something else.
    """
    try:
        values = json.loads(value or "{}")
    except (ValueError, RecursionError) as error:
        raise InputError(f"--{name} {told(value)!r} is not JSON: {one_line(error)}") from error
    if not isinstance(values, dict):
        raise InputError(f"--{name} {told(value)!r}: expected a JSON object")
    return values
