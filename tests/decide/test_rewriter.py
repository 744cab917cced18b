from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rind.decide.path_map import PathMap
from rind.decide.rewriter import Rewriter
from rind.model import Mount

MOUNTS = [
    Mount("/home/me/my shop", "/app"),
    Mount("/home/me/api", "/app/api"),
    Mount("/home/odd", "/a b"),
    Mount("/", "/host"),
]


def rewritten(*parts: bytes, mounts: list[Mount] = MOUNTS) -> bytes:
    rewriter = Rewriter(PathMap(mounts))
    return b"".join([*map(rewriter.feed, parts), rewriter.close()])


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        (b"/app/x.py:3:1: E1\n", b"/home/me/my shop/x.py:3:1: E1\n"),
        (b"/app", b"/home/me/my shop"),
        (b"/app/", b"/home/me/my shop/"),
        (b'File "/app/api/x.py", line 3', b'File "/home/me/api/x.py", line 3'),
        (b"in (/app/x)", b"in (/home/me/my shop/x)"),
        (b"--root=/app", b"--root=/home/me/my shop"),
        (b"PATH=/bin:/app/bin", b"PATH=/bin:/home/me/my shop/bin"),
        (b"see file:///app/x%20y", b"see file:///home/me/my%20shop/x%20y"),
        (b"\tat /app\n\tat /app/x\n", b"\tat /home/me/my shop\n\tat /home/me/my shop/x\n"),
        (b"/host/etc /host", b"/etc /"),
        (b"/a b/c", b"/home/odd/c"),
        (
            b"https://app/x xfile:///app file:/app",
            b"https://app/x xfile:///home/me/my%20shop file:/home/me/my shop",
        ),
        (b"\xff\xfe /app/\xff", b"\xff\xfe /home/me/my shop/\xff"),
    ],
)
def test_a_containers_path_becomes_a_local_one(said: bytes, seen: bytes) -> None:
    assert rewritten(said) == seen


@pytest.mark.parametrize(
    "said",
    [
        b"/appetite",
        b"/app.py",
        b"x/app/y",
        b"./app/x",
        b"//app/x",
        b"~/app",
        b"https://app/x",
        b"https://example.org/app/x",
        b"-/app",
        b"",
        b"\x00\xff",
    ],
)
def test_other_output_is_unchanged(said: bytes) -> None:
    assert rewritten(said) == said


def test_only_the_beginning_of_a_path_is_held_back() -> None:
    rewriter = Rewriter(PathMap(MOUNTS))
    assert rewriter.feed(b"progress: 50 %") == b"progress: 50 %"
    assert rewriter.feed(b" at /ap") == b" at "
    assert rewriter.feed(b"ril") == b"/april"
    assert rewriter.feed(b" /app") == b" "
    assert rewriter.feed(b"\n") == b"/home/me/my shop\n"
    assert rewriter.feed(b"x /a") == b"x "
    assert rewriter.close() == b"/a"
    assert rewriter.close() == b""


def test_a_mount_at_the_containers_root_is_ignored() -> None:
    assert rewritten(b"/x /", mounts=[Mount("/home", "/")]) == b"/x /"
    assert rewritten(b"/x", mounts=[]) == b"/x"


PIECES = st.lists(
    st.sampled_from(
        [
            b"/app",
            b"/api",
            b"/a b",
            b"/host",
            b"file://",
            b"%20",
            b" ",
            b":",
            b"/",
            b"x",
            b"\n",
            b"\xff",
        ]
    )
    | st.binary(max_size=3),
    max_size=12,
)


@given(PIECES, st.sets(st.integers(0, 60)))
def test_any_cutting_yields_the_same_output(pieces: list[bytes], cuts: set[int]) -> None:
    said = b"".join(pieces)
    edges = sorted({0, len(said), *(cut for cut in cuts if cut < len(said))})
    parts = [said[start:end] for start, end in pairwise(edges)]
    for mounts in (MOUNTS, [Mount("/shop", "/app")], [Mount("/a\\1", "/app")]):
        assert rewritten(*parts, mounts=mounts) == rewritten(said, mounts=mounts)


@given(PIECES)
def test_an_empty_map_changes_nothing(pieces: list[bytes]) -> None:
    same = [Mount(path, path) for path in ("/app", "/app/api", "/a b")]
    said = b"".join(pieces)
    assert rewritten(said, mounts=same) == said
