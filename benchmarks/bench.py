"""Runs the benchmarks on a test bed engine, and writes their table, results and chart."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bed import images, venv
from bed.checkout import SUITE, VENV, locked
from bed.engines import Docker, Engine, configuration, environment
from bed.keeper import kept
from bed.say import Trouble, step

if TYPE_CHECKING:
    from questions import Bench, Question

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results.json"
CHART = ROOT / "benchmarks" / "results.svg"
GROWTH_CHART = ROOT / "benchmarks" / "growth.svg"
SUITES = {"28.5": "sid", "20.10": "bookworm"}
"""Debian's suites, by the version of their engine."""

QUIET = 1.5
"""The highest load of the machine at the start, in runnable processes."""

METHOD = (
    "whole processes in turn (A B A B ...) on an otherwise idle machine; medians, and medians of "
    "the ratios round by round"
)


def main(words: Sequence[str]) -> None:
    """Run `./benchmarks/run` with these words."""
    parser = argparse.ArgumentParser(prog="benchmarks/run", description=__doc__)
    parser.add_argument("question", nargs="*", help="start, out, echo...; by default, all")
    parser.add_argument("--engine", default="28.5", help="28.5 (default) or 20.10")
    parser.add_argument("--rounds", type=int, help="of each question; by default, its own number")
    parser.add_argument("--growth", action="store_true", help="measure cost as work grows")
    parser.add_argument("--imports", action="store_true", help="report what a start imports")
    parser.add_argument("--swarm", action="store_true", help="measure a swarm's other nodes")
    parser.add_argument("--transports", action="store_true", help="measure each way to an engine")
    parser.add_argument("--mapping", action="store_true", help="measure what mapping paths costs")
    parser.add_argument("--files", action="store_true", help="measure copies in and out")
    options = parser.parse_args(words)
    venv.make("dev")
    if Path(sys.prefix) != VENV:
        python = str(VENV / "bin" / "python")
        os.execv(python, [python, str(ROOT / "benchmarks" / "run"), *words])  # itself
    if options.imports:
        from imports import report  # noqa: PLC0415 # only then

        print(report())
        return
    if options.swarm:
        import nodes  # noqa: PLC0415 # as above

        nodes.main()
        return
    if options.transports:
        import transports  # noqa: PLC0415 # as above

        transports.main()
        return
    if options.mapping:
        import mapping  # noqa: PLC0415 # as above

        mapping.main()
        return
    if options.files:
        import files  # noqa: PLC0415 # as above

        files.main()
        return
    try:
        with locked(SUITE), furnished(options.engine) as bench:
            run(options, bench)
    except (Trouble, OSError) as exc:
        sys.exit(f"benchmarks/run: {exc}")


def run(options: argparse.Namespace, bench: "Bench") -> None:
    """Measure the chosen questions; print the table, and keep the results of a whole run."""
    from growth import grow  # noqa: PLC0415 # these need the virtual environment
    from report import chart, growth_chart, growth_table, table  # noqa: PLC0415 # as above

    if options.growth:
        grown = grow(bench)
        print(growth_table(grown))
        keep("growth", grown)
        GROWTH_CHART.write_text(growth_chart(json.loads(RESULTS.read_text())))
        return
    results = answers(options, bench)
    print(table(results))
    for missing in bench.missing:
        print(f"not measured: {missing} is missing")
    if not options.question:
        keep("questions", results)
        CHART.write_text(chart(json.loads(RESULTS.read_text())))


def keep(what: str, found: object) -> None:
    """Write results, with the date, the machine and the method."""
    kept_before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    about = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}",
        "python": platform.python_version(),
        "method": METHOD,
    }
    kept_before[what] = {**about, "results": found}
    RESULTS.write_text(json.dumps(kept_before, indent=1) + "\n")


def every_question(bench: "Bench") -> "Iterator[Question]":
    """Yield the command's questions, and then the library's."""
    from questions import questions  # noqa: PLC0415 # as above

    yield from questions(bench)
    # A late import: until a child executes a program, its memory is a copy of this process's.
    import library  # noqa: PLC0415 # see above

    yield from library.questions(bench)


def answers(options: argparse.Namespace, bench: "Bench") -> list[dict[str, object]]:
    """Answer the questions."""
    from measure import alternated, median, ratio  # noqa: PLC0415 # as above
    from questions import competitor, crowd, echo  # noqa: PLC0415 # as above

    found: list[dict[str, object]] = []
    load = os.getloadavg()[0]
    if load > QUIET:
        print(f"the machine is busy (load {load:.1f}): the ratios will vary", file=sys.stderr)
    for question in every_question(bench):
        if options.question and question.name not in options.question:
            continue
        with (
            step(question.title) as progress,
            crowd(bench, question.crowd),
            competitor(is_there=question.is_busy),
        ):
            samples = alternated(question.runs, options.rounds or question.rounds, progress)
        ours, theirs = list(samples)[:2]
        found.append(
            {
                "name": question.name,
                "title": question.title,
                "ours": ours,
                "yardstick": theirs,
                "goals": dict(question.goals),
                "ratios": {
                    what: round(ratio(samples[ours], samples[theirs], what), 3)
                    for what in question.goals
                },
                "medians": {
                    name: {
                        what: round(median(of, what), 4)
                        for what in ("wall", "cpu", "memory")
                        if median(of, what)
                    }
                    for name, of in samples.items()
                },
            }
        )
    if not options.question or "echo" in options.question:
        with step("keys on a terminal"):
            found.append(echo_answer(echo(bench)))
    return found


def echo_answer(times: dict[str, list[float]]) -> dict[str, object]:
    """Return the answer of the echo question, from seconds."""
    quantiles = {}
    for name, seconds in times.items():
        cuts = statistics.quantiles(seconds, n=100)
        quantiles[name] = {"p50": round(cuts[49], 6), "p99": round(cuts[98], 6)}
    ours, theirs = quantiles
    return {
        "name": "echo",
        "title": "the echo of a key on a terminal",
        "ours": ours,
        "yardstick": theirs,
        "goals": {"p50": 1.2, "p99": 1.3},
        "ratios": {
            what: round(quantiles[ours][what] / quantiles[theirs][what], 3)
            for what in ("p50", "p99")
        },
        "medians": quantiles,
    }


@contextmanager
def furnished(version: str) -> Iterator["Bench"]:
    """Start an engine with the containers that the questions need."""
    from questions import Bench  # noqa: PLC0415 # as above

    suite = SUITES.get(version)
    if suite is None:
        raise Trouble(f"no engine {version}: there are {', '.join(SUITES)}")
    engine = Engine(suite, suite)
    engine.prepare()
    with ExitStack() as stack:
        stack.enter_context(kept([engine]))
        docker = Docker(engine.host)
        engine.clear()
        image = images.IMAGES["busybox"].load(docker, borrowed=False)
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        compose = Path(folder) / "compose.yaml"
        compose.write_text(
            "name: bench\nservices:\n  web:\n"
            f"    image: {image}\n    command: sleep 1000000\n    network_mode: none\n"
            '    labels:\n      bench: ""\n'
        )
        config = str(configuration(compose=True))
        env = {**environment(), "DOCKER_HOST": engine.host, "DOCKER_CONFIG": config}
        subprocess.run(
            [docker.program, "compose", "--file", compose, "up", "--detach", "--quiet-pull"],
            env=env,
            check=True,
            capture_output=True,
        )
        start = ("run", "--detach", "--network", "none", "--label")
        docker(*start, "bench.step=cd /tmp", "--name", "bench-step", image, "sleep", "1000000")
        env = {name: value for name, value in env.items() if not name.startswith("PYTHON")}
        program, file = installed(Path(folder), env), one_file(Path(folder), env)
        places = "bench-web-1", "bench-step", str(compose)
        bench = Bench(env, program, str(docker.program), *places, file)
        with bench.clean_up:
            yield bench


def installed(folder: Path, env: dict[str, str]) -> str:
    """Install a wheel in a new environment, compiled, as users do; return the program."""
    python = folder / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--quiet"]
    commands: tuple[list[str | Path], ...] = (
        [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", folder],
        [sys.executable, "-m", "venv", "--without-pip", folder / "venv"],
    )
    for command in commands:
        subprocess.run(command, env=env, check=True, capture_output=True, cwd=ROOT)
    (wheel,) = folder.glob("*.whl")
    install: list[str | Path] = [*pip, "--python", python, "install", "--compile", wheel]
    subprocess.run(install, env=env, check=True, capture_output=True)
    return str(python.with_name("rind"))


def one_file(folder: Path, env: dict[str, str]) -> str:
    """Build Rind as one file, in the wheel's environment; return its path, or "" if that fails."""
    file = folder / "file" / "rind"
    file.parent.mkdir()
    build = [folder / "venv" / "bin" / "python", ROOT / ".ci" / "binary" / "build.py", file]
    done = subprocess.run(build, env=env, check=False, capture_output=True)
    return "" if done.returncode else str(file)
