import json

import pytest
from transformers import AutoConfig, BertConfig, CLIPConfig

from modeling_dlfa import DLFAConfig
from modeling_dlfa.configuration_dlfa import AUTO_MAP, CHOICES, FUSION_READS, PARSER


def test_default_construction():
    config = DLFAConfig()
    assert config.encoder_config.model_type == "bert"
    assert (config.fusion, config.fusion_layer, config.num_hidden_layers) == ("aif", 8, 12)


@pytest.mark.parametrize("depth, k", [(1, 0), (2, 1), (3, 2), (6, 4), (12, 8), (24, 16)])
def test_default_fusion_layer_is_two_thirds_of_the_depth(tiny_config, depth, k):
    assert DLFAConfig(encoder_config=tiny_config(num_hidden_layers=depth)).fusion_layer == k


@pytest.mark.parametrize("fusion", [name for name, reads in FUSION_READS.items() if reads != "layer"])
def test_where_no_layer_is_read_there_is_none(fusion, tiny_config):
    config = DLFAConfig(encoder_config=tiny_config(), fusion=fusion, fusion_layer=99)
    assert config.fusion_layer is None and config.fusion_layers == []


@pytest.mark.parametrize(
    "given, kept, layers",
    [(1, 1, [1]), ([1], 1, [1]), ([2, 0], [0, 2], [0, 2]), ((0, 2, 1), [0, 1, 2], [0, 1, 2]), (None, 2, [2])],
)
@pytest.mark.parametrize("fusion", [name for name, reads in FUSION_READS.items() if reads == "layer"])
def test_one_layer_is_a_number_and_several_are_in_order(fusion, given, kept, layers, tiny_config, tmp_path):
    config = DLFAConfig(encoder_config=tiny_config(), fusion=fusion, fusion_layer=given)
    config.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text()).get("fusion_layer") == kept
    for one in (config, DLFAConfig.from_pretrained(tmp_path)):
        assert (one.fusion_layer, one.fusion_layers) == (kept, layers)


def test_encoder_is_seen_through_the_wrapper(family, tiny_config):
    config = DLFAConfig(encoder_config=tiny_config(family))
    assert config.num_hidden_layers == 3
    assert config.get_text_config() is config.encoder_config
    assert config.get_text_config().hidden_size == 32
    assert config.get_text_config().vocab_size == 64


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"fusion": "sun"}, "fusion='sun': expected one of aif, sum, concat, scalar_mix, layer, mix_all, dwatt, "),
        ({"input_norm": "batch"}, "input_norm='batch': expected one of none, standard, layer"),
        ({"aif_output": "gated"}, "aif_output='gated': expected one of gate, scale"),
        ({"aif_norm": "group"}, "aif_norm='group': expected one of layer, batch, none"),
        ({"aif_activation": "rleu"}, "aif_activation='rleu': expected one of "),
        ({"pooling": "max"}, "pooling='max': expected one of cls, mean"),
        (
            {"fusion_layer": 3},
            "fusion_layer=3: this bert encoder has 3 layers, expected 0 (embeddings) to 2",
        ),
        (
            {"fusion_layer": -1},
            "fusion_layer=-1: this bert encoder has 3 layers, expected 0 (embeddings) to 2",
        ),
        (
            {"fusion_layer": [0, 3]},
            "fusion_layer=[0, 3]: this bert encoder has 3 layers, expected 0 (embeddings) to 2",
        ),
        ({"fusion_layer": [2, 2]}, "fusion_layer=[2, 2]: expected every layer once"),
        ({"fusion_layer": []}, "fusion_layer=[]: expected a layer, or several"),
        ({"fusion_layer": [0, "1"]}, "fusion_layer=[0, '1']: expected a whole number, or several"),
        ({"fusion_layer": [0, True]}, "fusion_layer=[0, True]: expected a whole number, or several"),
        ({"fusion_layer": "1"}, "fusion_layer='1': expected a whole number"),
        ({"fusion_layer": True}, "fusion_layer=True: expected a whole number"),
        ({"aif_reduction": 4.0}, "aif_reduction=4.0: expected a whole number"),
        ({"aif_reduction": 5}, "aif_reduction=5: expected a divisor of the hidden size 32"),
        ({"fusion": "dwatt", "aif_reduction": 5}, "aif_reduction=5: expected a divisor of the hidden size 32"),
        ({"fusion": "aif_last", "aif_reduction": 5}, "aif_reduction=5: expected a divisor of the hidden size 32"),
        ({"aif_reduction": 0}, "aif_reduction=0: expected a divisor of the hidden size 32"),
        ({"parser_arc_size": 0}, "parser_arc_size=0: expected a whole number above 0"),
        ({"fusion": "none", "parser_arc_size": 1.5}, "parser_arc_size=1.5: expected a whole number above 0"),
        ({"parser_relation_size": True}, "parser_relation_size=True: expected a whole number above 0"),
        ({"fusion_layr": 1}, "DLFAConfig has no argument 'fusion_layr'; did you mean 'fusion_layer'?"),
        ({"aif_reductoin": 2}, "DLFAConfig has no argument 'aif_reductoin'; did you mean 'aif_reduction'?"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_mistake_is_one_clear_line(tiny_config, arguments, message):
    with pytest.raises(ValueError) as error:
        DLFAConfig(encoder_config=tiny_config(), **arguments)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_fusion_that_was_added_is_accepted(tiny_config):
    """As `register_fusion` does, and with the checks of every fusion but `"none"`."""
    FUSION_READS["product"] = "layer"
    try:
        assert [*CHOICES["fusion"]][-1] == "product"
        config = DLFAConfig(encoder_config=tiny_config(), fusion="product")
        assert (config.fusion, config.fusion_layer) == ("product", 2)
        with pytest.raises(ValueError, match="^fusion_layer=3: this bert encoder has 3 layers"):
            DLFAConfig(encoder_config=tiny_config(), fusion="product", fusion_layer=3)
        with pytest.raises(ValueError, match=r"aif_layer, none(, \w+)*, product$"):
            DLFAConfig(encoder_config=tiny_config(), fusion="sun")
    finally:
        del FUSION_READS["product"]
    with pytest.raises(ValueError, match="^fusion='product': expected one of aif, sum, concat, "):
        DLFAConfig(encoder_config=tiny_config(), fusion="product")


@pytest.mark.parametrize(
    "encoder_config, shown", [("bert", "'bert'"), (CLIPConfig(), "'clip'"), (DLFAConfig(), "'dlfa'")]
)
def test_what_is_no_text_encoder_is_refused(encoder_config, shown):
    with pytest.raises(ValueError, match=f"^encoder_config={shown}: expected a text encoder's configuration"):
        DLFAConfig(encoder_config=encoder_config)


def test_width_concerns_those_with_a_bottleneck_only(tiny_config):
    encoder_config = tiny_config(hidden_size=30, num_attention_heads=3)
    with pytest.raises(ValueError, match="divisor of the hidden size 30"):
        DLFAConfig(encoder_config=encoder_config)
    assert DLFAConfig(encoder_config=encoder_config, fusion="sum").fusion == "sum"


def test_encoder_config_from_a_dictionary(family, tiny_config):
    encoder_config = tiny_config(family)
    config = DLFAConfig(encoder_config=encoder_config.to_dict())
    assert type(config.encoder_config) is type(encoder_config)
    assert config.encoder_config.to_dict() == encoder_config.to_dict()


def test_encoder_dictionary_without_a_type_is_bert():
    config = DLFAConfig(encoder_config={"num_hidden_layers": 5}, fusion_layer=4)
    assert isinstance(config.encoder_config, BertConfig)
    assert config.num_hidden_layers == 5


def test_round_trip(family, tiny_config, tmp_path):
    config = DLFAConfig(
        encoder_config=tiny_config(family),
        fusion_layer=[0, 2],
        input_norm="standard",
        aif_reduction=2,
        aif_output="scale",
        aif_norm="batch",
        aif_activation="gelu",
        identity_init=False,
        gate_bias=1.5,
        pooling="mean",
        classifier_dropout=0.25,
        parser_arc_size=16,
        parser_relation_size=8,
        id2label={0: "O", 1: "B-PER", 2: "I-PER"},
        problem_type="single_label_classification",
    )
    config.save_pretrained(tmp_path / "first")
    loaded = DLFAConfig.from_pretrained(tmp_path / "first")
    # Read from a file, a configuration knows the version that wrote it; else nothing differs.
    assert {**loaded.to_dict(), "_name_or_path": ""} == config.to_dict()
    assert type(loaded.encoder_config) is type(config.encoder_config)
    assert loaded.num_labels == 3
    assert isinstance(AutoConfig.from_pretrained(tmp_path / "first"), DLFAConfig)

    loaded.save_pretrained(tmp_path / "second")
    again = DLFAConfig.from_pretrained(tmp_path / "second")
    again.name_or_path = loaded.name_or_path
    assert again == loaded
    assert DLFAConfig.from_dict(config.to_diff_dict()) == DLFAConfig.from_dict(config.to_dict())


def test_saved_config_names_every_auto_class(tiny_config, tmp_path):
    DLFAConfig(encoder_config=tiny_config()).save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["auto_map"] == AUTO_MAP
    assert {*AUTO_MAP} == {
        "AutoConfig",
        "AutoModel",
        "AutoModelForMaskedLM",
        "AutoModelForMultipleChoice",
        "AutoModelForQuestionAnswering",
        "AutoModelForSequenceClassification",
        "AutoModelForTokenClassification",
    }


def test_auto_map_follows_what_is_saved(tiny_config, tmp_path):
    """As where a parser's configuration is used for another head: `save_pretrained` of a model names it first."""
    config = DLFAConfig(encoder_config=tiny_config())
    parser = {**AUTO_MAP, "AutoModel": f"modeling_dlfa.{PARSER}"}
    for saved, expected in (([PARSER], parser), (["DLFAForTokenClassification"], AUTO_MAP), (None, AUTO_MAP)):
        config.architectures = saved
        config.save_pretrained(tmp_path)
        assert json.loads((tmp_path / "config.json").read_text())["auto_map"] == config.auto_map == expected
        assert DLFAConfig.from_pretrained(tmp_path).auto_map == expected  # pyright: ignore


def test_auto_map_is_not_shared_between_configurations(tiny_config):
    first, second = (DLFAConfig(encoder_config=tiny_config()) for _ in range(2))
    first.auto_map["AutoModel"] = "changed"  # pyright: ignore
    assert second.auto_map == AUTO_MAP  # pyright: ignore


def test_a_changed_field_is_checked_again(tiny_config):
    config = DLFAConfig(encoder_config=tiny_config())
    config.fusion_layer = 7
    with pytest.raises(ValueError, match="fusion_layer=7"):
        config.validate_fusion()


def test_trainer_leaves_hidden_states_out_of_the_predictions():
    assert {"hidden_states", "attentions"} <= {*DLFAConfig().keys_to_ignore_at_inference}
