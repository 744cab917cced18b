from rind.cli.option_table import OPTIONS
from rind.cli.parser import LONG, SHORT


def test_no_name_is_given_twice() -> None:
    options = [option for group in OPTIONS.values() for option in group]
    assert len(LONG) == len(options)
    assert len(SHORT) == len([option for option in options if option.short])


def test_what_an_option_excludes_or_needs_is_an_option() -> None:
    for option in LONG.values():
        assert {*option.excludes, option.needs} - {""} <= set(LONG)
