"""What a page shows of a run, for every kind: the fields it asks for, its answer, its gate, its examples."""

import json
from pathlib import Path

import pytest

import modeling_dlfa
from modeling_dlfa.data.sample import LANGUAGES
from modeling_dlfa.demo.runs import EXAMPLES, DemoRun, examples, open_runs, snippet
from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.kinds import KINDS
from modeling_dlfa.tasks.registry import TASKS, get_task
from modeling_dlfa.tasks.words import running_text, word_numbers, words_of
from tests.of_kinds import TRAINED
from tests.tiny_tokenizers import TOKENIZERS, with_mask


TYPED = {
    "panx": ("p1 o2, l3  g4.",),
    "udpos": ("n1 v2 p3",),
    "uddep": ("n1 v2 d3 a4",),
    "xnli": ("a b", "yes c"),
    "xquad": ("well", "b c p d e"),
    "xcopa": ("a b", "yes c\n\nno d\nwell"),
}


@pytest.fixture(scope="session")
def demo_run(run_of):
    """demo_run(task, *flags): an opened run."""
    opened: dict[tuple[str, ...], DemoRun] = {}

    def get(*arguments: str) -> DemoRun:
        if arguments not in opened:
            opened[arguments] = DemoRun(str(run_of(*arguments)))
        return opened[arguments]

    return get


@pytest.mark.parametrize("task", TYPED)
def test_what_is_typed_has_the_answer_of_predict(demo_run, task: str, capsys):
    run = demo_run(task)
    assert len(run.fields) == len(TYPED[task])
    seen = run.seen(TYPED[task])
    namespace: dict = {}
    exec(snippet([run], TYPED[task]), namespace)  # what is copied does the same
    assert run.task.kind.picture(run.task, TYPED[task], namespace["answer"]) == seen.picture
    assert capsys.readouterr().out.strip()
    picture = seen.picture
    assert picture.words or picture.shares
    assert all(0 <= share <= 1 for _, share in picture.shares)
    for mark in picture.marks:
        assert 0 <= mark.start < mark.end <= len(picture.text)


def test_the_picture_of_each_kind(demo_run):
    assert [word.text for word in demo_run("udpos").seen(TYPED["udpos"]).picture.words] == ["n1", "v2", "p3"]
    panx = demo_run("panx").seen(TYPED["panx"]).picture
    assert panx.text == TYPED["panx"][0] and {mark.label for mark in panx.marks} <= {"PER", "LOC", "ORG"}
    tree = demo_run("uddep").seen(TYPED["uddep"]).picture.words
    assert sum(word.head == 0 for word in tree) == 1 and all(0 <= (word.head or 0) <= 4 for word in tree)
    pair = demo_run("xnli").seen(TYPED["xnli"]).picture
    assert [name for name, _ in pair.shares] == list(get_task("xnli").labels)
    assert pair.headline == max(pair.shares, key=lambda share: share[1])[0]
    assert sum(share for _, share in pair.shares) == pytest.approx(1, abs=1e-3)
    answer = demo_run("xquad").seen(TYPED["xquad"]).picture
    (mark,) = answer.marks
    assert answer.text[mark.start : mark.end] == answer.headline == "p" == answer.shares[0][0]
    choice = demo_run("xcopa").seen(TYPED["xcopa"]).picture
    assert [name for name, _ in choice.shares] == ["yes c", "no d", "well"]
    assert choice.headline == max(choice.shares, key=lambda share: share[1])[0]


@pytest.mark.parametrize("task", TYPED)
def test_the_gate_is_that_of_the_model(demo_run, task: str):
    run = demo_run(task)
    seen = run.seen(TYPED[task])
    assert seen.layer == "1" and len(seen.gate) == (3 if task == "xcopa" else 1)
    shown = [word.text for row in seen.gate for word in row]
    if task in ("panx", "udpos", "uddep"):
        assert shown == [word.text if word.text.isalnum() else "[UNK]" for word in seen.picture.words]
    else:  # words as they are typed; of choices the prompt stands before each
        assert set(shown) == {word for part in TYPED[task] for word in part.split()}
    assert all(0 < word.used < 1 for row in seen.gate for word in row)


@pytest.mark.parametrize(
    "flags", [("--fusion", "none"), ("--fusion", "sum"), ("--config_overrides", '{"aif_output":"scale"}')]
)
def test_a_fusion_that_does_not_share_has_no_gate(demo_run, flags):
    assert demo_run("udpos", *flags).seen(TYPED["udpos"]).gate == ()


@pytest.mark.parametrize("task", TYPED)
@pytest.mark.parametrize("text", ["", " \n\t "])
def test_nothing_typed_is_one_line(demo_run, task: str, text: str):
    run = demo_run(task)
    for place in range(len(run.fields)):
        typed = [text if place == number else "a" for number in range(len(run.fields))]
        with pytest.raises(InputError) as caught:
            run.seen(typed)
        assert "expected" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("task", TRAINED)
def test_examples_in_ten_languages_can_be_asked(task: str):
    one = get_task(task)
    found, fields = examples(one), one.kind.fields(one)
    assert len(found) == EXAMPLES * len(LANGUAGES) == 20
    assert len({example.name.split()[0] for example in found}) == 10
    for example in found:
        assert len(example.typed) == len(fields) and all(example.typed) and "\n" not in example.name
    asked = [one.kind.asked(one, example.typed) for example in found]
    columns, _ = one.kind.from_texts(one, asked, TOKENIZERS["wordpiece"]())
    assert len(columns[one.kind.label_column]) == 20


def test_kinds_that_label_no_texts_say_so():
    built_in = {task.kind.name: task for task in TASKS.values()}  # other tests may have registered more
    assert built_in.keys() <= KINDS.keys()
    for name, task in built_in.items():
        kind = task.kind
        if kind.trains:
            assert all(field.label for field in kind.fields(task))
        else:
            with pytest.raises(InputError, match=f"{task.name}: labelling texts .* {name}"):
                kind.fields(task)


def test_two_runs_have_names_that_tell_them_apart(run_of):
    dlfa, plain, entities = run_of("udpos"), run_of("udpos", "--fusion", "none"), run_of("panx")
    assert [run.name for run in open_runs([str(dlfa), str(plain)])] == ["DLFA k=1", "baseline"]
    assert [run.name for run in open_runs([str(dlfa), str(entities)])] == ["udpos: DLFA k=1", "panx: DLFA k=1"]
    other = run_of("udpos", "--seed", "3")
    assert [run.name for run in open_runs([str(dlfa), str(other)])] == [f"{dlfa}: DLFA k=1", f"{other}: DLFA k=1"]


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        (("udpos", "xnli"), "is asked for Text, .* for Sentence 1, Sentence 2: expected runs asked the same"),
        (("udpos", "udpos"), "this is the same run twice"),
    ],
)
def test_runs_that_cannot_stand_beside_each_other(run_of, tasks, message: str):
    with pytest.raises(InputError, match=message):
        open_runs([str(run_of(task)) for task in tasks])


def test_what_is_no_run(tmp_path: Path):
    with pytest.raises(InputError, match="no finished run|holds no"):
        open_runs([str(tmp_path)])


def test_pairs_are_predicted_with_the_probability_of_every_label(run_of):
    (answer,) = modeling_dlfa.predict(run_of("xnli"), [TYPED["xnli"]])
    assert answer["probabilities"][answer["label"]] == answer["probability"] == max(answer["probabilities"].values())
    assert json.loads(json.dumps(answer)) == answer


# ---------------------------------------------------------------------------------------------------------------------
# Words
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["Maria", "trinkt", "Kaffee", "."], "Maria trinkt Kaffee."),
        (["昨日", "ピザ", "を", "食べ", "た", "。"], "昨日ピザを食べた。"),
        (["¿", "Dónde", "(", "aquí", ")", "?"], "¿ Dónde ( aquí)?"),
        (["Sony", "は", "東京"], "Sony は東京"),
        (["", "a"], "a"),
        ([], ""),
    ],
)
def test_running_text(words: list[str], text: str):
    assert running_text(words) == text


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("text", ["yes well no", "a1 b2, c3", "kl12 Sony"])
def test_pieces_belong_to_words(name: str, text: str):
    """Of single words, as words with labels are encoded, each is one; special tokens are none."""
    tokenizer = TOKENIZERS[name]()
    words = [text[start:end] for start, end in words_of(text, tokenizer)]
    spaced = words if name != "byte_level" else [words[0], *(f" {word}" for word in words[1:])]
    ids = [piece for word in spaced for piece in tokenizer(word, add_special_tokens=False)["input_ids"]]
    special = [tokenizer.all_special_ids[0]] if tokenizer.all_special_ids[0] != tokenizer.unk_token_id else []
    numbers = word_numbers([*special, *ids, *special], tokenizer)
    if special:
        assert numbers[0] is None and numbers[-1] is None
    real = [number for number in numbers if number is not None]
    assert real == sorted(real) and real[0] == 0 and real[-1] == len(words) - 1


@pytest.mark.parametrize("name", TOKENIZERS)
def test_hidden_words_are_words(name: str):
    tokenizer = with_mask(TOKENIZERS[name]())
    one, two = (
        tokenizer(word, add_special_tokens=False)["input_ids"]
        for word in ("one", "two" if name != "byte_level" else " two")
    )
    ids: list = [tokenizer.cls_token_id, *one, tokenizer.mask_token_id, *two, tokenizer.sep_token_id]
    assert word_numbers(ids, tokenizer) == [None, 0, 1, 2, None]
