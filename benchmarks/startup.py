"""Times `rind -T true` against `docker exec CONTAINER true`, whole processes in turn.

    python benchmarks/startup.py CONTAINER [RUNS]

The engine is the one that both find by themselves. The ratios are what counts: each is of two
runs made one after the other, so a machine that slows down slows down both.
"""

import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path


def seconds(argv: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(argv, stdin=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    container, *rest = sys.argv[1:]
    runs = int(rest[0]) if rest else 20
    rind = str(Path(sys.executable).with_name("rind"))
    ours = [rind, "-T", "--container", container, "true"]
    theirs = [shutil.which("docker") or "docker", "exec", container, "true"]
    bare = [sys.executable, "-c", "import aiodocker"]
    for argv in (ours, theirs, bare):
        seconds(argv)
    times = [(seconds(ours), seconds(theirs), seconds(bare)) for _ in range(runs)]
    for index, name in enumerate(("rind", "docker exec", "import aiodocker")):
        print(f"{name:20} median {statistics.median(it[index] for it in times) * 1000:6.0f} ms")
    ratios = sorted(our / their for our, their, _ in times)
    print(
        f"rind / docker exec   median {statistics.median(ratios):6.2f}  "
        f"(from {ratios[0]:.2f} to {ratios[-1]:.2f}, {runs} pairs)"
    )


if __name__ == "__main__":
    main()
