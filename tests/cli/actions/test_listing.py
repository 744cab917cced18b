"""--list, on real engines."""

import json
import uuid

import pytest
from conftest import Containers, TestContainer, lines, one_line, wait_until

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
    # Python calls it a digit, but cannot convert it to a number.
    second = containers("busybox", "", "--label", f"{compose}.container-number=²", label=label)
    second.engine.cli("pause", second.name)
    header, *rows = lines(first, "--list")
    assert header.split() == ["NAME", "HERE", "SERVICE", "IMAGE", "AGE", "STATE", "PRE-STEP"]
    names = sorted([first.name, second.name], key=lambda name: in_order(named(name)))
    assert [row.split()[0] for row in rows] == names
    assert [row.split()[1] for row in rows if "paused" not in row] == ["*"]
    assert "\x1b" not in "".join(rows)
    found = json.loads("".join(lines(first, "-l", "--json")))
    assert [entry["name"] for entry in found] == names
    (described,) = [entry for entry in found if entry["name"] == first.name]
    assert described["service"] == "web"
    assert {entry["name"]: entry["index"] for entry in found} == {first.name: 3, second.name: None}
    assert described["pre_step"] == "echo \x1b[2J"
    assert (described["state"], described["here"], described["health"]) == ("running", True, None)
    assert len(described["id"]) == 64
    assert [
        entry["name"] for entry in json.loads("".join(lines(first, "-l", "--json", "-s", "web")))
    ]
    assert json.loads("".join(lines(first, "--list", "--json", "--label", "no.such"))) == []


def test_an_empty_list_says_what_to_do(busybox: TestContainer) -> None:
    done = busybox.rind("--list", "--label", "no.such")
    assert (done.returncode, done.stdout) == (0, b"")
    assert "has the label no.such: put it on one" in one_line(done.stderr)


@pytest.mark.newest_engine
def test_a_list_includes_stopped_containers(containers: Containers) -> None:
    health = ("--health-cmd", "true", "--health-interval", "0.2s")
    target = containers("busybox", "", *health)
    gone = containers("busybox", label=target.label)
    gone.kill()
    wait_until(lambda: "(healthy)" in target.engine.cli("ps", "--filter", f"name={target.name}"))
    found = {entry["name"]: entry for entry in json.loads("".join(lines(target, "-l", "--json")))}
    assert [found[target.name][name] for name in ("state", "health", "here")] == [
        *("running", "healthy", True)
    ]
    assert [found[gone.name][name] for name in ("state", "health", "here")] == [
        *("exited", None, False)
    ]
    target.kill()
    done = target.rind("--list", "-v")
    assert done.stdout.count(b"exited") == 2
    assert "start it with: docker start" in one_line(done.stderr)
