from rind.cli.option_table import OPTIONS
from rind.cli.parser import LONG, SHORT


def test_every_option_name_is_unique() -> None:
    options = [option for group in OPTIONS.values() for option in group]
    assert len(LONG) == len(options)
    assert len(SHORT) == len([option for option in options if option.short])


def test_every_excluded_or_needed_name_is_an_option() -> None:
    for option in LONG.values():
        assert {*option.excludes, option.needs} - {""} <= set(LONG)
