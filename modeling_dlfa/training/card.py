"""The model card of a run: scores per language as model-index, how it was made, how to load it."""

from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from ..backbones import EMBEDDED, EMBEDDED_HUB_ID
from ..xtreme.languages import LANGUAGES
from ..xtreme.tasks import TASKS
from .results import RunResults, short_name


TEMPLATE = Path(__file__).with_name("model_card.md.jinja")
REPOSITORY = "PATH_OR_REPOSITORY"  # the gap in a card that publishing fills

# There is no pipeline for parsing; the tag is what the Hub's search offers for annotations of words.
PIPELINE_TAGS = {
    "classification": "text-classification",
    "tagging": "token-classification",
    "parsing": "token-classification",
}
AUTO_CLASSES = {
    "classification": "AutoModelForSequenceClassification",
    "tagging": "AutoModelForTokenClassification",
    "parsing": "AutoModel",
}
METRIC_NAMES = {
    **{"accuracy": "Accuracy", "f1": "F1", "precision": "Precision", "recall": "Recall"},
    **{"uas": "UAS", "las": "LAS"},
}
# Of encoders whose cards on the Hub name one.
LICENSES = {
    "google-bert/bert-base-multilingual-cased": "apache-2.0",
    "FacebookAI/xlm-roberta-base": "mit",
    "FacebookAI/xlm-roberta-large": "mit",
    EMBEDDED_HUB_ID: "mit",
}
# By `Task.folder`: what the data are like, whichever copy of them was used.
OF_THE_DATA = {
    "xnli": "The test pairs are translations from English, and English hypotheses alone give part of the labels away.",
    "pawsx": "The sentences are Wikipedia's or made from them, and the test pairs are translations from English.",
    "panx": "The entities were marked automatically, from Wikipedia's links: part of what counts as an error is none.",
    "udpos": "Treebanks differ in genre and in their conventions, and part of a gap between languages is only that.",
}
OF_THE_DATA["uddep"] = OF_THE_DATA["udpos"]


def model_card(results: RunResults) -> ModelCard:
    """The card of a finished run, filled from its results alone.

    Local folders, of data or an encoder, appear by their names only: a card is made to be published.
    """
    task = TASKS[results.task]
    base_model = EMBEDDED_HUB_ID if results.encoder == EMBEDDED else short_name(results.encoder)
    on_hub = results.encoder == EMBEDDED or not Path(results.encoder).expanduser().is_dir()
    data_name, dataset_type = _data_names(results)
    card_data = ModelCardData(
        model_name=f"{results.model_name} {results.task}",
        base_model=base_model if on_hub else None,
        license=LICENSES.get(base_model) if on_hub else None,
        library_name="transformers",
        pipeline_tag=PIPELINE_TAGS[task.kind],
        language=sorted(results.scores),
        datasets=[task.hub.path] if results.data == "hub" else None,
        metrics=[results.metric if results.metric in ("accuracy", "f1") else "accuracy"],
        tags=["dlfa", "cross-lingual", "zero-shot", "custom_code"],
        eval_results=[
            EvalResult(
                task_type=PIPELINE_TAGS[task.kind],
                dataset_type=dataset_type,
                dataset_name=f"{task.name}, {data_name}",
                dataset_config=task.hub.config_name(language) if results.data == "hub" else language,
                dataset_split=results.eval_split,
                dataset_revision=task.hub.revision if results.data == "hub" else None,
                metric_type=name,
                metric_name=METRIC_NAMES[name],
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
        encoder=f"[{base_model}](https://huggingface.co/{base_model})" if on_hub else f"`{base_model}` (local folder)",
        data_name=data_name,
        of_the_data=OF_THE_DATA[task.folder],
        license=card_data.license,
        language_names={code: LANGUAGES[code].name if code in LANGUAGES else code for code in results.scores},
        auto_class=AUTO_CLASSES[task.kind],
        pipeline_tag=PIPELINE_TAGS[task.kind],
        metric_name=METRIC_NAMES[results.metric],
    )


def _data_names(results: RunResults) -> tuple[str, str]:
    """What the card calls the data, and their type in the model index: a Hub id only where they came from there."""
    if results.data == "hub":
        path = TASKS[results.task].hub.path
        return path, path
    if results.data == "sample":
        return "the sample embedded in modeling_dlfa", f"{results.task}-sample"
    return f"local folder {short_name(results.data)!r}", f"{results.task}-local"
