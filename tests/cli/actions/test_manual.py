import os
import re
import shutil
import subprocess
from pathlib import Path

from rind.cli.actions import manual as module
from rind.cli.actions.manual import DOCS, manual, pages
from rind.cli.parser import LONG


def test_the_committed_pages_are_current() -> None:
    """If they are not, write them with ``python -m rind.cli.actions.manual``."""
    for name, text in pages().items():
        assert (DOCS / name).read_text() == text, name


def test_shells_load_the_installed_completion(tmp_path: Path) -> None:
    """The completion is where packages install it; no start-up file of the shell names it."""
    completion = DOCS / "completion"
    (tmp_path / "_rind").write_text((completion / "rind.zsh").read_text())
    for words, said in (
        (["bash", "-c", 'source "$1/rind.bash"; complete -p rind'], "complete -F _rind rind"),
        (
            [
                "zsh",
                "-fc",
                'fpath=("$2" $fpath); autoload -U compinit; compinit -D; echo $_comps[rind]',
            ],
            "_rind",
        ),
        (["fish", "--no-config", "-c", "source $argv[1]/rind.fish; complete rind"], "--no-files"),
    ):
        shell, *rest = words
        program = os.environ.get(f"RIND_TEST_{shell.upper()}") or shutil.which(shell)
        assert program, shell
        more = [] if shell == "fish" else ["x"]
        done = subprocess.run(
            [program, *rest, *more, completion, tmp_path],
            capture_output=True,
            text=True,
            check=True,
        )
        assert said in done.stdout, shell


def test_the_manual_describes_every_option_once() -> None:
    described = re.findall(r"(?m)^\.TP\n(.*)", manual())
    for option in LONG.values():
        name = option.long.replace("-", r"\-")
        assert sum(rf"\fB{name}\fR" in line for line in described) == 1


def test_no_line_is_an_accidental_request() -> None:
    requests = {".TH", ".SH", ".SS", ".PP", ".TP", ".B", ".BR"}
    for line in manual().splitlines():
        assert line
        assert line[0] != "'"
        assert line[0] != "." or line.split()[0] in requests


def test_special_characters_are_escaped() -> None:
    assert module._escaped(r"~. \n '-'") == r"\(ti. \en \(aq\-\(aq"
    assert module._escaped(".hidden") == r"\&.hidden"
