"""The console examples of a page: commands and their output."""

import os
import re
import subprocess
from pathlib import Path

from conftest import RIND, TIMEOUT


def blocks(kind: str, page: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


def examples(text: str) -> list[tuple[str, str]]:
    """Return the commands of a text's console blocks, each with its output."""
    return [
        (command, expected)
        for block in blocks("console", text)
        for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    ]


def assert_says(
    command: str, expected: str, env: dict[str, str], folder: Path | None = None
) -> None:
    done = subprocess.run(
        ["bash", "-c", command],
        env={"PATH": f"{Path(RIND).parent}:{os.environ['PATH']}", **env},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=TIMEOUT,
    )
    pattern = re.escape(expected.rstrip("\n")).replace("…", ".*")
    assert re.fullmatch(pattern, done.stdout.rstrip("\n")), (command, done.stdout)
