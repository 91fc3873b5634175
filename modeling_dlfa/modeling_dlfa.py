"""DLFA: fuse one lower layer of a pretrained encoder with its last layer (Chen et al. 2022, arXiv 2205.08497).

Shapes: B batch, T tokens, W words, E hidden size, L layers, C labels or choices, V word pieces.
x = `hidden_states[L]`, y = `hidden_states[k]`, or the mean of several.
"""

import copy
import inspect
import math
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
from torch import nn
from torch.nn import functional as F
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoModelForTextEncoding,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.activations import ACT2FN
from transformers.loss.loss_utils import fixed_cross_entropy
from transformers.modeling_outputs import (
    BaseModelOutput,
    MaskedLMOutput,
    MultipleChoiceModelOutput,
    QuestionAnsweringModelOutput,
    SequenceClassifierOutput,
    TokenClassifierOutput,
)
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    MODEL_FOR_TEXT_ENCODING_MAPPING,
    MODEL_MAPPING,
)
from transformers.utils import output_capturing
from transformers.utils.generic import ModelOutput, TransformersKwargs

from .configuration_dlfa import FUSION_READS, DLFAConfig


# Before Transformers 5.23, `output_hidden_states=[k]` meant the output of layer k + 1 to some encoders.
CAN_SELECT_STATES = hasattr(output_capturing, "select_hidden_states")

# Arguments that say where a checkpoint is read from, not what is built.
HUB_ARGUMENTS = ("cache_dir", "force_download", "local_files_only", "token", "revision", "subfolder")

# Those of every configuration that a user of DLFA may give: they belong to the whole model, not to its encoder.
WHOLE_MODEL_ARGUMENTS = ("num_labels", "id2label", "label2id", "problem_type", "attn_implementation") + (
    "output_hidden_states",
    "output_attentions",
    "return_dict",
    "tie_word_embeddings",
)


# ---------------------------------------------------------------------------------------------------------------------
# Fusions: forward(x (B, T, E), y, mask (B, T) of ones at real tokens) -> z (B, T, E). y is what a fusion reads
# beside x: (B, T, E) for "layer", a tuple of such for "all", None for "none"
# ---------------------------------------------------------------------------------------------------------------------

FUSIONS: dict[str, type[nn.Module]] = {}
READS = ("layer", "all", "none")
FusionClass = TypeVar("FusionClass", bound=type[nn.Module])


def register_fusion(name: str) -> Callable[[FusionClass], FusionClass]:
    """Name a class of fusions, for `DLFAConfig(fusion=name)`.

    Weights start as the encoder's do where they belong to modules that Transformers knows (`nn.Linear`, norms, ...).
    Any others need a method `start(self, config)` on the very module that owns them, made of functions of
    `torch.nn.init`: what `__init__` puts there is lost where a checkpoint is opened that lacks them.

    A class may also say `reads = "none"`: y is not computed and is given as `None`; or `reads = "all"`: y is the tuple
    of all L + 1 states, the embeddings first, x last; or `has_gate = True`: its `forward` takes `output_gate`, as that
    of `AIF`.

    A checkpoint carries this package's two files and no others: register a fusion before opening a checkpoint that has
    it, and open it with the package.

    Args:
        name: one that no other class has. The same class may be registered again (a module that is reloaded, a cell of
            a notebook that is run again): by its module and name, and the last one counts.

    Raises:
        ValueError: another class has this name, or none is given, or what the class reads is something else.

    Examples:
        >>> from modeling_dlfa import DLFAConfig, DLFAModel, register_fusion
        >>> from torch import nn
        >>> @register_fusion("product")
        ... class Product(nn.Module):
        ...     def __init__(self, config):
        ...         super().__init__()
        ...
        ...     def forward(self, x, y, mask):
        ...         return x * y
        >>> model = DLFAModel.from_encoder("FacebookAI/xlm-roberta-base", fusion="product", fusion_layer=8)
    """
    if not isinstance(name, str):  # as where it is written without brackets
        raise ValueError(f'register_fusion({name!r}): expected a name, as in @register_fusion("product")')

    def register(fusion_class: FusionClass) -> FusionClass:
        known = FUSIONS.get(name, fusion_class)
        if (known.__module__, known.__qualname__) != (fusion_class.__module__, fusion_class.__qualname__):
            raise ValueError(
                f"fusion {name!r} is {known.__module__}.{known.__qualname__}; "
                f"{fusion_class.__module__}.{fusion_class.__qualname__} needs another name"
            )
        reads = getattr(fusion_class, "reads", "layer")
        if reads not in READS:
            raise ValueError(f"fusion {name!r}: reads = {reads!r}, expected one of {', '.join(READS)}")
        FUSIONS[name] = fusion_class
        FUSION_READS[name] = reads
        return fusion_class

    return register


def real_tokens(attention_mask: torch.Tensor | None, states: torch.Tensor) -> torch.Tensor:
    """The mask (B, T) on the device of the states (B, T, E); without one every token is real."""
    return torch.ones_like(states[..., 0]) if attention_mask is None else attention_mask.to(states.device)


def masked_mean(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean over the real tokens: states (B, T, E), mask (B, T) -> (B, E)."""
    mask = mask.unsqueeze(-1).to(states.dtype)
    return (states * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)


def pooled(states: torch.Tensor, attention_mask: torch.Tensor | None, pooling: str) -> torch.Tensor:
    """The vector of each sequence: states (B, T, E), mask (B, T) -> (B, E); `pooling` as `DLFAConfig` has it."""
    if pooling == "mean":
        return masked_mean(states, real_tokens(attention_mask, states))
    if attention_mask is None:
        return states[:, 0]
    places = first_real(attention_mask.to(states.device))  # padding may stand before it
    return states[torch.arange(states.shape[0], device=states.device), places]


def gate_start(config: DLFAConfig) -> float | None:
    """The logit that all of a new gate starts at, for z ~ x (our choice); None where it starts at random."""
    if not config.identity_init:
        return None
    if config.fusion in ("aif_last", "aif_layer"):
        return 0.0  # w = 1/2, so that w (x + x) is x
    return config.gate_bias if config.aif_output == "gate" else None


class GateLinear(nn.Linear):
    """The last map of an AIF branch, E/r -> E."""

    def start(self, config: DLFAConfig):
        """The same logit everywhere, or the ordinary start: `gate_start`."""
        logit = gate_start(config)
        if logit is not None:
            nn.init.zeros_(self.weight)
            nn.init.constant_(self.bias, logit / 2)  # two branches add up to the gate's logit


class MaskedBatchNorm1d(nn.BatchNorm1d):
    """Batch norm over the last dimension whose training statistics leave out padded tokens.

    Plain batch norm would let the amount of padding change the result (our choice; MS-CAM has no padding).
    """

    running_mean: torch.Tensor
    running_var: torch.Tensor
    num_batches_tracked: torch.Tensor
    momentum: float

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """states (..., C), mask (..., ) of ones at real positions -> (..., C)."""
        if not self.training:
            mean, variance = self.running_mean, self.running_var
        else:
            # In 32 bits or more, as `nn.BatchNorm1d` adds up: a batch has too many tokens for the sums of float16.
            wide = states.to(torch.promote_types(states.dtype, torch.float32))
            mask = mask.unsqueeze(-1).to(wide.dtype)
            over = tuple(range(states.dim() - 1))
            count = mask.sum().clamp(min=1)
            mean = (wide * mask).sum(dim=over) / count
            variance = ((wide - mean).square() * mask).sum(dim=over) / count
            with torch.no_grad():
                unbiased = variance * count / (count - 1).clamp(min=1)
                self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
                self.running_var.lerp_(unbiased.to(self.running_var.dtype), self.momentum)
                self.num_batches_tracked.add_(1)
        normal = (states - mean) * torch.rsqrt(variance + self.eps)
        return normal.to(states.dtype) * self.weight + self.bias


class AIFBranch(nn.Module):
    """One branch of AIF: two pointwise convolutions E -> E/r -> E with norm and activation between.

    A pointwise convolution over (B, E, T) is a linear map of the last dimension of (B, T, E).
    """

    def __init__(self, config: DLFAConfig):
        super().__init__()
        width = config.encoder_config.hidden_size
        bottleneck = width // config.aif_reduction
        self.reduce = nn.Linear(width, bottleneck)
        norms = {"layer": nn.LayerNorm, "batch": MaskedBatchNorm1d, "none": nn.Identity}
        self.norm = norms[config.aif_norm](bottleneck)
        self.activation = ACT2FN[config.aif_activation]
        self.expand = GateLinear(bottleneck, width)

    def forward(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """states (..., E), mask (...) -> (..., E)."""
        states = self.reduce(states)  # (..., E/r)
        states = self.norm(states, mask) if isinstance(self.norm, MaskedBatchNorm1d) else self.norm(states)
        return self.expand(self.activation(states))


@register_fusion("aif")
class AIF(nn.Module):
    """Attentional information fusion: a weight per token and channel, from a local and a global view of x + y."""

    has_gate = True
    _no_split_modules = ["AIF"]  # a `device_map` keeps it on one device

    def __init__(self, config: DLFAConfig):
        super().__init__()
        self.local_branch = AIFBranch(config)
        self.global_branch = AIFBranch(config)
        self.output = config.aif_output

    def weights(self, x: torch.Tensor, y: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """w (B, T, E) in (0, 1): how much of the last layer each channel of each token keeps."""
        both = x + y
        local_view = self.local_branch(both, mask)  # (B, T, E)
        pooled = masked_mean(both, mask)  # (B, E)
        global_view = self.global_branch(pooled, mask.bool().any(dim=1))  # (B, E)
        return torch.sigmoid(local_view + global_view.unsqueeze(1))

    def forward(
        self, x: torch.Tensor, y: torch.Tensor, mask: torch.Tensor, output_gate: bool = False
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """z (B, T, E); with `output_gate` (z, w), w as `weights` has it."""
        w = self.weights(x, y, mask)
        # Under autocast w comes in the lower precision, and lerp takes one type only.
        z = w * (x + y) if self.output == "scale" else torch.lerp(y, x, w.to(x.dtype))
        return (z, w) if output_gate else z


@register_fusion("sum")
class SumFusion(nn.Module):
    """z = x + y."""

    def __init__(self, config: DLFAConfig):
        super().__init__()

    def forward(self, x: torch.Tensor, y: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return x + y


class ConcatLinear(nn.Linear):
    """The map 2E -> E of `ConcatFusion`."""

    def start(self, config: DLFAConfig):
        """With `identity_init`: z = x (our choice)."""
        if config.identity_init:
            nn.init.eye_(self.weight)  # [I; 0]


@register_fusion("concat")
class ConcatFusion(nn.Module):
    """z = A [x; y] + b."""

    def __init__(self, config: DLFAConfig):
        super().__init__()
        width = config.encoder_config.hidden_size
        self.projection = ConcatLinear(2 * width, width)

    def forward(self, x: torch.Tensor, y: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.projection(torch.cat((x, y), dim=-1))


@register_fusion("scalar_mix")
class ScalarMix(nn.Module):
    """z = scale * (p x + (1 - p) y) with one learned p for all tokens and channels (Peters et al. 2018)."""

    def __init__(self, config: DLFAConfig):
        super().__init__()
        self.logit = nn.Parameter(torch.empty(1))
        self.scale = nn.Parameter(torch.empty(1))

    def start(self, config: DLFAConfig):
        """With `identity_init`: z ~ x (our choice); else the mean of x and y."""
        nn.init.constant_(self.logit, config.gate_bias if config.identity_init else 0.0)
        nn.init.ones_(self.scale)

    def forward(self, x: torch.Tensor, y: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.scale * torch.lerp(y, x, torch.sigmoid(self.logit))  # sigmoid: the softmax of two scalars


@register_fusion("layer")
class LayerOnly(nn.Module):
    """z = y."""

    def __init__(self, config: DLFAConfig):
        super().__init__()

    def forward(self, x: torch.Tensor, y: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return y


@register_fusion("mix_all")
class MixAll(nn.Module):
    """z = scale * sum of p_i h_i over all L + 1 states, p the softmax of learned scalars (Peters et al. 2018)."""

    reads = "all"

    def __init__(self, config: DLFAConfig):
        super().__init__()
        # Two tensors, since each has one value to start at.
        self.lower_logits = nn.Parameter(torch.empty(config.num_hidden_layers))
        self.last_logit = nn.Parameter(torch.empty(1))
        self.scale = nn.Parameter(torch.empty(1))

    def start(self, config: DLFAConfig):
        """With `identity_init` the last layer's share is sigmoid(`gate_bias`) (our choice); else all have the same."""
        nn.init.zeros_(self.lower_logits)
        others = math.log(config.num_hidden_layers)
        nn.init.constant_(self.last_logit, config.gate_bias + others if config.identity_init else 0.0)
        nn.init.ones_(self.scale)

    def forward(self, x: torch.Tensor, y: tuple[torch.Tensor, ...], mask: torch.Tensor) -> torch.Tensor:
        shares = torch.cat((self.lower_logits, self.last_logit)).softmax(dim=0)  # (L + 1)
        return self.scale * sum([share * state for share, state in zip(shares, y)], start=torch.zeros_like(x))


class ValueLinear(nn.Linear):
    """The map E/r -> E to a state's value in `DepthwiseAttention`."""

    def start(self, config: DLFAConfig):
        """With `identity_init`: nothing is added, z = x (our choice)."""
        if config.identity_init:
            nn.init.zeros_(self.weight)


class DepthwiseState(nn.Module):
    """Key (..., E/r) and value (..., E) of one state (..., E) in `DepthwiseAttention`."""

    def __init__(self, config: DLFAConfig):
        super().__init__()
        width = config.encoder_config.hidden_size
        bottleneck = width // config.aif_reduction
        self.norm = nn.LayerNorm(width)
        self.reduce = nn.Linear(width, bottleneck)
        self.activation = ACT2FN[config.aif_activation]
        self.key = nn.Linear(bottleneck, bottleneck)
        self.value = ValueLinear(bottleneck, width)

    def forward(self, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = self.activation(self.reduce(self.norm(state)))
        return self.key(hidden), self.value(hidden)


@register_fusion("dwatt")
class DepthwiseAttention(nn.Module):
    """z = x + sum of a_i v_i over all L + 1 states: every token attends to its own states, by one head.

    Our reading of DWAtt (ElNokrashy et al. 2022, arXiv 2209.15168), not its published form: the query comes from the
    last layer; key and value of a state come from a small network of that state's own, norm, E -> E/r, activation,
    then a linear map each; a is the softmax over the states of the scaled products of query and keys.
    """

    reads = "all"
    _no_split_modules = ["DepthwiseAttention"]

    def __init__(self, config: DLFAConfig):
        super().__init__()
        width = config.encoder_config.hidden_size
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width // config.aif_reduction)
        self.states = nn.ModuleList(DepthwiseState(config) for _ in range(config.num_hidden_layers + 1))

    def forward(self, x: torch.Tensor, y: tuple[torch.Tensor, ...], mask: torch.Tensor) -> torch.Tensor:
        query = self.query(self.norm(x))  # (B, T, E/r)
        keys, values = zip(*(network(state) for network, state in zip(self.states, y)))
        products = torch.stack([(query * key).sum(dim=-1) for key in keys])  # (L + 1, B, T)
        shares = (products / math.sqrt(query.shape[-1])).softmax(dim=0)
        return sum([share.unsqueeze(-1) * value for share, value in zip(shares, values)], start=x)


class AIFControl(AIF):
    """A control of capacity: AIF, its parameters exactly, with one state in the place of both.

    Always in the form `"scale"`, z = w * (x + x): with the gate, w * x + (1 - w) * x is x whatever w is (our choice).
    """

    def __init__(self, config: DLFAConfig):
        super().__init__(config)
        self.output = "scale"


@register_fusion("aif_last")
class AIFLast(AIFControl):
    """AIF of the last layer with itself: z = 2 w * x, started at z = x (our choice)."""

    reads = "none"
    _no_split_modules = ["AIFLast"]

    def forward(
        self, x: torch.Tensor, y: torch.Tensor | None, mask: torch.Tensor, output_gate: bool = False
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        return super().forward(x, x, mask, output_gate)


@register_fusion("aif_layer")
class AIFLayer(AIFControl):
    """AIF of the lower layer with itself: z = 2 w * y, started at z = y (our choice)."""

    _no_split_modules = ["AIFLayer"]

    def forward(
        self, x: torch.Tensor, y: torch.Tensor, mask: torch.Tensor, output_gate: bool = False
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        return super().forward(y, y, mask, output_gate)


@register_fusion("none")
class LastOnly(nn.Module):
    """z = x: the plain encoder."""

    reads = "none"

    def __init__(self, config: DLFAConfig):
        super().__init__()

    def forward(self, x: torch.Tensor, y: torch.Tensor | None, mask: torch.Tensor) -> torch.Tensor:
        return x


# ---------------------------------------------------------------------------------------------------------------------
# What is fused
# ---------------------------------------------------------------------------------------------------------------------


def states_read(config: DLFAConfig) -> list[int]:
    """Indices into an encoder's `hidden_states` of those that the model reads, ascending; L, the last, is one."""
    last = config.num_hidden_layers
    return [*(range(last) if config.fusion_reads == "all" else config.fusion_layers), last]


def lower_part(states: list[torch.Tensor], reads: str) -> torch.Tensor | tuple[torch.Tensor, ...] | None:
    """y as a fusion takes it, from the states of `states_read`, the last layer's included."""
    if reads == "none":
        return None
    if reads == "all":
        return tuple(states)
    return states[0] if len(states) == 2 else torch.stack(states[:-1]).mean(dim=0)


class StandardInput(nn.Module):
    """Standardises every state that is read: (h - mean) / std per channel, the statistics as buffers.

    Until `fit` is called, or a checkpoint opened that has them, means are 0 and deviations 1: nothing is changed.
    """

    mean: torch.Tensor
    std: torch.Tensor
    _no_split_modules = ["StandardInput"]

    def __init__(self, config: DLFAConfig):
        super().__init__()
        shape = (len(states_read(config)), config.encoder_config.hidden_size)
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("std", torch.ones(shape))

    def start(self, config: DLFAConfig):
        """Where a checkpoint lacks them; Transformers looks at buffers as at parameters."""
        nn.init.zeros_(self.mean)
        nn.init.ones_(self.std)

    @torch.no_grad()
    def fit(self, mean: torch.Tensor, std: torch.Tensor) -> None:
        """Set the statistics.

        Args:
            mean, std: (states, E), a row for each of `states_read(config)`, in that order. A channel whose deviation
                is 0, which is the same at every token, is only shifted.

        Raises:
            ValueError: another shape, or numbers that no statistics could be.
        """
        for name, given in (("mean", mean), ("std", std)):
            if given.shape != self.mean.shape:
                raise ValueError(f"{name} of shape {tuple(given.shape)}: expected {tuple(self.mean.shape)}")
            if not given.isfinite().all() or (name == "std" and bool((given < 0).any())):
                raise ValueError(f"{name}: expected finite numbers{', none below 0' if name == 'std' else ''}")
        self.mean.copy_(mean)
        self.std.copy_(std.where(std > 0, 1.0))

    def forward(self, states: list[torch.Tensor]) -> list[torch.Tensor]:
        """As many states (B, T, E) as there are rows."""
        return [(state - mean) / std for state, mean, std in zip(states, self.mean, self.std)]


class LayerInput(nn.Module):
    """A layer norm for every state that is read, with weights of its own."""

    _no_split_modules = ["LayerInput"]

    def __init__(self, config: DLFAConfig):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(config.encoder_config.hidden_size) for _ in states_read(config))

    def forward(self, states: list[torch.Tensor]) -> list[torch.Tensor]:
        """As many states (B, T, E) as there are norms."""
        return [norm(state) for norm, state in zip(self.norms, states)]


INPUT_NORMS: dict[str, type[nn.Module]] = {"standard": StandardInput, "layer": LayerInput}


# ---------------------------------------------------------------------------------------------------------------------
# Encoder + fusion
# ---------------------------------------------------------------------------------------------------------------------


def encoder_class(encoder_config: PreTrainedConfig) -> tuple[Any, type[PreTrainedModel]]:
    """The Auto class that builds and opens an encoder, and the class of what it makes.

    Of a family with encoder and decoder (T5) it is the encoder alone.

    Raises:
        ValueError: Transformers has no encoder of text for this configuration.
    """
    family = encoder_config.model_type
    # The class says what the family is: an encoder half writes into its own configuration that it is no such thing.
    halved = type(encoder_config).is_encoder_decoder
    auto: Any = AutoModelForTextEncoding if halved else AutoModel
    classes: Any = MODEL_FOR_TEXT_ENCODING_MAPPING if halved else MODEL_MAPPING
    found = classes.get(type(encoder_config), None)
    if halved and found is None:
        reason = f"{family} is a model of encoder and decoder, of which Transformers has no encoder alone"
    elif found is None or isinstance(found, tuple):  # several, of which a part does not say something of every token
        reason = f"Transformers has no one encoder of the model type {family}"
    elif found.main_input_name != "input_ids":
        reason = f"{family} reads {found.main_input_name}, not text"
    elif encoder_config.get_text_config() is not encoder_config:
        reason = f"{family} is made of several models"
    else:
        return auto, found
    raise ValueError(f"{reason}: expected an encoder of text")


def without_pooler(encoder_config: PreTrainedConfig) -> dict[str, bool]:
    """Keyword arguments that build an encoder without its pooling layer, where it has one to leave out.

    DLFA never uses it, and parameters without gradient break distributed training with activation checkpointing.
    """
    parameters = inspect.signature(encoder_class(encoder_config)[1]).parameters
    return {"add_pooling_layer": False} if "add_pooling_layer" in parameters else {}


def refuse_own_code(name: str, where: dict[str, Any]) -> None:
    """Refuse an encoder whose code lies in its own folder or repository, before any of it is run.

    A DLFA checkpoint names no code but this package's two files, so that such an encoder could not be opened again.

    Raises:
        ValueError: with the model type.
    """
    config, _ = PreTrainedConfig.get_config_dict(name, **where)
    family = config.get("model_type")
    if "auto_map" in config and family != DLFAConfig.model_type and family not in CONFIG_MAPPING:
        raise ValueError(
            f"{name} is an encoder with code of its own (model type {family!r}), which DLFA does not run: expected an "
            "encoder that Transformers has itself"
        )


class DLFAPreTrainedModel(PreTrainedModel):
    """What `DLFAModel` and its heads share: configuration, initialisation, and the two ways to open one."""

    config: DLFAConfig
    config_class = DLFAConfig
    base_model_prefix = "dlfa"
    supports_gradient_checkpointing = True
    # The encoder itself checks what it supports.
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True

    @torch.no_grad()
    def _init_weights(self, module: nn.Module):
        """The encoder's ordinary start, then what a module says of itself: `start(config)`.

        It is asked of modules that own parameters or buffers; Transformers passes over those of custom code that own
        none. It has to use the functions of torch.nn.init: Transformers makes them leave tensors alone that a
        checkpoint filled.
        """
        super()._init_weights(module)
        start = getattr(module, "start", None)
        if callable(start):  # and not a parameter of that name
            start(self.config)

    def set_attn_implementation(self, attn_implementation: str | dict, *args: Any, **kwargs: Any) -> None:
        """As every `set_attn_implementation`, for the encoder: attention is there alone."""
        encoder: Any = cast(Any, self.base_model).encoder
        if isinstance(attn_implementation, dict):
            whole = attn_implementation.get("", encoder.config._attn_implementation)
            attn_implementation = attn_implementation.get("encoder_config", whole)
        encoder.set_attn_implementation(attn_implementation, *args, **kwargs)
        self.config._attn_implementation_internal = encoder.config._attn_implementation

    @classmethod
    def from_encoder(cls, encoder_name_or_path: str, **kwargs: Any):
        """Build the model around a pretrained encoder; fusion and head are new.

        Args:
            encoder_name_or_path: a Hub id or a folder that `AutoModel` opens.
            kwargs: arguments of `DLFAConfig` (`fusion_layer`, `num_labels`, `output_hidden_states`, ...); all others
                go to `AutoModel.from_pretrained` (`revision`, `token`, `dtype`, ...). Weights keep the type in which
                they are stored unless `dtype` says another: `torch.float32` to fine-tune. Of a family of encoder and
                decoder (mT5) the encoder is taken.

        Raises:
            ValueError: the checkpoint lacks weights of its encoder, is none of text or has code of its own (which is
                not run, whatever `trust_remote_code` says); or the configuration does not fit the encoder or itself.
        """
        own = {*DLFAConfig.__annotations__, *WHOLE_MODEL_ARGUMENTS}
        config_kwargs = {name: kwargs.pop(name) for name in own & kwargs.keys()}
        config_kwargs |= named_labels(*(config_kwargs.get(name) for name in ("num_labels", "id2label", "label2id")))
        DLFAConfig.check_spelling(kwargs)
        # Reading the configuration uses these up; the weights must come from the same place.
        where = {name: kwargs.pop(name) for name in HUB_ARGUMENTS if name in kwargs}
        refuse_own_code(encoder_name_or_path, where)
        kwargs["trust_remote_code"] = False
        encoder_config, kwargs = cast(
            Any, AutoConfig.from_pretrained(encoder_name_or_path, return_unused_kwargs=True, **where, **kwargs)
        )
        if encoder_config.model_type == DLFAConfig.model_type:
            raise ValueError(f"{encoder_name_or_path} is a DLFA model already; open it with from_pretrained")
        config = DLFAConfig(encoder_config=encoder_config, **config_kwargs)  # fails before the weights are read
        encoder, info = encoder_class(encoder_config)[0].from_pretrained(
            encoder_name_or_path,
            config=encoder_config,
            output_loading_info=True,
            **without_pooler(encoder_config),
            **where,
            **kwargs,
        )
        if missing := sorted(info["missing_keys"]):
            raise ValueError(
                f"{encoder_name_or_path} lacks {len(missing)} weights of a {encoder_config.model_type} encoder "
                f"(such as {missing[0]}); they would have been random"
            )
        config.dtype = encoder.dtype
        model: Any = cls(config, encoder=encoder)
        files = {name: kwargs[name] for name in ("variant", "use_safetensors") if name in kwargs}
        model.start_head(encoder_name_or_path, info["unexpected_keys"], **where, **files)
        return model.to(device=encoder.device, dtype=encoder.dtype).eval()

    def start_head(self, encoder_name_or_path: str, left_out: Collection[str], **where: Any) -> None:
        """What a head takes from the encoder's checkpoint beside the encoder: nothing, but for some heads.

        Args:
            encoder_name_or_path: the checkpoint.
            left_out: names of its weights that the encoder does not have.
            where: where it is read from.
        """

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *args, **kwargs):
        """As every `from_pretrained`; a folder or repository that holds a plain encoder is refused.

        Transformers would find none of its weights under DLFA's names and go on with random ones.

        Raises:
            ValueError: the checkpoint is not a DLFA model.
        """
        if pretrained_model_name_or_path is not None:
            where = {name: kwargs[name] for name in HUB_ARGUMENTS if name in kwargs}
            config_dict, _ = PreTrainedConfig.get_config_dict(pretrained_model_name_or_path, **where)
            model_type = config_dict.get("model_type")
            if model_type != DLFAConfig.model_type:
                raise ValueError(
                    f"{pretrained_model_name_or_path} holds a plain {model_type!r} model, not a DLFA one; build DLFA "
                    f"around it with {cls.__name__}.from_encoder({str(pretrained_model_name_or_path)!r}, "
                    "fusion_layer=k)"
                )
        return super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)


def named_labels(num_labels: int | None, id2label: Any, label2id: Any) -> dict[str, dict]:
    """`id2label` and `label2id`, of one the other; empty without either.

    Transformers would leave `label2id` alone unheard, and take one of two that contradict each other.

    Raises:
        ValueError: with what was given; a head of no labels.
    """
    if num_labels is not None and num_labels < 1:
        raise ValueError(f"num_labels={num_labels}: expected a positive number")
    for name, labels in (("id2label", id2label), ("label2id", label2id)):
        if labels is not None and not isinstance(labels, Mapping):
            raise ValueError(f"{name}={labels!r}: expected a dictionary")
        if num_labels is not None and labels is not None and len(labels) != num_labels:
            raise ValueError(f"num_labels={num_labels}, {name} of {len(labels)} labels: expected the same number")
    if (id2label is None and label2id is None) or id2label == label2id == {}:  # a model of vectors has no labels
        return {}
    by_id = {int(index): label for index, label in (id2label or {}).items()}
    by_name = {int(index): label for label, index in (label2id or {}).items()}
    if id2label is not None and label2id is not None and by_id != by_name:
        raise ValueError(f"id2label={id2label}, label2id={label2id}: expected the same labels")
    names, count = (by_name, len(label2id or ())) if id2label is None else (by_id, len(id2label))
    if not names or sorted(names) != [*range(count)] or len({*names.values()}) < count:
        given = f"label2id={label2id}" if id2label is None else f"id2label={id2label}"
        raise ValueError(f"{given}: expected different labels, one for each number from 0 on")
    return {"id2label": names, "label2id": {label: index for index, label in names.items()}}


class CapturingHook:
    """A hook of Transformers that keeps an encoder's states, as an object that can be pickled: theirs are no such.

    It is pickled empty, and `DLFAModel` fills it again: `install_capturing_hooks`.
    """

    def __init__(self, hook: Callable | None = None):
        self.hook = hook

    def __call__(self, *inputs: Any) -> None:
        if self.hook is None:
            raise RuntimeError("this encoder was pickled without the DLFAModel around it, and keeps no states")
        self.hook(*inputs)

    def __reduce__(self):
        return CapturingHook, ()

    def __deepcopy__(self, memo: dict) -> "CapturingHook":
        return self  # as functions


def install_capturing_hooks(encoder: nn.Module) -> None:
    """Install the hooks that keep an encoder's states, in place of those that were pickled with it."""
    registry: Any = getattr(output_capturing, "_CAN_RECORD_REGISTRY", {})
    for module in encoder.modules():
        if isinstance(module, PreTrainedModel):  # a process that has built no such encoder does not know it yet
            registry[module] = getattr(module, "_can_record_outputs", None)
        for number in [n for n, hook in module._forward_hooks.items() if isinstance(hook, CapturingHook)]:
            del module._forward_hooks[number]
            vars(encoder).pop("_output_capturing_hooks_installed", None)
    output_capturing.maybe_install_capturing_hooks(cast(Any, encoder))
    for module in encoder.modules():
        for number, hook in list(module._forward_hooks.items()):
            if getattr(hook, "__module__", None) == output_capturing.__name__:
                module._forward_hooks[number] = CapturingHook(hook)


def first_position(encoder: nn.Module) -> int:
    """The number of a sequence's first position.

    RoBERTa and its relatives count from behind the number of the padding token, and only tokens that are no padding;
    the others from 0.
    """
    tables = (module for name, module in encoder.named_modules() if name.endswith("position_embeddings"))
    padding = next((index for table in tables if (index := getattr(table, "padding_idx", None)) is not None), -1)
    return padding + 1


def with_a_token(attention_mask: torch.Tensor) -> torch.Tensor:
    """The mask (B, T) with the first token of rows that have none: attention to nothing is no number."""
    empty = ~attention_mask.bool().any(dim=1, keepdim=True)
    first = torch.arange(attention_mask.shape[1], device=attention_mask.device) == 0
    return attention_mask.masked_fill(empty & first, 1)


def first_real(attention_mask: torch.Tensor) -> torch.Tensor:
    """Place (B,) of the first real token; mask (B, T)."""
    return attention_mask.to(torch.int32).argmax(dim=-1)


@dataclass
class DLFAOutput(BaseModelOutput):
    """What `DLFAModel` returns.

    Attributes:
        last_hidden_state: z (B, T, E), the fused representation.
        hidden_states, attentions: the encoder's own, where asked for.
        layer_state: with `output_fusion`, y (B, T, E) as it was fused: `hidden_states[k]`, or the mean of several,
            after `input_norm`; None where the fusion reads no one y (`"none"`, `"aif_last"`, `"mix_all"`, `"dwatt"`).
        gate: with `output_fusion`, w (B, T, E) in (0, 1), the last layer's share in each channel of each token, or
            with `aif_output="scale"` the factor of x + y, as in the controls `"aif_last"` (of x + x) and `"aif_layer"`
            (of y + y); None where the fusion has no gate.
    """

    layer_state: torch.Tensor | None = None
    gate: torch.Tensor | None = None


class DLFAModel(DLFAPreTrainedModel):
    """A pretrained encoder whose output is the fusion of one lower layer with the last one.

    Attributes:
        encoder: the encoder.
        input_norm: what is done to states before they are fused, `StandardInput` or `LayerInput`; None without.
        fusion: one of `FUSIONS`.
        rows_may_be_empty: whether padding may fill a whole row; set by heads that are given such rows.

    Examples:
        >>> from modeling_dlfa import DLFAModel
        >>> from transformers import AutoTokenizer
        >>> name = "FacebookAI/xlm-roberta-base"
        >>> tokenizer, model = AutoTokenizer.from_pretrained(name), DLFAModel.from_encoder(name, fusion_layer=8)
        >>> inputs = tokenizer(["It rains.", "Es regnet."], padding=True, return_tensors="pt")
        >>> outputs = model(**inputs, output_fusion=True)
        >>> outputs.last_hidden_state.shape == outputs.gate.shape  # z and w, (B, T, E)
        True
    """

    rows_may_be_empty = False

    def __init__(self, config: DLFAConfig, encoder: PreTrainedModel | None = None):
        """encoder: a loaded one to build around (as `from_encoder` does); default: a new one from the config."""
        super().__init__(config)
        config.validate_fusion()
        if encoder is None:
            encoder = encoder_class(config.encoder_config)[0].from_config(
                config.encoder_config,
                dtype=torch.get_default_dtype(),  # as the fusion has; a checkpoint's configuration may name another
                **without_pooler(config.encoder_config),
            )
        self.encoder: Any = encoder
        # One configuration object in both places, so that a change of either (dtype, attention) reaches both.
        self.config.encoder_config = self.encoder.config
        self.input_norm = INPUT_NORMS[config.input_norm](config) if config.input_norm != "none" else None
        self.fusion = FUSIONS[config.fusion](config)
        parameters = inspect.signature(self.encoder.forward).parameters
        self._encoder_inputs = set(parameters)
        takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        self._more_inputs = self._encoder_inputs | (set(TransformersKwargs.__annotations__) if takes_any else set())
        self._first_position = first_position(self.encoder)
        self.post_init()
        install_capturing_hooks(self.encoder)  # torch.compile cannot trace it if done later

    def __setstate__(self, state: dict[str, Any]):
        super().__setstate__(state)
        install_capturing_hooks(self.encoder)

    def get_input_embeddings(self) -> nn.Module:
        return self.encoder.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module):
        self.encoder.set_input_embeddings(value)

    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.LongTensor | None = None,
        position_ids: torch.LongTensor | None = None,
        inputs_embeds: torch.FloatTensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | int | list[int] | None = None,
        return_dict: bool | None = None,
        output_fusion: bool | None = None,
        **kwargs: Any,
    ) -> DLFAOutput | tuple:
        """Fuse what the fusion reads, usually `hidden_states[k]`, with the last layer.

        Args:
            input_ids: (B, T). Inputs that the encoder does not know (`token_type_ids` for DistilBERT, say) are left
                out.
            attention_mask: (B, T), 1 (or true) at real tokens; default all ones. Padding may stand on either side, or
                fill a row where `rows_may_be_empty`.
            position_ids: (B, T). Default: as the encoder counts them, from the first real token.
            inputs_embeds: (B, T, E), instead of `input_ids`.
            output_hidden_states: as in Transformers: all of the encoder's states, or those with the given indices.
            output_fusion: also return what was fused, and how: `layer_state` and `gate`. Default: no.

        Returns:
            `DLFAOutput`.

        Raises:
            ValueError: not exactly one of `input_ids` and `inputs_embeds`, no token in it, or a mask of another shape.
            TypeError: an argument that the encoder does not know.
        """
        if isinstance(self.encoder, PreTrainedModel):  # what stands for an encoder reads what it likes
            check_inputs(input_ids, inputs_embeds, attention_mask)
            for name in kwargs:
                if name not in self._more_inputs:
                    raise TypeError(f"forward() got an unexpected argument {name!r}")
        # Padding on the left must not move the positions. RoBERTa's sees to that itself where it is given token ids.
        if position_ids is None and attention_mask is not None and (not self._first_position or input_ids is None):
            places = torch.arange(attention_mask.shape[1], device=attention_mask.device)
            places = (places - first_real(attention_mask).unsqueeze(1)).clamp(min=0)  # (B, T)
            position_ids = cast(Any, places + self._first_position)
        lower = states_read(self.config)[:-1]  # the last layer comes anyway
        wanted = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        if not isinstance(wanted, bool) and wanted is not None:
            wanted = [wanted] if isinstance(wanted, int) else list(wanted)
        captured = wanted if not lower or wanted is True else [*(wanted or []), *lower]
        if isinstance(captured, list) and not CAN_SELECT_STATES:
            captured = True
        inputs = {
            "input_ids": input_ids,
            "attention_mask": self._encoders_mask(attention_mask),
            "token_type_ids": token_type_ids,
            "position_ids": position_ids,
            "inputs_embeds": inputs_embeds,
        }
        outputs = self.encoder(
            **{name: value for name, value in inputs.items() if name in self._encoder_inputs},
            output_attentions=self.config.output_attentions if output_attentions is None else output_attentions,
            output_hidden_states=captured,
            return_dict=True,
            **kwargs,
        )
        x = outputs.last_hidden_state  # (B, T, E)
        # With a `device_map` of several devices, layer k may be on another one than the last layer.
        states = [*(outputs.hidden_states[k].to(x.device) for k in lower), x]
        if self.input_norm is not None:
            states = self.input_norm(states)
        x, y = states[-1], lower_part(states, self.config.fusion_reads)
        fusion_inputs = (x, y, real_tokens(attention_mask, x))
        if output_fusion and getattr(self.fusion, "has_gate", False):
            z, gate = self.fusion(*fusion_inputs, output_gate=True)
        else:
            z, gate = self.fusion(*fusion_inputs), None
        fused = DLFAOutput(
            last_hidden_state=z,
            hidden_states=select_states(outputs.hidden_states, wanted) if wanted else None,
            attentions=outputs.attentions,
            layer_state=y if output_fusion and isinstance(y, torch.Tensor) else None,
            gate=gate,
        )
        return_dict = self.config.return_dict if return_dict is None else return_dict
        return fused if return_dict else fused.to_tuple()

    def _encoders_mask(self, attention_mask: torch.Tensor | None) -> torch.Tensor | None:
        return (
            with_a_token(attention_mask) if self.rows_may_be_empty and attention_mask is not None else attention_mask
        )

    def pool(self, states: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
        """The vector of each sequence, by `config.pooling`: states (B, T, E), mask (B, T) -> (B, E)."""
        return pooled(states, attention_mask, self.config.pooling)


def check_inputs(
    input_ids: torch.Tensor | None, inputs_embeds: torch.Tensor | None, attention_mask: torch.Tensor | None
) -> None:
    """Look at the shapes of what an encoder is to read.

    Raises:
        ValueError: not exactly one of the first two is given, or one of another shape or without a token; a mask that
            is not (B, T).
    """
    if (input_ids is None) == (inputs_embeds is None):
        raise ValueError("expected exactly one of input_ids and inputs_embeds")
    given: Any = inputs_embeds if input_ids is None else input_ids
    if given.dim() != (3 if input_ids is None else 2) or 0 in given.shape:
        expected = "inputs_embeds of (B, T, E)" if input_ids is None else "input_ids of (B, T)"
        raise ValueError(f"input of shape {tuple(given.shape)}: expected {expected}, one token at least")
    if attention_mask is not None and attention_mask.shape != given.shape[:2]:
        found, expected = tuple(attention_mask.shape), tuple(given.shape[:2])
        raise ValueError(f"attention_mask of shape {found}: expected {expected}, 1 at real tokens")


def select_states(states: tuple, wanted: bool | list[int]) -> tuple:
    """The encoder's states with `None` for those not asked for, layer k perhaps among them."""
    if isinstance(wanted, bool):
        return states
    indices = {i % len(states) for i in wanted if -len(states) <= i < len(states)}
    return tuple(state if i in indices else None for i, state in enumerate(states))


# ---------------------------------------------------------------------------------------------------------------------
# Heads
# ---------------------------------------------------------------------------------------------------------------------


def head_dropout(config: DLFAConfig) -> nn.Dropout:
    """The configured dropout, else the encoder's for classifiers, else its hidden dropout under its usual names."""
    rates = [config.classifier_dropout]
    for name in ("classifier_dropout", "seq_classif_dropout", "hidden_dropout_prob", "dropout"):
        rates.append(getattr(config.encoder_config, name, None))
    return nn.Dropout(next((rate for rate in rates if rate is not None), 0.1))


def fusion_states(outputs: DLFAOutput, output_fusion: bool | None) -> tuple[torch.Tensor | None, ...]:
    """`layer_state`, `gate` and `fused_state` of a head's output: y, w and z (B, T, E), where asked for."""
    return outputs.layer_state, outputs.gate, outputs.last_hidden_state if output_fusion else None


class SequenceClassificationHead(nn.Module):
    """Dropout, dense, tanh, dropout, linear (as XLM-R's head): (B, E) -> (B, C).

    Args:
        outputs: C.

    Attributes:
        started_from: what `from_encoder` started the dense layer from: "pooler", or "random" weights.
    """

    started_from = "random"

    def __init__(self, config: DLFAConfig, outputs: int):
        super().__init__()
        width = config.encoder_config.hidden_size
        self.dense = nn.Linear(width, width)
        self.dropout = head_dropout(config)
        self.out_proj = nn.Linear(width, outputs)

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        hidden = torch.tanh(self.dense(self.dropout(pooled)))
        return self.out_proj(self.dropout(hidden))


def classifies_by_pooler(encoder_config: PreTrainedConfig) -> bool:
    """Whether the family's own sequence classifier reads a pooler of our head's form: a dense layer, then tanh."""
    if type(encoder_config) not in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING:
        return False
    with torch.device("meta"):
        classifier: Any = AutoModelForSequenceClassification.from_config(copy.deepcopy(encoder_config))
    pooler = getattr(classifier.base_model, "pooler", None)
    dense, activation = getattr(pooler, "dense", None), getattr(pooler, "activation", None)
    return isinstance(dense, nn.Linear) and isinstance(activation, nn.Tanh)


class PoolerOnly(PreTrainedModel):
    """What is read of a checkpoint to have its pooler's dense layer."""

    _keys_to_ignore_on_load_unexpected = [r".*"]

    def __init__(self, config: PreTrainedConfig):
        super().__init__(config)
        self.pooler = nn.Module()
        self.pooler.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.post_init()

    @classmethod
    def of(cls, encoder: PreTrainedModel, encoder_name_or_path: str, **where: Any) -> nn.Linear:
        """The dense layer, in the encoder's type; the names of weights may begin with the encoder's prefix."""
        of_family: Any = type(cls.__name__, (cls,), {"base_model_prefix": encoder.base_model_prefix})
        config: Any = PreTrainedConfig()
        config.hidden_size = encoder.config.hidden_size
        model = of_family.from_pretrained(encoder_name_or_path, config=config, dtype=encoder.dtype, **where)
        return model.pooler.dense


class DLFAPooling(DLFAPreTrainedModel):
    """What models share whose head reads one vector of each sequence."""

    dlfa: "DLFAModel"

    @property
    def head(self) -> SequenceClassificationHead:
        raise NotImplementedError

    def start_head(self, encoder_name_or_path: str, left_out: Collection[str], **where: Any) -> None:
        """Start the dense layer from the checkpoint's pooler, as BERT's own heads do.

        With `"cls"` pooling, where the checkpoint has one and the family's own classifier reads it: XLM-R's does not.
        """
        encoder = self.dlfa.encoder
        names = {name.split("pooler.dense.")[-1] for name in left_out if "pooler.dense." in name}
        if self.config.pooling == "cls" and {"weight", "bias"} <= names and classifies_by_pooler(encoder.config):
            dense = PoolerOnly.of(encoder, encoder_name_or_path, **where)
            self.head.dense.load_state_dict(dense.state_dict())
            self.head.started_from = "pooler"

    def pool(self, states: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
        """The vector of each sequence, by `config.pooling`: states (B, T, E), mask (B, T) -> (B, E)."""
        return self.dlfa.pool(states, attention_mask)


@dataclass
class DLFASequenceClassifierOutput(SequenceClassifierOutput):
    """What `DLFAForSequenceClassification` returns: as Transformers' own, and more on request.

    Attributes:
        layer_state, gate: with `output_fusion`, y and w (B, T, E), as in `DLFAOutput`.
        fused_state: with `output_fusion`, z (B, T, E), the fused representation that the head reads.
    """

    layer_state: torch.Tensor | None = None
    gate: torch.Tensor | None = None
    fused_state: torch.Tensor | None = None


class DLFAForSequenceClassification(DLFAPooling):
    """DLFA with a classifier of the whole sequence, or of a pair of them.

    Examples:
        >>> from modeling_dlfa import DLFAForSequenceClassification
        >>> from transformers import AutoTokenizer
        >>> name = "FacebookAI/xlm-roberta-base"
        >>> model = DLFAForSequenceClassification.from_encoder(name, fusion_layer=8, num_labels=3)
        >>> inputs = AutoTokenizer.from_pretrained(name)("A man sleeps.", "Nobody is awake.", return_tensors="pt")
        >>> model(**inputs).logits.shape  # (B, C); give labels (B,) for the loss
        torch.Size([1, 3])
    """

    def __init__(self, config: DLFAConfig, encoder: PreTrainedModel | None = None):
        super().__init__(config)
        self.dlfa = DLFAModel(config, encoder=encoder)
        self.classifier = SequenceClassificationHead(config, config.num_labels)  # pyright: ignore[reportArgumentType]
        self.post_init()

    @property
    def head(self) -> SequenceClassificationHead:
        return self.classifier

    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.LongTensor | None = None,
        position_ids: torch.LongTensor | None = None,
        inputs_embeds: torch.FloatTensor | None = None,
        labels: torch.Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | int | list[int] | None = None,
        return_dict: bool | None = None,
        num_items_in_batch: torch.Tensor | int | None = None,
        output_fusion: bool | None = None,
        **kwargs: Any,
    ) -> DLFASequenceClassifierOutput | tuple:
        """Classify sequences.

        Args:
            labels: (B,) class indices; (B,) or (B, C) numbers for regression; (B, C) zeros and ones for several
                labels at once (`config.problem_type`, else found from the labels' type).
            num_items_in_batch: labels in all accumulated batches, given by the Trainer; the loss is then the sum
                divided by it.

        Returns:
            `DLFASequenceClassifierOutput`: logits (B, C), and with labels the loss. Other arguments:
            `DLFAModel.forward`.
        """
        outputs = self.dlfa(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            output_fusion=output_fusion,
            return_dict=True,
            **kwargs,
        )
        logits = self.classifier(self.pool(outputs.last_hidden_state, attention_mask))  # (B, C)

        loss = None
        if labels is not None:
            loss = self.loss_function(
                labels=labels, pooled_logits=logits, config=self.config, num_items_in_batch=num_items_in_batch
            )
            if num_items_in_batch is not None and self.config.problem_type != "single_label_classification":
                loss = loss * labels.numel() / num_items_in_batch  # the library's other losses are plain means
        output = DLFASequenceClassifierOutput(
            loss, logits, outputs.hidden_states, outputs.attentions, *fusion_states(outputs, output_fusion)
        )
        return_dict = self.config.return_dict if return_dict is None else return_dict
        return output if return_dict else output.to_tuple()


@dataclass
class DLFATokenClassifierOutput(TokenClassifierOutput):
    """What `DLFAForTokenClassification` returns: as Transformers' own, and more on request.

    Attributes:
        layer_state, gate, fused_state: with `output_fusion`, as in `DLFASequenceClassifierOutput`.
    """

    layer_state: torch.Tensor | None = None
    gate: torch.Tensor | None = None
    fused_state: torch.Tensor | None = None


class DLFAForTokenClassification(DLFAPreTrainedModel):
    """DLFA with a classifier of every token.

    Examples:
        >>> from modeling_dlfa import DLFAForTokenClassification
        >>> from transformers import AutoTokenizer
        >>> name, labels = "FacebookAI/xlm-roberta-base", ["O", "B-PER", "I-PER"]
        >>> model = DLFAForTokenClassification.from_encoder(name, fusion_layer=8, id2label=dict(enumerate(labels)))
        >>> tokenizer = AutoTokenizer.from_pretrained(name)
        >>> inputs = tokenizer(["Maria", "sings"], is_split_into_words=True, return_tensors="pt")
        >>> model(**inputs).logits.shape[-1]  # (B, T, C); labels are (B, T), -100 where none is
        3
    """

    def __init__(self, config: DLFAConfig, encoder: PreTrainedModel | None = None):
        super().__init__(config)
        self.dlfa = DLFAModel(config, encoder=encoder)
        self.dropout = head_dropout(config)
        width = config.encoder_config.hidden_size
        self.classifier = nn.Linear(width, config.num_labels)  # pyright: ignore[reportArgumentType]
        self.post_init()

    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.LongTensor | None = None,
        position_ids: torch.LongTensor | None = None,
        inputs_embeds: torch.FloatTensor | None = None,
        labels: torch.LongTensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | int | list[int] | None = None,
        return_dict: bool | None = None,
        num_items_in_batch: torch.Tensor | int | None = None,
        output_fusion: bool | None = None,
        **kwargs: Any,
    ) -> DLFATokenClassifierOutput | tuple:
        """Classify tokens.

        Args:
            labels: (B, T) class indices, -100 where a token is not scored.
            num_items_in_batch: scored tokens in all accumulated batches, given by the Trainer; the loss is then the
                sum divided by it.

        Returns:
            `DLFATokenClassifierOutput`: logits (B, T, C), and with labels the loss. Other arguments:
            `DLFAModel.forward`.
        """
        outputs = self.dlfa(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            output_fusion=output_fusion,
            return_dict=True,
            **kwargs,
        )
        logits = self.classifier(self.dropout(outputs.last_hidden_state))  # (B, T, C)

        loss = None
        if labels is not None:
            loss = self.loss_function(
                logits=logits, labels=labels, config=self.config, num_items_in_batch=num_items_in_batch
            )
        output = DLFATokenClassifierOutput(
            loss, logits, outputs.hidden_states, outputs.attentions, *fusion_states(outputs, output_fusion)
        )
        return_dict = self.config.return_dict if return_dict is None else return_dict
        return output if return_dict else output.to_tuple()


@dataclass
class DLFAQuestionAnsweringModelOutput(QuestionAnsweringModelOutput):
    """What `DLFAForQuestionAnswering` returns: as Transformers' own, and more on request.

    Attributes:
        layer_state, gate, fused_state: with `output_fusion`, as in `DLFASequenceClassifierOutput`.
    """

    layer_state: torch.Tensor | None = None
    gate: torch.Tensor | None = None
    fused_state: torch.Tensor | None = None


class DLFAForQuestionAnswering(DLFAPreTrainedModel):
    """DLFA that scores every token as the first and as the last one of an answer (extractive question answering).

    Examples:
        >>> from modeling_dlfa import DLFAForQuestionAnswering
        >>> from transformers import AutoTokenizer
        >>> name = "FacebookAI/xlm-roberta-base"
        >>> model = DLFAForQuestionAnswering.from_encoder(name, fusion_layer=8)
        >>> outputs = model(**AutoTokenizer.from_pretrained(name)("Who sings?", "Maria sings.", return_tensors="pt"))
        >>> first, last = outputs.start_logits.argmax(), outputs.end_logits.argmax()  # of (B, T)
    """

    def __init__(self, config: DLFAConfig, encoder: PreTrainedModel | None = None):
        super().__init__(config)
        self.dlfa = DLFAModel(config, encoder=encoder)
        self.qa_outputs = nn.Linear(config.encoder_config.hidden_size, 2)
        self.post_init()

    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.LongTensor | None = None,
        position_ids: torch.LongTensor | None = None,
        inputs_embeds: torch.FloatTensor | None = None,
        start_positions: torch.LongTensor | None = None,
        end_positions: torch.LongTensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | int | list[int] | None = None,
        return_dict: bool | None = None,
        num_items_in_batch: torch.Tensor | int | None = None,
        output_fusion: bool | None = None,
        **kwargs: Any,
    ) -> DLFAQuestionAnsweringModelOutput | tuple:
        """Score the tokens as ends of an answer.

        Args:
            start_positions, end_positions: (B,), places of its first and last token; -100, one behind the last token,
                or padding is not scored. `labels` (B, 2) stands for both.
            num_items_in_batch: places in all accumulated batches, two for a row, given by the Trainer; the loss is
                then the sum divided by it.

        Returns:
            `DLFAQuestionAnsweringModelOutput`: start and end logits (B, T), the lowest number of their type at
            padding, and with places the loss, the mean of two cross entropies. Other arguments: `DLFAModel.forward`.
        """
        places: torch.Tensor | None = kwargs.pop("labels", None)  # our Trainer's name for what a loss is made of
        if places is None and start_positions is not None and end_positions is not None:
            places = torch.stack((start_positions.flatten(), end_positions.flatten()), dim=1)
        outputs = self.dlfa(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            output_fusion=output_fusion,
            return_dict=True,
            **kwargs,
        )
        logits = self.qa_outputs(outputs.last_hidden_state)  # (B, T, 2)
        mask = real_tokens(attention_mask, logits).bool()
        logits = logits.masked_fill(~mask.unsqueeze(-1), torch.finfo(logits.dtype).min)
        start_logits, end_logits = (one.contiguous() for one in logits.unbind(dim=-1))

        loss = None
        if places is not None:
            loss = answer_loss(logits, mask, places, num_items_in_batch)
        output = DLFAQuestionAnsweringModelOutput(
            loss,
            start_logits,
            end_logits,
            outputs.hidden_states,
            outputs.attentions,
            *fusion_states(outputs, output_fusion),
        )
        return_dict = self.config.return_dict if return_dict is None else return_dict
        return output if return_dict else output.to_tuple()


def answer_loss(
    logits: torch.Tensor, mask: torch.Tensor, places: torch.Tensor, num_items_in_batch: torch.Tensor | int | None
) -> torch.Tensor:
    """The mean of the cross entropies of first and last token.

    Args:
        logits: (B, T, 2).
        mask: (B, T), true at real tokens.
        places, num_items_in_batch: as `labels` in `DLFAForQuestionAnswering.forward`.
    """
    places = places.to(logits.device)
    places = places.masked_fill(places >= logits.shape[1], -100)
    places = places.masked_fill(~mask.gather(1, places.clamp(min=0)), -100)
    if num_items_in_batch is None:
        num_items_in_batch = (places != -100).sum().clamp(min=1)
    loss = F.cross_entropy(logits.float().transpose(1, 2).flatten(0, 1), places.flatten(), reduction="sum")
    return loss / num_items_in_batch


@dataclass
class DLFAMultipleChoiceModelOutput(MultipleChoiceModelOutput):
    """What `DLFAForMultipleChoice` returns: as Transformers' own, and more on request.

    Attributes:
        hidden_states, attentions: of B * C sequences.
        layer_state, gate, fused_state: with `output_fusion`, as in `DLFASequenceClassifierOutput`, of B * C sequences.
    """

    layer_state: torch.Tensor | None = None
    gate: torch.Tensor | None = None
    fused_state: torch.Tensor | None = None


class DLFAForMultipleChoice(DLFAPooling):
    """DLFA that scores the choices of a row, of which one is right: each is a sequence, usually after a prompt.

    Examples:
        >>> from modeling_dlfa import DLFAForMultipleChoice
        >>> from transformers import AutoTokenizer
        >>> name = "FacebookAI/xlm-roberta-base"
        >>> tokenizer = AutoTokenizer.from_pretrained(name)
        >>> model = DLFAForMultipleChoice.from_encoder(name, fusion_layer=8)
        >>> pairs = tokenizer(["It rains."] * 2, ["I get wet.", "I get rich."], padding=True, return_tensors="pt")
        >>> inputs = {name: values.unsqueeze(0) for name, values in pairs.items()}  # (1, 2, T)
        >>> model(**inputs).logits.shape  # (B, C)
        torch.Size([1, 2])
    """

    def __init__(self, config: DLFAConfig, encoder: PreTrainedModel | None = None):
        super().__init__(config)
        self.dlfa = DLFAModel(config, encoder=encoder)
        self.dlfa.rows_may_be_empty = True
        self.choice_scorer = SequenceClassificationHead(config, 1)
        self.post_init()

    @property
    def head(self) -> SequenceClassificationHead:
        return self.choice_scorer

    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.LongTensor | None = None,
        position_ids: torch.LongTensor | None = None,
        inputs_embeds: torch.FloatTensor | None = None,
        labels: torch.LongTensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | int | list[int] | None = None,
        return_dict: bool | None = None,
        num_items_in_batch: torch.Tensor | int | None = None,
        output_fusion: bool | None = None,
        **kwargs: Any,
    ) -> DLFAMultipleChoiceModelOutput | tuple:
        """Score choices.

        Args:
            input_ids, token_type_ids, position_ids: (B, C, T).
            attention_mask: (B, C, T), 1 (or true) at real tokens. A choice without any is padding, for rows that have
                fewer choices than others.
            inputs_embeds: (B, C, T, E), instead of `input_ids`.
            labels: (B,), index of the right choice.
            num_items_in_batch: labels in all accumulated batches, given by the Trainer; the loss is then the sum
                divided by it.

        Returns:
            `DLFAMultipleChoiceModelOutput`: logits (B, C), the lowest number of their type at padding, and with labels
            the loss. Other arguments: `DLFAModel.forward`.

        Raises:
            ValueError: as `DLFAModel.forward`, or inputs of another shape.
        """
        given = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
        given |= {"position_ids": position_ids, "inputs_embeds": inputs_embeds}
        choices = number_of_choices(given)
        flat = {name: None if values is None else values.flatten(0, 1) for name, values in given.items()}
        outputs = self.dlfa(
            **flat,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            output_fusion=output_fusion,
            return_dict=True,
            **kwargs,
        )
        mask = flat["attention_mask"]
        logits = self.choice_scorer(self.pool(outputs.last_hidden_state, mask)).view(-1, choices)  # (B, C)
        if mask is not None:
            padding = ~mask.bool().any(dim=1).view(-1, choices).to(logits.device)
            logits = logits.masked_fill(padding, torch.finfo(logits.dtype).min)

        loss = None
        if labels is not None:
            loss = fixed_cross_entropy(logits.float(), labels.to(logits.device), cast(Any, num_items_in_batch))
        output = DLFAMultipleChoiceModelOutput(
            loss, logits, outputs.hidden_states, outputs.attentions, *fusion_states(outputs, output_fusion)
        )
        return_dict = self.config.return_dict if return_dict is None else return_dict
        return output if return_dict else output.to_tuple()


def number_of_choices(given: dict[str, torch.Tensor | None]) -> int:
    """C of inputs (B, C, T), or (B, C, T, E) if they are embeddings; None is left out.

    Raises:
        ValueError: another shape.
    """
    choices = 0
    for name, values in given.items():
        if values is None:
            continue
        dimensions = 4 if name == "inputs_embeds" else 3
        if values.dim() != dimensions:
            expected = "(B, C, T, E)" if dimensions == 4 else "(B, C, T)"
            raise ValueError(f"{name} of shape {tuple(values.shape)}: expected {expected}, C choices in each row")
        choices = values.shape[1]
    return choices


class MaskedLMHead(nn.Module):
    """Dense, GELU, layer norm, as the heads of BERT and XLM-R: (..., E) -> (..., D), D the width of the embeddings.

    Attributes:
        bias: (V,), of the word pieces. Their vectors are not here but in the decoder: what the encoder has too is
            apart from what can be trained, or kept, without it.
    """

    def __init__(self, config: DLFAConfig, width: int, words: int):
        super().__init__()
        self.dense = nn.Linear(config.encoder_config.hidden_size, width)
        self.activation = ACT2FN["gelu"]
        self.norm = nn.LayerNorm(width, eps=getattr(config.encoder_config, "layer_norm_eps", None) or 1e-5)
        self.bias = nn.Parameter(torch.empty(words))

    def start(self, config: DLFAConfig):
        """No word piece is preferred: bias 0."""
        nn.init.zeros_(self.bias)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return self.norm(self.activation(self.dense(states)))

    def resize(self, words: int) -> None:
        """Have a bias for so many words; new ones get 0."""
        self.bias.data = F.pad(self.bias.data, (0, words - len(self.bias)))


@dataclass
class DLFAMaskedLMOutput(MaskedLMOutput):
    """What `DLFAForMaskedLM` returns: as Transformers' own, and more on request.

    Attributes:
        logits: (B, T, V); (B, M, V) where positions are given; (N, V), of the N tokens with a label, in training.
        layer_state, gate, fused_state: with `output_fusion`, as in `DLFASequenceClassifierOutput`.
    """

    layer_state: torch.Tensor | None = None
    gate: torch.Tensor | None = None
    fused_state: torch.Tensor | None = None


class DLFAForMaskedLM(DLFAPreTrainedModel):
    """DLFA that guesses hidden words (masked language modelling): every token gets a score of each word piece.

    A state goes through `MaskedLMHead`, and is then compared with the encoder's word embeddings, which the decoder
    shares, unless `config.tie_word_embeddings` is false. `from_encoder` starts the head new (our choice: encoders
    build their own in ways that differ, and many checkpoints, such as multilingual-e5, have none).

    Examples:
        >>> from modeling_dlfa import DLFAForMaskedLM
        >>> from transformers import AutoTokenizer
        >>> name = "FacebookAI/xlm-roberta-base"
        >>> model = DLFAForMaskedLM.from_encoder(name, fusion_layer=8)
        >>> tokenizer = AutoTokenizer.from_pretrained(name)
        >>> outputs = model(**tokenizer("Maria sings.", return_tensors="pt"))
        >>> outputs.logits.shape[-1] == model.config.vocab_size  # (B, T, V); labels are (B, T), -100 where none is
        True
    """

    def __init__(self, config: DLFAConfig, encoder: PreTrainedModel | None = None):
        super().__init__(config)
        self.dlfa = DLFAModel(config, encoder=encoder)
        embeddings: Any = self.dlfa.get_input_embeddings()  # None where states are given in place of an encoder
        words, width = (config.vocab_size, config.hidden_size) if embeddings is None else embeddings.weight.shape
        self.lm_head = MaskedLMHead(config, width, words)
        shared = embeddings is None or config.tie_word_embeddings
        with torch.device("meta") if shared else nullcontext():  # no room is taken for what is shared
            self.decoder = nn.Linear(width, words, bias=False)
        if embeddings is not None:
            parameters = self.dlfa.named_parameters()
            source = next(name for name, parameter in parameters if parameter is embeddings.weight)
            self._tied_weights_keys = {"decoder.weight": f"dlfa.{source}"}
        self.post_init()

    def get_output_embeddings(self) -> nn.Module:
        return self.decoder

    def set_output_embeddings(self, new_embeddings: Any):
        self.decoder = new_embeddings

    def resize_token_embeddings(self, *args: Any, **kwargs: Any) -> nn.Embedding:
        """As every `resize_token_embeddings`; the head's bias goes with it."""
        embeddings = super().resize_token_embeddings(*args, **kwargs)
        self.lm_head.resize(embeddings.weight.shape[0])
        return embeddings

    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.LongTensor | None = None,
        position_ids: torch.LongTensor | None = None,
        inputs_embeds: torch.FloatTensor | None = None,
        masked_positions: torch.LongTensor | None = None,
        labels: torch.LongTensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | int | list[int] | None = None,
        return_dict: bool | None = None,
        num_items_in_batch: torch.Tensor | int | None = None,
        output_fusion: bool | None = None,
        **kwargs: Any,
    ) -> DLFAMaskedLMOutput | tuple:
        """Guess words. A vocabulary is large: logits of all tokens are made only where they are asked for.

        Args:
            masked_positions: (B, M), the tokens that are guessed; -1 is padding. Default: all tokens, but in training
                with labels only those that have one (as ModernBERT's `sparse_prediction`).
            labels: (B, T), of each token the id of the word piece that it hides, -100 where it is not scored; with
                `masked_positions` (B, M).
            num_items_in_batch: labels in all accumulated batches, given by the Trainer; the loss is then the sum
                divided by it.

        Returns:
            `DLFAMaskedLMOutput`. Other arguments: `DLFAModel.forward`.
        """
        outputs = self.dlfa(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            output_fusion=output_fusion,
            return_dict=True,
            **kwargs,
        )
        states = outputs.last_hidden_state  # (B, T, E)
        targets = None if labels is None else labels.to(states.device)
        if masked_positions is not None:
            states = gather_positions(states, masked_positions.to(states.device).clamp(min=0))  # (B, M, E)
        elif targets is not None and self.training:
            labelled = targets != -100
            states, targets = states[labelled], targets[labelled]  # (N, E), (N,)
        logits = self.decoder(self.lm_head(states)) + self.lm_head.bias

        loss = None
        if targets is not None:
            items = (targets != -100).sum() if num_items_in_batch is None else num_items_in_batch
            items = torch.as_tensor(items).clamp(min=1)  # of short texts, none may hide a word
            loss = fixed_cross_entropy(logits.float().flatten(0, -2), targets.flatten(), cast(Any, items))
        output = DLFAMaskedLMOutput(
            loss, logits, outputs.hidden_states, outputs.attentions, *fusion_states(outputs, output_fusion)
        )
        return_dict = self.config.return_dict if return_dict is None else return_dict
        return output if return_dict else output.to_tuple()


class ParserLinear(nn.Linear):
    """A map of the parser."""

    def start(self, config: DLFAConfig):
        """The start of Glorot and Bengio 2010 (our choice).

        Two representations and a matrix are multiplied into a score: with the encoder's small start it would learn
        slowly.
        """
        nn.init.xavier_uniform_(self.weight)


class BiaffineParser(nn.Module):
    """Scores of every arc between two words, and of every relation that it may have (Dozat and Manning 2017).

    A word has four small representations: as dependent and as head, for arcs and for relations. With d and h those of
    a dependent and a possible head, an arc scores d U h + u h and relation c of it d U_c h + u_c h + v_c d + b_c.
    The root is a learned vector that stands before the words; the activation is our choice.
    """

    _no_split_modules = ["BiaffineParser"]

    def __init__(self, config: DLFAConfig):
        super().__init__()
        width, arc, relation = config.encoder_config.hidden_size, config.parser_arc_size, config.parser_relation_size

        def perceptron(size: int) -> nn.Sequential:
            return nn.Sequential(ParserLinear(width, size), nn.LeakyReLU(0.1), head_dropout(config))

        self.root = nn.Parameter(torch.empty(width))
        self.arc_dependent, self.arc_head = perceptron(arc), perceptron(arc)
        self.relation_dependent, self.relation_head = perceptron(relation), perceptron(relation)
        # A biaffine score is linear in h; these two maps make its coefficients out of d.
        self.arc = ParserLinear(arc, arc)
        self.relation = ParserLinear(relation, config.num_labels * (relation + 1))  # pyright: ignore
        self.num_labels = config.num_labels

    def start(self, config: DLFAConfig):
        """The root starts as the encoder's embeddings do."""
        nn.init.normal_(self.root, std=getattr(config.encoder_config, "initializer_range", None) or 0.02)

    def forward(
        self, words: torch.Tensor, mask: torch.Tensor, heads: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Score arcs and relations.

        Args:
            words: (B, W, E).
            mask: (B, W), true at words, false at padding.
            heads: (B, W), 0 (the root) to W. With it relations are scored at these heads only.

        Returns:
            arcs (B, W, W + 1), the lowest number of their type where the head is padding; relations
            (B, W, W + 1, C), or with `heads` (B, W, C).
        """
        candidates = torch.cat((self.root.expand(words.shape[0], 1, -1), words), dim=1)  # (B, W + 1, E)
        arcs = self.arc(self.arc_dependent(words)) @ self.arc_head(candidates).transpose(1, 2)
        possible = torch.cat((torch.ones_like(mask[:, :1]), mask), dim=1).unsqueeze(1)  # (B, 1, W + 1)
        arcs = arcs.masked_fill(~possible, torch.finfo(arcs.dtype).min)

        coefficients = self.relation(self.relation_dependent(words))
        coefficients = coefficients.unflatten(-1, (self.num_labels, -1))  # (B, W, C, R + 1): of h, and what is without
        factors, constants = coefficients[..., :-1], coefficients[..., -1]
        relation_heads = self.relation_head(candidates)  # (B, W + 1, R)
        if heads is None:
            relations = torch.einsum("bwcr,bhr->bwhc", factors, relation_heads) + constants.unsqueeze(2)
        else:
            relation_heads = gather_positions(relation_heads, heads)  # (B, W, R)
            relations = torch.einsum("bwcr,bwr->bwc", factors, relation_heads) + constants
        return arcs, relations


def gather_positions(states: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """The states (B, T, E) at positions (B, W) -> (B, W, E)."""
    return states.gather(1, positions.unsqueeze(-1).expand(-1, -1, states.shape[-1]))


@dataclass
class DependencyParserOutput(ModelOutput):
    """What `DLFAForDependencyParsing` returns.

    Attributes:
        loss: with labels; the mean of the cross entropies of arcs and of relations at the right heads.
        arc_logits: (B, W, W + 1), how well each word fits as the head of a word; 0 is the root, j is word j, counted
            from 1. Padding has the lowest number of the type.
        relation_logits: (B, W, W + 1, C), of the relations of each such arc; None in training with labels.
        hidden_states, attentions: the encoder's own, where asked for.
        layer_state, gate, fused_state: with `output_fusion`, as in `DLFASequenceClassifierOutput`.
    """

    loss: torch.Tensor | None = None
    arc_logits: torch.Tensor | None = None
    relation_logits: torch.Tensor | None = None
    hidden_states: tuple[torch.Tensor, ...] | None = None
    attentions: tuple[torch.Tensor, ...] | None = None
    layer_state: torch.Tensor | None = None
    gate: torch.Tensor | None = None
    fused_state: torch.Tensor | None = None


class DLFAForDependencyParsing(DLFAPreTrainedModel):
    """DLFA with a biaffine dependency parser of words. It scores; the tree of the best score is for the caller.

    Examples:
        >>> import torch
        >>> from modeling_dlfa import DLFAForDependencyParsing
        >>> from transformers import AutoTokenizer
        >>> name = "FacebookAI/xlm-roberta-base"
        >>> model = DLFAForDependencyParsing.from_encoder(name, fusion_layer=8, num_labels=37)
        >>> tokenizer = AutoTokenizer.from_pretrained(name)
        >>> inputs = tokenizer(["Maria", "sings"], is_split_into_words=True, return_tensors="pt")
        >>> first_pieces = [inputs.word_to_tokens(word).start for word in range(2)]
        >>> outputs = model(**inputs, word_positions=torch.tensor([first_pieces]))
        >>> outputs.arc_logits.shape, outputs.relation_logits.shape  # (B, W, W + 1), (B, W, W + 1, C)
        (torch.Size([1, 2, 3]), torch.Size([1, 2, 3, 37]))
    """

    def __init__(self, config: DLFAConfig, encoder: PreTrainedModel | None = None):
        super().__init__(config)
        config.validate_parser()
        self.dlfa = DLFAModel(config, encoder=encoder)
        self.parser = BiaffineParser(config)
        self.post_init()

    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.LongTensor | None = None,
        position_ids: torch.LongTensor | None = None,
        inputs_embeds: torch.FloatTensor | None = None,
        word_positions: torch.LongTensor | None = None,
        labels: torch.LongTensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | int | list[int] | None = None,
        return_dict: bool | None = None,
        num_items_in_batch: torch.Tensor | int | None = None,
        output_fusion: bool | None = None,
        **kwargs: Any,
    ) -> DependencyParserOutput | tuple:
        """Score the dependencies between words.

        Args:
            word_positions: (B, W), the token that stands for each word, usually its first; -1 is padding, after the
                words.
            labels: (B, W, 2), of each word its head (0 is the root, j is word j, counted from 1) and its relation's
                index; -100 where it is not scored.
            num_items_in_batch: labels, two for a word, in all accumulated batches, given by the Trainer; the loss is
                then the sum divided by it.

        Returns:
            `DependencyParserOutput`. Other arguments: `DLFAModel.forward`.

        Raises:
            ValueError: `word_positions` is missing.
        """
        if word_positions is None:
            raise ValueError(
                "a dependency parser needs word_positions, (B, W): which token stands for each word, -1 at padding"
            )
        outputs = self.dlfa(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            output_fusion=output_fusion,
            return_dict=True,
            **kwargs,
        )
        states = outputs.last_hidden_state  # (B, T, E)
        positions: torch.Tensor = word_positions.to(states.device)
        words = gather_positions(states, positions.clamp(min=0))  # (B, W, E)
        mask = positions >= 0  # (B, W)

        loss = None
        if labels is None:
            arc_logits, relation_logits = self.parser(words, mask)
        else:
            targets: torch.Tensor = labels.to(states.device)
            gold = targets[..., 0].clamp(min=0)  # (B, W)
            if self.training:  # the scores of all arcs' relations are large, and only these are needed
                relation_logits = None
                arc_logits, gold_logits = self.parser(words, mask, gold)
            else:
                arc_logits, relation_logits = self.parser(words, mask)
                index = gold[..., None, None].expand(-1, -1, 1, relation_logits.shape[-1])
                gold_logits = relation_logits.gather(2, index).squeeze(2)  # (B, W, C)
            loss = parsing_loss(arc_logits, gold_logits, targets, num_items_in_batch)
        output = DependencyParserOutput(
            loss,
            arc_logits,
            relation_logits,
            outputs.hidden_states,
            outputs.attentions,
            *fusion_states(outputs, output_fusion),
        )
        return_dict = self.config.return_dict if return_dict is None else return_dict
        return output if return_dict else output.to_tuple()


def parsing_loss(
    arc_logits: torch.Tensor,
    relation_logits: torch.Tensor,
    labels: torch.Tensor,
    num_items_in_batch: torch.Tensor | int | None,
) -> torch.Tensor:
    """The mean of two cross entropies.

    Args:
        arc_logits: (B, W, W + 1).
        relation_logits: (B, W, C), at the right heads.
        labels, num_items_in_batch: as in `DLFAForDependencyParsing.forward`.
    """
    heads = labels[..., 0]
    relations = labels[..., 1].masked_fill(heads < 0, -100)  # without its head, a relation was scored at another one
    if num_items_in_batch is None:
        num_items_in_batch = ((heads >= 0).sum() + (relations >= 0).sum()).clamp(min=1)
    of_arcs = F.cross_entropy(arc_logits.float().flatten(0, 1), heads.flatten(), reduction="sum")
    of_relations = F.cross_entropy(relation_logits.float().flatten(0, 1), relations.flatten(), reduction="sum")
    return (of_arcs + of_relations) / num_items_in_batch


DLFAModel.register_for_auto_class("AutoModel")
DLFAForDependencyParsing.register_for_auto_class("AutoModel")  # there is no Auto class of its own
DLFAForMaskedLM.register_for_auto_class("AutoModelForMaskedLM")
DLFAForMultipleChoice.register_for_auto_class("AutoModelForMultipleChoice")
DLFAForQuestionAnswering.register_for_auto_class("AutoModelForQuestionAnswering")
DLFAForSequenceClassification.register_for_auto_class("AutoModelForSequenceClassification")
DLFAForTokenClassification.register_for_auto_class("AutoModelForTokenClassification")
