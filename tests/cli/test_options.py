import pytest

from rind.cli.options import Option


@pytest.mark.parametrize(
    ("names", "metavar", "long", "short", "value"),
    [
        ("-u, --user", "USER", "--user", "-u", " USER"),
        ("--wait", "[=DURATION]", "--wait", "", "[=DURATION]"),
        ("--json", "", "--json", "", ""),
    ],
)
def test_an_option_knows_its_names_and_value(
    names: str, metavar: str, long: str, short: str, value: str
) -> None:
    option = Option(names, lambda _options, _value: None, "help", metavar=metavar)
    assert (option.long, option.short, option.value) == (long, short, value)
