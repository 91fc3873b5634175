"""What a study compares: a YAML file, and the grid of runs ("cells") that it asks for."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import check_writable, expanded, name_problem, read_json, read_yaml
from ..modeling_dlfa import states_read
from ..privacy import secret_place
from ..tasks.registry import TASKS, get_task
from ..training.arguments import AUTO_LAYER, RunArguments, fused_layers, layer_name
from ..training.derived import not_of_a_cell
from ..training.model import check_model, encoder_layers
from ..training.regimes import get_regime
from ..training.results import short_name
from .cells import Cell, Model, merged


TUNED_FILE = "tuned.json"
BASELINE = "baseline"
ALL_LAYERS = "all"


@dataclass(frozen=True)
class StudySpec:
    """A study as its YAML file describes it. `load_spec` reads one.

    Attributes:
        name: of the study, in its storage and in the report.
        tasks: task -> arguments of its runs.
        models: name -> arguments of its runs. `fusion_layer` may be a list of layers, or "all": one model for each.
            Layers that are fused at once are a list in it, `[[4, 8], 6]`, or alone the text "4,8". The baseline
            (fusion "none") is always part of the study.
        conditions: name -> arguments under which every model is run as well, such as `intermediate_tasks`; compared
            with the same model without.
        train_languages: codes; every cell is run with each as the language of its training and development data, and
            what the first brings is what the others are compared with. Empty: that of the arguments alone.
        encoders: Hub ids, folders, or "embedded".
        seeds: every cell is run once with each.
        arguments: of `run_xtreme.py`, for every run.
        tune: argument -> values. Every task and model, the baseline too, takes the combination that is best on
            development data of the training language, with the first seed.
        rivals: name in `models` -> other names that it is compared with beside the baseline, each at its layer chosen
            on development data.
        output_dir: where records, runs and the report go.
        keep_weights: keep the weights of every run; else only predictions, results and card.
        title, notes: shown in the report.
    """

    name: str
    tasks: dict[str, dict[str, Any]]
    models: dict[str, dict[str, Any]]
    output_dir: Path
    conditions: dict[str, dict[str, Any]] = field(default_factory=dict)
    train_languages: list[str] = field(default_factory=list)
    encoders: list[str] = field(default_factory=lambda: ["embedded"])
    seeds: list[int] = field(default_factory=lambda: [1, 2, 3])
    arguments: dict[str, Any] = field(default_factory=dict)
    tune: dict[str, list[Any]] = field(default_factory=dict)
    rivals: dict[str, list[str]] = field(default_factory=dict)
    keep_weights: bool = False
    title: str = ""
    notes: str = ""

    @property
    def records(self) -> Path:
        """Where the records of finished cells are."""
        return self.output_dir / "cells"

    @property
    def runs(self) -> Path:
        """Where the folders of finished runs are."""
        return self.output_dir / "runs"

    @property
    def stages(self) -> Path:
        """Where the stages of intermediate tasks are."""
        return self.output_dir / "stages"

    @cached_property
    def cells(self) -> list[Cell]:
        """The whole grid: seed by seed, so that what is done first is a complete comparison."""
        return [
            Cell(
                get_task(task).name,
                short_label(encoder),
                model,
                seed,
                self._arguments(task, encoder, model)
                | {"seed": seed}
                | ({} if source is None else {"train_language": source}),
                source,
            )
            for seed in self.seeds
            for task in self.tasks
            for encoder in self.encoders
            for source in self.train_languages or [None]
            for model in self.expanded(encoder)
        ]

    def expanded(self, encoder: str) -> list[Model]:
        """The models with one encoder, the baseline first, lists of layers taken apart; then each under conditions.

        Models may share the stage of a condition: in this order, few workers wait for a stage that another trains.
        """
        models = [Model(BASELINE, BASELINE, {"fusion": "none"})]
        for name, arguments in self.models.items():
            layers = arguments.get("fusion_layer")
            if layers == ALL_LAYERS:
                layers = list(range(encoder_layers(encoder)))
            if isinstance(layers, list):
                models += [
                    Model(f"{name}-k{layer_name(k)}", name, {**arguments, "fusion_layer": k})
                    for k in map(fused_layers, layers)
                ]
            else:
                models.append(Model(name, name, arguments))
        return models + [
            model.under(condition, arguments) for model in models for condition, arguments in self.conditions.items()
        ]

    def _arguments(self, task: str, encoder: str, model: Model) -> dict[str, Any]:
        own = {"task": task, "model_name_or_path": encoder}
        name = self.tuned_name(get_task(task).name, short_label(encoder), model.tuned_as)
        tuned = self.tuned[name]["arguments"] if name in self.tuned else {}
        return {**merged(self.arguments, self.tasks[task], model.arguments, tuned), **own}

    @cached_property
    def tuned(self) -> dict[str, dict[str, Any]]:
        """What tuning has found for each of `tuned_name`; empty where it was not done, or for another grid.

        The `arguments` that were best, their `score`, and how many choices were `equal` to it, itself included.
        """
        path = self.output_dir / TUNED_FILE
        if not self.tune or not path.is_file():
            return {}
        values = read_json(path)
        return values["best"] if values["tune"] == self.tune else {}

    def check_tuned(self) -> None:
        """Refuse what was tuned by another grid, or not for all models: cells would have arguments that nobody chose.

        Raises:
            InputError: there is such a file.
        """
        path = self.output_dir / TUNED_FILE
        if not (self.tune and path.is_file()):
            return
        if (found := read_json(path)["tune"]) != self.tune:
            raise InputError(f"{path} was found for the grid {found}, the study has {self.tune}: run the study")
        for cell in self.cells:
            if (name := self.tuned_name(cell.task, cell.encoder, cell.model.tuned_as)) not in self.tuned:
                raise InputError(f"{path} has nothing for {name}: run the study")

    @staticmethod
    def tuned_name(task: str, encoder: str, group: str) -> str:
        """What the tuning of a group of models is called, and its folder."""
        return f"{task}/{encoder}/{group}"

    def keeping_states(self, cell: Cell, arguments: RunArguments) -> RunArguments:
        """Arguments of a cell by which the states that any cell with its encoder reads are kept once computed."""
        if not get_regime(arguments.train).on_states:
            return arguments
        read = sorted(self._states_read[cell.encoder])
        return replace(arguments, states_layers=",".join(map(str, read)))

    @cached_property
    def _states_read(self) -> dict[str, set[int]]:
        """Encoder -> layers that a model of the study reads of it."""
        read: dict[str, set[int]] = {}
        for cell in self.cells:
            if cell.seed == self.seeds[0]:
                read.setdefault(cell.encoder, set()).update(states_read(check_model(cell.run_arguments("unused")[0])))
        return read

    def check(self) -> None:
        """Look at every cell's arguments and encoder before anything is run.

        Raises:
            InputError: naming the cell and what is wrong with it.
        """
        check_writable(self.output_dir)
        self.check_distinct()
        runs: dict[str, Cell] = {}
        for cell in self.cells:
            if cell.seed != self.seeds[0]:
                break
            try:
                config = cell.check()
            except InputError as error:
                raise InputError(f"{self.name}, {'/'.join(cell.place)}/{cell.model.name}: {error}") from error
            # Also where one says what is the default of the other.
            said = {
                name: value for name, value in cell.settings.items() if name not in OF_CONFIG or value == AUTO_LAYER
            }
            _put(runs, json.dumps([said, config.to_dict()], sort_keys=True, default=str), cell)

    def check_distinct(self) -> None:
        """Refuse cells that leave the study's folder or share one, are one run by two names, or cannot be compared.

        One run would count as two; models beside one another are scored on the same data, with the same language left
        out.

        Raises:
            InputError: naming them.
        """
        folders: dict[str, Cell] = {}
        first: dict[tuple[str, ...], Cell] = {}
        runs: dict[str, Cell] = {}
        for cell in self.cells:
            for part in (*cell.place, cell.model.name):
                if problem := name_problem(part):
                    raise InputError(f"{self.name}: {problem}")
            if (other := folders.setdefault(cell.name.casefold(), cell)) is not cell:
                raise InputError(f"{self.name}: two runs are called alike: {other.name}, {cell.name}")
            try:
                _put(runs, json.dumps(cell.settings, sort_keys=True), cell)
                _check_alike(first.setdefault(cell.place, cell), cell)
            except InputError as error:
                raise InputError(f"{self.name}, {'/'.join(cell.place)}/{cell.model.name}: {error}") from error


def _put(runs: dict[str, Cell], key: str, cell: Cell) -> None:
    if (other := runs.setdefault(key, cell)) is not cell:
        raise InputError(
            f"{other.name} and {cell.name} are the same run, with the same arguments: leave out one of them"
        )


def _check_alike(first: Cell, cell: Cell) -> None:
    for name in ("data", "eval_split", "train_language"):
        there, here = (one.settings.get(name, "the default") for one in (first, cell))
        if there != here:
            instead = "under train_languages" if name == "train_language" else "in a study of its own"
            raise InputError(f"{name} {here}, where {first.model.name} has {there}: give it {instead}")


OF_CONFIG = ("fusion", "fusion_layer", "pooling", "config_overrides")  # arguments that the model's configuration holds


def short_label(encoder: str) -> str:
    """An encoder's name without the owner of its repository, or its folder's."""
    return short_name(encoder).rstrip("/").rpartition("/")[2]


def load_spec(path: str | Path, output_dir: str | Path | None = None) -> StudySpec:
    """Read a study's YAML file.

    Args:
        output_dir: instead of the file's own; default there: `runs/<name of the study>`.

    Raises:
        InputError: an unreadable file, an unknown or missing entry, a value of the wrong kind.
    """
    path = Path(expanded(path))
    values = read_yaml(path, "the study")
    entries = {entry.name for entry in fields(StudySpec)}
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected entries such as 'tasks: [xnli]', found {str(values)[:60]}")
    if unknown := sorted(map(str, values.keys() - entries)):
        raise InputError(f"{path}: unknown entry {unknown[0]!r}: expected {', '.join(sorted(entries))}")
    values = {name: value for name, value in values.items() if value is not None}
    values.setdefault("name", path.stem)
    if place := secret_place(values):
        raise InputError(
            f"{path}: {place}: is secret, and a study's settings are shown in its report: leave it out, and give it "
            "by the environment, as HF_TOKEN or with `hf auth login`"
        )
    values["output_dir"] = Path(expanded(output_dir or values.get("output_dir") or f"runs/{values['name']}"))
    for problem in _problems(values):
        raise InputError(f"{path}: {problem}")
    values["tasks"] = {task: arguments or {} for task, arguments in _mapping(values["tasks"]).items()}
    for entry in ("models", "conditions"):
        values[entry] = {name: arguments or {} for name, arguments in values.get(entry, {}).items()}
    return StudySpec(**values)


def _mapping(tasks: Any) -> dict[str, Any]:
    return dict.fromkeys(tasks) if isinstance(tasks, list) else tasks


def _problems(values: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a study's entries, one line each."""
    tasks = values.get("tasks")
    if not tasks or not isinstance(tasks, (list, dict)):
        yield f"tasks: expected some of {', '.join(TASKS)}, found {tasks!r}"
        return
    if problem := name_problem(values["name"]):
        yield f"name: {problem}"
    yield from _unlike("tasks", [get_task(str(task)).name for task in tasks])
    for entry in ("encoders", "seeds", "train_languages"):
        value = values.get(entry, ["there"])
        if not isinstance(value, list) or not (value or entry == "train_languages"):
            yield f"{entry}: expected a list, found {value!r}"
        elif len(set(map(str, value))) < len(value):
            yield f"{entry}: {value} names one twice"
    if not all(_is_whole(seed) for seed in values.get("seeds", [])):
        yield f"seeds: expected whole numbers, found {values['seeds']!r}"
    yield from _unlike("encoders", [short_label(str(encoder)) for encoder in values.get("encoders", [])])
    yield from _unlike("train_languages", values.get("train_languages", []))
    if values.get("train_languages") and values.get("conditions"):
        yield "train_languages: a study of conditions has one language of training; give one of the two"
    tune = values.get("tune", {})
    if not isinstance(tune, dict) or not all(isinstance(choices, list) and choices for choices in tune.values()):
        yield f"tune: expected arguments with lists of values, found {tune!r}"
        return
    sections = {"arguments": values.get("arguments", {}), "tune": tune}
    for entry in ("models", "conditions"):
        named = values.get(entry, {})
        if not isinstance(named, dict):
            yield f"{entry}: expected names with their arguments, found {named!r}"
            return
        yield from _unlike(entry, list(named))
        sections |= {f"{entry}.{name}": arguments for name, arguments in named.items()}
    sections |= {f"tasks.{task}": arguments for task, arguments in _mapping(tasks).items()}
    for section, arguments in sections.items():
        if not isinstance(arguments or {}, dict):
            yield f"{section}: expected arguments of run_xtreme.py with their values, found {arguments!r}"
            continue
        for name in arguments or {}:
            if name == "train_language" and values.get("train_languages"):
                yield f"{section}: train_language is given by train_languages; leave out one of them"
            if name in not_of_a_cell():
                yield f"{section}: {name} is not an argument to give here: the study sets it"
            if name == "intermediate_arguments" and section != "tune" and not isinstance(arguments[name], dict):
                yield f"{section}.{name}: expected arguments with their values, found {arguments[name]!r}"
        if section.startswith(("models.", "conditions.")):
            for name in sorted(tune.keys() & (arguments or {}).keys()):
                yield f"{section}.{name}: it is tuned; give it there or under tune"
        layers = (arguments or {}).get("fusion_layer")
        if section == "tune" and {"fusion", "fusion_layer"} & tune.keys():
            yield "tune: which layer is fused, and how, belongs under models"
        elif isinstance(layers, list) and not section.startswith("models."):
            yield f"{section}.fusion_layer: a list of layers belongs under models"
        elif isinstance(layers, list) and not (layers and all(map(_is_layers, layers))):
            yield f"{section}.fusion_layer: expected numbers of layers, or lists of such, found {layers!r}"
        elif isinstance(layers, list) and len({layer_name(fused_layers(k)) for k in layers}) < len(layers):
            yield f"{section}.fusion_layer: {layers} names one twice"
    yield from _unknown_rivals(values.get("rivals", {}), values.get("models", {}))
    if BASELINE in (str(name).casefold() for name in values.get("models", {})):
        yield f"models: {BASELINE!r} is always part of a study; give another name"


def _unknown_rivals(rivals: Any, models: dict[str, Any]) -> Iterator[str]:
    if not isinstance(rivals, dict) or not all(isinstance(others, list) and others for others in rivals.values()):
        yield f"rivals: expected names of models, each with a list of others, found {rivals!r}"
        return
    for name, others in rivals.items():
        for one in (name, *others):
            if one not in models:
                yield f"rivals: {one!r} is none of the models: expected some of {', '.join(models)}"
        if name in others or len(set(others)) < len(others):
            yield f"rivals.{name}: expected other models, each once, found {others}"


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_layers(value: Any) -> bool:
    return _is_whole(value) or (isinstance(value, list) and value != [] and all(map(_is_whole, value)))


def _unlike(entry: str, names: list[Any]) -> Iterator[str]:
    """What is wrong with names that become folders, where "A" and "a" may be the same."""
    for name in names:
        if problem := name_problem(name):
            yield f"{entry}: {problem}"
    if len({str(name).casefold() for name in names}) < len(names):
        yield f"{entry}: two are called alike: {', '.join(map(str, names))}"
