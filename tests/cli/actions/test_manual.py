import re

from rind.cli.actions import manual as module
from rind.cli.actions.manual import DOCS, manual, option_page
from rind.cli.parser import LONG


def test_the_committed_pages_are_current() -> None:
    """If they are not, write them with ``python -m rind.cli.actions.manual``."""
    assert (DOCS / "rind.1").read_text() == manual()
    assert (DOCS / "options.md").read_text() == option_page()


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
