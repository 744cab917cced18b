import pytest

from rind.errors import UsageError
from rind.files.exclude import Exclude

PATHS = ["main.pyc", ".git", "src", "src/a.pyc", "src/deep/b.pyc", "src/deep/.env", "a[1]"]


@pytest.mark.parametrize(
    ("pattern", "left_out"),
    [
        ("src", ["src"]),
        ("./src//deep/", []),
        ("src/*.pyc", ["src/a.pyc"]),
        ("*.pyc", ["main.pyc"]),
        ("*", ["main.pyc", ".git", "src", "a[1]"]),
        ("**/*.pyc", ["main.pyc", "src/a.pyc", "src/deep/b.pyc"]),
        ("src/**/*.pyc", ["src/a.pyc", "src/deep/b.pyc"]),
        ("src/**", ["src/a.pyc", "src/deep/b.pyc", "src/deep/.env"]),
        ("**/**/deep/?.p[xy]c", ["src/deep/b.pyc"]),
        ("**", PATHS),
        ("[!.m]*", ["src", "a[1]"]),
        ("a[[]1]", ["a[1]"]),
        ("SRC", []),
        ("src/a.pyc/**", []),
    ],
)
def test_a_pattern_excludes_paths(pattern: str, left_out: list[str]) -> None:
    exclude = Exclude([pattern])
    assert [path for path in PATHS if path.split("/") in exclude] == left_out


def test_several_patterns_exclude_paths() -> None:
    exclude = Exclude(iter(["x", ".git"]))
    assert [path for path in PATHS if path.split("/") in exclude] == [".git"]
    assert not any(path.split("/") in Exclude() for path in PATHS)


@pytest.mark.parametrize("pattern", ["", "/", "/src", ".", "a/..", "../a", "!a", "**.pyc", "a**/b"])
def test_an_invalid_pattern_is_rejected(pattern: str) -> None:
    with pytest.raises(UsageError, match=r"relative to|whole name|begin with"):
        Exclude([pattern])


@pytest.mark.parametrize("patterns", ["src", [b"src"], [None]])
def test_a_value_that_is_no_list_of_patterns_is_rejected(patterns: list[str]) -> None:
    with pytest.raises(TypeError, match=r"list of patterns|must be a str"):
        Exclude(patterns)
