"""The scores of the built-in tasks as an `evaluate` metric, with one configuration per task; it needs no network:

    evaluate.load(modeling_dlfa.tasks.metrics.__file__, "udpos").compute(predictions=…, references=…)

The same numbers, in percent, are those of `Kind.score`: equal to XTREME's evaluate.py and, for trees, to the CoNLL
2018 shared task.
"""

import datasets
import evaluate

# Absolute, because `evaluate.load` runs a copy of this file outside the package.
from modeling_dlfa.tasks.registry import get_task


_DESCRIPTION = """
The scores of one task. xnli, pawsx: accuracy over sentence pairs. panx: precision, recall and F1 over entities.
udpos: accuracy over words, and the precision, recall and F1 that XTREME reports. Parsing: unlabelled and labelled
attachment score over words; the tagging tasks made from trees: accuracy over words, of uddep-masked over hidden words.
"""

_INPUTS = """
Args:
    predictions: label names, one per sentence pair, or for tags a list of them per sentence, or for trees a list of
        {"head", "relation"} per sentence; of uddep-masked a list of words per sentence.
    references: the gold labels in the same shape.
Returns:
    xnli, pawsx: accuracy; panx: precision, recall, f1; udpos: accuracy, precision, recall, f1; other tasks of
    tags, uddep-masked: accuracy; uddep: uas, las; uddep-arcs: uas. All between 0 and 1.
"""

_CITATION = """
@inproceedings{hu2020xtreme,
    title = {{XTREME}: A Massively Multilingual Multi-task Benchmark for Evaluating Cross-lingual Generalization},
    author = {Hu, Junjie and Ruder, Sebastian and Siddhant, Aditya and Neubig, Graham and Firat, Orhan and Johnson, Melvin},
    booktitle = {Proceedings of ICML},
    year = {2020}
}
"""  # noqa: E501


class XtremeMetric(evaluate.Metric):
    """The scores of one task, between 0 and 1; the configuration is the task's name."""

    def _info(self) -> evaluate.MetricInfo:
        kind = get_task(self.config_name).kind
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=datasets.Features(
                {"predictions": kind.metric_features(), "references": kind.reference_features()}
            ),
        )

    def _compute(self, predictions: list, references: list) -> dict[str, float]:  # pyright: ignore
        task = get_task(self.config_name)
        both = (task.kind.from_metric(names) for names in (predictions, references))
        return {name: value / 100 for name, value in task.kind.score(task, *both).items()}
