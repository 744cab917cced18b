import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rind.decide import library
from rind.decide.library import DEEPEST, LARGEST, Fetched, fetch_argv, fetched, named
from rind.decide.path_map import PathMap
from rind.model import Mount

SHOP = PathMap([Mount("/home/me/shop", "/app"), Mount("/same", "/same")])


def names(result: object) -> list[str]:
    return named({"id": 1, "result": result}, SHOP)


@pytest.mark.parametrize(
    "result",
    [
        {"uri": "file:///lib/x.py", "range": {}},
        [{"targetUri": "file:///lib/x.py", "originSelectionRange": {}}],
        [{"range": {}, "target": "file:///lib/x.py#L3"}],
        [{"name": "x", "location": {"uri": "file:///lib/x.py"}, "children": []}],
        [{"from": {"name": "f", "uri": "file:///lib/x.py"}, "fromRanges": []}],
        {"contents": "see [x](file:///lib/x.py#L3)"},
        {"contents": {"kind": "markdown", "value": "<file:///lib/x.py>"}},
        {"contents": ["no", {"language": "python", "value": "file:///lib/x.py"}]},
        {"changes": {"file:///lib/x.py": [], "file:///app/y.py": []}},
        {"documentChanges": [{"textDocument": {"uri": "file:///lib/x.py"}, "edits": []}]},
    ],
)
def test_locations_in_an_answer_are_named(result: object) -> None:
    assert names(result) == ["/lib/x.py"]


def test_other_values_are_not_named() -> None:
    location = {"location": {"uri": "file:///lib/x.py"}}
    assert named({"method": "x", "params": location}, SHOP) == []
    assert named({"id": 1, "method": "x", "result": location}, SHOP) == []
    assert named([location], SHOP) == named(None, SHOP) == []
    assert names(None) == names("file:///lib/x.py") == []
    assert names([{"data": location, "relatedInformation": [location], "uri": 3}]) == []
    assert names({"contents": 3, "changes": {"x": []}, "value": "file:///lib/x.py"}) == []


@pytest.mark.parametrize(
    "uri",
    [
        "file:///app/x.py",
        "file:///same/x.py",
        "file:///lib/../etc/x",
        "file:///lib/%2e%2e/etc/x",
        "file:///lib/./x",
        "file:///lib//x",
        "file:///lib/",
        "file:///",
        "file://lib/x",
        "file://elsewhere/lib/x",
        "file:lib/x",
        "/lib/x",
        "https://example.com/lib/x",
        "file:///lib/%00",
        "file:///lib/.git/config",
        "file:///.venv/.vscode/x.json",
        "file:///.venv/.envrc",
        "file:///.cargo/config.toml",
        "file:///lib/HEAD",
        "file:///lib/head",
        "file:///lib/%ff",
        "file:///lib/\ud800",
        "file://" + "/x" * (DEEPEST + 1),
        "file:///" + "x" * 1025,
    ],
)
def test_no_other_path_is_fetched(uri: str) -> None:
    assert names({"uri": uri}) == []


def test_a_quoted_uri_is_decoded() -> None:
    assert names({"uri": "file:///root/.venv/lib/x.py"}) == ["/root/.venv/lib/x.py"]
    assert names({"uri": "file://localhost/my%20l%C3%AFb/%0A%24(x)?q"}) == ["/my lïb/\n$(x)"]


def test_the_number_of_names_is_bounded() -> None:
    found = names([{"uri": f"file:///lib/{number % 100}"} for number in range(10_000)])
    assert found == [f"/lib/{number}" for number in range(64)]


def stamp(path: Path) -> str:
    return f"{path.stat().st_size} {int(path.stat().st_mtime)}"


def run(asked: dict[str, str]) -> bytes:
    """Run the script with this machine's sh instead of the container's."""
    return subprocess.run(fetch_argv(asked), capture_output=True, check=True, timeout=20).stdout


def test_the_script_sends_only_readable_regular_files(tmp_path: Path) -> None:
    """A named pipe, whose reading would block, is not read."""
    plain, empty, folder = tmp_path / "x $(y)\n.py", tmp_path / "-", tmp_path / "folder"
    plain.write_bytes(b"=\n-\n\0\xff")
    empty.touch()
    folder.mkdir()
    os.utime(plain, (7, 1_700_000_000))
    os.utime(empty, (7, 7))
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(plain)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "device").symlink_to("/dev/zero")
    with (tmp_path / "large").open("wb") as large:
        large.truncate(LARGEST + 1)
    missing = [str(tmp_path / name) for name in ("pipe", "loop", "device", "large", "none")]
    asked = {str(plain): "", str(tmp_path / "link"): stamp(plain), str(folder): "1 2"}
    asked |= dict.fromkeys(missing, "") | {str(empty): "1 7"}
    assert list(fetched(asked, run(asked))) == [
        Fetched(str(plain), True, b"=\n-\n\0\xff", 1_700_000_000),
        Fetched(str(tmp_path / "link"), True),
        Fetched(str(folder), False),
        *(Fetched(path, False) for path in missing),
        Fetched(str(empty), True, b"", 7),
    ]


def test_the_size_of_an_answer_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "MOST_AT_ONCE", 10)
    paths = [tmp_path / name for name in "abc"]
    for path, size in zip(paths, (6, 5, 4), strict=True):
        path.write_bytes(b"x" * size)
    asked = {str(path): "" for path in paths}
    found = list(fetched(asked, run(asked)))
    assert [file.content for file in found] == [b"xxxxxx", None, b"xxxx"]


ASKED = {"/a": "", "/b": "", "/c": "", "/d": ""}
OUTPUT = b"-\n5 1\n12\n4\n=\n0 -7\n"


def test_a_truncated_output_is_read() -> None:
    whole = list(fetched(ASKED, OUTPUT))
    assert whole == [
        Fetched("/a", False),
        Fetched("/b", True, b"12\n4\n", 1),
        Fetched("/c", True),
        Fetched("/d", True, b"", 0),
    ]
    for end in range(len(OUTPUT)):
        cut = list(fetched(ASKED, OUTPUT[:end]))
        assert cut == whole[: len(cut)]
        assert len(cut) < len(whole)


PIECES = st.sampled_from([b"-\n", b"=\n", b"1 1\n", b"9" * 9, b" ", b"-", b"\n", b"x", b"\xff"])


@given(st.lists(PIECES).map(b"".join))
def test_any_output_is_read(output: bytes) -> None:
    for file in fetched(ASKED, output):
        assert file.content is None or file.content in output
        assert 0 <= file.modified <= 2**40


def test_any_answer_is_read() -> None:
    """Any value may replace the expected one."""
    values: list[object] = [None, 3, "file:///lib/x", [], {}]
    for _ in range(2):
        keys = ("uri", "changes", "contents", "value", "x")
        values += [{key: value} for key in keys for value in values[:40]]
        values += [[value, value] for value in values[:40]]
    for value in values:
        assert set(names(value)) <= {"/lib/x"}
