"""Words of a line that is being typed, and words quoted for bash, compared with bash itself."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rind.cli.actions.completion import answer
from rind.cli.actions.shell_words import FISH, quoted, split
from rind.errors import UsageError


@pytest.mark.parametrize(
    ("line", "words", "quote"),
    [
        ("rind ", ["rind", ""], ""),
        ("rind l", ["rind", "l"], ""),
        ("rind a\\ b", ["rind", "a b"], ""),
        ("rind a\\", ["rind", "a"], "\\"),
        ("rind 'a b", ["rind", "a b"], "'"),
        ("rind 'a b'c", ["rind", "a bc"], ""),
        ('rind x"a\\"b', ["rind", 'xa"b'], '"'),
        ("rind --x=y:z", ["rind", "--x=y:z"], ""),
        ("rind 'a' ", ["rind", "a", ""], ""),
        ('~/bin/rind $x "$y" *.py {a,b} z', ["~/bin/rind", "$x", "$y", "*.py", "{a,b}", "z"], ""),
        ("rind ! a#b", ["rind", "!", "a#b"], ""),
        ('rind "no! \\!" \'!!', ["rind", "no! \\!", "!!"], "'"),
        ("rind a\\$\\`\\!\\~", ["rind", "a$`!~"], ""),
        ('rind "\\$\\`\\"\\\\\\a', ["rind", '$`"\\\\a'], '"'),
    ],
)
def test_split_returns_words_and_the_open_quote(line: str, words: list[str], quote: str) -> None:
    assert split(line) == (words, quote)


@pytest.mark.parametrize(
    "word",
    [
        *("$x", "${x}", "a$", '"$x', '"a$', "'a'$x", "~", "*", "a?", "[a", "{a", "a!", '"a!', "!a"),
        *("$(a", '"$(a', "`a", '"`a', "$'a", '$"a', "${x:-a", "$((1", "a;b", "a&b", "a|b", "<a"),
        *(
            ">a",
            "(a",
            "a)",
            "#a",
            "a\nb",
            '"a\\',
            "$(a) b",
            "`a` b",
            "$'a' b",
            '"${x:-a}" b',
            "a; b",
        ),
        *("# b", "a!b c", ">a b"),
    ],
)
def test_split_rejects_words_that_are_not_literal(word: str) -> None:
    with pytest.raises(UsageError, match="not a literal"):
        split(f"rind {word}")
    assert answer(["bash", f"rind --completion {word}", ""], {}) == []


@given(st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), min_size=1))
@pytest.mark.parametrize("quote", ["", "'", '"', "\\"])
def test_a_quoted_word_is_literal(quote: str, text: str) -> None:
    assert split(f"rind {quote}{quoted(text, quote)}")[0] == ["rind", text]


@pytest.mark.parametrize(
    ("after", "expected"),
    [("", ["sh"]), (" x", ["sh"]), ("\tx", ["sh"]), ("x", []), ("$x", []), ("'", []), ("; x", [])],
)
def test_only_the_end_of_a_word_is_completed(after: str, expected: list[str]) -> None:
    assert answer(["bash", "rind --completion z", after], {}) == expected


@pytest.mark.parametrize(
    ("after", "expected"),
    [("", ["sh"]), ("'", ["sh"]), ("' x", ["sh"]), ("'x", []), (" ", []), (" x'", []), ("x'", [])],
)
def test_only_the_end_of_a_quoted_word_is_completed(after: str, expected: list[str]) -> None:
    assert answer(["bash", "rind --completion 'z", after], {}) == expected
    found = expected if not after else []
    assert answer(["bash", "rind --completion z\\", after], {}) == found


@pytest.mark.parametrize(
    ("token", "word", "quote"),
    [
        ("", "", ""),
        ("a\\ b\\$", "a b$", ""),
        ("a'b\\'c\\d", "ab'c\\d", "'"),
        ('a"b\\"\\$', 'ab"$', '"'),
        ("50%", "50%", ""),
        ("\\", "", "\\"),
    ],
)
def test_split_reads_a_token_of_fish(token: str, word: str, quote: str) -> None:
    assert split(token, FISH) == ([word], quote)


@pytest.mark.parametrize(
    "token",
    [
        *("$x", '"$x', "a$", "~", "a~", "*", "'*", '"*', "\\*", "?", "{a", "(a", "a)", "%self"),
        *("\\n", "a;", "a&", "a|", "<a", "a b", "'a\\", '"a\\'),
    ],
)
def test_split_rejects_a_token_of_fish_that_is_not_literal(token: str) -> None:
    with pytest.raises(UsageError, match="not a literal"):
        split(token, FISH)
    assert answer(["fish-token", "--completion", token], {}) == []


NAMES = ["two words", "it's", 'say "hi"', "$HOME", "`id`", "a\\b", "*", "~x", "a;b&c|d", "æ漢", "#"]


@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_bash_reads_a_quoted_word_unchanged(quote: str) -> None:
    for name in NAMES:
        line = f"printf %s {quote}{quoted(name, quote)}{quote}"
        done = subprocess.run(["bash", "-c", line], capture_output=True, check=True)
        assert done.stdout.decode() == name
