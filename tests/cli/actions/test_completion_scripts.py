"""The printed completion scripts; test_completion.py presses TAB in their shells."""

import subprocess

import pytest
from conftest import RIND

from rind.cli.actions.completion_scripts import SCRIPTS
from rind.cli.option_table import SHELLS


@pytest.mark.parametrize("name", SHELLS)
def test_each_script_is_printed_as_it_is(name: str) -> None:
    done = subprocess.run([RIND, "--completion", name], capture_output=True, check=True)
    assert done.stdout.decode() == SCRIPTS[name]
