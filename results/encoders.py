"""What is to be known of an encoder before it is trained: sizes, and whether words keep the pieces of running text.

python results/encoders.py shapes                # results/encoders/shapes.json: from configurations, no weights
python results/encoders.py spaces DATA_FOLDER    # results/encoders/spaces.json: tokenizers trained on UD-POS
"""

import json
import sys
from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from modeling_dlfa import DLFAConfig
from modeling_dlfa.data.folder import FolderSource
from modeling_dlfa.files import write_text
from modeling_dlfa.modeling_dlfa import FUSIONS
from modeling_dlfa.tasks.encoding import WordPieces
from modeling_dlfa.tasks.registry import get_task
from modeling_dlfa.training.encoder_check import readable_positions, shape_of


FOLDER = Path(__file__).resolve().parent / "encoders"

# Hub id -> what its config.json says, as far as it decides sizes.
XLM_R: dict[str, Any] = {
    "model_type": "xlm-roberta",
    "vocab_size": 250002,
    "type_vocab_size": 1,
    "max_position_embeddings": 514,
    "pad_token_id": 1,
}
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
E5_SMALL = {"vocab_size": 250037, "hidden_size": 384, "intermediate_size": 1536}
MMBERT: dict[str, Any] = {
    "model_type": "modernbert",
    "vocab_size": 256000,
    "intermediate_size": 1152,
    "pad_token_id": 0,
}
ENCODERS: dict[str, dict[str, Any]] = {
    "google-bert/bert-base-multilingual-cased": {"model_type": "bert", "vocab_size": 119547},
    "FacebookAI/xlm-roberta-base": XLM_R,
    "FacebookAI/xlm-roberta-large": {**XLM_R, **LARGE},
    "microsoft/mdeberta-v3-base": {
        "model_type": "deberta-v2",
        "vocab_size": 251000,
        **{"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072},
        "type_vocab_size": 0,
        "relative_attention": True,
        "position_buckets": 256,
        "pos_att_type": ["p2c", "c2p"],
        "share_att_key": True,
        "norm_rel_ebd": "layer_norm",
        "position_biased_input": False,
    },
    "intfloat/multilingual-e5-small": {"model_type": "bert", **E5_SMALL},
    "intfloat/multilingual-e5-base": XLM_R,
    "jhu-clsp/mmBERT-small": {**MMBERT, "hidden_size": 384, "num_attention_heads": 6},
    "jhu-clsp/mmBERT-base": MMBERT,
    "EuroBERT/EuroBERT-210m": {"model_type": "eurobert", "vocab_size": 128256, "pad_token_id": 128001},
    "alibaba-nlp-community/gte-multilingual-base": {"model_type": "gte"},
}


def shapes() -> dict[str, Any]:
    """Name -> layers, width, default k and numbers of parameters; no weights are made."""
    found = {}
    for name, values in ENCODERS.items():
        config = AutoConfig.for_model(**values)
        encoder = shape_of(config)
        dlfa = DLFAConfig(encoder_config=config)
        found[name] = {
            "layers": config.num_hidden_layers,
            "width": config.hidden_size,
            "positions": readable_positions(config),
            "default_layer": dlfa.fusion_layer,
            "parameters": sum(one.numel() for one in encoder.parameters()),
            "word_embeddings": encoder.get_input_embeddings().weight.numel(),  # pyright: ignore
            "aif": sum(one.numel() for one in FUSIONS["aif"](dlfa).parameters()),
        }
    return found


# The ways of vocabularies to write the space before a word.
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
VOCABULARY, SENTENCES = 8000, 500
LANGUAGES = ("en", "de", "ru", "tr", "et")


def tokenizer_of(form: str, texts: Iterable[str]) -> PreTrainedTokenizerBase:
    """A tokenizer of 8,000 pieces, trained on texts.

    Args:
        form: "wordpiece", as mBERT's; "metaspace", as XLM-R's; "byte_level", as ModernBERT's and EuroBERT's; "gemma",
            as mmBERT's.
    """
    common = {"vocab_size": VOCABULARY, "special_tokens": SPECIAL, "show_progress": False}
    if form == "wordpiece":
        made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        made.normalizer = normalizers.BertNormalizer(lowercase=False)
        made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        made.decoder = decoders.WordPiece()
        trainer: Any = trainers.WordPieceTrainer(**common)
    elif form == "metaspace":
        made = Tokenizer(models.Unigram())
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        made.decoder = decoders.Metaspace()
        trainer = trainers.UnigramTrainer(unk_token="[UNK]", **common)
    elif form == "byte_level":
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), **common)
    else:
        made = Tokenizer(models.BPE(unk_token="[UNK]"))
        made.normalizer = normalizers.Replace(" ", "▁")
        made.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
        made.decoder = decoders.Replace("▁", " ")
        trainer = trainers.BpeTrainer(**common)
    made.train_from_iterator(texts, trainer)
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token"), SPECIAL))
    return PreTrainedTokenizerFast(tokenizer_object=made, **names)


def spaces(folder: str) -> dict[str, Any]:
    """How many words after a sentence's first have the pieces that they have in running text, in percent."""
    task, source = get_task("udpos"), FolderSource(folder)
    sentences = {code: source.load(task, "validation", code)["tokens"][:SENTENCES] for code in LANGUAGES}
    trained_on = [" ".join(words) for code in LANGUAGES for words in sentences[code]]
    found: dict[str, dict[str, float]] = {}
    for form in ("wordpiece", "metaspace", "byte_level", "gemma"):
        tokenizer = tokenizer_of(form, trained_on)
        same, count = {"split": 0, "ours": 0}, 0
        for code in LANGUAGES:
            ours = WordPieces(tokenizer, sentences[code], 512, "character")
            for number, words in enumerate(sentences[code]):
                running = in_running_text(tokenizer, words)
                by_way = {"split": one_by_one(tokenizer, words), "ours": [pieces for pieces, _ in ours.words(number)]}
                count += len(words) - 1
                for way, pieces in by_way.items():
                    same[way] += sum(one == there for one, there in zip(pieces[1:], running[1:], strict=True))
        found[form] = {way: 100 * right / count for way, right in same.items()}
    return {"vocabulary": VOCABULARY, "sentences": SENTENCES, "languages": LANGUAGES, "forms": found}


def in_running_text(tokenizer: PreTrainedTokenizerBase, words: list[str]) -> list[list[int]]:
    """The pieces of each word of a text with spaces between; a space is of the word behind it."""
    text: Any = tokenizer(" ".join(words), add_special_tokens=False, return_offsets_mapping=True)
    ends = [end - 1 for end in accumulate(len(word) + 1 for word in words)]
    pieces: list[list[int]] = [[] for _ in words]
    for piece, (_, end) in zip(text["input_ids"], text["offset_mapping"]):
        pieces[bisect_left(ends, end)].append(piece)
    return pieces


def one_by_one(tokenizer: PreTrainedTokenizerBase, words: list[str]) -> list[list[int]]:
    """The pieces of each word as `is_split_into_words=True` gives them."""
    split: Any = tokenizer(words, is_split_into_words=True, add_special_tokens=False)
    pieces: list[list[int]] = [[] for _ in words]
    for piece, word in zip(split["input_ids"], split.word_ids()):
        pieces[word].append(piece)
    return pieces


if __name__ == "__main__":
    what = sys.argv[1]
    report = shapes() if what == "shapes" else spaces(sys.argv[2])
    FOLDER.mkdir(exist_ok=True)
    write_text(FOLDER / f"{what}.json", json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    print(f"written to {FOLDER / what}.json")
