import pytest

from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.languages import LANGUAGES, by_family
from modeling_dlfa.tasks.registry import TASKS, XTREME_TASKS, get_task
from modeling_dlfa.tasks.rungs import RUNGS
from modeling_dlfa.tasks.task import check_split
from tests.of_kinds import TRAINED, hub_of, score


# The language lists of XTREME's evaluate.py, and the figures of its scripts/train_<task>.sh.
XTREME = {
    "xnli": ("ar,bg,de,el,en,es,fr,hi,ru,sw,th,tr,ur,vi,zh", 3, 5, 100, 42),
    "pawsx": ("de,en,es,fr,ja,ko,zh", 2, 5, 200, 42),
    "panx": (
        "ar,he,vi,id,jv,ms,tl,eu,ml,ta,te,af,nl,en,de,el,bn,hi,mr,ur,fa,fr,it,pt,es,bg,ru,ja,ka,ko,th,sw,yo,my,zh,"
        "kk,tr,et,fi,hu",
        *(7, 10, 1000, 1),
    ),
    "udpos": (
        "af,ar,bg,de,el,en,es,et,eu,fa,fi,fr,he,hi,hu,id,it,ja,kk,ko,mr,nl,pt,ru,ta,te,th,tl,tr,ur,vi,yo,zh",
        *(17, 10, 500, 1),
    ),
    "xquad": ("en,es,de,el,ru,tr,ar,vi,th,zh,hi", 0, 3, 500, 42),
    "mlqa": ("en,es,de,ar,hi,vi,zh", 0, 3, 500, 42),
    "tydiqa": ("en,ar,bn,fi,id,ko,ru,sw,te", 0, 3, 500, 42),
}
OF_ANSWERS = (3e-5, 32, 384, 0.06, 1e-4)


UNTRAINED = {
    "bucc2018": "de fr ru zh",
    "tatoeba": (
        "ar he vi id jv tl eu ml ta te af nl de el bn hi mr ur fa fr it pt es bg ru ja ka ko th sw zh kk tr et fi hu"
    ),
}
# Kind, number of labels and reported metric, from easy to hard.
LADDER = {
    "uddep-upos": ("tags", 17, "accuracy"),
    "uddep-direction": ("tags", 3, "accuracy"),
    "uddep-depth": ("tags", 6, "accuracy"),
    "uddep-distance": ("tags", 13, "accuracy"),
    "uddep-arcs": ("trees", 1, "uas"),
    "uddep": ("trees", 37, "las"),
}


CONTROLS = {"uddep-masked": "masked"}


def test_there_are_xtremes_tasks_and_the_ladder():
    assert list(XTREME_TASKS) == [*XTREME, *UNTRAINED]
    assert list(TASKS)[: len(XTREME_TASKS) + len(LADDER)] == [*XTREME, *UNTRAINED, *LADDER]
    assert all(task.name == name for name, task in TASKS.items())
    assert all(TASKS[name].folder == name and TASKS[name].rung is None for name in XTREME)


@pytest.mark.parametrize("name", LADDER)
def test_the_ladder_shares_trees_recipe_and_source(name):
    kind, labels, metric = LADDER[name]
    task, whole = get_task(name), get_task("uddep")
    assert (task.kind.name, len(task.labels), task.metric, task.folder) == (kind, labels, metric, "uddep")
    assert task.rung is not None and task.labels == RUNGS[task.rung].labels
    assert len(set(task.labels)) == labels
    assert (task.hub, task.languages) == (whole.hub, whole.languages)
    recipe = task.recipe
    assert (recipe.num_train_epochs, recipe.learning_rate, recipe.per_device_train_batch_size) == (10, 2e-5, 32)
    assert recipe.max_length == (256 if kind == "trees" else 128)


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_read_the_sentences_of_the_ladder(name):
    task, rung = get_task(name), get_task("uddep-upos")
    assert (task.kind.name, task.labels, task.metric) == (CONTROLS[name], (), "accuracy")
    shared = ("hub", "languages", "folder", "recipe", "note")
    assert [getattr(task, one) for one in shared] == [getattr(rung, one) for one in shared]
    assert task.rung in RUNGS and task.metric_note
    assert {one.name for one in TASKS.values() if one.kind.control} == set(CONTROLS)


def test_every_language_of_the_ladder_has_one_treebank():
    task = get_task("uddep")
    treebanks = {code: hub_of(task).config_name(code) for code in task.languages}
    assert task.languages == ("en", *["ar", "de", "es", "fi", "fr", "hi", "id", "ja", "ru", "tr", "vi", "zh"])
    assert all(name.split("_")[0] == code and name.split("_")[1] for code, name in treebanks.items())
    assert treebanks["en"] == "en_ewt"
    for split in ("train", "validation"):
        assert set(hub_of(task).missing[split]) == {code for code, name in treebanks.items() if name.endswith("_pud")}


@pytest.mark.parametrize("name", XTREME)
def test_a_task_has_xtremes_languages_labels_and_recipe(name):
    languages, labels, epochs, eval_steps, seed = XTREME[name]
    task = get_task(name)
    assert sorted(task.languages) == sorted(languages.split(","))
    assert task.languages == ("en", *sorted(set(task.languages) - {"en"}))
    assert len(set(task.labels)) == len(task.labels) == labels
    recipe = task.recipe
    assert (recipe.num_train_epochs, recipe.eval_steps, recipe.seed) == (epochs, eval_steps, seed)
    expected = OF_ANSWERS if task.kind.name == "answers" else (2e-5, 32, 128, 0, 0)
    assert task.selects == (task.kind.name != "answers"), "XTREME's script for questions takes the last model"
    rate, batch, length = recipe.learning_rate, recipe.per_device_train_batch_size, recipe.max_length
    assert (rate, batch, length, recipe.warmup_steps, recipe.weight_decay) == expected


@pytest.mark.parametrize("name", UNTRAINED)
def test_a_task_without_training_has_xtremes_languages(name):
    task = get_task(name)
    assert list(task.languages) == sorted(UNTRAINED[name].split())
    assert not task.labels and not task.kind.trains and task.recipe.max_length == 512


@pytest.mark.parametrize(
    ("name", "path", "german", "chinese"),
    [
        ("tatoeba", "mteb/tatoeba-bitext-mining", "deu-eng", "cmn-eng"),
        ("bucc2018", "mteb/BUCC", "de-en", "zh-en"),
    ],
)
def test_hub_configurations_without_training(name, path, german, chinese):
    hub = hub_of(get_task(name))
    assert (hub.path, hub.config_name("de"), hub.config_name("zh")) == (path, german, chinese)


@pytest.mark.parametrize(
    ("name", "count"),
    [("xnli", 15), ("pawsx", 7), ("panx", 40), ("udpos", 33), ("xquad", 11), ("mlqa", 7), ("tydiqa", 9)],
)
def test_a_task_has_as_many_languages_as_the_paper_says(name, count):
    assert len(get_task(name).languages) == count


@pytest.mark.parametrize("name", TRAINED)
def test_the_reported_metric_is_one_that_the_scores_have(name):
    task = get_task(name)
    gold: list = list(task.labels) if task.kind.name == "pairs" else [list(task.labels)]
    predicted = gold
    if task.kind.name == "trees":
        predicted = gold = [[(0, label)] for label in task.labels]
    if task.kind.name == "choices":
        predicted = gold = [0, 1]
    if task.kind.name == "masked":
        predicted = gold = [["Rome"], ["a", "town"]]
    if task.kind.name == "answers":
        gold, predicted = [{"texts": ["Rome", "a town"], "language": "en"}] * 2, ["Rome", "town"]
    assert score(task, predicted, gold)[task.metric] == 100


@pytest.mark.parametrize(
    ("name", "path", "german", "chinese"),
    [
        ("xnli", "facebook/xnli", "de", "zh"),
        ("pawsx", "google-research-datasets/paws-x", "de", "zh"),
        ("panx", "google/xtreme", "PAN-X.de", "PAN-X.zh"),
        ("udpos", "google/xtreme", "udpos.German", "udpos.Chinese"),
        ("xquad", "google/xquad", "xquad.de", "xquad.zh"),
        ("mlqa", "facebook/mlqa", "mlqa.de.de", "mlqa.zh.zh"),
        ("tydiqa", "google-research-datasets/tydiqa", "secondary_task", "secondary_task"),
    ],
)
def test_hub_configurations_are_named_as_on_the_hub(name, path, german, chinese):
    hub = hub_of(get_task(name))
    assert (hub.path, hub.config_name("de"), hub.config_name("zh")) == (path, german, chinese)


@pytest.mark.parametrize(
    ("name", "split", "config"),
    [("xquad", "train", "plain_text"), ("mlqa", "validation", "plain_text"), ("tydiqa", "train", "secondary_task")],
)
def test_readers_are_trained_on_english_data_of_their_own(name, split, config):
    hub = hub_of(get_task(name))
    assert hub.config_name("en", split) == config
    assert hub.repositories.get(split, hub.path) == (hub.path if name == "tydiqa" else "rajpurkar/squad")
    assert hub.id_prefix("fi") == ("finnish-" if name == "tydiqa" else "")


@pytest.mark.parametrize("alias", [alias for task in TASKS.values() for alias in task.label_aliases.items()])
def test_aliases_lead_to_labels(alias):
    assert any(alias[1] in task.labels and alias[0] not in task.labels for task in TASKS.values())


def test_unknown_tasks_and_splits_are_named_with_the_choices():
    with pytest.raises(InputError, match="^unknown task 'ner': expected one of xnli, pawsx, panx, udpos, .*, xcopa$"):
        get_task("ner")
    with pytest.raises(InputError, match="^unknown split 'dev': expected one of train, validation, test$"):
        check_split("dev")


def test_every_language_of_a_task_is_described():
    codes = {code for task in TASKS.values() for code in task.languages}
    assert codes <= LANGUAGES.keys()
    assert len(codes) == 42
    for code, language in LANGUAGES.items():
        assert code == language.code
        assert language.name and language.family and language.script
    assert len({language.name for language in LANGUAGES.values()}) == len(LANGUAGES)


def test_udpos_names_are_those_of_the_hub_configurations():
    names = (
        "Afrikaans,Arabic,Basque,Bulgarian,Dutch,English,Estonian,Finnish,French,German,Greek,Hebrew,Hindi,Hungarian,"
        "Indonesian,Italian,Japanese,Kazakh,Korean,Chinese,Marathi,Persian,Portuguese,Russian,Spanish,Tagalog,Tamil,"
        "Telugu,Thai,Turkish,Urdu,Vietnamese,Yoruba"
    )
    task = get_task("udpos")
    assert sorted(hub_of(task).config_name(code) for code in task.languages) == sorted(
        f"udpos.{name}" for name in names.split(",")
    )


def test_families_group_languages_with_english_first():
    groups = by_family(["zh", "tr", "de", "xx", "ru", "en", "de", "hi", "aa"])
    assert groups == {
        "IE: Germanic": ["en", "de"],
        "IE: Slavic": ["ru"],
        "IE: Indo-Aryan": ["hi"],
        "Turkic": ["tr"],
        "Sino-Tibetan": ["zh"],
        "Other": ["aa", "xx"],
    }
    assert list(groups) == ["IE: Germanic", "IE: Slavic", "IE: Indo-Aryan", "Turkic", "Sino-Tibetan", "Other"]
    assert by_family([]) == {}


def test_the_members_of_a_family_stand_together():
    families = [language.family for language in LANGUAGES.values()]
    changes = 1 + sum(first != second for first, second in zip(families, families[1:], strict=False))
    assert changes == len(set(families))
