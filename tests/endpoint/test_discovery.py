import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sockets import listening

from rind.endpoint.discovery import answering, well_known


def test_default_sockets_have_their_order() -> None:
    env = {"HOME": "/h", "XDG_RUNTIME_DIR": "/r", "COLIMA_HOME": "/c", "CONTAINER_HOST": "ssh://x"}
    assert list(dict.fromkeys(engine for engine, _ in well_known(env, 7))) == [
        *("rootless Docker", "Docker Desktop", "Colima", "Rancher Desktop", "OrbStack", "Lima"),
        *("Podman (CONTAINER_HOST)", "rootless Podman", "Podman", "Podman's machine"),
    ]
    assert ("rootless Podman", "/r/podman/podman.sock") in well_known(env, 7)
    assert list(well_known({}, 7)) == [
        ("rootless Docker", "/run/user/7/docker.sock"),
        ("rootless Podman", "/run/user/7/podman/podman.sock"),
        ("Podman", "/run/podman/podman.sock"),
    ]


@pytest.fixture
def short() -> Iterator[Path]:
    """Return a folder whose path is short enough for sockets."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


def test_the_first_listening_socket_is_used(short: Path) -> None:
    home, runtime = short / "home", short / "run"
    env = {"HOME": str(home), "XDG_RUNTIME_DIR": str(runtime)}
    assert answering(env) is None
    # The socket file of an engine that has ended.
    with listening(runtime / "docker.sock"):
        pass
    (runtime / "docker.sock").touch()
    assert answering(env) is None
    for engine, path in reversed(
        [
            ("Docker Desktop", home / ".docker/desktop/docker.sock"),
            ("Docker Desktop", home / ".docker/run/docker.sock"),
            ("Colima", home / ".colima/default/docker.sock"),
            ("Colima", home / ".config/colima/default/docker.sock"),
            ("Rancher Desktop", home / ".rd/docker.sock"),
            ("OrbStack", home / ".orbstack/run/docker.sock"),
            ("rootless Podman", runtime / "podman/podman.sock"),
        ]
    ):
        with listening(path) as listener:
            assert answering(env) == (f"unix://{path}", engine)
            listener.setblocking(False)
            listener.accept()[0].close()


def test_a_socket_with_a_full_backlog_is_listening(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with listening(path, backlog=0), socket.socket(socket.AF_UNIX) as first:
        first.connect(str(path))
        assert answering({"XDG_RUNTIME_DIR": str(tmp_path)}) == (
            f"unix://{path}",
            "rootless Docker",
        )


def test_unusable_variables_are_skipped() -> None:
    for folder in ("/" + "x" * 200, "relative", "/a\0b"):
        assert answering({"XDG_RUNTIME_DIR": folder, "HOME": folder}) is None
    assert answering({"CONTAINER_HOST": "unix:///nope", "XDG_RUNTIME_DIR": "/nope"}) is None
    there = {"CONTAINER_HOST": "ssh://there/run/podman/podman.sock", "XDG_RUNTIME_DIR": "/nope"}
    assert answering(there) == (there["CONTAINER_HOST"], "Podman (CONTAINER_HOST)")
