"""--doctor, on real engines."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from conftest import RIND, TIMEOUT, Containers, TestContainer, lines, wait_until

from rind.cli.actions.doctor import diagnose
from rind.cli.parser import parse


def test_a_healthy_setup_passes_the_doctor(
    django: TestContainer, distroless: TestContainer
) -> None:
    said = lines(django, "--doctor")
    assert all(line.startswith("ok ") for line in said)
    assert django.engine.host in said[0]
    assert said[1].startswith("ok transport a socket of root:")
    assert f"engine {django.engine.name}" in said[2]
    assert said[3].startswith("ok containers of linux, cgroups v")
    assert f"1 running with the label {django.label}" in said[4]
    assert said[5] == f"ok here: {django.name}, the only one with the label {django.label}"
    assert said[6] == f"ok {django.name}: the shell /bin/sh"
    assert said[7] == f"ok {django.name}: the pre-step 'source /venv/bin/activate'"
    assert lines(distroless, "--doctor")[6].endswith("no shell, and none is needed")


def test_the_doctor_reports_a_missing_shell_only_if_one_is_needed(containers: Containers) -> None:
    target = containers("distroless", "x=1")
    done = target.rind("--doctor")
    assert done.returncode == 1
    assert f"FAIL {target.name}: the shell /bin/sh: cannot start" in done.stdout.decode()
    blank = containers("distroless", " \n ")
    assert f"ok {blank.name}: no shell, and none is needed" in lines(blank, "--doctor")


def test_the_doctor_reports_failures_and_suggests_fixes(containers: Containers) -> None:
    target = containers("busybox", "source /nope/activate")
    done = target.rind("--doctor")
    assert done.returncode == 1
    assert done.stderr == b""
    failed = [line for line in done.stdout.decode().splitlines() if line.startswith("FAIL")]
    assert len(failed) == 1
    assert "the pre-step 'source /nope/activate': exit status" in failed[0]
    assert "/nope/activate" in failed[0]
    assert f"      try: rind --container {target.name} --no-pre-step\n" in done.stdout.decode()
    none = target.rind("--doctor", "--label", "no.such")
    assert none.returncode == 1
    assert none.stdout.splitlines()[-1].startswith(b"FAIL here: no container on ")
    nowhere = target.rind("--doctor", DOCKER_HOST="unix:///nowhere.sock")
    assert nowhere.returncode == 1
    assert b"there is no socket at unix:///nowhere.sock" in nowhere.stdout
    start = b"open -a Docker" if sys.platform == "darwin" else b"sudo systemctl start docker"
    assert nowhere.stdout.splitlines()[-1] == b"      try: " + start


@pytest.mark.newest_engine
def test_the_doctor_notes_a_container_without_the_main_label(containers: Containers) -> None:
    label = f"test.{uuid.uuid4().hex}"
    right = containers("busybox", "", label=label)
    wrong = containers("busybox", None, "--label", f"{label}.user=app")
    said = lines(right, "--doctor")
    assert f"note {wrong.name} has the label {label}.user, but not {label}: add that" in said


def test_the_doctor_reports_the_transport(tmp_path: Path) -> None:
    for environ, said in (
        ({"DOCKER_HOST": "ssh://nobody@127.0.0.1:1"}, "the ssh command"),
        ({"DOCKER_HOST": "tcp://127.0.0.1:1"}, "TCP, not encrypted"),
        (
            {"DOCKER_HOST": "tcp://127.0.0.1:1", "DOCKER_TLS_VERIFY": "1"},
            f"TLS, verified by {tmp_path}/.docker/ca.pem; without a client certificate",
        ),
        ({"DOCKER_HOST": "tcp://127.0.0.1:1", "DOCKER_TLS": "1"}, "TLS, not verified; without"),
    ):
        done = subprocess.run(
            [RIND, "--doctor"],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **environ},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT,
        )
        assert (done.returncode, done.stderr) == (1, "")
        lines = done.stdout.splitlines()
        assert lines[0] == f"ok endpoint {environ['DOCKER_HOST']} (from DOCKER_HOST)"
        assert lines[1].startswith(f"ok transport {said}")
        assert lines[2].startswith("FAIL engine: ")


def test_a_flood_of_output_from_a_pre_step_fills_no_memory(containers: Containers) -> None:
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
    assert (done.returncode, done.stderr) == (124, b"rind: --doctor did not end within 3 s\n")
    assert int(done.stdout.split()[-1]) < 128 * 1024  # KiB; 40 of them are Python's
    wait_until(lambda: "yes" not in target.engine.cli("top", target.name, "-eo", "pid,comm"))


def test_the_doctor_examines_every_container(containers: Containers) -> None:
    key = f"test.{uuid.uuid4().hex}"
    wrong = containers("busybox", "", "--label", f"{key}.usr=x", label=key)
    paused = containers("busybox", "", label=key)
    paused.engine.cli("pause", paused.name)
    right = containers("busybox", "true", label=key)
    done = right.rind("--doctor")
    said = done.stdout.decode()
    assert done.returncode == 1
    assert f"FAIL {paused.name}: it is paused\n      try: docker unpause {paused.name}\n" in said
    assert f"FAIL labels: {wrong.name}: unknown label {key}.usr" in said
    assert f"ok {right.name}: the pre-step 'true'" in said


@pytest.mark.newest_engine
async def test_the_doctor_notes_root_writing_into_the_users_folder(
    containers: Containers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    os.chown(tmp_path / "mine", 4242, 4242)
    (tmp_path / "theirs").mkdir()
    volumes = ("--volume", f"{tmp_path}/theirs:/a", "--volume", f"{tmp_path}/mine:/b")
    target = containers("busybox", "", *volumes)
    monkeypatch.setattr(os, "getuid", lambda: 4242)

    async def said(target: TestContainer) -> list[str]:
        found: list[str] = []
        options = parse(["--doctor", "--container", target.name], {})
        assert await diagnose(options, {"DOCKER_HOST": target.engine.host}, found.append) == 0
        return [line for line in found if line.startswith("note ")]

    monkeypatch.setattr(sys, "platform", "linux")
    (note,) = await said(target)
    assert note.startswith(f"note {target.name}: commands run as root there, and {tmp_path}/mine")
    assert note.endswith(" is yours; set app.rind.user: host")
    assert await said(containers("busybox", "", *volumes, "--user", "app")) == []
    # There, what root writes through the virtual machine's file sharing is the user's.
    monkeypatch.setattr(sys, "platform", "darwin")
    assert await said(target) == []
    as_host = containers("busybox", "", *volumes, "--label", "app.rind.user=host")
    needless = f"note {as_host.name}: app.rind.user: host is not needed: "
    assert any(note.startswith(needless) for note in await said(as_host))


@pytest.mark.newest_engine
def test_the_doctor_notes_a_path_that_compose_substituted(containers: Containers) -> None:
    target = containers("busybox", "export PATH=/tools:/here:/and:/there")
    said = lines(target, "--doctor")
    assert not [line for line in said if "PATH" in line and line.startswith("note")]
    done = target.rind("--doctor", PATH="/here:/and:/there")
    assert "the PATH of this machine; write $$PATH for $PATH" in done.stdout.decode()
