import pytest
from hypothesis import given
from hypothesis import strategies as st

from rind.decide.path_map import PathMap, uri_quoted
from rind.model import Mount

SHOP = PathMap(
    [Mount("/home/me/shop", "/app"), Mount("/home/me/shop/api", "/srv/api"), Mount("/data", "/d/")]
)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("/home/me/shop", "/app"),
        ("/home/me/shop/", "/app/"),
        ("/home/me/shop/x y.py", "/app/x y.py"),
        ("/home/me/shop/api/v1", "/srv/api/v1"),
        ("/home/me/shopping", "/home/me/shopping"),
        ("/data/x", "/d/x"),
        ("/elsewhere", "/elsewhere"),
        ("/home/me/shop/\udcff", "/app/\udcff"),
    ],
)
def test_a_path_is_mapped_both_ways(ours: str, theirs: str) -> None:
    assert SHOP.to_container(ours) == theirs
    assert SHOP.to_host(theirs) == ours


def test_a_path_that_leaves_its_mount_is_unchanged() -> None:
    assert SHOP.to_container("/home/me/shop/../secret") == "/home/me/shop/../secret"
    assert SHOP.to_host("relative/app") == "relative/app"
    assert SHOP.to_container("") == ""


def test_copies_of_single_files() -> None:
    copies = {"/lib/x": "/cache/lib/x"}
    paths = PathMap([Mount("/shop", "/app"), Mount("/same", "/same")], copies)
    assert paths.to_host("/lib/x") == "/cache/lib/x"
    assert paths.uri_to_host("file:///lib/x#L3") == "file:///cache/lib/x#L3"
    assert paths.to_host("/app/x") == "/shop/x"
    assert paths.to_host("/lib/y") == "/lib/y"
    assert [
        path for path in ("/app", "/app/x", "/same/x", "/lib/x", "/apps") if paths.has(path)
    ] == [
        *("/app", "/app/x", "/same/x"),
    ]


def test_the_root_of_either_side_can_be_mounted() -> None:
    whole = PathMap([Mount("/", "/host")])
    assert whole.to_container("/home/x") == "/host/home/x"
    assert whole.to_host("/host/home/x") == "/home/x"
    assert whole.to_host("/host") == "/"
    assert whole.to_host("/host/") == "/"
    assert whole.to_container("/") == "/host/"


@pytest.mark.parametrize(
    ("word", "mapped"),
    [
        ("/home/me/shop/x.py", "/app/x.py"),
        ("--config=/home/me/shop/x.toml", "--config=/app/x.toml"),
        ("-I=/home/me/shop", "-I=/app"),
        ("--root=file:///home/me/shop", "--root=file:///app"),
        ("file:///home/me/shop/a%20b?q#f", "file:///app/a%20b?q#f"),
        ("file://localhost/home/me/shop", "file://localhost/app"),
        ("file://elsewhere/home/me/shop", "file://elsewhere/home/me/shop"),
        ("/home/me/shop/x.py:3", "/app/x.py:3"),
        ("A=/home/me/shop", "A=/home/me/shop"),
        ("x/home/me/shop", "x/home/me/shop"),
        ("--x", "--x"),
        ("", ""),
    ],
)
def test_a_word_is_mapped(word: str, mapped: str) -> None:
    assert SHOP.word(word) == mapped


def test_a_mapped_uri_is_quoted() -> None:
    spaced = PathMap([Mount("/my shop", "/app")])
    assert spaced.uri_to_host("file:///app/%C3%BC") == "file:///my%20shop/%C3%BC"
    assert spaced.uri_to_container("file:///my%20shop/x") == "file:///app/x"
    assert spaced.uri_to_container("file:///my shop/x") == "file:///app/x"
    assert spaced.uri_to_host("https://app/x") == "https://app/x"


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1)


@given(NAMES.filter(lambda name: name not in {".", ".."}))
def test_any_name_survives_both_mappings(name: str) -> None:
    ours = f"file:///home/me/shop/{uri_quoted(name)}"
    assert SHOP.uri_to_host(SHOP.uri_to_container(ours)) == ours
