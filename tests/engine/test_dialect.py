import pytest

from rind.engine.dialect import API_NEWEST, Dialect, read_dialect
from rind.transport.carrier import WrongAnswer


def test_dockers_dialect() -> None:
    assert read_dialect({"api-version": "1.41"}) == Dialect((1, 41))
    assert read_dialect({"api-version": "1.99"}) == Dialect(API_NEWEST)
    assert not Dialect((1, 41)).takes_console_size
    assert Dialect((1, 42)).takes_console_size
    assert Dialect().up_states == ["running", "paused", "restarting"]
    assert not Dialect().added_variable
    with pytest.raises(WrongAnswer, match="no Api-Version"):
        read_dialect({})


def test_podmans_dialect() -> None:
    podman = read_dialect({"api-version": "1.44", "libpod-api-version": "5.8.6"})
    assert podman == Dialect((1, 44), is_podman=True)
    assert not podman.takes_console_size
    assert podman.up_states == ["running", "paused"]
    assert podman.added_variable == "TERM=xterm"
