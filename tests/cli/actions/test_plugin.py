"""``docker rind``, by real docker commands."""

import json
import subprocess
from pathlib import Path

import pytest
from conftest import TIMEOUT, TestContainer

from rind.cli.actions.plugin import translated
from rind.errors import UsageError


@pytest.mark.parametrize(
    ("argv", "words", "variables"),
    [
        (["rind", "-T", "--host", "x"], ["-T", "--host", "x"], {}),
        (["--context", "c", "rind"], ["--context", "c"], {}),
        (["-c=c", "-D", "-lerror", "rind", "-c", "x"], ["--context", "c", "-c", "x"], {}),
        (["-H", "tcp://x", "rind"], ["--host", "tcp://x"], {}),
        (["--config=/c", "--debug", "rind"], [], {"DOCKER_CONFIG": "/c"}),
        (["--tls", "--tlsverify=false", "rind"], [], {"DOCKER_TLS": "1"}),
        (
            ["--tlsverify", "--tlscacert=/x/ca.pem", "--tlskey", "/x/key.pem", "rind"],
            [],
            {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/x"},
        ),
        (["help", "rind"], ["--help"], {}),
    ],
)
def test_dockers_options_reach_rind(
    argv: list[str], words: list[str], variables: dict[str, str]
) -> None:
    env: dict[str, str] = {}
    assert translated(argv, env) == words
    assert env == variables


@pytest.mark.parametrize(
    "argv", [["--new", "rind"], ["--host"], ["--tlscert=/x/mine.pem"], ["-x", "rind"]]
)
def test_other_options_are_refused(argv: list[str]) -> None:
    with pytest.raises(UsageError, match=r"^docker rind "):
        translated(argv, {})


def test_docker_runs_it(busybox: TestContainer, tmp_path: Path) -> None:
    docker, config = busybox.engine.docker, tmp_path / "config"
    plugins = config / "cli-plugins"
    assert busybox.rind("--shim", str(plugins), "docker-rind").stderr == b""
    words = ("--container", busybox.name, "-T", "-c", "cat; exit 3")
    env = busybox.environ(DOCKER_CONFIG=str(config))

    def run(*argv: str, **more: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [docker, *argv],
            env={**env, **more},
            input=b"in\n",
            capture_output=True,
            check=False,
            timeout=TIMEOUT,
        )

    done = run("rind", *words)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"in\n", b"")
    host = busybox.engine.host
    done = run("--host", host, "rind", *words, DOCKER_HOST="tcp://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (3, b"in\n")
    del env["DOCKER_HOST"]
    run("context", "create", "mine", "--docker", f"host={host}")
    done = run("--context", "mine", "rind", *words)
    assert (done.returncode, done.stdout) == (3, b"in\n")
    assert b"Run a command in the container" in run("help").stdout
    assert run("help", "rind").stdout.startswith(b"Usage: rind ")
    about = subprocess.run(
        [plugins / "docker-rind", "docker-cli-plugin-metadata"], capture_output=True, check=True
    )
    assert json.loads(about.stdout)["SchemaVersion"] == "0.1.0"
    done = busybox.rind("-T", "--shim", str(plugins), "docker-rind")
    assert b"docker-rind takes no options" in done.stderr
