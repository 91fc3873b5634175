"""The page of `dlfa analyse families`."""

import argparse
from collections.abc import Sequence

import numpy as np

from ..data.sources import open_source
from ..drawing import png, small_png
from ..errors import InputError
from ..pages import Picture
from ..tasks.kinds.retrieval import reported_layer
from ..tasks.languages import language_name
from ..training.data import listed_languages
from ..training.results import data_name
from ..vectors import FUSED, Layer
from ..wording import p_text
from .figures import layer_curves
from .language_figures import heat_maps, scatters, trees
from .opened import Opened, layer_place, layer_title, open_model
from .page import Page, Part, Sheet
from .parallel import PARALLEL, Parallel, parallel_sentences
from .permutation import FEWEST_ORDERS
from .relatives import Alike, Kinship, alike, branch, curves, family, in_order, kinship
from .sentences import check_languages, layer_vectors
from .similarity import SIMILARITIES
from .transfer import Scores, Transfer, mean_scores, read_scores, transfers
from .uncertainty import Estimate, difference


SHOWN = ("cka", "cosine_around")
FEWEST = 8  # sentences, of which a seed takes half

METHOD = (
    "Languages are compared by the same sentences, test rows that are translations of those of the pivot. A sentence "
    "is the mean of its states. Linear centred kernel alignment (CKA; Kornblith et al. 2019, arXiv 1905.00414) asks "
    "whether sentences that are near each other in one language are so in the other; it does not see where a "
    "language lies. It is estimated without bias (Song et al. 2012), and so about 0 where there is nothing in "
    "common. The cosine of the languages' mean vectors asks where languages lie; since vectors of most encoders "
    "share a large part, it is shown around the mean of all languages too. Curves and intervals: a seed takes half "
    "of the sentences, Student's t over seeds, 95 %; maps, trees and transfer take all of them.",
    "Branches are those of Indo-European, and other families whole; a family is Indo-European or one of the others. "
    "Trees join by average linkage of 1 − similarity. The p-value of branches deals them out at random to the "
    "languages. The adjusted Rand index compares as many clusters as there are branches with the branches: 1 the "
    "same, 0 as by chance.",
    "Transfer: Spearman's rank correlation of the similarity to the training language with the score, that language "
    "left out. Its p-value is two-sided and lets those change places that are built alike: families as blocks, "
    "since their languages are no independent observations, branches of a family, and languages of a branch; it is "
    f"nan with fewer than {FEWEST_ORDERS} such orders. The layer that is named was chosen by its "
    "place alone, before anything was seen; the table has all layers, whose p-values are not corrected for their "
    "number.",
    "A correlation over some ten languages is weak evidence, and one of test scores: it is a description, no rule "
    "for choosing a layer or a source language.",
)


def families_page(arguments: argparse.Namespace) -> Page:
    """Compare the languages of parallel data, and say what is seen.

    Raises:
        InputError: the model, the data or the scores cannot be used.
    """
    if arguments.max_samples < FEWEST:
        raise InputError(f"--max_samples {arguments.max_samples}: expected {FEWEST} or more")
    scores = read_scores(arguments.scores or ())
    source = open_source(arguments.data)
    asked = listed_languages(arguments.languages)
    check_languages(source, PARALLEL if arguments.task is None else [arguments.task], asked)
    sentences = parallel_sentences(source, arguments.task, asked, arguments.max_samples)
    count = len(sentences.texts[sentences.pivot])
    if count < FEWEST:
        raise InputError(f"--data {arguments.data}: {sentences.task}: {count} rows, expected {FEWEST} or more")
    opened = open_model(arguments.model, arguments.max_length)
    if not scores and opened.results is not None:
        scores = [mean_scores([opened.results])]
    languages = in_order(list(sentences.texts))
    texts = [f"{arguments.prefix}{text}" for language in languages for text in sentences.texts[language]]
    found = alike(layer_vectors(opened, texts, arguments.max_length), languages, arguments.seeds)
    named = reported_layer(opened.reader.depth)
    parts = [
        _over_layers(found, opened, named, arguments.seeds),
        _in_a_layer(found, opened, named),
        _transfer(found, scores, named, opened),
    ]
    summary = [sentence for part in parts for sentence in part.findings[:5]]
    analysed = {
        "model": opened.name,
        "data": data_name(arguments.data),
        "sentences": f"{count} of the {sentences.rows:,} test rows of {sentences.task}, the same in every language",
        "languages": ", ".join(languages),
        "seeds": str(arguments.seeds),
    }
    title = f"Which languages {opened.name} holds alike"
    return Page(title, analysed, summary, [*parts, _of_the_data(sentences)], METHOD)


# ---------------------------------------------------------------------------------------------------------------------
# The parts
# ---------------------------------------------------------------------------------------------------------------------


def _over_layers(found: Alike, opened: Opened, named: int, seeds: int) -> Part:
    measures = {measure.name: measure for measure in curves(found, SHOWN)}
    findings = []
    for kind in SHOWN:
        relatives, others = (measures.get(f"{kind}_{name}") for name in ("branch", "others"))
        if kind == "cka" and others is not None:
            best = others.extreme()
            most, last = (others.estimates[layer].text(2) for layer in (best, opened.reader.depth))
            findings.append(
                f"{_name(kind)}: what is near in one language is so in another of a different family most in layer "
                f"{best}, {most}; in the last layer {last}."
            )
        numbered = sorted(layer for layer in found.whole[kind] if isinstance(layer, int))
        if relatives is not None and others is not None:
            apart = [difference(relatives.values[layer], others.values[layer]) for layer in numbered]
            widest = max(numbered, key=lambda layer: apart[layer].mean)
            further = f"; furthest ahead in layer {widest}: they {_ahead(apart[widest])}" if widest != named else ""
            findings.append(
                f"{_name(kind)}: in layer {named} two languages of one branch {_ahead(apart[named])}{further}."
            )
        nearest = {layer: kinship(found.whole[kind][layer], found.languages) for layer in numbered}
        most, least = (pick(nearest, key=lambda layer: nearest[layer].nearest) for pick in (max, min))
        if (there := nearest[most].with_relatives) and nearest[most].nearest > nearest[least].nearest:
            findings.append(
                f"{_name(kind)}: of {there} languages with a relative here {nearest[most].nearest} have one as the "
                f"most similar language in layer {most}, {nearest[least].nearest} in layer {least}."
            )
    rows = [
        {
            "layer": layer_title(layer),
            "similarity": SIMILARITIES[kind][0],
            "within_branches_less_between": kin.apart,
            "p": kin.p_value,
            "nearest_is_a_relative": f"{kin.nearest} of {kin.with_relatives}",
            "by_chance": kin.by_chance,
            "adjusted_Rand": kin.rand,
        }
        for kind in SIMILARITIES
        for layer in opened.layers
        for kin in [kinship(found.whole[kind][layer], found.languages)]
    ]
    caption = "Similarity of two languages over the layers: means over pairs; bands: 95 % intervals over seeds."
    picture = Picture("curves.png", caption, small_png(layer_curves(list(measures.values()))))
    warnings = ["One seed: there are no intervals."] if seeds == 1 else []
    sheet = Sheet("kinship.csv", "Similarity and branches, layer by layer", rows, 4, text_columns=2)
    return Part("curves", "Over the layers", findings, warnings, [picture], [sheet])


def _in_a_layer(found: Alike, opened: Opened, named: int) -> Part:
    layers: list[Layer] = list(dict.fromkeys([0, named, opened.reader.depth]))
    layers += [FUSED] if FUSED in opened.layers else []
    findings = [_of_kinship(kind, named, kinship(found.whole[kind][named], found.languages)) for kind in SHOWN]
    for kind in SHOWN:
        (one, other), most = _most_alike(found, kind, named)
        findings.append(
            f"{_name(kind)}, layer {named}: {language_name(one)}, {language_name(other)} are most alike, {most:.2f}."
        )
    size = len(found.languages)
    warnings = []
    if size < 20:
        warnings.append(
            f"{size} languages of {len(set(map(branch, found.languages)))} branches: few have a relative here, so "
            "that trees and p-values rest on a handful of pairs."
        )
    rows = [
        {
            "similarity": kind,
            "layer": layer_title(layer),
            "language": one,
            "other": other,
            "value": float(values[i, j]),
        }
        for kind, by_layer in found.whole.items()
        for layer, values in by_layer.items()
        for i, one in enumerate(found.languages)
        for j, other in enumerate(found.languages)
        if i < j
    ]
    pictures = [
        Picture(
            "maps.png",
            "Similarity of all languages, by family; lines part the branches. Each row of maps has its own colours.",
            png(heat_maps(found, SHOWN, layers)),
        ),
        Picture(
            "trees.png",
            f"Clusters of languages in layer {named}; languages of one branch have one colour, bold.",
            small_png(trees(found, SHOWN, named)),
        ),
    ]
    sheet = Sheet("similarities.csv", "Every pair of languages in every layer", rows, shown=False)
    return Part("languages", "Which languages are alike", findings, warnings, pictures, [sheet])


def _transfer(found: Alike, scores: Sequence[Scores], named: int, opened: Opened) -> Part:
    title = "Similarity and transfer"
    if not scores:
        return Part("transfer", title, warnings=["No scores were given (--scores), and the model is no finished run."])
    told = transfers(found, scores, SHOWN)
    if not told:
        return Part(
            "transfer", title, warnings=["Too few languages have scores, or that of the training is not here."]
        )
    layers: list[Layer] = [named, *([FUSED] if any(one.layer == FUSED for one in told) else [])]
    shown = [one for one in told if one.layer in layers]
    rows = [
        {
            "task": one.scores.task,
            "run": f"{one.scores.model}, {one.scores.encoder}",
            "similarity": SIMILARITIES[one.kind][0],
            "layer": layer_title(one.layer),
            "languages": len(one.points),
            "rank_correlation": one.rho,
            "p": one.p_value,
        }
        for one in told
    ]
    runs = "; ".join(
        f"{one.task}: {one.metric}, mean of {one.runs} run{'s' * (one.runs > 1)} of {one.model}, {one.encoder}"
        for one in scores
    )
    warnings = [
        f"Scores of {one.task} are those of {one.encoder}, and similarities those of {opened.encoder}."
        for one in scores
        if one.encoder != opened.encoder
    ]
    caption = f"Similarity to the training language against the score ({runs}). Filled: of its family."
    sheet = Sheet("transfer.csv", "Rank correlations in all layers", rows, 4, text_columns=4)
    picture = Picture("transfer.png", caption, small_png(scatters(shown)))
    return Part("transfer", title, [_of_transfer(one) for one in shown], warnings, [picture], [sheet])


def _of_the_data(sentences: Parallel) -> Part:
    rows = [{"language": language, "why": why} for language, why in sentences.agreement.items()]
    finding = (
        f"Rows of {sentences.task} are taken for translations of those in {language_name(sentences.pivot)} where "
        "labels or numbers agree row by row, and do not where one side is moved by a row."
    )
    pivot = (
        f"Sentences of the other languages were translated from {language_name(sentences.pivot)}: that it is near to "
        "all of them is in part the data's doing."
    )
    left_out = f"Left out, since their rows are no translations as far as that tells: {', '.join(sentences.left_out)}."
    sheet = Sheet("rows.csv", "Rows that are translations", rows, text_columns=2)
    return Part(
        "data", "The sentences", [finding], [pivot, *([left_out] if sentences.left_out else [])], sheets=[sheet]
    )


# ---------------------------------------------------------------------------------------------------------------------
# Sentences
# ---------------------------------------------------------------------------------------------------------------------


def _name(kind: str) -> str:
    name = SIMILARITIES[kind][0]
    return name[0].upper() + name[1:]


def _ahead(apart: Estimate) -> str:
    """What is said of two languages of one branch, by their similarity less that of two of different families."""
    if apart.known and not apart.clear:
        return f"are not told apart from two of different families (by {apart.text(2)})".replace("-", "−")
    if apart.mean < 0:
        return f"are behind two of different families by {Estimate(-apart.mean, -apart.high, -apart.low).text(2)}"
    return f"are ahead of two of different families by {apart.text(2)}"


def _of_kinship(kind: str, layer: Layer, kin: Kinship) -> str:
    if not np.isfinite(kin.apart):
        return f"{_name(kind)}: no two languages of one branch are here, or no two of different ones."
    clear = "seen" if kin.p_value < 0.05 else "not told from chance"
    return (
        f"{_name(kind)}, layer {layer}: that relatives are more alike is {clear} ({kin.apart:+.2f} within branches, "
        f"p {p_text(kin.p_value)}); of {kin.with_relatives} languages with a relative here {kin.nearest} have one as "
        f"the most similar language, {kin.by_chance:.1f} would by chance."
    ).replace("(-", "(−")


def _most_alike(found: Alike, kind: str, layer: Layer) -> tuple[tuple[str, str], float]:
    values = np.triu(found.whole[kind][layer] + 2, 1)
    i, j = np.unravel_index(int(values.argmax()), values.shape)
    return (found.languages[int(i)], found.languages[int(j)]), float(found.whole[kind][layer][i, j])


def _of_transfer(one: Transfer) -> str:
    blocks = len({family(language) for language in one.points})
    where = f"{one.scores.task}, {SIMILARITIES[one.kind][0]}, {layer_place(one.layer)}"
    clear = one.p_value < 0.05
    if not np.isfinite(one.rho):
        scores = {score for _, score in one.points.values()}
        what = "scores" if len(scores) == 1 else "similarities"
        return f"{where}: {what} do not differ, so that there is no rank correlation with the score."
    if not np.isfinite(one.p_value):
        sure = f"without a p-value: fewer than {FEWEST_ORDERS} orders of families, branches and languages"
    else:
        sure = f"p {p_text(one.p_value)}, {'hardly by chance' if clear else 'not told from chance'}"
    return (
        f"{where}: rank correlation with the score "
        f"{one.rho:+.2f} over {len(one.points)} languages of {blocks} families ({sure})."
    ).replace(" -", " −")
