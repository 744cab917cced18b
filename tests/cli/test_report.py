import pytest

from rind.cli.report import age, clean, cut, line, table


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
def test_clean_removes_control_characters(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned
    assert clean(text).isprintable()


def test_a_message_is_one_line() -> None:
    assert line("a\nb") == "rind: a b\n"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0 seconds"),
        (1.9, "1 second"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (3600, "60 minutes"),
        (7200, "2 hours"),
        (47.9 * 3600, "47 hours"),
        (48 * 3600, "2 days"),
        (13 * 86400, "13 days"),
        (14 * 86400, "2 weeks"),
        (59 * 86400, "8 weeks"),
        (60 * 86400, "2 months"),
        (729 * 86400, "24 months"),
        (730 * 86400, "2 years"),
    ],
)
def test_age_uses_the_largest_unit(seconds: float, said: str) -> None:
    assert age(seconds) == said


@pytest.mark.parametrize(
    ("text", "width", "left"),
    [
        ("four", 4, "four"),
        ("fours", 4, "fou…"),
        ("漢字", 4, "漢字"),
        ("漢字", 3, "漢…"),
        ("漢字", 2, "…"),
        ("ne\u0301e", 3, "ne\u0301e"),
        ("x", 0, ""),
        ("x", -1, ""),
        ("", 0, ""),
    ],
)
def test_cut_shortens_to_the_width(text: str, width: int, left: str) -> None:
    assert cut(text, width) == left


def test_columns_are_aligned_by_their_width_on_the_screen() -> None:
    rows = [("A", "EMPTY", "C", "D"), ("漢字", "", "c", "dd"), ("abc", "", "", "d" * 60)]
    assert table(rows) == ["A     C  D", "漢字  c  dd", f"abc      {'d' * 60}"]
    assert table(rows, 12) == ["A     C  D", "漢字  c  dd", "abc      dd…"]
    wide = ("a" * 50, "b" * 50, "c")
    assert table([("A", "B", "C"), wide])[1] == f"{'a' * 50}  {'b' * 39}…  c"
    assert table([("A", "B")]) == []
    assert table([]) == []
