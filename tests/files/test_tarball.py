import io
import os
import socket
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rind.errors import Broken
from rind.files.exclude import Exclude
from rind.files.tarball import PART, Unpacker, pack

NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=90
).filter(lambda name: name not in {".", ".."})


def unpack(data: bytes, folder: Path, size: int = 1000) -> None:
    unpacker = Unpacker(folder)
    try:
        for at in range(0, len(data), size):
            unpacker.feed(data[at : at + size])
        unpacker.close()
    finally:
        unpacker.abort()


def tree(folder: Path) -> dict[str, object]:
    """Return a folder's contents, link targets, permissions and times."""
    seen: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            seen[name] = path.readlink()
        else:
            state = path.stat()
            content = path.read_bytes() if path.is_file() else b""
            seen[name] = content, state.st_mode, state.st_mtime, state.st_nlink
    return seen


@pytest.mark.parametrize("size", [1, 511, 512, 513, 100_000])
def test_a_tree_is_preserved(tmp_path: Path, size: int) -> None:
    source = tmp_path / "source"
    (source / "sub" / ("long name " * 20)).mkdir(parents=True)
    (source / "empty").touch()
    (source / "block").write_bytes(b"x" * 512)
    (source / "sub" / "run.sh").write_text("#!/bin/sh\n")
    (source / "sub" / "run.sh").chmod(0o755)
    (source / "hard").hardlink_to(source / "block")
    (source / "bytes \udcff").write_bytes(os.urandom(3000))
    (source / "absolute").symlink_to("/etc/passwd")
    (source / "dangling").symlink_to("../" * 60 + "nowhere")
    os.utime(source / "empty", (1e9, 1e9 + 0.25))
    (source / "sub").chmod(0o550)
    with socket.socket(socket.AF_UNIX) as left_out:
        left_out.bind(str(source / "socket"))
    (source / "to the socket").symlink_to("socket")
    target = tmp_path / "target"
    target.mkdir()
    unpack(b"".join(pack(source, "name")), target, size)
    (source / "socket").unlink()
    assert tree(target / "name") == tree(source)


@given(NAMES, st.binary(max_size=2000))
def test_any_name_is_preserved(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "file").write_bytes(data)
    (folder / "to").mkdir()
    unpack(b"".join(pack(folder / "file", name)), folder / "to")
    assert (folder / "to" / name).read_bytes() == data


def test_excluded_paths_are_not_packed(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("kept/x.o/kept.c", "kept/y.o", "left/out", "left.c"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).touch()
    (tmp_path / "to").mkdir()
    unpack(b"".join(pack(source, "left", exclude=Exclude(["**/?.o", "left"]))), tmp_path / "to")
    assert list(tree(tmp_path / "to")) == ["left", "left/kept", "left/left.c"]
    assert b"".join(pack(source / "left.c", "left.c", exclude=Exclude(["left.c"])))[0]


def test_the_archive_has_the_requested_owner(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for owner, expected in ((None, (os.getuid(), os.getgid())), ((7, 8), (7, 8))):
        data = io.BytesIO(b"".join(pack(tmp_path / "file", "f", owner)))
        with tarfile.open(fileobj=data) as tar:
            [member] = tar.getmembers()
        assert (member.uid, member.gid) == expected
        assert (member.uname, member.gname) == ("", "")


def archive(*members: tuple[str, bytes, str], data: bytes = b"") -> bytes:
    """Return an archive of headers: each a name, a type and a link's target."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, kind, link in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


HOSTILE = {
    "an absolute name": archive(("/tmp/x", tarfile.REGTYPE, "")),
    "a way up": archive(("a/../../x", tarfile.REGTYPE, "")),
    "no name": archive((".", tarfile.REGTYPE, "")),
    "a file below a link": archive(("a", tarfile.SYMTYPE, "/tmp"), ("a/x", tarfile.REGTYPE, "")),
    "a link below a link": archive(("a", tarfile.SYMTYPE, "/tmp"), ("a/x", tarfile.SYMTYPE, "y")),
    "a hard link to a file of ours": archive(("a", tarfile.LNKTYPE, "/etc/passwd")),
    "a hard link up": archive(("a", tarfile.LNKTYPE, "../outside")),
    "a hard link through a link": archive(
        ("a", tarfile.SYMTYPE, ".."), ("b", tarfile.LNKTYPE, "a/outside")
    ),
    "a file twice": archive(("a", tarfile.REGTYPE, ""), ("a", tarfile.REGTYPE, "")),
    "a device": archive(("a", tarfile.CHRTYPE, "")),
    "a pipe": archive(("a", tarfile.FIFOTYPE, "")),
    "noise": b"x" * 2000,
    "half a file": archive(("a", tarfile.REGTYPE, ""), data=b"x" * 600)[:1000],
    "nothing": b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_invalid_members_are_rejected(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").write_text("outside")
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises((Broken, OSError)):
        unpack(HOSTILE[name], folder)
    assert not Path("/tmp/x").exists()
    assert not (tmp_path / "x").exists()
    assert sorted(tmp_path.iterdir()) == [folder, tmp_path / "outside"]
    assert not any(path.is_file() and path.read_text() == "outside" for path in folder.rglob("*"))


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"5 path=x\n",
        b"999 path=x\n",
        b"13 size=-5555\n",
        b"12 mtime=nan\n",
        b"9 GNU.sparse=1\n",
    ],
)
def test_invalid_extended_headers_are_rejected(tmp_path: Path, record: bytes) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 2**21 if not record else len(record)
    data = info.tobuf(tarfile.USTAR_FORMAT) + record.ljust(512, b"\0")
    with pytest.raises(Broken, match=r"damaged|too early"):
        unpack(data + archive(("f", tarfile.REGTYPE, "")), tmp_path)


def test_setuid_bits_are_not_unpacked(tmp_path: Path) -> None:
    info = tarfile.TarInfo("f")
    info.mode = 0o6777
    unpack(info.tobuf(tarfile.PAX_FORMAT) + b"\0" * 1024, tmp_path)
    assert (tmp_path / "f").stat().st_mode & 0o7777 == 0o777


def test_a_file_that_shrinks_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1_000_000)
    parts = pack(path, "f")
    next(parts)
    next(parts)
    os.truncate(path, 300_000)
    with pytest.raises(OSError, match="became shorter"):
        list(parts)


def test_parts_are_of_a_bounded_size_and_not_small(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number}").write_bytes(b"x" * 1000)
    os.truncate(tmp_path / "0", 10 * PART)
    *parts, _ = map(len, pack(tmp_path, "f"))
    assert all(PART <= size < 2 * PART for size in parts)


def test_bytes_after_the_end_are_dropped(tmp_path: Path) -> None:
    unpacker = Unpacker(tmp_path)
    unpacker.feed(archive(("f", tarfile.REGTYPE, "")))
    unpacker.feed(b"x" * 1000)
    assert not unpacker._data
    unpacker.close()
    assert (tmp_path / "f").exists()
