from rind.cli.actions.help import WIDTH, help_text
from rind.cli.parser import LONG


def test_the_help_names_every_option_and_fits_a_terminal() -> None:
    text = help_text()
    for option in LONG.values():
        assert option.long in text
        assert option.short in text
    assert max(map(len, text.splitlines())) <= WIDTH
    assert not any(line.endswith(" ") for line in text.splitlines())
