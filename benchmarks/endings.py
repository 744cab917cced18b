"""Measures how long a stubborn tree outlives Rind, for each way that Rind can end.

    python benchmarks/endings.py CONTAINER [RUNS]

The tree ignores HUP, INT, QUIT and TERM, and has a child in the background, one without an
environment and a grandchild. CONTAINER must be on this machine, and this must run as root: it looks
for the tree among this machine's processes. The engine is the one that rind finds by itself.
"""

import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

RIND = str(Path(sys.executable).with_name("rind"))
MARK = b"sleep\x00868686\x00"
TREE = """
trap '' HUP INT QUIT TERM PIPE
sleep 868686 &
env -i sleep 868686 &
sh -c 'trap "" HUP INT QUIT TERM; sleep 868686 & echo ready; wait; wait' &
while sleep 0.05; do echo y; done
"""
Process = subprocess.Popen[bytes]


def sleepers() -> int:
    found = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # the process has ended
            found += (folder / "cmdline").read_bytes() == MARK
    return found


def leashed() -> bool:
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if b"find_tree" in (folder / "cmdline").read_bytes():
                return True
    return False


def close_stdout(process: Process) -> None:
    assert process.stdout is not None
    process.stdout.close()


ENDINGS: dict[str, Callable[[Process], object]] = {
    "SIGTERM, --kill-after 0.3": lambda process: process.send_signal(signal.SIGTERM),
    "SIGKILL (the leash)": lambda process: process.kill(),
    "stdout's reader goes away": close_stdout,
}


def seconds(tty: str, end: Callable[[Process], object]) -> float:
    argv = [RIND, tty, "--container", sys.argv[1], "--kill-after", "0.3", "-c", TREE]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert process.stdout is not None
    while b"ready" not in process.stdout.readline():
        pass
    while sleepers() != TREE.count(" 868686") or not leashed():
        pass
    start = time.perf_counter()
    end(process)
    while sleepers():
        pass
    taken = time.perf_counter() - start
    process.kill()
    process.communicate() if not process.stdout.closed else process.wait()
    return taken


def main() -> None:
    runs = int(sys.argv[2]) if sys.argv[2:] else 5
    for name, end in ENDINGS.items():
        for tty in ("-T", "-t"):
            times = [seconds(tty, end) for _ in range(runs)]
            print(
                f"{name:28} {tty}  gone after {statistics.median(times):.2f} s "
                f"(from {min(times):.2f} to {max(times):.2f}, {runs} runs)",
                flush=True,
            )


if __name__ == "__main__":
    main()
