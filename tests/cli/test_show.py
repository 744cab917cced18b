"""--list, --explain, --doctor, --wait, on real engines."""

import json
import os
import subprocess
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import RIND, TIMEOUT, Containers, TestContainer, one_line, wait_until

from rind.cli.options import Options
from rind.cli.show import docker_exec
from rind.model import ExecConfig


def lines(container: TestContainer, *args: str) -> list[str]:
    done = container.rind(*args)
    assert (done.returncode, done.stderr) == (0, b""), done
    return done.stdout.decode().splitlines()


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
    assert [it.split()[0] for it in rows] == sorted([first.name, second.name])
    assert sum("paused" in it for it in rows) == 1
    assert "\x1b" not in "".join(rows)
    found = json.loads("".join(lines(first, "-l", "--json")))
    assert [it["name"] for it in found] == sorted([first.name, second.name])
    (described,) = [it for it in found if it["name"] == first.name]
    assert described["service"] == "web"
    assert {it["name"]: it["index"] for it in found} == {first.name: 3, second.name: None}
    assert described["pre_step"] == "echo \x1b[2J"
    assert described["state"] == "running"
    assert len(described["id"]) == 64
    assert [it["name"] for it in json.loads("".join(lines(first, "-l", "--json", "-s", "web")))]
    assert json.loads("".join(lines(first, "--list", "--json", "--label", "no.such"))) == []


def test_explain_says_what_would_run_and_how_docker_does_it(django: TestContainer) -> None:
    words = ("-u", "app", "-w", "/tmp", "-e", "A=x y", "-e", "TERM", "--", "printf", "%s|", "it's")
    said = lines(django, "--explain", *words)
    fields = dict(line.split(":", 1) for line in said[:-1])
    assert (
        fields["container"].strip() == f"{django.name} (the only one with the label {django.label})"
    )
    assert fields["command"].strip() == """printf '%s|' 'it'"'"'s'"""
    assert fields["pre-step"].strip() == "source /venv/bin/activate"
    assert fields["user"].strip() == "app"
    assert fields["workdir"].strip() == "/tmp"
    assert fields["env"].strip() == "A TERM"
    assert fields["tty"].strip() == "no"
    # It can be pasted.
    line = said[-1].replace("docker exec", f"{django.engine.docker} exec", 1)
    env = {"PATH": os.environ["PATH"], "DOCKER_HOST": django.engine.host}
    done = subprocess.run(["bash", "-c", line], env=env, capture_output=True, check=True)
    assert done.stdout == b"it's|"
    assert "named" in "".join(lines(django, "--explain", "--container", django.name, "true"))


def test_the_docker_line_has_what_was_asked_for_and_no_secret(
    busybox: TestContainer, tmp_path: Path
) -> None:
    file = tmp_path / "secrets.env"
    file.write_text("PASSWORD=hunter2\n")
    words = ("--detach-keys", "ctrl-x", "--env-file", str(file), "-e", "TOKEN", "-d")
    target = replace(busybox, env={"TOKEN": "sesame"})
    said = "\n".join(lines(target, *words, "--explain", "true"))
    assert "hunter2" not in said
    assert "sesame" not in said
    line = said.splitlines()[-1]
    assert line.startswith("docker exec --detach --detach-keys ctrl-x ")
    assert f" --env-file {file} --env TOKEN " in line
    line = lines(busybox, "-H", busybox.engine.host, "--explain", "true")[-1]
    assert line.startswith(f"docker --host {busybox.engine.host} exec ")


def test_explain_of_all_and_of_an_index(containers: Containers) -> None:
    label, number = f"test.{uuid.uuid4().hex}", "com.docker.compose.container-number"
    first, second = (
        containers("busybox", "", "--label", f"{number}={it}", label=label) for it in (1, 2)
    )
    said = lines(first, "--all", "--explain", "true")
    assert len([it for it in said if it.startswith("docker exec ")]) == 2
    for name in (first.name, second.name):
        assert any(f"{name} (one of 2 with the label {label})" in it for it in said)
    said = lines(first, "--index", "2", "--explain", "true")
    why = f"(the only one with the label {label} and the index 2)"
    assert f"{second.name} {why}" in said[1]


def test_a_list_of_none_says_what_to_do(busybox: TestContainer) -> None:
    done = busybox.rind("--list", "--label", "no.such")
    assert (done.returncode, done.stdout) == (0, b"")
    assert "has the label no.such: put it on one" in one_line(done.stderr)


@pytest.mark.parametrize(
    "word",
    ["plain", "two words", "it's", "a\nb", "\x1b[2J", "é\n", "a\\n\tb", "=ls", "~", "a\udcff"],
)
def test_a_pasted_word_is_the_word(word: str) -> None:
    line = docker_exec(Options(), ExecConfig(argv=["printf", "%s", word], stdin=False), {}, "web")
    assert line.isprintable()
    assert line.startswith("docker exec web printf %s ")
    script = line.replace("docker exec web ", "", 1)
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    assert done.stdout == os.fsencode(word)


def test_a_healthy_setup_passes_the_doctor(
    django: TestContainer, distroless: TestContainer
) -> None:
    said = lines(django, "--doctor")
    assert all(line.startswith("ok ") for line in said)
    assert django.engine.host in said[0]
    assert f"engine {django.engine.name}" in said[1]
    assert f"1 running with the label {django.label}" in said[2]
    assert said[3] == f"ok {django.name}: the shell /bin/sh"
    assert said[4] == f"ok {django.name}: the pre-step 'source /venv/bin/activate'"
    assert lines(distroless, "--doctor")[3].endswith("no shell, which nothing needs")


def test_the_doctor_misses_a_shell_where_one_is_needed(containers: Containers) -> None:
    target = containers("distroless", "x=1")
    done = target.rind("--doctor")
    assert done.returncode == 1
    assert f"FAIL {target.name}: the shell /bin/sh: cannot start" in done.stdout.decode()
    blank = containers("distroless", " \n ")
    assert lines(blank, "--doctor")[-1].endswith("no shell, which nothing needs")


def test_the_doctor_finds_what_is_wrong(containers: Containers) -> None:
    target = containers("busybox", "source /nope/activate")
    done = target.rind("--doctor")
    assert done.returncode == 1
    assert done.stderr == b""
    failed = [it for it in done.stdout.decode().splitlines() if it.startswith("FAIL")]
    assert len(failed) == 1
    assert "the pre-step 'source /nope/activate': exit status" in failed[0]
    assert "/nope/activate" in failed[0]
    none = target.rind("--doctor", "--label", "no.such")
    assert none.returncode == 1
    assert none.stdout.splitlines()[-1].startswith(b"FAIL containers: no container on ")
    nowhere = target.rind("--doctor", DOCKER_HOST="unix:///nowhere.sock")
    assert nowhere.returncode == 1
    assert b"there is no socket at unix:///nowhere.sock" in nowhere.stdout


# --- waiting ----------------------------------------------------------------------------------


def test_wait_until_it_is_started(containers: Containers) -> None:
    target = containers("busybox")
    target.kill()
    assert target.rind("true").returncode == 125
    with subprocess.Popen(
        [RIND, "--wait", "echo", "x"], env=target.environ(), stdout=subprocess.PIPE
    ) as process:
        target.engine.cli("start", target.name)
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, b"x\n")


def test_wait_until_it_is_healthy(containers: Containers) -> None:
    health = ("--health-cmd", "test -e /tmp/up", "--health-interval", "0.2s")
    target = containers("busybox", "", *health, "--health-start-period", "60s")
    waiting = subprocess.Popen(
        [RIND, "--wait=60", "echo", "x"], env=target.environ(), stdout=subprocess.PIPE
    )
    refused = target.rind("--wait=.3s", "true")
    assert refused.returncode == 125
    assert one_line(refused.stderr) == (
        f"waited for 0.3 s: the container {target.name} is not healthy (health: starting)"
    )
    assert waiting.poll() is None
    target.inside("touch /tmp/up")
    out, _ = waiting.communicate(timeout=60)
    assert (waiting.returncode, out) == (0, b"x\n")


def test_wait_gives_up_and_says_what_for(busybox: TestContainer) -> None:
    done = busybox.rind("--wait=0.2s", "--label", "no.such", "true")
    assert done.returncode == 125
    said = one_line(done.stderr)
    assert said.startswith("waited for 0.2 s: no container on ")
    assert "has the label no.such" in said


def test_a_pre_step_that_floods_the_doctor_fills_no_memory(containers: Containers) -> None:
    target = containers("busybox", "yes >&2")
    script = "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:]);"
    script += (
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(done.returncode)"
    )
    done = subprocess.run(
        ["python3", "-S", "-c", script, RIND, "--doctor", "--timeout", "3"],
        env=target.environ(),
        capture_output=True,
        check=False,
        timeout=TIMEOUT,
    )
    assert (done.returncode, done.stderr) == (124, b"")
    assert int(done.stdout.split()[-1]) < 128 * 1024  # KiB; 40 of them are Python's
    wait_until(lambda: "yes" not in target.engine.cli("top", target.name, "-eo", "pid,comm"))


def test_the_doctor_examines_each_and_names_what_is_wrong(containers: Containers) -> None:
    key = f"test.{uuid.uuid4().hex}"
    wrong = containers("busybox", "", "--label", f"{key}.usr=x", label=key)
    paused = containers("busybox", "", label=key)
    paused.engine.cli("pause", paused.name)
    right = containers("busybox", "true", label=key)
    done = right.rind("--doctor")
    said = done.stdout.decode()
    assert done.returncode == 1
    assert f"FAIL {paused.name}: it is paused" in said
    assert f"FAIL labels: {wrong.name}: unknown label {key}.usr" in said
    assert f"ok {right.name}: the pre-step 'true'" in said
