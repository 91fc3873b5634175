"""LoRA (Hu et al. 2021, arXiv 2106.09685) by peft: `--train lora[:R]`.

Small maps beside the encoder's query and value are trained, and all of fusion and head. The run leaves a merged
checkpoint, which opens like any other, and in `adapter/` what was trained alone; `open_adapter` puts that on the
encoder.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from accelerate import PartialState
from torch import nn
from transformers import PreTrainedModel, TrainingArguments
from transformers.pytorch_utils import Conv1D

from ..configuration_dlfa import DLFAConfig
from ..encoders import EMBEDDED, EMBEDDED_HUB_ID
from ..errors import InputError, one_line
from ..files import expanded, read_json, write_text
from ..modeling_dlfa import DLFAPreTrainedModel
from ..tasks.kinds import KINDS
from .arguments import RunArguments
from .data import RunData
from .encoder_check import shape_of
from .layers import encoder_of
from .model import new_parts, open_encoder
from .regime import Regime, register_regime


if TYPE_CHECKING:
    from peft import PeftModel


ADAPTER = "adapter"  # folder in that of a run
DROPOUT = 0.05  # in front of the small maps; their factor alpha / R is 2 (our choice)

# How encoders call the maps that give query and value, or these and the key in one, where peft's table has not the
# family.
_QUERY_AND_VALUE = (
    ("query", "value"),
    ("q_proj", "v_proj"),
    ("query_proj", "value_proj"),
    ("q_lin", "v_lin"),
    ("q", "v"),
    ("Wqkv",),
    ("qkv_proj",),
    ("query_key_value",),
    ("c_attn",),
    ("in_proj",),
)


@register_regime("lora", "[:R]")
class Lora(Regime):
    """Fusion, head, and LoRA of rank R on query and value in every layer of the encoder."""

    default_size: ClassVar[int | None] = 8
    # Hu et al. give RoBERTa-base 4e-4 to 5e-4 (their table 9), with a factor of 1.
    recipe: ClassVar[Mapping[str, Any]] = {"learning_rate": 5e-4, "freeze_embeddings": False}

    def trained(self, parts: str) -> str:
        return f"{parts}, and LoRA of rank {self.size} on the encoder's query and value, merged into its weights"

    def check(self, arguments: RunArguments, config: DLFAConfig) -> None:
        super().check(arguments, config)
        _peft()
        width = config.encoder_config.hidden_size
        if cast(int, self.size) > width:
            raise InputError(f"--train {self.name}: expected a rank of at most {width}, the width of the encoder")
        target_modules(shape_of(config.encoder_config))

    def begin(
        self, model: DLFAPreTrainedModel, data: RunData, arguments: RunArguments, training_arguments: TrainingArguments
    ) -> tuple[DLFAPreTrainedModel, RunData]:
        peft = _peft()
        encoder = encoder_of(model)
        names = target_modules(encoder)
        rank = cast(int, self.size)
        of_conv1d = any(isinstance(part, Conv1D) and _last(name) in names for name, part in encoder.named_modules())
        beside = [f"dlfa.{name}" for name, _ in model.base_model.named_children() if name != "encoder"]
        # What has weights of its own: copied, those that are the encoder's too would be so no more.
        shared = {id(weight) for weight in encoder.parameters()}
        parts = {name: model.get_submodule(name).parameters() for name in (*beside, *new_parts(model))}
        whole = [name for name, weights in parts.items() if any(id(weight) not in shared for weight in weights)]
        config = peft.LoraConfig(
            r=rank,
            lora_alpha=2 * rank,
            lora_dropout=DROPOUT,
            target_modules=rf"dlfa\.encoder\.(.+\.)?({'|'.join(names)})",
            modules_to_save=whole,
            fan_in_fan_out=of_conv1d,  # GPT-2 keeps its maps transposed
        )
        return cast(DLFAPreTrainedModel, peft.get_peft_model(cast(PreTrainedModel, model), config)), data

    def end(
        self, model: DLFAPreTrainedModel, trained: DLFAPreTrainedModel, arguments: RunArguments, output: Path
    ) -> DLFAPreTrainedModel:
        adapted = cast("PeftModel", trained)
        if PartialState().is_main_process:
            _save(adapted, model, arguments, output / ADAPTER)
        return cast(DLFAPreTrainedModel, adapted.merge_and_unload())  # pyright: ignore[reportCallIssue]


def target_modules(encoder: PreTrainedModel) -> tuple[str, ...]:
    """Names of the maps of query and value in an encoder's layers: peft's own, or one of those we know.

    Raises:
        InputError: it has none of them, as XLNet, whose attention has parameters in place of modules.
    """
    family = encoder.config.model_type
    of_peft = _peft().utils.TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING.get(family, ())
    there = {_last(name) for name, part in encoder.named_modules() if isinstance(part, (nn.Linear, Conv1D))}
    for names in (tuple(of_peft), *_QUERY_AND_VALUE):
        if names and there.issuperset(names):
            return names
    raise InputError(
        f"--train lora: this {family} encoder has no linear maps of query and value under a name that is known; "
        "--train top:N trains its upper layers"
    )


def open_adapter(folder: str | Path, encoder: str | None = None) -> "PeftModel":
    """What a run with `--train lora` has trained, on the pretrained encoder that it was trained on.

    Args:
        folder: `adapter/` in the output folder of the run.
        encoder: a Hub id, a folder, or "embedded"; default: the one that the adapter names.

    Returns:
        peft's model, in evaluation mode; its `get_base_model()` is the DLFA model.

    Raises:
        InputError: folder or encoder cannot be opened, or the one does not fit the other.

    Examples:
        >>> from modeling_dlfa.training.lora import open_adapter
        >>> model = open_adapter("runs/out/adapter")
        >>> model.save_pretrained("elsewhere")  # a few megabytes
    """
    peft = _peft()
    folder = Path(expanded(folder))
    if not (folder / "adapter_config.json").is_file() or not (folder / "config.json").is_file():
        raise InputError(f"{folder} holds no adapter, expected {ADAPTER}/ in the folder of a run with --train lora")
    saved = read_json(folder / "adapter_config.json")
    name, revision = saved["base_model_name_or_path"], saved.get("revision")
    if encoder is not None:
        name, revision = encoder, None
    known = {kind.model_class.__name__: kind.model_class for kind in KINDS.values()}
    (head,) = read_json(folder / "config.json")["architectures"]
    if head not in known:
        raise InputError(f"{folder} is for a {head}, expected one of {', '.join(known)}")
    of_encoder = open_encoder(EMBEDDED if name == EMBEDDED_HUB_ID else name, revision)
    base: Any = known[head](cast(Any, DLFAConfig.from_pretrained(folder)), encoder=of_encoder)
    try:
        return peft.PeftModel.from_pretrained(base, str(folder)).eval()
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{folder} does not fit the encoder {name}: {one_line(error, 300)}") from error


def _save(adapted: "PeftModel", model: DLFAPreTrainedModel, arguments: RunArguments, folder: Path) -> None:
    """Write the adapter, with the model's configuration, and the name of the encoder that belongs under it."""
    name = arguments.model_name_or_path
    (of_adapter,) = adapted.peft_config.values()
    if Path(name).is_dir():
        name = str(Path(name).resolve())
    of_adapter.base_model_name_or_path = EMBEDDED_HUB_ID if name == EMBEDDED else name
    of_adapter.revision = arguments.model_revision
    # By itself peft asks the Hub whether the vocabulary has grown.
    adapted.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # a form with nothing filled in
    values = {**json.loads(model.config.to_json_string(use_diff=False)), "architectures": [type(model).__name__]}
    write_text(folder / "config.json", json.dumps(values, indent=2) + "\n")


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _peft() -> Any:
    try:
        import peft
    except ImportError:
        raise InputError(
            '--train lora needs peft, which is not installed: pip install -c constraints.txt -e ".[lora]"'
        ) from None
    return peft
