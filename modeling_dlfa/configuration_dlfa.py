"""Configuration of DLFA: a pretrained encoder, and how one of its lower layers is fused with its last one."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import Any

from transformers import AutoConfig, PreTrainedConfig
from transformers.activations import ACT2FN
from transformers.utils.versions import require_version


# Older ones do not treat configurations as dataclasses: what is declared below would be ignored.
require_version("transformers>=5.4")

# What a saved `config.json` tells the Auto classes. `save_pretrained` alone would name only the class being saved.
# Where a parser was saved, `AutoModel` opens the parser (`auto_map`).
AUTO_MAP = {
    "AutoConfig": "configuration_dlfa.DLFAConfig",
    "AutoModel": "modeling_dlfa.DLFAModel",
    "AutoModelForMaskedLM": "modeling_dlfa.DLFAForMaskedLM",
    "AutoModelForMultipleChoice": "modeling_dlfa.DLFAForMultipleChoice",
    "AutoModelForQuestionAnswering": "modeling_dlfa.DLFAForQuestionAnswering",
    "AutoModelForSequenceClassification": "modeling_dlfa.DLFAForSequenceClassification",
    "AutoModelForTokenClassification": "modeling_dlfa.DLFAForTokenClassification",
}

PARSER = "DLFAForDependencyParsing"


def auto_map(architectures: list[str]) -> dict[str, str]:
    """The Auto classes' entries for a checkpoint of these architectures. Parsers have no Auto class of their own."""
    return {**AUTO_MAP, "AutoModel": f"modeling_dlfa.{PARSER}"} if PARSER in architectures else dict(AUTO_MAP)


# What each fusion reads beside the last layer: "layer" (a lower one, or several), "all" states, or "none".
# The built-in ones stand here since configurations are read without a model. `register_fusion` adds others.
FUSION_READS: dict[str, str] = {
    **dict.fromkeys(("aif", "sum", "concat", "scalar_mix", "layer"), "layer"),
    "mix_all": "all",
    "dwatt": "all",
    "aif_last": "none",
    "aif_layer": "layer",
    "none": "none",
}
BOTTLENECKED = ("aif", "aif_last", "aif_layer", "dwatt")  # those that `aif_reduction` concerns

CHOICES: dict[str, Collection[str]] = {
    "fusion": FUSION_READS,
    "input_norm": ("none", "standard", "layer"),
    "aif_output": ("gate", "scale"),
    "aif_norm": ("layer", "batch", "none"),
    "aif_activation": tuple(ACT2FN),
    "pooling": ("cls", "mean"),
}

PROBLEM_TYPES = ("single_label_classification", "multi_label_classification", "regression")


def in_order(layers: Any) -> Any:
    """Several layers from the lowest up, one alone as a number; anything else as it is, for `validate_fusion`."""
    if not isinstance(layers, (list, tuple)) or not all(isinstance(layer, int) for layer in layers):
        return layers
    return layers[0] if len(layers) == 1 else sorted(layers)


def of_encoder(name: str) -> property:
    """An attribute of the encoder's configuration that tools look for in that of any text model, DeepSpeed for one."""
    return property(
        lambda config: getattr(config.encoder_config, name),
        lambda config, value: setattr(config.encoder_config, name, value),
    )


class DLFAConfig(PreTrainedConfig):
    """Configuration of `DLFAModel` and its heads.

    x is the encoder's last layer and y = `hidden_states[fusion_layer]`, or the mean of several; both have shape
    (B, T, E).
    "Paper" is Chen et al. 2022, arXiv 2205.08497; "MS-CAM" is Dai et al. 2021, arXiv 2009.14082, the published module
    with the structure that the paper describes in words.

    Attributes:
        encoder_config: the encoder's configuration, or its dictionary. Default: a BERT-base configuration.
        fusion: how x and y become one representation.
            `"aif"`: attentional information fusion (paper); `"sum"`: x + y; `"concat"`: a linear map of [x; y];
            `"scalar_mix"`: two softmax-normalised scalars and a scale (as ELMo); `"layer"`: y alone;
            `"none"`: x alone, exactly the plain encoder (the baseline); or a name given to
            `modeling_dlfa.register_fusion`. Rivals, which read all L + 1 states: `"mix_all"`, softmax-normalised
            scalars and a scale (ELMo: Peters et al. 2018, arXiv 1802.05365); `"dwatt"`, attention of every token over
            its own states (our reading of DWAtt, ElNokrashy et al. 2022, arXiv 2209.15168). Controls, the module of
            `"aif"` with one state in place of both: `"aif_last"` (x) and `"aif_layer"` (y), both in the form
            `"scale"`, since with the gate one state comes out as it went in (our choice).
        fusion_layer: k, with 0 <= k < number of encoder layers L; 0 is the embedding output. The best k differs by
            task (paper). Several, such as `[4, 8]`: y is their mean, so that the fusion has the same parameters as
            with one (our choice). Default: two thirds of the depth, 8 of 12 (our choice). Always `None` where no k
            is read: `"none"`, `"aif_last"`, `"mix_all"`, `"dwatt"`.
        input_norm: what is done to x and to every other state that is read, before they are fused. `"none"`;
            `"standard"`: (h - mean) / std per channel, with statistics that `StandardInput.fit` is given (without, it
            does nothing); `"layer"`: a layer norm with learned weights for each state. Our choice: states of
            different layers have different scales. Of several fused layers, each is normalised before the mean.
        aif_reduction: r, the bottleneck of the AIF branches is E / r channels wide (4 in MS-CAM); of the queries, keys
            and values of `"dwatt"` too (our choice).
        aif_output: `"gate"`: z = w * x + (1 - w) * y (AFF, without its factor 2); `"scale"`: z = w * (x + y), the
            weights multiplied onto the input (the paper's wording). Default `"gate"` (our choice).
        aif_norm: norm inside the branches: `"layer"` (our choice), `"batch"` (MS-CAM; statistics over real tokens
            only) or `"none"`.
        aif_activation: activation inside the branches (`"relu"` in MS-CAM), and inside `"dwatt"`.
        identity_init: start a new fusion at z ~ x, so that a short fine-tuning does not first have to repair a
            disturbed pretrained representation (our choice). Concerns `"aif"` with the gate output, `"concat"`,
            `"scalar_mix"`, `"mix_all"`, `"dwatt"` and `"aif_last"`; `"aif_layer"` starts at z = y. `False`: the
            encoder's ordinary random initialisation.
        gate_bias: with `identity_init`, the logit of the last layer's weight: 4.0 starts `"aif"` and `"scalar_mix"`
            at z = 0.98 x + 0.02 y, and `"mix_all"` at 0.98 x and 0.02 of the other states' mean (our choice).
        pooling: how a sequence becomes one vector: its first token (`"cls"`, as XTREME) or the mean over its real
            tokens (`"mean"`).
        classifier_dropout: dropout in the heads. Default: the encoder's `classifier_dropout`, else its hidden dropout.
        parser_arc_size: width of a word's representation as a dependent, and as a head, in the parser (500 in Dozat
            and Manning 2017, arXiv 1611.01734; 256 for fine-tuning is our choice).
        parser_relation_size: the same for the relation between the two (100 in Dozat and Manning; 128 is our choice).
        kwargs: every other `PreTrainedConfig` argument (`num_labels`, `id2label`, `problem_type`, ...).

    Raises:
        ValueError: an unknown choice, a fusion layer outside the encoder or named twice, a width that
            `aif_reduction` does not divide, a parser without width, or a misspelt argument.

    Examples:
        >>> from transformers import BertConfig
        >>> from modeling_dlfa import DLFAConfig
        >>> config = DLFAConfig(encoder_config=BertConfig(num_hidden_layers=12))
        >>> config.fusion, config.fusion_layer  # two thirds of the depth
        ('aif', 8)
        >>> DLFAConfig(encoder_config=BertConfig(), fusion="none").fusion_layer is None  # the plain encoder
        True
    """

    model_type = "dlfa"
    sub_configs = {"encoder_config": AutoConfig}  # pyright: ignore[reportAssignmentType]
    # Kept out of what the Trainer gathers over a whole evaluation.
    keys_to_ignore_at_inference = ["hidden_states", "attentions", "layer_state", "gate", "fused_state"]
    # Of the head that guesses words alone. Transformers asks the whole model's configuration, not the encoder's.
    tie_word_embeddings = True

    encoder_config: Any = None  # once constructed: a PreTrainedConfig
    fusion: str = "aif"
    fusion_layer: int | list[int] | None = None
    input_norm: str = "none"
    aif_reduction: int = 4
    aif_output: str = "gate"
    aif_norm: str = "layer"
    aif_activation: str = "relu"
    identity_init: bool = True
    gate_bias: float = 4.0
    pooling: str = "cls"
    classifier_dropout: float | None = None
    parser_arc_size: int = 256
    parser_relation_size: int = 128

    hidden_size = of_encoder("hidden_size")
    num_attention_heads = of_encoder("num_attention_heads")
    num_hidden_layers = of_encoder("num_hidden_layers")  # L; `hidden_states` has L + 1 entries
    vocab_size = of_encoder("vocab_size")

    def __post_init__(self, **kwargs):
        self.check_spelling(kwargs)
        if self.encoder_config is None or isinstance(self.encoder_config, dict):
            self.encoder_config = AutoConfig.for_model(**{"model_type": "bert", **(self.encoder_config or {})})
        kind = getattr(self.encoder_config, "model_type", self.encoder_config)
        sized = hasattr(self.encoder_config, "num_hidden_layers") and hasattr(self.encoder_config, "hidden_size")
        if not sized or kind == self.model_type:
            raise ValueError(f"encoder_config={kind!r}: expected a text encoder's configuration, or its dictionary")
        if self.fusion_reads != "layer":
            self.fusion_layer = None
        elif self.fusion_layer is None:
            self.fusion_layer = self.num_hidden_layers * 2 // 3
        self.architectures = self.architectures or []  # AutoModel goes through them, where a model was saved or not
        super().__post_init__(**{**kwargs, "auto_map": auto_map(self.architectures)})
        if self.output_attentions:  # set so, it asks for the attention that has weights to give
            self.output_attentions = True
        if self.problem_type not in (None, *PROBLEM_TYPES):
            raise ValueError(f"problem_type={self.problem_type!r}: expected one of {', '.join(PROBLEM_TYPES)}")
        self.validate_fusion()
        self.validate_parser()

    @property
    def fusion_reads(self) -> str:
        """What the fusion reads beside the last layer: "layer", "all" or "none"."""
        return FUSION_READS.get(self.fusion, "layer")

    @property
    def fusion_layers(self) -> list[int]:
        """The layers that y is made of: none, one or several."""
        if self.fusion_reads != "layer" or self.fusion_layer is None:
            return []
        return [*self.fusion_layer] if isinstance(self.fusion_layer, (list, tuple)) else [self.fusion_layer]

    def save_pretrained(self, save_directory, *args, **kwargs):
        """As every `save_pretrained`. The configuration may have come from a checkpoint of another head.

        The encoder's own configuration may name code of its repository: it was built without, and is opened without.
        """
        self.auto_map = auto_map(self.architectures or [])
        for name in ("auto_map", "custom_pipelines"):
            self.encoder_config.__dict__.pop(name, None)
        return super().save_pretrained(save_directory, *args, **kwargs)

    @staticmethod
    def check_spelling(names: Iterable[str]):
        """Refuse what looks like a misspelt argument: Transformers would keep it as an attribute without effect."""
        for name in names:
            if match := get_close_matches(name, DLFAConfig.__annotations__, n=1, cutoff=0.85):
                raise ValueError(f"DLFAConfig has no argument {name!r}; did you mean {match[0]!r}?")

    def validate_fusion(self):
        """Check every choice; run at construction, and by the model, since attributes can be changed in between."""
        self.fusion_layer = in_order(self.fusion_layer)
        for field, choices in CHOICES.items():
            if getattr(self, field) not in choices:
                raise ValueError(f"{field}={getattr(self, field)!r}: expected one of {', '.join(choices)}")
        if self.fusion_reads == "layer" and not self.fusion_layers:
            raise ValueError(f"fusion_layer={self.fusion_layer!r}: expected a layer, or several")
        for layer in self.fusion_layers:
            if isinstance(layer, bool) or not isinstance(layer, int):
                raise ValueError(f"fusion_layer={self.fusion_layer!r}: expected a whole number, or several")
            if layer not in range(self.num_hidden_layers):
                raise ValueError(
                    f"fusion_layer={self.fusion_layer}: this {self.encoder_config.model_type} encoder has "
                    f"{self.num_hidden_layers} layers, expected 0 (embeddings) to {self.num_hidden_layers - 1}"
                )
        if len({*self.fusion_layers}) < len(self.fusion_layers):
            raise ValueError(f"fusion_layer={self.fusion_layer}: expected every layer once")
        if self.fusion not in BOTTLENECKED:
            return
        width, reduction = self.encoder_config.hidden_size, self.aif_reduction
        if isinstance(reduction, bool) or not isinstance(reduction, int):
            raise ValueError(f"aif_reduction={reduction!r}: expected a whole number")
        if reduction < 1 or width % reduction:
            raise ValueError(f"aif_reduction={reduction}: expected a divisor of the hidden size {width}")

    def validate_parser(self):
        """Check the sizes of the parser, as `validate_fusion` checks the fusion."""
        for field in ("parser_arc_size", "parser_relation_size"):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{field}={value!r}: expected a whole number above 0")

    def get_text_config(self, *args, **kwargs) -> PreTrainedConfig:
        """The encoder's configuration: hidden size, vocabulary size and depth are read there."""
        return self.encoder_config.get_text_config(*args, **kwargs)


DLFAConfig.register_for_auto_class()
