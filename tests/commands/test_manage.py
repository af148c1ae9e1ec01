"""The command line itself: whatever is wrong is a sentence and an exit status, never a traceback."""

import subprocess
import sys

import pytest

from tests.fakes.gateway import ROOT, RunningGateway

COMMANDS = (
    ["create_key", "alice"],
    ["apply_config", "-"],
    ["prune_history"],
    ["serve"],
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_database_without_tables_is_told_in_a_sentence(tmp_path, command):
    done = RunningGateway(tmp_path).manage(*command, stdin="clients: [{name: alice}]", check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    [sentence] = done.stderr.strip().splitlines()
    assert sentence.startswith("The database cannot be used: no such table")
    assert "manage.py bootstrap" in sentence


def test_an_output_that_cannot_be_written_is_told_in_a_sentence(tmp_path):
    gateway = RunningGateway(tmp_path)
    with open("/dev/full", "w") as full:
        command = [sys.executable, str(ROOT / "manage.py"), "help"]
        done = subprocess.run(command, env=gateway.environment, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "The output cannot be written: No space left on device.\n"


def test_who_asks_for_a_traceback_gets_it(tmp_path):
    done = RunningGateway(tmp_path).manage("create_key", "alice", "--traceback", check=False)
    assert "Traceback" in done.stderr
