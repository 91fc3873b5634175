"""The model card of a run: scores per language as model-index, how it was made, how to load it."""

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from ..encoders import EMBEDDED, EMBEDDED_HUB_ID
from ..errors import InputError
from ..files import expanded
from ..markup import markdown_code, markdown_text
from ..tasks.languages import language_label
from ..tasks.registry import TASKS
from ..tasks.task import OWN_FILES
from .regimes import get_regime
from .results import RunResults, data_name, short_name


TEMPLATE = Path(__file__).with_name("model_card.md.jinja")
REPOSITORY = "PATH_OR_REPOSITORY"  # the gap in a card that publishing fills

KINDS_OF_FUSION = {
    **dict.fromkeys(("sum", "concat", "scalar_mix", "layer"), "an ablation of DLFA"),
    **dict.fromkeys(("mix_all", "dwatt"), "a rival of DLFA that reads all layers"),
    **dict.fromkeys(("aif_last", "aif_layer"), "a control that has DLFA's parameters on one layer"),
}
# Names that the Hub knows; attachment scores are accuracies.
HUB_METRICS = ("accuracy", "f1", "exact_match")
# Of encoders whose cards on the Hub name one.
LICENSES = {
    "google-bert/bert-base-multilingual-cased": "apache-2.0",
    "FacebookAI/xlm-roberta-base": "mit",
    "FacebookAI/xlm-roberta-large": "mit",
    EMBEDDED_HUB_ID: "mit",
}


def _language_tags(codes: Iterable[str]) -> list[str] | None:
    """The languages of some codes as the Hub takes them, without region or treebank: it refuses a card with others."""
    found = (re.match(r"[a-z]{2,3}(?![a-z0-9])", code.lower()) for code in codes)
    return sorted({one[0] for one in found if one}) or None


def model_card(results: RunResults) -> ModelCard:
    """The card of a finished run, filled from its results alone.

    Local folders, of data or an encoder, appear by their names only: a card is made to be published.
    """
    task = results.of_task
    kind = task.kind
    hub = task.hub if results.data == "hub" else None
    base_model = EMBEDDED_HUB_ID if results.encoder == EMBEDDED else short_name(results.encoder)
    on_hub = results.encoder == EMBEDDED or not Path(expanded(results.encoder)).is_dir()
    data_name, dataset_type = _data_names(results)
    trained_on = _trained_on(results)
    beside = kind.beside.get(results.metric, ())
    card_data = ModelCardData(
        model_name=f"{results.model_name} {results.task}",
        base_model=base_model if on_hub else None,
        license=LICENSES.get(base_model) if on_hub else None,
        library_name="transformers",
        pipeline_tag=kind.pipeline_tag,
        language=_language_tags([results.train_language, *results.scores]),
        datasets=list(dict.fromkeys([*trained_on, hub.repository(results.eval_split)])) if hub is not None else None,
        metrics=[name for name in (results.metric, *beside) if name in HUB_METRICS] or ["accuracy"],
        tags=["dlfa", "cross-lingual", "zero-shot", "custom_code"],
        eval_results=[
            EvalResult(
                task_type=kind.pipeline_tag,
                dataset_type=dataset_type,
                dataset_name=f"{task.name}, {data_name}",
                dataset_config=hub.config_name(language, results.eval_split) if hub is not None else language,
                dataset_split=results.eval_split,
                dataset_revision=hub.revision if hub is not None else None,
                metric_type=name,
                metric_name=kind.metric_names[name],
                metric_value=round(value, 2),
            )
            for language, metrics in results.all_metrics.items()
            for name, value in metrics.items()
        ],
    )
    return ModelCard.from_template(
        card_data,
        template_path=str(TEMPLATE),
        results=results,
        task=task,
        repository=REPOSITORY,
        encoder=(
            f"[{markdown_text(base_model)}](https://huggingface.co/{quote(base_model)})"
            if on_hub
            else f"{markdown_code(base_model)} (local folder)"
        ),
        text=markdown_text,
        prose=str if task.name in TASKS else markdown_text,  # our own notes are Markdown
        code=markdown_code,
        data_name=data_name,
        trained_on=trained_on,
        fused_layers=_fused_layers(results),
        kind_of_fusion=KINDS_OF_FUSION.get(results.fusion),
        trained=_trained(results),
        license=card_data.license,
        language_labels={code: language_label(code) for code in results.scores},
        example=kind.example(task, REPOSITORY, results.training.get("prefix") or ""),
        opens_with=kind.opens_with.format(auto_class=kind.auto_class),
        metric_name=kind.metric_names[results.metric],
        vectors_of=_vectors_of(results),
        settled=kind.settled_note(task),
        beside="" if results.found is None else kind.card_section(results.found),
    )


def _fused_layers(results: RunResults) -> str:
    """ "layer 8", "layers 4 and 8"; nothing where the fusion has none."""
    if not isinstance(results.fusion_layer, list):
        return "" if results.fusion_layer is None else f"layer {results.fusion_layer}"
    *most, last = map(str, results.fusion_layer)
    return f"layers {', '.join(most)} and {last}"


def _vectors_of(results: RunResults) -> str:
    """Where a model's vectors come from, in words."""
    layers = _fused_layers(results)
    if results.fusion in ("none", "layer"):
        return layers or "the last layer"
    return f"{layers or 'the layers'} and the last layer, fused by {markdown_code(results.fusion)},"


def _trained(results: RunResults) -> str | None:
    """What was trained where that is not everything; a regime from elsewhere may be unknown here."""
    name = results.training.get("train", "all")
    try:
        return get_regime(name).trained("head" if results.fusion == "none" else "fusion and head")
    except InputError:
        return name


def _trained_on(results: RunResults) -> list[str]:
    """The data sets of the Hub that the training rows are of; of what trains nothing, those that are scored."""
    task = results.of_task
    if results.data != "hub" or task.hub is None:
        return []
    split = "train" if task.kind.trains else results.eval_split
    return list(dict.fromkeys(part.repository(split) for part in task.hub.parts(split)))


def _data_names(results: RunResults) -> tuple[str, str]:
    """What the card calls the data, and their type in the model index: a Hub id only where they came from there."""
    if results.data == "hub":
        hub = results.of_task.hub
        assert hub is not None
        name = hub.repository(results.eval_split)
        return name, name
    if results.data == "sample":
        return "the sample embedded in modeling_dlfa", f"{results.task}-sample"
    if results.data == OWN_FILES:
        return "files of its own", f"{results.task}-local"
    return f"local folder {data_name(results.data)!r}", f"{results.task}-local"
