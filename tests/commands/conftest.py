"""Runs a command as the shell would, with its two outputs apart."""

import io
import re
from pathlib import Path

import pytest
from django.core.management import call_command


@pytest.fixture
def run():
    """(standard output, standard error) of a command."""

    def call(*words, **options):
        out, err = io.StringIO(), io.StringIO()
        call_command(*words, stdout=out, stderr=err, **options)
        return out.getvalue(), err.getvalue()

    return call


@pytest.fixture
def example():
    """The lines of the first example in a command's section of docs/commands.md, without the command itself."""

    def lines(command):
        page = (Path(__file__).resolve().parents[2] / "docs/commands.md").read_text()
        section = page.partition(f"\n## `{command}")[2].partition("\n## ")[0]
        block = re.search(r"^```\w*\n(.*?)^```", section, re.MULTILINE | re.DOTALL)[1]
        return [line for line in block.splitlines() if not line.startswith("$ ")]

    return lines
