"""Where the data come from: the Hub, a folder in XTREME's layout, or the embedded sample, all in one shape.

A classification data set has the columns `sentence1`, `sentence2` (strings) and `label`; a tagging data set has
`tokens` (strings) and `tags`, one per token; a parsing data set has `tokens`, and `heads` (0 for the root, words from
1 on) and `relations`, one per token. Labels are `ClassLabel`s over `Task.labels`, whatever the origin calls or numbers
them: they are matched by name. Rows keep the order of the origin; tasks made from the same trees have the same rows.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, Protocol

import datasets
from datasets import ClassLabel, Dataset, Features, List, Value
from datasets.exceptions import DatasetGenerationError

from ..errors import InputError, one_line, shortened
from .conllu import parse_trees
from .tasks import Task, check_split
from .trees import RELATIONS, RUNGS, UPOS, Tree, fault, universal


FILE_PREFIXES = {"train": "train", "validation": "dev", "test": "test"}

# Which column holds what is looked up in `Task.labels`.
LABEL_COLUMNS: Mapping[str, str] = {"classification": "label", "tagging": "tags", "parsing": "relations"}

# From this many rows on, a single label for all of them is taken for a placeholder. Our choice: XTREME's public test
# files carry no labels, and copies with one dummy label in their place look like a model at chance level.
PLACEHOLDER_ROWS = 20


class Source(Protocol):
    """Something that has the tasks' data, by split ("train", "validation", "test") and language.

    Attributes:
        description: how results name the origin of their data.
    """

    @property
    def description(self) -> str: ...

    def languages(self, task: Task, split: str) -> list[str]:
        """Codes of the languages there are, in the order of `Task.languages`, unlisted ones after them."""
        ...

    def load(self, task: Task, split: str, language: str) -> Dataset:
        """The rows of one split in one language; InputError where there are none or they cannot be used."""
        ...


def open_source(data: str) -> Source:
    """The source that `--data` names: "hub", "sample", or a folder in XTREME's layout."""
    if data == "hub":
        return HubSource()
    if data == "sample":
        return SampleSource()
    return FolderSource(data)


class HubSource:
    """The public data sets of the Hugging Face Hub that `Task.hub` names."""

    description = "hub"

    def languages(self, task: Task, split: str) -> list[str]:
        missing = task.hub.missing.get(check_split(split), ())
        return [language for language in task.languages if language not in missing]

    def load(self, task: Task, split: str, language: str) -> Dataset:
        _check_language(task, split, language, self.languages(task, split), task.hub.path)
        config = task.hub.config_name(language)
        where = f"{task.hub.path}, {config}, {split}"
        try:
            name, folder = (None, config) if task.hub.in_folders else (config, None)
            raw = datasets.load_dataset(task.hub.path, name, data_dir=folder, split=split, revision=task.hub.revision)
        except Exception as error:  # the HTTP client's own too, which is another one from release to release
            cause = (error.__cause__ or error) if isinstance(error, DatasetGenerationError) else error
            reason = f"{type(cause).__name__}: {one_line(cause, 200)}"
            raise InputError(
                f"cannot load {where} from the Hub ({reason}): check the network, or give a folder or 'sample' as data"
            ) from error
        assert isinstance(raw, Dataset)
        return normalise(task, raw, language, where)


class FolderSource:
    """A folder in the layout of XTREME's download: `<root>/<task>/{train,dev,test}-<language>.tsv`, trees `.conllu`.

    UTF-8 (a byte order mark and CRLF line ends are tolerated), no header. Pair files hold sentence1, sentence2 and
    label; tagging files hold token and tag and end each sentence with a blank line; trees are CoNLL-U, read as
    `conllu.parse_trees` says. Fields are separated by tabs and a quotation mark is text. The languages of a task are
    those whose files are there.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).expanduser()
        if not self.root.is_dir():
            raise InputError(f"no data folder {str(root)!r}: expected 'hub', 'sample' or a folder in XTREME's layout")

    @property
    def description(self) -> str:
        return str(self.root)

    def languages(self, task: Task, split: str) -> list[str]:
        folder = self.root / task.folder
        suffix = _suffix(task)
        prefix = FILE_PREFIXES[check_split(split)] + "-"
        if not folder.is_dir():
            there = ", ".join(sorted(entry.name for entry in self.root.iterdir() if entry.is_dir())) or "no folder"
            raise InputError(
                f"{self.root} has no folder {task.folder!r}: expected {folder}/{prefix}en{suffix}; found {there}"
            )
        return _ordered(task, (path.stem.removeprefix(prefix) for path in folder.glob(f"{prefix}*{suffix}")))

    def load(self, task: Task, split: str, language: str) -> Dataset:
        _check_language(task, split, language, self.languages(task, split), str(self.root))
        path = self.root / task.folder / f"{FILE_PREFIXES[split]}-{language}{_suffix(task)}"
        if task.rung is not None:
            columns = _columns_of_trees(task, parse_trees(read_lines(path), str(path)))
        elif task.kind == "classification":
            columns = _read_pairs(path, task)
        else:
            columns = _read_sentences(path, task)
            columns["tokens"] = _without_prefix(columns["tokens"], language)
        return _build(task, columns, str(path))


class SampleSource:
    """The sample embedded in the package: English training and development data, test data in every language."""

    description = "sample"

    def languages(self, task: Task, split: str) -> list[str]:
        from . import sample

        return _ordered(task, sample.LANGUAGES) if check_split(split) == "test" else ["en"]

    def load(self, task: Task, split: str, language: str) -> Dataset:
        from . import sample

        _check_language(task, split, language, self.languages(task, split), "the sample")
        rows = sample.rows(task.folder, split, language)
        return normalise(task, Dataset.from_list(rows), language, f"the sample, {split}, {language}", hub=False)


def task_features(task: Task) -> Features:
    """Columns and types of a task's data sets."""
    label = ClassLabel(names=list(task.labels))
    if task.kind == "classification":
        return Features({"sentence1": Value("string"), "sentence2": Value("string"), "label": label})
    if task.kind == "parsing":
        return Features({"tokens": List(Value("string")), "heads": List(Value("int64")), "relations": List(label)})
    return Features({"tokens": List(Value("string")), "tags": List(label)})


def normalise(task: Task, raw: Dataset, language: str, where: str, hub: bool = True) -> Dataset:
    """Bring a data set of other columns and label types into the common shape.

    Labels may be `ClassLabel`s in any order, strings, or integers that are written like the label (0 for "0").
    Sentences without tokens are dropped, and the language prefixes of raw WikiANN tokens ("de:Haus") are removed. Of
    trees, what has no head (multiword ranges and empty nodes, which the Hub's conversion keeps) is dropped.

    Args:
        where: how error messages name the data set.
        hub: whether the columns have the names of `Task.hub`, or already ours.

    Raises:
        InputError: for missing columns, unknown or missing labels, sentences with more or fewer tags than tokens, and
            heads that are no tree with one root.
    """
    columns_needed = task_features(task) if task.rung is None else _TREE_COLUMNS
    names = {ours: task.hub.columns[ours] if hub else ours for ours in columns_needed}
    if absent := [name for name in names.values() if name not in raw.column_names]:
        raise InputError(f"{where}: no column {absent[0]!r}; found {', '.join(raw.column_names)}")
    values = raw.select_columns(list(names.values()))[:]
    columns: dict[str, list] = {ours: values[theirs] for ours, theirs in names.items()}
    if task.rung is not None:
        return _build(task, _columns_of_trees(task, _raw_trees(columns, raw.features[names["upos"]], where)), where)
    if task.kind == "classification":
        columns["label"] = _label_ids(task, columns["label"], raw.features[names["label"]], where)
        for name in ("sentence1", "sentence2"):
            columns[name] = [sentence or "" for sentence in columns[name]]
        return _build(task, columns, where)

    sentences = [(tokens, tags) for tokens, tags in zip(columns["tokens"], columns["tags"], strict=True) if tokens]
    for tokens, tags in sentences:
        if len(tokens) != len(tags):
            raise InputError(f"{where}: {len(tokens)} tokens have {len(tags)} tags: {' '.join(tokens)[:80]!r}")
    flat = [tag for _, tags in sentences for tag in tags]
    ids = iter(_label_ids(task, flat, raw.features[names["tags"]].feature, where))
    columns = {
        "tokens": _without_prefix([tokens for tokens, _ in sentences], language),
        "tags": [[next(ids) for _ in tags] for _, tags in sentences],
    }
    return _build(task, columns, where)


_TREE_COLUMNS = ("tokens", "upos", "heads", "relations")
_NO_HEAD = (None, "None", "_", "")


def _raw_trees(columns: dict[str, list], upos_feature: Any, where: str) -> list[Tree]:
    """The trees of a data set: heads may be strings, parts of speech `ClassLabel`s, relations have subtypes."""
    if isinstance(upos_feature.feature, ClassLabel):
        columns = columns | {"upos": [upos_feature.feature.int2str(tags) for tags in columns["upos"]]}
    trees: list[Tree] = []
    for number, row in enumerate(zip(*(columns[name] for name in _TREE_COLUMNS), strict=True), start=1):
        here = f"{where}: sentence {number}"
        if len(set(map(len, row))) > 1:
            counts = ", ".join(f"{len(values)} {name}" for name, values in zip(_TREE_COLUMNS, row, strict=True))
            raise InputError(f"{here}: expected as many of each, found {counts}")
        words = [word for word in zip(*row, strict=True) if word[2] not in _NO_HEAD]
        if not words:
            continue
        tokens, upos, heads, relations = (list(values) for values in zip(*words, strict=True))
        relations = [universal(relation or "") for relation in relations]
        for values, known, what in ((upos, UPOS, "part of speech"), (relations, RELATIONS, "relation")):
            if unknown := [value for value in values if value not in known]:
                raise InputError(f"{here}: unknown {what} {unknown[0]!r}; expected one of {', '.join(known)}")
        try:
            tree = Tree(tokens, upos, [int(head) for head in heads], relations)
        except ValueError as error:
            raise InputError(f"{here}: a head is not a number: {one_line(error)}") from error
        if found := fault(tree.tokens, tree.heads):
            raise InputError(f"{here}: {found[1]}")
        trees.append(tree)
    return trees


def _columns_of_trees(task: Task, trees: Sequence[Tree]) -> dict[str, list]:
    """The columns of a task that is made from trees."""
    assert task.rung is not None
    ids = {label: index for index, label in enumerate(task.labels)}
    labels = [[ids[label] for label in RUNGS[task.rung].label(tree)] for tree in trees]
    columns: dict[str, list] = {"tokens": [tree.tokens for tree in trees]}
    if task.kind == "tagging":
        return columns | {"tags": labels}
    return columns | {"heads": [tree.heads for tree in trees], "relations": labels}


def _label_ids(task: Task, values: Sequence[Any], feature: Any, where: str) -> list[int]:
    """Our ids of a data set's labels, matched by name."""
    name_of: Callable[[Any], str] = str
    if isinstance(feature, ClassLabel):
        name_of = list(feature.names or ()).__getitem__
    seen = set(values)
    if seen & {None, -1}:  # -1 is how `ClassLabel` columns write "no label"
        raise InputError(f"{where}: rows without a label; expected one of {', '.join(task.labels)}")
    names = {value: name_of(value) for value in seen}
    known = _known_labels(task)
    if unknown := sorted(name for name in names.values() if name not in known):
        raise InputError(
            f"{where}: unknown label {unknown[0]!r}; seen {', '.join(sorted(names.values()))}; "
            f"expected {', '.join(task.labels)}"
        )
    return [known[names[value]] for value in values]


def _known_labels(task: Task) -> dict[str, int]:
    known = {label: index for index, label in enumerate(task.labels)}
    return known | {alias: known[label] for alias, label in task.label_aliases.items()}


def _ordered(task: Task, codes: Iterable[str]) -> list[str]:
    place = {language: index for index, language in enumerate(task.languages)}
    return sorted(set(codes), key=lambda code: (place.get(code, len(place)), code))


def _check_language(task: Task, split: str, language: str, there: Sequence[str], where: str) -> None:
    if language not in there:
        raise InputError(
            f"{task.name} has no {split} data for {language!r} in {where}: there is {', '.join(there) or 'none'}"
        )


def _build(task: Task, columns: dict[str, list], where: str) -> Dataset:
    labels = columns[LABEL_COLUMNS[task.kind]]
    if not labels:
        raise InputError(f"{where}: no data")
    rows = len(labels)
    if task.kind != "classification":
        labels = [label for sentence in labels for label in sentence]
    if rows >= PLACEHOLDER_ROWS and len(set(labels)) == 1 < len(task.labels):
        raise InputError(
            f"{where}: every label is {task.labels[labels[0]]!r}, which looks like a placeholder for hidden labels; "
            "labelled data are needed"
        )
    return Dataset.from_dict(columns, features=task_features(task))


def _without_prefix(sentences: list[list[str]], language: str) -> list[list[str]]:
    """Tokens without the "xx:" of raw WikiANN files, which stands before every token or before none."""
    prefix = f"{language}:"
    if not all(token.startswith(prefix) for tokens in sentences for token in tokens):
        return sentences
    return [[token.removeprefix(prefix) or token for token in tokens] for tokens in sentences]


def _suffix(task: Task) -> str:
    return ".tsv" if task.rung is None else ".conllu"


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file without their ends; InputError where it is not UTF-8."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: byte 0x{content[error.start]:02x} is not UTF-8") from error
    # Not splitlines(): sentences may hold its other separators, such as U+2028.
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def _read_pairs(path: Path, task: Task) -> dict[str, list]:
    known = _known_labels(task)
    columns: dict[str, list] = {"sentence1": [], "sentence2": [], "label": []}
    for number, line in enumerate(read_lines(path), start=1):
        fields = line.split("\t")
        if len(fields) != 3 or fields[2].strip() not in known:
            _malformed(path, number, line, fields, ("sentence1", "sentence2", "label"), task)
        columns["sentence1"].append(fields[0])
        columns["sentence2"].append(fields[1])
        columns["label"].append(known[fields[2].strip()])
    return columns


def _read_sentences(path: Path, task: Task) -> dict[str, list]:
    known = _known_labels(task)
    columns: dict[str, list] = {"tokens": [], "tags": []}
    tokens: list[str] = []
    tags: list[int] = []
    for number, line in enumerate([*read_lines(path), ""], start=1):
        if line.strip():
            fields = line.split("\t")
            if len(fields) != 2 or not fields[0] or fields[1].strip() not in known:
                _malformed(path, number, line, fields, ("token", "tag"), task)
            tokens.append(fields[0])
            tags.append(known[fields[1].strip()])
        elif tokens:
            columns["tokens"].append(tokens)
            columns["tags"].append(tags)
            tokens, tags = [], []
    return columns


def _malformed(path: Path, number: int, line: str, fields: list[str], names: tuple[str, ...], task: Task) -> NoReturn:
    """Say what is wrong with a line: no label, an unknown label, an empty token, or another number of fields."""
    label = fields[-1].strip()
    if len(fields) == len(names) - 1 or (len(fields) == len(names) and not label):
        found = f"no {names[-1]}; XTREME's public test files leave them out, labelled files are needed"
    elif len(fields) != len(names):
        found = f"{len(fields)} fields" if line.strip() else "a blank line"
    elif not fields[0] and names[0] == "token":
        found = "an empty token"
    else:
        found = f"the {names[-1]} {label!r}, which is not one of {', '.join(task.labels)}"
    raise InputError(f"{path}:{number}: expected {'<tab>'.join(names)}, found {found}: {shortened(line)}")
