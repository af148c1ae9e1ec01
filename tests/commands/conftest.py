"""Runs a command as the shell would, with its two outputs apart."""

import io

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
