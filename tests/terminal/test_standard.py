"""The kinds of files that the standard streams may be."""

import os
import pathlib

import pytest

from rind.terminal.standard import can_read, is_null


def test_the_null_device_is_recognized() -> None:
    reader, writer = os.pipe()
    null = os.open(os.devnull, os.O_RDONLY)
    zero = os.open("/dev/zero", os.O_RDONLY)
    try:
        assert is_null(null)
        assert not is_null(reader)
        assert not is_null(zero)
    finally:
        for fd in (reader, writer, null, zero):
            os.close(fd)
    assert is_null(null)  # closed


def test_readable_streams_are_recognized() -> None:
    reader, writer = os.pipe()
    assert can_read(reader)
    assert not can_read(writer)
    os.close(reader)
    os.close(writer)
    assert not can_read(reader)


def test_without_a_null_device_only_a_closed_descriptor_is_null(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setattr(os, "devnull", str(tmp_path / "none"))
    reader, writer = os.pipe()
    assert not is_null(reader)
    os.close(reader)
    assert is_null(reader)
    os.close(writer)
