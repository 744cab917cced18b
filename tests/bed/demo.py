"""The demo: one private engine with a Django container, and rind in place of this process."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from bed import images, machine, venv
from bed.checkout import BED, DEMO, ROOT, SHARED, SUITE, digest, locked, remove
from bed.engines import Docker, Engine, answers, environment
from bed.say import Trouble, say, step

if TYPE_CHECKING:
    from collections.abc import Sequence

_HELP = """\
Usage: ./tests/demo [COMMAND [ARG…]]
       ./tests/demo --down

Runs the command with rind, whose options may come first, in a Django container on a private engine.
Without COMMAND: `./manage.py migrate`. The first call starts the engine and the container, as root
on a Debian machine, and installs nothing outside this checkout. --down removes everything.
"""
_COMMAND = ("./manage.py", "migrate")
_CONTAINER = "web"
_LABEL = "app.rind=source /venv/bin/activate"
_ENGINE = Engine("demo", "sid")
_STAMP = BED / "demo"  # names the recipe of the running demo


def main(words: Sequence[str]) -> NoReturn:
    """Run `./tests/demo` with these words."""
    try:
        if words == ["--help"]:
            sys.stdout.write(_HELP)
            sys.exit()
        if words == ["--down"]:
            _take_down()
            sys.exit()
        if not _is_up():
            _set_up_apart()
        argv = [str(venv.RIND), *(words or _COMMAND)]
        os.execve(venv.RIND, argv, {**environment(), "DOCKER_HOST": _ENGINE.host})
    except (Trouble, OSError) as exc:
        say(str(exc))
        sys.exit(1)
    except KeyboardInterrupt:
        say("interrupted; call it again to continue, or with --down to clean up")
        sys.exit(130)


def _is_up() -> bool:
    """Whether the demo is running, and is as this checkout would set it up now."""
    return (
        _STAMP.exists()
        and _STAMP.read_text() == _recipe()
        and venv.RIND.exists()
        and venv.RIND.with_name("python").exists()  # it may be a link to a removed Python
        and answers(_ENGINE.socket, f"/containers/{_CONTAINER}/json", b'"Running":true')
    )


def _recipe() -> str:
    sources = sorted(SHARED.glob("*.py"))
    return digest(str(ROOT), *(path.read_bytes() for path in [ROOT / "pyproject.toml", *sources]))


def _set_up_apart() -> None:
    """Set up in a separate process, so that the engine is not a child of the command."""
    child = os.fork()
    if child == 0:
        _set_up()
        sys.exit()
    try:
        _, status = os.waitpid(child, 0)
    except KeyboardInterrupt:  # the child, on the same terminal, reports it
        os.waitpid(child, 0)
        sys.exit(130)
    if status:
        sys.exit(os.waitstatus_to_exitcode(status))


def _set_up() -> None:
    with locked(DEMO):
        if _is_up():
            return  # another call has set it up meanwhile
        if lack := machine.lacking():
            raise Trouble(f"cannot set up here: {lack}")
        venv.make("build")
        _ENGINE.prepare()
        if not answers(_ENGINE.socket, "/_ping"):
            with step("starting an engine"):
                _ENGINE.start()
        docker = Docker(_ENGINE.host)
        images.DJANGO.load(docker)
        _start_container(docker)
        _STAMP.write_text(_recipe())


def _start_container(docker: Docker) -> None:
    image = images.DJANGO.reference
    with step("starting the container"):
        if docker.succeeds("container", "inspect", _CONTAINER):
            if docker("inspect", "--format", "{{.Config.Image}}", _CONTAINER) == image:
                docker("start", _CONTAINER)
                return
            docker("rm", "--force", _CONTAINER)
        docker(
            *("run", "--detach", "--init", "--network", "none"),
            *("--name", _CONTAINER, "--label", _LABEL, image),
        )


def _take_down() -> None:
    if lack := machine.lacking():
        raise Trouble(f"nothing to take down: {lack}")
    with locked(DEMO), step("removing everything"):
        _ENGINE.stop()
        remove(_STAMP)
        remove(_ENGINE.data)
        try:
            with locked(SUITE, wait=False), locked(SHARED):
                venv.discard()
                remove(BED)
                for package in (ROOT / "rind", SHARED):
                    for compiled in package.rglob("__pycache__"):
                        remove(compiled)
        except Trouble as exc:
            say(f"{exc}: keeping the files that both use")
