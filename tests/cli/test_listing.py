"""--list, on real engines."""

import json
import uuid

from conftest import Containers, TestContainer, lines, one_line

from rind.decide.selection import in_order
from rind.model import Container


def named(name: str) -> Container:
    return Container("", name, "running", "", {})


def test_a_list_is_a_table_or_json(containers: Containers) -> None:
    label = f"test.{uuid.uuid4().hex}"
    compose = "com.docker.compose"
    options = (
        *("--label", f"{compose}.service=web", "--label", f"{compose}.container-number=3"),
        *("--label", "x=\x1b[2J"),
    )
    first = containers("busybox", "echo \x1b[2J", *options, label=label)
    # It is a digit to Python, and no number.
    second = containers("busybox", "", "--label", f"{compose}.container-number=²", label=label)
    second.engine.cli("pause", second.name)
    header, *rows = lines(first, "--list")
    assert header.split() == ["NAME", "SERVICE", "IMAGE", "AGE", "STATE", "PRE-STEP"]
    names = sorted([first.name, second.name], key=lambda name: in_order(named(name)))
    assert [row.split()[0] for row in rows] == names
    assert sum("paused" in row for row in rows) == 1
    assert "\x1b" not in "".join(rows)
    found = json.loads("".join(lines(first, "-l", "--json")))
    assert [entry["name"] for entry in found] == names
    (described,) = [entry for entry in found if entry["name"] == first.name]
    assert described["service"] == "web"
    assert {entry["name"]: entry["index"] for entry in found} == {first.name: 3, second.name: None}
    assert described["pre_step"] == "echo \x1b[2J"
    assert described["state"] == "running"
    assert len(described["id"]) == 64
    assert [
        entry["name"] for entry in json.loads("".join(lines(first, "-l", "--json", "-s", "web")))
    ]
    assert json.loads("".join(lines(first, "--list", "--json", "--label", "no.such"))) == []


def test_a_list_of_none_says_what_to_do(busybox: TestContainer) -> None:
    done = busybox.rind("--list", "--label", "no.such")
    assert (done.returncode, done.stdout) == (0, b"")
    assert "has the label no.such: put it on one" in one_line(done.stderr)
