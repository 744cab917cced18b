"""--wait, on real engines."""

import subprocess

from conftest import RIND, Containers, TestContainer, one_line


def test_wait_returns_when_the_container_starts(containers: Containers) -> None:
    target = containers("busybox")
    target.kill()
    assert target.rind("true").returncode == 125
    with subprocess.Popen(
        [RIND, "--wait", "echo", "x"], env=target.environ(), stdout=subprocess.PIPE
    ) as process:
        target.engine.cli("start", target.name)
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, b"x\n")


def test_wait_returns_when_the_container_is_healthy(containers: Containers) -> None:
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


def test_wait_times_out_and_says_why(busybox: TestContainer) -> None:
    done = busybox.rind("--wait=0.2s", "--label", "no.such", "true")
    assert done.returncode == 125
    said = one_line(done.stderr)
    assert said.startswith("waited for 0.2 s: no container on ")
    assert "has the label no.such" in said
