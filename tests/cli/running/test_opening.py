"""The start of an ordinary run; test_invocation.py and test_attach.py test the rest of it."""

import os
import re
from collections.abc import Mapping

import pytest
from conftest import TestContainer

from rind.base.deadline import Deadline
from rind.cli.options import Options
from rind.cli.parser import parse
from rind.cli.running.opening import Job, Prepared, can_ask, hint, hinted, prepare, wanted_keys
from rind.decide.wanted import Wanted
from rind.errors import SelectionError, StartError, UsageError
from rind.model import Container


def fail(text: str) -> None:
    raise AssertionError(text)


def job(options: Options, env: Mapping[str, str], **variables: str) -> Job:
    return Job(options, variables, env, Deadline(None), fail, fail)


@pytest.mark.parametrize("words", [["--all", "x"], ["--wait", "x"], ["--list"], ["--doctor"]])
def test_prepare_returns_none_if_an_event_loop_is_needed(words: list[str]) -> None:
    assert prepare(job(parse(words, {}), {"DOCKER_HOST": "unix:///none.sock"})) is None


def test_prepare_leaves_an_ssh_agent_to_the_event_loop(busybox: TestContainer) -> None:
    env = {"DOCKER_HOST": busybox.engine.host}
    options = parse(["--label", busybox.label, "true"], {"RIND_SSH_AGENT": "1"})
    assert prepare(job(options, env)) is None


def test_prepare_plans_the_command(busybox: TestContainer) -> None:
    env = {"DOCKER_HOST": busybox.engine.host}
    options = parse(["-T", "--label", busybox.label, "true"], {})
    prepared = prepare(job(options, env, A="1"))
    assert isinstance(prepared, Prepared)
    assert prepared.selected.container.name == busybox.name
    assert (prepared.config.argv, prepared.config.env) == (["true"], ["A=1"])
    assert (len(prepared.created.exec_id), len(prepared.created.cookie)) == (64, 32)
    options.detach = True
    assert prepare(job(options, env)) == 0
    options.wanted = Wanted(label="rind.none")
    with pytest.raises(SelectionError, match=r"has the label rind\.none"):
        prepare(job(options, env))
    options.wanted = Wanted(container="rind-none")
    with pytest.raises(SelectionError, match="has the name rind-none"):
        prepare(job(options, env))


def test_a_run_makes_as_few_requests_as_docker_does(busybox: TestContainer) -> None:
    done = busybox.rind("-v", "-v", "-T", "true", _RIND_EVENTS="")
    said = done.stderr.decode()
    found = re.findall(r"^rind: request \d after \d+\.\d{3} s: (\S+ \S+)$", said, re.MULTILINE)
    shown = [re.sub(r"/[0-9a-f]{12}/|/v[\d.]+/", "/", request) for request in found]
    # Until the start; a busy machine may need more than one to see its end.
    start = ["GET /_ping", "GET /containers/json", "POST /containers/exec", "POST /exec/start"]
    assert shown[:4] == start, said
    assert "GET /exec/json" in shown[4:]
    assert "request" not in busybox.rind("-v", "-T", "true").stderr.decode()


def test_only_a_missing_command_gets_a_hint() -> None:
    web = Container("0" * 64, "web", "running", "Up", {})
    options = Options(words=["web", "ls"])
    missing, other = StartError("no web", 127), StartError("no", 126)
    assert hint(missing, options, lambda: [web]) == "web is a container: rind --container web ls"
    assert hint(missing, options, list) == hint(other, options, lambda: [web]) == ""
    assert hint(missing, Options(words=["web"], wanted=Wanted(container="x")), lambda: [web]) == ""
    shell, printed = Options(words=["exit"]), StartError("no exit", 127, printed=True)
    assert hint(missing, shell, list).startswith("rind exits with its command")
    assert hint(printed, shell, list) == ""
    assert str(hinted(missing, "so")) == "no web (so)"
    assert hinted(other, "").exit_status == 126


def test_detach_keys_are_parsed() -> None:
    assert wanted_keys(Options(detach_keys="ctrl-a"), {}) == b"\x01"
    with pytest.raises(UsageError):
        wanted_keys(Options(detach_keys="ctrl-?"), {})


def test_the_picker_needs_a_terminal() -> None:
    assert not os.isatty(0)
    assert not can_ask({"TERM": "xterm"})
