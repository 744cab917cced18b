import pytest

from rind.cli.report import clean, line


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        ("two\nlines\r\n", "two lines"),
        ("\x1b[31mred\x1b[0m", "[31mred [0m"),
        ("\x9b2J\x07\x00\x7f", "2J"),
        ("\u202ereversed", "reversed"),
        ("æ漢 \U0001f600", "æ漢 \U0001f600"),
        ("\udcff", ""),
    ],
)
def test_clean(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned
    assert clean(text).isprintable()


def test_a_line_is_one_line() -> None:
    assert line("a\nb") == "rind: a b\n"
