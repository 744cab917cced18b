"""What is printed, whatever stdout is; the rest of the program is in test_main."""

import os
import select
import subprocess
import sys
from pathlib import Path

from conftest import RIND, TIMEOUT, TestContainer


def test_a_full_stdout_that_does_not_wait_is_waited_for() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    filled = 0
    while select.select([], [writing], [], 0)[1]:
        filled += os.write(writing, b"x" * 4096)
    with subprocess.Popen([RIND, "--help"], stdout=writing, stderr=subprocess.PIPE) as process:
        os.close(writing)
        with open(reading, "rb") as reader:  # noqa: PTH123 # a descriptor
            said = reader.read()[filled:]
        assert process.wait(TIMEOUT) == 0
        assert process.stderr
        assert process.stderr.read() == b""
    assert said.startswith(b"Usage: rind")
    assert said.endswith(b"ended it.\n")


def test_a_time_limit_holds_while_a_file_is_read(busybox: TestContainer, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "variables")
    done = busybox.rind("--timeout", "0.3", "--env-file", str(tmp_path / "variables"), "env")
    assert (done.returncode, done.stdout, done.stderr) == (124, b"", b"")


def test_what_only_prints_loads_no_event_loop() -> None:
    script = "import sys; sys.argv[1:] = ['--version']; import rind.cli.program as p; p.main()"
    loaded = subprocess.run(
        [sys.executable, "-c", f"{script}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT,
    ).stdout.split()
    assert not {"asyncio", "aiodocker"} & set(loaded)
