"""Counts the runs that lose bytes to a slow reader: rind's, and docker exec's if it is installed.

    python benchmarks/slow_reader.py CONTAINER [RUNS]

A run is 1.5 MB, read at 40 kB/s. Every second reader also stops for 10 s in between, and every
other pair of commands leaves a child behind that holds its stdout. The engine is the one that rind
and docker find by themselves; CONTAINER needs a shell, head and yes.
"""

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

RIND = str(Path(sys.executable).with_name("rind"))
SIZE = 1_500_000
RATE = 40_000
"""Bytes, and bytes a second."""
AT_ONCE = 25
LINE = b"a line that is counted\n"
EXPECTED = (LINE * (SIZE // len(LINE) + 1))[:SIZE]


def lost(client: list[str], number: int) -> int:
    """Run once; return the number of missing bytes, or of those from the first wrong one on."""
    child = "sleep 60 & " if number % 4 > 1 else ""
    script = f"{child}yes {LINE.decode().strip()!r} | head -c {SIZE}"
    argv = [*client, "sh", "-c", script]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        received = b""
        while data := os.read(process.stdout.fileno(), 4096):
            stops = number % 2 and len(received) < SIZE // 3 <= len(received) + len(data)
            received += data
            time.sleep(len(data) / RATE + (10 if stops else 0))
    if process.returncode != 0:
        return SIZE
    right = next((at for at in range(SIZE) if received[at : at + 1] != EXPECTED[at : at + 1]), SIZE)
    return SIZE - right + max(0, len(received) - SIZE)


def main() -> None:
    container, runs = sys.argv[1], int(sys.argv[2]) if sys.argv[2:] else 100
    clients = {"rind": [RIND, "-T", "--container", container]}
    if docker := shutil.which("docker"):
        clients["docker exec"] = [docker, "exec", container]
    for name, client in clients.items():
        with ThreadPoolExecutor(AT_ONCE) as pool:
            losses = list(pool.map(lambda number, it=client: lost(it, number), range(runs)))
        bad = sorted(loss for loss in losses if loss)
        whole = f"{runs - len(bad)} of {runs} whole"
        print(f"{name:12} {whole}; bytes lost: {bad or 'none'}", flush=True)


if __name__ == "__main__":
    main()
