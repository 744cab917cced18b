"""Answers of an engine: real, invalid and mutated ones."""

import copy
import json
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rind.engine import answers
from rind.engine.answers import (
    read_containers,
    read_defaults,
    read_error,
    read_exec_id,
    read_exec_state,
    read_info,
    read_processes,
)
from rind.model import Defaults, EngineInfo, ExecState, Mount
from rind.transport.carrier import WrongAnswer

ID = "0123456789abcdef" * 4
LISTED = {
    "Id": ID,
    "Names": ["/shop-web-1"],
    "Image": "shop",
    "Command": "sleep",
    "Created": 1700000000,
    "Labels": {"app.rind": "true", "com.docker.compose.project.working_dir": "/home/me/shop"},
    "State": "running",
    "Status": "Up 5 minutes (healthy)",
    "Mounts": [
        {"Type": "bind", "Source": "/home/me/shop", "Destination": "/app"},
        {"Type": "volume", "Name": "data", "Source": "/var/lib/x", "Destination": "/data"},
    ],
}
STATE = {"ID": ID, "Running": False, "ExitCode": 3, "Pid": 4711}
READERS: dict[str, tuple[Callable[[bytes], object], Any]] = {
    "containers": (read_containers, [LISTED, LISTED | {"Id": ID[::-1]}]),
    "container": (answers.read_container_id, {"Id": ID}),
    "variables": (read_defaults, {"Config": {"Env": ["A=1", "B="]}}),
    "processes": (read_processes, {"Titles": ["PID", "PPID"], "Processes": [["7", "1"]]}),
    "version": (answers.read_version, {"Version": "28.5.2"}),
    "exec": (read_exec_id, {"Id": ID}),
    "state": (read_exec_state, STATE),
    "info": (read_info, {"ServerVersion": "1"}),
}


def said(value: object) -> bytes:
    return json.dumps(value).encode()


def test_a_container_is_read() -> None:
    (container,) = read_containers(said([LISTED]))
    assert (container.id, container.name, container.health) == (ID, "shop-web-1", "healthy")
    assert (container.folder, container.created) == ("/home/me/shop", 1700000000)
    assert container.mounts == [Mount("/home/me/shop", "/app")]


def test_optional_fields_may_be_missing() -> None:
    bare = {"Id": ID, "State": "running", "Names": None, "Labels": None, "Mounts": None}
    (container,) = read_containers(said([bare]))
    assert (container.name, container.labels, container.mounts) == (ID[:12], {}, [])
    assert read_defaults(said({"Config": {"Env": None}})) == Defaults()
    config = {"Env": ["A=1", "B"], "WorkingDir": "/app", "User": "me"}
    assert read_defaults(said({"Config": config})) == Defaults({"A": "1", "B": ""}, "/app", "me")


@pytest.mark.parametrize(
    ("names", "name"),
    [
        ([], ID[:12]),
        (["/other/alias", "/web"], "web"),
        (["/$(touch x)"], ID[:12]),
        (["/\x1b[2J"], ID[:12]),
        (["/" + "x" * 2000], ID[:12]),
    ],
)
def test_a_containers_name_is_read(names: list[str], name: str) -> None:
    assert read_containers(said([LISTED | {"Names": names}]))[0].name == name


@pytest.mark.parametrize(
    "wrong",
    [
        *(
            {"Id": wrong}
            for wrong in ("", "0", "/", ":", "a", ID[1:], ID.upper(), ID + "\n", 7, None)
        ),
        *({"Labels": wrong} for wrong in (["a"], {"a": None}, {"a": 1}, "x")),
        *({"Mounts": wrong} for wrong in ({"a": 1}, ["x"], [{"Type": "bind", "Source": 7}])),
        *({"State": wrong} for wrong in (None, 7, ["running"])),
        *({"Created": wrong} for wrong in ("x", -1, 2**64, True, 1.5)),
        *({"Names": wrong} for wrong in ("web", [7])),
    ],
)
def test_an_invalid_container_does_not_affect_the_others(wrong: dict[str, object]) -> None:
    with pytest.raises(WrongAnswer):
        read_containers(said([LISTED | wrong]))
    assert [
        container.id for container in read_containers(said([LISTED | wrong, LISTED, None]))
    ] == [ID]


@pytest.mark.parametrize("folder", ["/a\0b", "relative", "/a" * 2048, ""])
def test_an_invalid_folder_is_read_as_none(folder: str) -> None:
    labels = {"com.docker.compose.project.working_dir": folder}
    mounts = [{"Type": "bind", "Source": folder, "Destination": "/x"}]
    (container,) = read_containers(said([LISTED | {"Labels": labels, "Mounts": mounts}]))
    assert (container.folder, container.mounts) == ("", [])


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (STATE, ExecState(running=False, exit_code=3, pid=4711)),
        (STATE | {"Running": True, "ExitCode": 0}, ExecState(True, None, 4711)),
        (STATE | {"ExitCode": None, "Pid": 0}, ExecState(running=False, exit_code=None, pid=0)),
        # Podman's, before the start and while it runs.
        (STATE | {"ExitCode": 0, "Pid": 0, "CanRemove": False}, ExecState(False, None, 0)),
        (STATE | {"Running": True, "ExitCode": 0, "CanRemove": False}, ExecState(True, None, 4711)),
    ],
)
def test_the_state_of_an_exec_instance_is_read(state: object, expected: ExecState) -> None:
    assert read_exec_state(said(state)) == expected


def test_a_folder_of_compose_files_may_contain_a_comma() -> None:
    label = "com.docker.compose.project.config_files"
    for text, files in {
        "/a/compose.yaml": ["/a/compose.yaml"],
        "/a/1,2/x.yaml,/a/1,2/y.yaml": ["/a/1,2/x.yaml", "/a/1,2/y.yaml"],
        "x.yaml": [],
        "": [],
    }.items():
        (container,) = read_containers(said([LISTED | {"Labels": {label: text}}]))
        assert container.config_files == files


def test_podmans_exit_code_is_read_once_it_is_final() -> None:
    resized = said(STATE | {"ExitCode": 0, "CanRemove": True})
    assert read_exec_state(resized, is_podman=True) == ExecState(False, None, 4711)
    settled = said(STATE | {"ExitCode": 6, "Pid": 0, "CanRemove": True})
    assert read_exec_state(settled, is_podman=True) == ExecState(False, 6, 0, True)
    ended = said(STATE | {"ExitCode": 0, "Pid": 0, "CanRemove": True})
    assert read_exec_state(ended, is_podman=True) == ExecState(False, 0, 0, True)


def test_dockers_mark_for_removal_hides_no_start_failure() -> None:
    """It comes every five minutes, to all that have ended: so it can come at once."""
    assert read_exec_state(said(STATE | {"CanRemove": True})) == ExecState(False, 3, 4711)
    failed = read_exec_state(said(STATE | {"ExitCode": 127, "Pid": 0, "CanRemove": True}))
    assert failed.has_started is False


def test_an_engines_description_is_read() -> None:
    told = {"ServerVersion": "1.2", "OSType": "linux", "CgroupVersion": "2"}
    assert read_info(said(told)) == EngineInfo("1.2", cgroups="2")
    rootless = {"ServerVersion": "1.2", "SecurityOptions": ["name=seccomp", "name=rootless"]}
    assert read_info(said(rootless)) == EngineInfo("1.2", is_rootless=True)


def test_a_start_is_recognized() -> None:
    assert ExecState(running=False, exit_code=None, pid=0).has_started is False
    assert ExecState(running=False, exit_code=127, pid=0).has_started is False
    assert ExecState(running=False, exit_code=127, pid=7).has_started is True
    assert ExecState(running=True, exit_code=None, pid=0).has_started is True
    for code, started in ((0, True), (1, True), (125, None), (126, None), (127, None)):
        assert ExecState(False, code, 0, is_forgotten=True).has_started is started


def test_variables_of_a_container_are_read() -> None:
    told = said({"Config": {"Env": ["TERM=xterm", "A=1"], "WorkingDir": ""}})
    assert read_defaults(told, without="TERM=xterm").variables.keys() == {"A"}
    assert read_defaults(told, without="TERM=vt100").variables.keys() == {"A", "TERM"}


@pytest.mark.parametrize("code", [256, -1, 2**31, 2**63, 1.5, "0", True, [], {}])
def test_an_invalid_exit_code_is_rejected(code: object) -> None:
    with pytest.raises(WrongAnswer, match="ExitCode is out of its range"):
        read_exec_state(said(STATE | {"ExitCode": code}))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b"null",
        b"Infinity",
        b'{"Running": NaN}',
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b"[" + b"[]," * 300_000 + b"[]]",
        b"9" * 10_000,
        b'"\\ud800"',
    ],
)
@pytest.mark.parametrize("reader", READERS)
def test_an_invalid_answer_is_rejected(reader: str, data: bytes) -> None:
    read, _ = READERS[reader]
    with pytest.raises(WrongAnswer):
        read(data)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (said({"message": " no such container\n"}), "no such container"),
        (said({"message": 7}), '{"message": 7}'),
        (said([]), "[]"),
        (b"<html>", "<html>"),
        (b"", ""),
        (b"\xff", "�"),
        (said({"message": "x" * 10_000}), "x" * 1000),
        (b"[" * 200_000, "[" * 1000),
    ],
)
def test_an_engines_error_is_read(data: bytes, text: str) -> None:
    assert read_error(data) == text


# --- mutated answers --------------------------------------------------------------------------

ODD: list[object] = [
    None,
    True,
    0,
    -1,
    256,
    2**31,
    2**70,
    1e308,
    "",
    "\0",
    "x" * 5000,
    "\x1b[2J",
    [],
    {},
    [[]],
]


def mutated(value: object, choose: random.Random) -> object:
    """Change one part of an answer, anywhere in it."""
    if isinstance(value, dict) and value and choose.random() < 0.8:
        key = choose.choice(list(value))
        if choose.random() < 0.2:
            return {name: it for name, it in value.items() if name != key}
        return value | {key: mutated(value[key], choose)}
    if isinstance(value, list) and value and choose.random() < 0.8:
        at = choose.randrange(len(value))
        return [*value[:at], mutated(value[at], choose), *value[at + 1 :]]
    return copy.deepcopy(choose.choice(ODD))


@pytest.mark.parametrize("reader", READERS)
def test_a_mutated_answer_is_read_or_rejected(reader: str) -> None:
    read, right = READERS[reader]
    choose = random.Random(reader)
    read(said(right))
    for _ in range(2000):
        value = right
        for _ in range(choose.randrange(1, 4)):
            value = mutated(value, choose)
        data = said(value)
        if choose.random() < 0.1:
            data = data[: choose.randrange(len(data))]
        with suppress(WrongAnswer):
            read(data)
        read_error(data)


@given(st.binary())
def test_any_bytes_are_read_or_rejected(data: bytes) -> None:
    for read, _ in READERS.values():
        with pytest.raises(WrongAnswer):
            read(data)
