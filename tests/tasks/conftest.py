"""Shared by the tests of tasks: tiny tokenizers."""

import pytest
from transformers import PreTrainedTokenizerBase

from tests.tiny_tokenizers import TOKENIZERS, byte_level, unigram, wordpiece


@pytest.fixture(params=TOKENIZERS)
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerBase:
    return TOKENIZERS[request.param]()


@pytest.fixture
def bert_tokenizer() -> PreTrainedTokenizerBase:
    return wordpiece()


@pytest.fixture
def xlmr_tokenizer() -> PreTrainedTokenizerBase:
    return unigram()


@pytest.fixture
def modernbert_tokenizer() -> PreTrainedTokenizerBase:
    return byte_level()
