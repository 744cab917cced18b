"""Engines in virtual machines: how Rind finds them, and a project's folder in their containers."""

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sockets import listening
from virtual_machines import VIRTUAL_MACHINES, VirtualMachine

from rind.cli.actions import doctor
from rind.decide.nearness import nearness
from rind.decide.path_map import PathMap
from rind.decide.workdir import container_path
from rind.endpoint.endpoint import Endpoint, resolve_endpoint
from rind.engine.answers import read_containers
from rind.find.caller import aliases, find_caller, localized, placed
from rind.model import Container
from rind.reaper.host_processes import is_engine


@pytest.fixture
def home() -> Iterator[Path]:
    """Return a home directory whose path leaves room for sockets'."""
    with TemporaryDirectory() as folder:
        home = Path(folder).resolve() / "h"
        (home / "shop/api").mkdir(parents=True)
        (home.parent / "l").symlink_to("h")
        yield home


def containers(machine: VirtualMachine, home: Path) -> list[Container]:
    answer = machine.answer(str(home), str(home.parent / "l"))
    return read_containers(json.dumps([answer]).encode())


each = pytest.mark.parametrize(
    "machine", VIRTUAL_MACHINES, ids=lambda it: f"{it.name}-{it.context}"
)


@each
def test_its_containers_have_the_folders_of_this_machine(
    machine: VirtualMachine, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = str(home / "shop/api")
    monkeypatch.chdir(api)
    (web,) = placed(containers(machine, home), find_caller({}, ""))
    assert nearness(web, find_caller({}, "")) > 0
    assert web.folder == str(home / "shop")
    assert container_path(api, web.mounts) == "/app/api"
    # From any other folder, the paths in the words and in the output are the same.
    monkeypatch.chdir("/")
    (web,) = localized(containers(machine, home), "/")
    paths = PathMap(aliases(web.mounts, [f"{api}/x.py", f"{home.parent}/l/shop/y.py"]))
    assert paths.word(f"{api}/x.py") == "/app/api/x.py"
    assert paths.word(f"--file={home.parent}/l/shop/y.py") == "--file=/app/y.py"
    assert paths.to_host("/app/api/x.py") == f"{api}/x.py"


@each
def test_it_is_found_and_none_of_its_processes_is_local(
    machine: VirtualMachine, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rind.endpoint.endpoint.DEFAULT_SOCKET", str(home / "none"))
    path = Path(machine.socket.replace("HOME", str(home)))
    env = {"HOME": str(home), "TMPDIR": f"{home}/", "XDG_RUNTIME_DIR": str(home)}
    with listening(path):
        found = resolve_endpoint(env)
        assert (found.url, found.source) == (
            *(f"unix://{path}", f"the usual place of {machine.name}"),
        )
        if machine.context not in {"", "default"}:
            _make_context(home, machine.context, found.url)
            assert resolve_endpoint(env).context == machine.context
            assert resolve_endpoint(env).url == found.url
        assert not is_engine(str(path))
    monkeypatch.setattr(sys, "platform", "darwin")
    assert doctor._fix(Endpoint(found.url, "")) == machine.start


def _make_context(home: Path, name: str, url: str) -> None:
    folder = home / ".docker/contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    meta = {"Name": name, "Endpoints": {"docker": {"Host": url}}}
    (folder / "meta.json").write_text(json.dumps(meta))
    (home / ".docker/config.json").write_text(json.dumps({"currentContext": name}))


def test_names_that_differ_in_case_only_are_of_one_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS: docker keeps the path as typed, and getcwd returns it as stored."""
    stat = os.stat
    monkeypatch.setattr("rind.find.caller.os.stat", lambda path: stat(str(path).lower()))
    (machine,) = (machine for machine in VIRTUAL_MACHINES if machine.name == "Colima")
    typed = containers(machine, Path(str(home).replace("/h", "/H")))
    (web,) = localized(typed, str(home / "shop"))
    assert (web.folder, web.mounts[0].source) == (str(home / "shop"), str(home / "shop"))
