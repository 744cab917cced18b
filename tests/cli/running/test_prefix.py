import pytest
from hypothesis import given
from hypothesis import strategies as st

from rind.cli.running import prefix
from rind.cli.running.prefix import LONGEST, PrefixedLines, prefixes, wants_colour


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    ends = sorted(min(cut, len(data)) for cut in cuts)
    return [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]


output = st.lists(st.binary(max_size=12) | st.just(b"\n") | st.just(b"\r\n")).map(b"".join)


@given(output, st.lists(st.integers(0, 300)))
def test_any_cutting_yields_the_same_lines(data: bytes, cuts: list[int]) -> None:
    lines = PrefixedLines(b"web | ")
    given = b"".join(map(lines.feed, cut(data, cuts))) + lines.close()
    whole = data.removesuffix(b"\n").split(b"\n") if data else []
    assert given == b"".join(b"web | " + line + b"\n" for line in whole)


@given(output, st.lists(st.integers(0, 300)), st.integers(1, 9))
def test_long_lines_are_cut_at_the_same_places(data: bytes, cuts: list[int], longest: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefix, "LONGEST", longest)
        whole, parts = PrefixedLines(b""), PrefixedLines(b"")
        given = b"".join(map(parts.feed, cut(data, cuts))) + parts.close()
        assert given == whole.feed(data) + whole.close()
    assert given.replace(b"\n", b"") == data.replace(b"\n", b"")
    assert max(map(len, given.split(b"\n"))) <= longest


@given(output, st.lists(st.integers(0, 300)))
def test_feed_returns_whole_lines(data: bytes, cuts: list[int]) -> None:
    lines = PrefixedLines(b"> ")
    for part in cut(data, cuts):
        given = lines.feed(part)
        assert given == b"" or given.endswith(b"\n")
        assert all(line.startswith(b"> ") for line in given.split(b"\n")[:-1])


def test_an_endless_line_is_not_kept() -> None:
    lines = PrefixedLines(b"> ")
    given = b"".join(lines.feed(b"x" * 1000) for _ in range(1000))
    assert given.count(b"\n") == 10**6 // LONGEST
    assert lines.close() == b"> " + b"x" * (10**6 % LONGEST) + b"\n"
    assert lines.close() == b""


def test_a_carriage_return_does_not_overwrite_the_prefix() -> None:
    lines = PrefixedLines(b"w\\1| ", terminal=True)
    assert lines.feed(b"1%\r20%\r\r\n") == b"w\\1| 1%\rw\\1| 20%\r\r\n"
    assert PrefixedLines(b"web| ").feed(b"1%\r20%\n") == b"web| 1%\r20%\n"


def test_the_longest_line_is_not_cut() -> None:
    line = b"x" * LONGEST + b"\n"
    lines = PrefixedLines(b"")
    assert lines.feed(line[:-1]) == b""
    assert lines.feed(b"\n") == line
    assert lines.feed(line * 2) == line * 2


def test_prefixes_are_aligned_and_clean() -> None:
    assert prefixes(["web", "a\x1b[2Jb", "longer-1"], coloured=False) == [
        b"web       | ",
        b"a [2Jb    | ",
        b"longer-1  | ",
    ]


def test_each_prefix_has_a_colour() -> None:
    made = prefixes([f"web-{number}" for number in range(10)], coloured=True)
    assert made[:2] == [b"\x1b[0;36mweb-0  | \x1b[0m", b"\x1b[0;33mweb-1  | \x1b[0m"]
    assert len({prefix.partition(b"m")[0] for prefix in made}) == 10
    assert len(prefixes(["x"] * 1000, coloured=True)) == 1000


def test_colours_depend_on_the_terminal_and_environment() -> None:
    assert wants_colour({"TERM": "xterm", "NO_COLOR": ""}, terminal=True)
    assert wants_colour({}, terminal=True)
    assert not wants_colour({"NO_COLOR": "0"}, terminal=True)
    assert not wants_colour({"TERM": "dumb"}, terminal=True)
    assert not wants_colour({"TERM": "xterm"}, terminal=False)
