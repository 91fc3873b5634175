"""What is secret, and what is a path of this machine; and what only looks like one."""

from pathlib import Path

import pytest

from modeling_dlfa.privacy import has_secret, names_machine, secret_place, without_paths, without_secrets


TOKEN = "hf_" + "aB3" * 11


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"with {TOKEN}.", "with ***."),
        (f"https://jane:{TOKEN}@host/x", "https://jane:***@host/x"),
        ("postgresql+psycopg://me:pw@host:5432/db?a=b", "postgresql+psycopg://me:***@host:5432/db?a=b"),
        ("ghp_" + "a1" * 18, "***"),
        ("AKIA" + "A1B2" * 4, "***"),
        ("key 0123456789abcdef", "key ***"),  # in the environment
        ("postgresql://me@host/db", None),
        ("https://example.org:80/a@b", None),
        ("user/hf_bert_base", None),
        ("hf_model", None),
        ("short", None),  # in the environment too
        ("a:b@c", None),
    ],
)
def test_secrets(text: str, expected: str | None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")
    monkeypatch.setenv("OTHER_PASSWORD", "short")
    assert without_secrets(text) == (text if expected is None else expected)
    assert has_secret(text) == (expected is not None)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"arguments": {"hub_token": "x"}}, "arguments.hub_token"),
        ({"models": {"dlfa": {"x": [{"y": TOKEN}]}}}, "models.dlfa.x.y"),
        ({"notes": f"mine is {TOKEN}"}, "notes"),
        ({TOKEN: 1}, "***"),
        ({"wandb_api_key": "x", "other": 1}, "wandb_api_key"),
        ({"hub_token": None, "pad_token": "[PAD]", "include_num_input_tokens_seen": "no", "bos_token_id": 1}, None),
    ],
)
def test_where_a_secret_stands(value: dict, place: str | None):
    assert secret_place(value) == place


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/home/jane/xtreme", "xtreme"),
        ("~/xtreme", "xtreme"),
        ("~jane/xtreme", "xtreme"),
        ("C:\\Users\\jane\\xtreme", "xtreme"),
        ({"/home/jane/hotel.yaml": [{"data": "/tmp/x"}]}, {"hotel.yaml": [{"data": "x"}]}),
        *[(same, same) for same in ("../shared/xtreme", "user/model", "/", "//", "~", "/ or", "/SYM", "", 3, None)],
        ({"id2label": {"0": "/a/b"}, "labels": ["~/x"]}, {"id2label": {"0": "/a/b"}, "labels": ["~/x"]}),
    ],
)
def test_paths_become_their_last_part(value: object, expected: object):
    assert without_paths(value) == expected


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("as in /home/jane/notes", "/home/jane"),
        ("`/Users/jane`", "/Users/jane"),
        ("C:\\Users\\jane\\x", "C:\\Users\\jane"),
        ("from /data/own/x", "/data/own"),
        ("from /data/owner", None),
        ("https://example.org/home/jane", None),
        ("at home/jane", None),
    ],
)
def test_folders_of_this_machine(text: str, found: str | None):
    assert names_machine(text, Path("/data/own")) == found
