import re
from pathlib import Path

from rind.cli.actions import manual as module
from rind.cli.actions.manual import manual, option_page
from rind.cli.parser import LONG

DOCS = Path(__file__).parents[3] / "rind" / "docs"


def test_what_is_kept_is_current() -> None:
    """Where it is not, ``python -m rind.cli.actions.manual`` writes it."""
    assert (DOCS / "rind.1").read_text() == manual()
    assert (DOCS / "options.md").read_text() == option_page()


def test_every_option_is_there() -> None:
    described = re.findall(r"(?m)^\.TP\n(.*)", manual())
    for option in LONG.values():
        name = option.long.replace("-", r"\-")
        assert sum(rf"\fB{name}\fR" in line for line in described) == 1


def test_no_line_is_a_request_by_accident() -> None:
    requests = {".TH", ".SH", ".SS", ".PP", ".TP", ".B", ".BR"}
    for line in manual().splitlines():
        assert line
        assert line[0] != "'"
        assert line[0] != "." or line.split()[0] in requests


def test_characters_that_roff_would_change() -> None:
    assert module._escaped(r"~. \n '-'") == r"\(ti. \en \(aq\-\(aq"
    assert module._escaped(".hidden") == r"\&.hidden"
