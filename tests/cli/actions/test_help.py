from rind.cli.actions.help import WIDTH, help_text, short_help
from rind.cli.parser import LONG


def test_the_whole_help_names_every_option() -> None:
    text = help_text()
    for option in LONG.values():
        assert option.long in text
        assert option.short in text


def test_the_help_fits_a_screen() -> None:
    for text in (short_help(), help_text()):
        assert max(map(len, text.splitlines())) <= WIDTH
        assert not any(line.endswith(" ") for line in text.splitlines())
    assert short_help().count("\n") < 50
