"""The tests: lint, format and types, then the tests themselves against every engine.

The tests find the engines in the variable RIND_TEST_ENGINES, a JSON list of objects:

- `name`: its version, as `28.5`;
- `host`: where it listens, as in DOCKER_HOST;
- `images`: the names there of the images `django`, `busybox` and `distroless`;
- `docker`: the path of a docker command;
- `config`: a DOCKER_CONFIG directory for that command, with Compose in it;
- `tls`: where it listens for TLS (`host`), and the folder of certificates for it (`files`); null
  for an engine of the user's.

They find a busybox, whose shell is ash, in RIND_TEST_BUSYBOX, interactive shells in RIND_TEST_ZSH
and RIND_TEST_FISH, bash-completion's folder in RIND_TEST_BASH_COMPLETION, editors in
RIND_TEST_NVIM, RIND_TEST_EMACS and RIND_TEST_HELIX, the devcontainer CLI in
RIND_TEST_DEVCONTAINER, packages for Node in RIND_TEST_NODE_MODULES, and the folder of OpenSSH in
RIND_TEST_SSH.

They find Podmans in RIND_TEST_PODMANS, and a swarm's manager and worker in RIND_TEST_SWARM, lists
of the same with the image `busybox` alone.

RIND_TEST_PROGRAM, set by the user, is the program that is tested in place of the installed one.

RIND_TEST_DOCKER_HOST, set by the user, names one existing engine to use instead of private ones. It
takes no root then.

With `--macos`, the tests and each program that they start see macOS (tests/macos); without paths,
all run but those of packages, pages and editors.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, NoReturn

from bed import editors, haproxy, images, machine, npm, shells, ssh, venv
from bed.checkout import BED, ROOT, SUITE, VENV, locked, remove
from bed.engines import DAEMONS, Docker, Engine, configuration, environment
from bed.keeper import kept
from bed.podman import PODMANS
from bed.say import Trouble, run, say, step
from bed.swarm import Swarm

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import FrameType

_EXISTING = "RIND_TEST_DOCKER_HOST"
_ENGINES = "RIND_TEST_ENGINES"
_PODMANS = "RIND_TEST_PODMANS"
_SWARM = "RIND_TEST_SWARM"
_PROGRAMS = {
    "RIND_TEST_BUSYBOX": images.busybox,
    "RIND_TEST_ZSH": shells.zsh,
    "RIND_TEST_FISH": shells.fish,
    "RIND_TEST_BASH_COMPLETION": shells.bash_completion,
    "RIND_TEST_NVIM": editors.neovim,
    "RIND_TEST_EMACS": editors.emacs,
    "RIND_TEST_HELIX": editors.helix,
    "RIND_TEST_SSH": ssh.programs,
    "RIND_TEST_HAPROXY": haproxy.program,
    "RIND_TEST_DEVCONTAINER": npm.devcontainer,
    "RIND_TEST_NODE_MODULES": npm.modules,
}
_ELSEWHERE = f"point the tests at an existing engine with {_EXISTING}=unix:///path/of/its/socket"
# The linter would not take these for Python by their names.
_SCRIPTS = ("benchmarks/run", "tests/demo", "tests/run")
_CHECKS = {
    "lint": ("ruff", "check", ".", *_SCRIPTS),
    "format": ("ruff", "format", "--check", ".", *_SCRIPTS),
    "types": ("mypy",),
    # What only Linux has is unreachable there.
    "types on macOS": (
        *("mypy", "--platform", "darwin", "--no-warn-unreachable"),
        *("--cache-dir", ".mypy_cache/darwin", "rind"),
    ),
    "workflows": ("zizmor", "--offline", "--quiet", "--strict-collection", ".github"),
}
_STAND_IN = "--macos"
# All but those of packages, pages and editors.
_STAND_IN_TESTS = (
    *("tests/base", "tests/cli", "tests/decide", "tests/endpoint", "tests/engine"),
    *("tests/execution", "tests/files", "tests/find", "tests/reaper", "tests/sync"),
    *("tests/terminal", "tests/transport", "tests/test_attach.py", "tests/test_client.py"),
    *("tests/test_keywords.py", "tests/test_oneshot.py", "tests/test_process.py"),
    "tests/test_target.py",
)
# Seconds for pytest to end by itself after Ctrl-C, which the terminal has told it too; then, told
# by us, to take down its fixtures.
_PATIENCE = (3, 15)


class Existing:
    """A user's engine: nothing is changed in it but for images that were not there before."""

    def __init__(self, host: str) -> None:
        self.host = host

    def prepare(self) -> None:
        """Find out whether it can be reached."""
        Docker(self.host)("version")

    def start(self, *, tied: bool = False) -> None:
        """Do nothing: it runs already."""

    def stop(self) -> None:
        """Remove the images that were made in it, and what the tests left of them."""
        images.discard_own(Docker(self.host))


def main(words: Sequence[str]) -> NoReturn:
    """Do what `./tests/run` followed by these words does."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    started = time.monotonic()
    try:
        with locked(SUITE):
            failed = _run(words)
    except (Trouble, OSError) as exc:
        say(str(exc))
        sys.exit(1)
    verdict = f"failed: {', '.join(failed)}" if failed else "all passed"
    say(f"{verdict} ({time.monotonic() - started:.0f} s)")
    sys.exit(bool(failed))


def _leave(number: int, _: FrameType | None) -> NoReturn:
    say(f"clearing up after {signal.Signals(number).name}")
    raise SystemExit(128 + number)


def _run(words: Sequence[str]) -> list[str]:
    """Run every stage, whichever fails; gives the names of those that did."""
    existing = os.environ.get(_EXISTING)
    if not existing and (lack := machine.lacking()):
        raise Trouble(f"cannot start engines here: {lack}; {_ELSEWHERE}")
    venv.make("dev")
    failed = [stage for stage, command in _CHECKS.items() if not _passes(stage, *command)]
    engines: list[Existing | Engine]
    if existing:
        engines = [Existing(existing)]
    else:
        certificates = _certificates()
        engines = [Engine(suite, suite, certificates) for suite in DAEMONS]
    podmans = [] if existing else PODMANS
    swarms = [] if existing else [Swarm()]
    for engine in (*engines, *podmans, *swarms):
        engine.prepare()
    with ExitStack() as stack:
        with step("starting engines"):
            stack.enter_context(kept([*engines, *podmans, *swarms]))
        variables = {
            _ENGINES: json.dumps([_furnished(engine) for engine in engines]),
            _PODMANS: json.dumps([_plain(podman.name, podman.host) for podman in podmans]),
            _SWARM: json.dumps(
                [_plain(name, host) for swarm in swarms for name, host in swarm.hosts().items()]
            ),
        }
        variables |= {name: str(program()) for name, program in _PROGRAMS.items()}
        if _STAND_IN in words:
            words = [word for word in words if word != _STAND_IN]
            words += ["--override-ini", f"testpaths={' '.join(_STAND_IN_TESTS)}"]
            variables["PYTHONPATH"] = str(ROOT / "tests/macos")
        if not _passes("tests", "pytest", *words, **variables):
            failed.append("tests")
        say("ending engines")
    return failed


def _furnished(engine: Existing | Engine) -> dict[str, object]:
    """Have an engine's images ready; gives what a test must know of it."""
    docker = Docker(engine.host)
    borrowed = isinstance(engine, Existing)
    if isinstance(engine, Engine):
        engine.clear()  # what is left of a run whose keeper was killed too
        images.discard_outdated(docker)
    loaded = {name: image.load(docker, borrowed=borrowed) for name, image in images.IMAGES.items()}
    version = docker("version", "--format", "{{.Server.Version}}")
    return {
        "name": ".".join(version.split(".")[:2]),
        "host": engine.host,
        "images": loaded,
        "docker": str(docker.program),
        "config": str(configuration(compose=True)),
        "tls": engine.tls() if isinstance(engine, Engine) else None,
    }


def _plain(name: str, host: str) -> dict[str, object]:
    """Have the smallest image ready; gives what a test must know of an engine."""
    docker = Docker(host)
    return {
        "name": name,
        "host": host,
        "images": {"busybox": images.IMAGES["busybox"].load(docker)},
        "docker": str(docker.program),
        "config": str(configuration()),
        "tls": None,
    }


def _certificates() -> Path:
    """Make new certificates for engines; gives their folder."""
    folder = BED / "certificates"
    remove(folder)
    run(VENV / "bin" / "python", ROOT / "tests/bed/certificates.py", folder)
    return folder


def _passes(stage: str, program: str, *words: str, **variables: str) -> bool:
    """Run a program of the virtual environment; tells whether it succeeded."""
    say(" ".join([f"{stage}:", program, *words]))
    programs = VENV / "bin"
    path = os.pathsep.join([str(programs), os.environ.get("PATH", os.defpath)])
    # It ends when we do, by whatever cause, where there is a program to see to that.
    tie = ("setpriv", "--pdeathsig", "TERM") if shutil.which("setpriv") else ()
    process = subprocess.Popen(
        [*tie, programs / program, *words],
        cwd=ROOT,
        env={**environment(), "PATH": path, "VIRTUAL_ENV": str(VENV), **variables},
    )
    try:
        return process.wait() == 0
    except SystemExit as exc:
        _end(process, told=exc.code == 128 + signal.SIGINT)
        raise
    finally:
        process.kill()  # no effect on one that has ended


def _end(process: subprocess.Popen[bytes], *, told: bool) -> None:
    """Have a program end in order, if it has not been *told* to by the terminal."""
    for patience in _PATIENCE:
        if not told:
            process.send_signal(signal.SIGINT)
        told = False
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            return
