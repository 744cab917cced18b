"""Failures before a command is run, and the program's start and exit."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from conftest import RIND, TestContainer, one_line

# --- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--fo"], "unknown option --fo"),
        (["--privilegd", "x"], "did you mean --privileged?"),
        (["-e", "=x", "true"], "a variable needs a name"),
        (["-e", "", "true"], "a variable needs a name"),
        (["-e"], "-e needs a value"),
        (["--env-file", "/no/such/file", "true"], "/no/such/file: No such file or directory"),
        (["--env-file", "/", "true"], "/: Is a directory"),
        (["--shell", "a/b", "true"], "absolute path"),
        (["--tty=yes", "true"], "--tty takes no value"),
        (["--container", "", "true"], "--container needs a value"),
    ],
)
def test_an_invalid_command_line_is_an_error(
    busybox: TestContainer, args: list[str], said: str
) -> None:
    done = busybox.rind(*args)
    assert (done.returncode, done.stdout) == (125, b"")
    assert said in one_line(done.stderr)


def test_windows_is_refused_in_one_line() -> None:
    program = (
        "import sys; sys.platform = 'win32'; "
        "sys.modules |= dict.fromkeys(['fcntl', 'termios', 'pwd', 'grp', 'resource', 'tty']); "
        "from rind.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 125
    assert (
        one_line(done.stderr) == "Windows is not supported: install Rind in WSL, and use it there"
    )


def rind_at(host: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [RIND, "true"],
        env={"PATH": os.environ["PATH"], "DOCKER_HOST": host, "PYTHONWARNINGS": "error", **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        check=False,
    )


def test_a_missing_socket_is_an_error(tmp_path: Path) -> None:
    done = rind_at(f"unix://{tmp_path}/docker.sock")
    assert done.returncode == 125
    assert f"there is no socket at unix://{tmp_path}/docker.sock (from DOCKER_HOST)" in one_line(
        done.stderr
    )


def test_a_socket_without_a_listener_is_an_error(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "docker.sock"))
    done = rind_at(f"unix://{tmp_path}/docker.sock")
    assert done.returncode == 125
    assert "nothing listens at" in one_line(done.stderr)


def test_a_tcp_port_without_a_listener_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    done = rind_at(f"tcp://127.0.0.1:{port}")
    assert done.returncode == 125
    assert "nothing listens at" in one_line(done.stderr)


def test_a_denied_permission_on_the_socket_is_an_error(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
        path.chmod(0o600)
        # Root may connect to any socket: a child connects as another user.
        program = (
            # Not every user can read this Python's files: import all modules before.
            "import asyncio, os, sys, rind.attach, rind.cli.program, rind.engine.pooled;"
            "os.setgroups([]); os.setgid(65534); os.setuid(65534);"
            "sys.argv[1:] = ['true']; sys.exit(rind.cli.program.run())"
        )
        drop = [sys.executable, "-c", program] if os.getuid() == 0 else [RIND, "true"]
        if os.getuid() != 0:
            path.chmod(0)
        done = subprocess.run(
            drop,
            env={"PATH": os.environ["PATH"], "DOCKER_HOST": f"unix://{path}"},
            capture_output=True,
            check=False,
            timeout=30,
        )
    assert done.returncode == 125
    assert "permission denied on unix://" in one_line(done.stderr)


@contextmanager
def answering(path: Path, answer: bytes) -> Iterator[str]:
    """Serve a socket that sends ``answer`` to every request."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(65536)
                        connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"unix://{path}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nApi-Version: x\r\nContent-Length: 2\r\n\r\nOK",
        b"\xff\x00" * 5000,
    ],
)
def test_a_socket_of_another_server_is_an_error(tmp_path: Path, answer: bytes) -> None:
    with answering(tmp_path / "docker.sock", answer) as url:
        done = rind_at(url)
    assert done.returncode == 125
    line = one_line(done.stderr)
    assert url in line
    assert "Docker Engine" in line


def test_an_engines_message_cannot_move_the_cursor(tmp_path: Path) -> None:
    body = b'{"message": "a\\u001b[2Jb\\nrind: c\\u009b"}'
    head = "HTTP/1.1 500 No\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
    answer = head.format(len(body)).encode() + body
    with answering(tmp_path / "docker.sock", answer) as url:
        done = rind_at(url)
    assert done.returncode == 125
    assert one_line(done.stderr).isprintable()
    assert "a [2Jb rind: c" in one_line(done.stderr)


@pytest.mark.parametrize("host", ["npipe:////./pipe/x", "fd://"])
def test_an_unsupported_transport_is_an_error(host: str) -> None:
    done = rind_at(host)
    assert done.returncode == 125
    assert f"unsupported engine address {host} (from DOCKER_HOST)" in one_line(done.stderr)


def test_a_password_in_the_engines_address_is_not_printed() -> None:
    for host in ("tcp://user:s3cret@host:2375", "ssh://user:s3cret@host"):
        done = rind_at(host)
        assert done.returncode == 125
        assert "host" in one_line(done.stderr)
        assert b"s3cret" not in done.stderr


def test_an_address_without_a_port_gets_dockers_port(tmp_path: Path) -> None:
    done = rind_at("localhost:")
    assert done.returncode == 125
    assert "tcp://localhost:2375 (from DOCKER_HOST)" in one_line(done.stderr)
    (tmp_path / "config.json").mkdir()
    done = rind_at("unix:///nowhere", DOCKER_CONFIG=str(tmp_path))
    assert done.returncode == 125
    broken, missing = done.stderr.decode().splitlines()
    assert broken.endswith("config.json: Is a directory; doing without it, as docker does")
    assert "no socket at unix:///nowhere" in missing


@pytest.mark.parametrize("words", [["-u", b"\xff"], ["-w", b"/\xff"], ["--context", b"\xff"]])
def test_values_that_are_not_utf8_are_rejected(
    busybox: TestContainer, words: list[str | bytes]
) -> None:
    done = busybox.rind(*words, "--explain", "true")
    assert done.returncode == 125
    assert "needs text in UTF-8, but got '" in one_line(done.stderr)


def test_variables_are_read_from_a_pipe(busybox: TestContainer) -> None:
    script = f"""{RIND} --env-file <(echo A=1; sleep .2; echo B=2) -c 'echo "$A$B"'"""
    done = subprocess.run(
        ["bash", "-c", script],
        env=busybox.environ(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert (done.stdout, done.stderr) == (b"12\n", b"")


# --- start and exit --------------------------------------------------------------------------


def test_a_closed_stdin_is_read_as_empty(busybox: TestContainer) -> None:
    done = subprocess.run(
        ["sh", "-c", f"exec {RIND} cat <&-"],
        env=busybox.environ(),
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert (done.stdout, done.stderr, done.returncode) == (b"", b"", 0)


def test_a_full_disk_is_an_error(busybox: TestContainer) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [RIND, "echo", "lost"],
            env=busybox.environ(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=30,
        )
    assert done.returncode == 125
    assert "No space left on device" in one_line(done.stderr)


def test_version_help_and_manual_are_printed() -> None:
    for args, said in [("-V", "rind 1.0.0\n"), ("--version", "rind 1.0.0\n")]:
        done = subprocess.run([RIND, args], capture_output=True, text=True, check=True)
        assert done.stdout == said
    for words in (["-h"], ["--help"], ["--help", "all"]):
        done = subprocess.run([RIND, *words], capture_output=True, text=True, check=True)
        assert done.stdout.startswith("Usage: rind [OPTIONS] [--] [COMMAND [ARG...]]\n")
        assert max(map(len, done.stdout.splitlines())) <= 80
    done = subprocess.run([RIND, "--man"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(".TH RIND 1 ")


def test_a_verbose_version_names_the_engines(container: TestContainer) -> None:
    done = container.rind("-v", "--version")
    rind, python, engine = done.stdout.decode().splitlines()
    assert rind == "rind 1.0.0"
    assert python.startswith("Python 3.")
    version = container.engine.cli("version", "--format", "{{.Server.Version}}")
    assert engine.startswith(f"Docker Engine {version}, API 1.")
    assert engine.endswith(f" at {container.engine.host}")


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["--version"],
        ["--list", "--json", "--label", "no.such"],
        ["--explain", "true"],
        ["--completion", "zsh"],
        ["--nonsense"],
        ["-c", "head -c 3000000 /dev/zero; echo err >&2; exit 7"],
        ["nope"],
        ["-c", "kill -9 $$"],
    ],
)
def test_the_quick_exit_loses_no_output_or_status(busybox: TestContainer, args: list[str]) -> None:
    """A user's run exits quickly; with PYTHONWARNINGS, as in other tests, it exits in full."""
    in_full = busybox.rind(*args)
    assert in_full.stdout or in_full.stderr or in_full.returncode
    at_once = busybox.rind(*args, PYTHONWARNINGS="")
    assert at_once.returncode == in_full.returncode
    assert at_once.stdout == in_full.stdout
    assert at_once.stderr == in_full.stderr
