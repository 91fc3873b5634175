"""What becomes of every field of Transformers' `TrainingArguments`, in one table.

A field is honoured, and then it decides results or keeps the books; or a run cannot honour it, and then it is refused
before anything is read, unless it says what is done anyway. Fields that the table does not know, of a newer
Transformers, are honoured as what decides. Imports nothing heavy, so that help is quick.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..errors import InputError
from .declared import COUNT, FRACTION, NOT_NEGATIVE, POSITIVE, SEED, Numbers, told


@dataclass(frozen=True)
class Flag:
    """What becomes of a field of `TrainingArguments`.

    Attributes:
        decides: whether results depend on it.
        numbers: which may be given; None where it is no number.
        only: the values that say what is done anyway; None where any value is honoured.
        why: of a field with `only`: what the refusal of another value says.
        stage: whether a stage of an intermediate task may have a value of its own.
        cell: whether a study's file may give it; the study sets the others.
        recorded: whether results repeat it among the settings of the training.
        path: whether it is a file or folder.
    """

    decides: bool = True
    numbers: Numbers | None = None
    only: tuple[Any, ...] | None = None
    why: str = ""
    stage: bool = True
    cell: bool = True
    recorded: bool = False
    path: bool = False

    @property
    def fate(self) -> Literal["decides", "bookkeeping", "refused"]:
        if self.only is not None:
            return "refused"
        return "decides" if self.decides else "bookkeeping"


_DECIDES, _RECORDED = Flag(), Flag(recorded=True)
_BOOKS = Flag(decides=False)
_BOOKS_COUNT = replace(_BOOKS, numbers=COUNT)


def _never(why: str, *unless: Any) -> Flag:
    """A field that cannot be honoured; unlike what decides, it cannot differ between two runs."""
    return Flag(decides=False, only=unless, why=why)


_UPLOAD = _never(
    "a run is not uploaded; when it is done, `dlfa publish FOLDER USER/NAME` does it, without pickles and paths of "
    "this machine",
)
_EVALUATION = "scores are made from all predictions of a set, in its order"
_COLUMNS = "a task's kind names the columns of its rows"
_RATES = "head and fusion have learning rates of their own, which it does not take"

TRAINER: dict[str, Flag] = {
    # What is trained, and how.
    "num_train_epochs": Flag(numbers=POSITIVE, recorded=True),
    "learning_rate": Flag(numbers=NOT_NEGATIVE, recorded=True),
    "weight_decay": Flag(numbers=NOT_NEGATIVE, recorded=True),
    "warmup_steps": Flag(numbers=NOT_NEGATIVE, recorded=True),
    "max_grad_norm": Flag(numbers=NOT_NEGATIVE, recorded=True),
    "lr_scheduler_type": _RECORDED,
    "optim": _RECORDED,
    "max_steps": Flag(numbers=replace(COUNT, also=-1)),
    "per_device_train_batch_size": Flag(numbers=COUNT),
    "gradient_accumulation_steps": Flag(numbers=COUNT),
    "lr_scheduler_kwargs": _DECIDES,
    "optim_args": _DECIDES,
    "optim_target_modules": _never(_RATES),
    "adam_beta1": Flag(numbers=FRACTION),
    "adam_beta2": Flag(numbers=FRACTION),
    "adam_epsilon": Flag(numbers=NOT_NEGATIVE),
    "label_smoothing_factor": Flag(numbers=FRACTION),
    "neftune_noise_alpha": Flag(numbers=NOT_NEGATIVE),
    "average_tokens_across_devices": _DECIDES,
    "seed": Flag(numbers=SEED, cell=False),
    "data_seed": Flag(numbers=SEED),
    "full_determinism": _DECIDES,
    "train_sampling_strategy": _DECIDES,
    "dataloader_drop_last": _DECIDES,
    "auto_find_batch_size": _never(
        "a smaller batch would go on from half-trained weights; give --per_device_train_batch_size and "
        "--gradient_accumulation_steps",
        False,
    ),
    # Machine and precision.
    **dict.fromkeys(("use_cpu", "bf16", "fp16", "bf16_full_eval", "fp16_full_eval", "tf32"), _DECIDES),
    **dict.fromkeys(("activation_checkpointing", "activation_checkpointing_kwargs"), _DECIDES),
    **dict.fromkeys(("gradient_checkpointing", "gradient_checkpointing_kwargs"), _DECIDES),
    **dict.fromkeys(("torch_compile", "torch_compile_backend", "torch_compile_mode"), _DECIDES),
    **dict.fromkeys(("ddp_find_unused_parameters", "ddp_broadcast_buffers"), _DECIDES),
    **dict.fromkeys(("ddp_static_graph", "ddp_backend", "fsdp"), _DECIDES),
    "ddp_bucket_cap_mb": Flag(numbers=COUNT),
    "fsdp_config": Flag(path=True),
    "deepspeed": _never(f"{_RATES}; for large encoders there is --fsdp"),
    "parallelism_config": _never("batches are divided by process alone"),
    "accelerator_config": _never(
        "batches are divided by this package; give --per_device_train_batch_size and --gradient_accumulation_steps"
    ),
    "use_liger_kernel": _never("there are no Liger kernels for these models", False),
    "liger_kernel_config": _never("there are no Liger kernels for these models"),
    "use_cache": _never("encoders keep no cache", False),
    "torch_empty_cache_steps": _BOOKS_COUNT,
    "ddp_timeout": _BOOKS_COUNT,
    "local_rank": _BOOKS,
    "debug": _BOOKS,
    # Development data, and which checkpoint they choose.
    **dict.fromkeys(("eval_strategy", "save_strategy", "load_best_model_at_end"), _DECIDES),
    **dict.fromkeys(("metric_for_best_model", "greater_is_better", "eval_on_start"), _DECIDES),
    "eval_steps": Flag(numbers=POSITIVE),
    "eval_delay": Flag(numbers=NOT_NEGATIVE),
    "save_steps": Flag(numbers=POSITIVE),
    "per_device_eval_batch_size": _BOOKS_COUNT,
    "eval_accumulation_steps": _BOOKS_COUNT,
    "prediction_loss_only": _never(_EVALUATION, False),
    "batch_eval_metrics": _never(_EVALUATION, False),
    "eval_do_concat_batches": _never(_EVALUATION, True),
    "eval_use_gather_object": _never(_EVALUATION, False),
    "include_for_metrics": _never("a task's scores are made from predictions and labels alone", []),
    "do_eval": _never(
        "a run is always scored; development data are looked at by --eval_strategy, and chosen by with "
        "--load_best_model_at_end",
        True,
    ),
    "do_predict": _never("a run always scores, and leaves its predictions", True),
    "do_train": replace(_BOOKS, stage=False),
    # Rows.
    "remove_unused_columns": _never(_COLUMNS, True),
    "label_names": _never(_COLUMNS, ["labels"]),
    "length_column_name": _never(_COLUMNS, "length"),
    "dataloader_in_order": _never("predictions are matched with rows by their order", True),
    "dataloader_num_workers": replace(_BOOKS, numbers=NOT_NEGATIVE),
    "dataloader_prefetch_factor": _BOOKS_COUNT,
    "dataloader_pin_memory": _BOOKS,
    "dataloader_persistent_workers": _BOOKS,
    "dataloader_multiprocessing_context": _BOOKS,
    # What is written, and going on.
    "output_dir": Flag(decides=False, stage=False, cell=False, path=True),
    "resume_from_checkpoint": Flag(decides=False, stage=False, cell=False, path=True),
    "save_total_limit": _BOOKS_COUNT,
    **dict.fromkeys(("save_only_model", "save_on_each_node", "restore_callback_states_from_checkpoint"), _BOOKS),
    "ignore_data_skip": _never("a run that goes on sees the batches that one without a break sees", False),
    "enable_jit_checkpoint": _never(
        "a run that is stopped early would be scored as if it were done; --save_steps saves on the way", False
    ),
    **dict.fromkeys(("logging_strategy", "logging_first_step", "log_on_each_node", "logging_nan_inf_filter"), _BOOKS),
    "logging_steps": replace(_BOOKS, numbers=POSITIVE),
    **dict.fromkeys(("log_level", "log_level_replica", "disable_tqdm", "report_to", "run_name", "project"), _BOOKS),
    **dict.fromkeys(("trackio_space_id", "trackio_bucket_id", "trackio_static_space_id"), _BOOKS),
    **dict.fromkeys(("include_num_input_tokens_seen", "skip_memory_metrics"), _BOOKS),
    # The Hub. The default of each is fine, and a token is shown nowhere.
    "push_to_hub": replace(_UPLOAD, only=(False,)),
    "hub_private_repo": replace(_UPLOAD, only=(False,)),
    "hub_always_push": replace(_UPLOAD, only=(False,)),
    **dict.fromkeys(("hub_token", "hub_model_id", "hub_strategy", "hub_revision"), _UPLOAD),
}
"""Name of a field -> what becomes of it."""

_SECRET = ("hub_token",)


def trainer_fields(**wanted: Any) -> frozenset[str]:
    """Names of the fields of the table with these attributes: `trainer_fields(decides=False)`."""
    return frozenset(
        name for name, flag in TRAINER.items() if all(getattr(flag, key) == value for key, value in wanted.items())
    )


def check_flags(given: Mapping[str, Any]) -> None:
    """Refuse what a run cannot honour.

    Args:
        given: arguments by name, as far as they were given; those of others are not looked at.

    Raises:
        InputError: naming the argument, its value, and why or what to give instead.
    """
    for name, value in given.items():
        flag = TRAINER.get(name)
        if flag is not None and flag.only is not None and value is not None and value not in flag.only:
            shown = "" if name in _SECRET or value is True else f" {told(value)}"
            raise InputError(f"--{name}{shown}: {flag.why}")
