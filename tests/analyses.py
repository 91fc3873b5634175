"""Analyses from their command line, and the tables that they leave."""

import csv
from pathlib import Path

import pytest

from modeling_dlfa.__main__ import main


def analyse(capsys: pytest.CaptureFixture, *arguments: object) -> list[str]:
    """What an analysis prints, line by line."""
    assert main(["analyse", *map(str, arguments)]) == 0, capsys.readouterr().err
    return capsys.readouterr().out.splitlines()


def csv_rows(file: Path) -> list[dict[str, str]]:
    """The rows of a table by column."""
    return list(csv.DictReader(file.open(encoding="utf-8")))
