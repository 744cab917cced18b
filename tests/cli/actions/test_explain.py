"""--explain, on real engines; the printed line is pasted into a shell."""

import os
import subprocess
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Containers, TestContainer, lines

from rind.cli.actions.explain import docker_exec
from rind.cli.options import Options
from rind.model import ExecConfig


def test_explain_shows_the_command_and_dockers_equivalent(django: TestContainer) -> None:
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
    # The line can be pasted.
    line = said[-1].replace("docker exec", f"{django.engine.docker} exec", 1)
    env = {"PATH": os.environ["PATH"], "DOCKER_HOST": django.engine.host}
    done = subprocess.run(["bash", "-c", line], env=env, capture_output=True, check=True)
    assert done.stdout == b"it's|"
    assert "named" in "".join(lines(django, "--explain", "--container", django.name, "true"))


def test_the_docker_line_has_the_options_and_no_secret(
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
    assert line.startswith("docker exec -d --detach-keys ctrl-x ")
    assert f" --env-file {file} -e TOKEN " in line
    line = lines(busybox, "-H", busybox.engine.host, "--explain", "true")[-1]
    assert line.startswith(f"docker --host {busybox.engine.host} exec ")


def test_explain_shows_all_or_the_index(containers: Containers) -> None:
    label, number = f"test.{uuid.uuid4().hex}", "com.docker.compose.container-number"
    first, second = (
        containers("busybox", "", "--label", f"{number}={replica}", label=label)
        for replica in (1, 2)
    )
    said = lines(first, "--all", "--explain", "true")
    assert len([line for line in said if line.startswith("docker exec ")]) == 2
    for name in (first.name, second.name):
        assert any(f"{name} (one of 2 with the label {label})" in line for line in said)
    said = lines(first, "--index", "2", "--explain", "true")
    why = f"(the only one with the label {label} and the index 2)"
    assert f"{second.name} {why}" in said[1]


@pytest.mark.parametrize(
    "word",
    ["plain", "two  words", "it's", "a\nb", "\x1b[2J", "é\n", "a\\n\tb'", "=ls", "~", "a\udcff"],
)
def test_a_pasted_word_is_unchanged(word: str) -> None:
    config = ExecConfig(argv=["printf", "%s", word], stdin=False)
    line = docker_exec(["docker"], Options(), config, {}, "web")
    assert line.replace("\n", "").isprintable()
    assert line.startswith("docker exec web printf %s ")
    script = line.replace("docker exec web ", "", 1)
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    assert done.stdout == os.fsencode(word)


STEPS = [
    "export A=1",
    "source /tmp/step",
    "source /tmp/step # for the library",
    "cd /tmp; export A=1;",
    "echo noise\nA='two\n  lines'\nexport A",
    "false",
    "exit 3",
    ". /tmp/step && cd /var",
    "if true; then source /tmp/step; fi",
]
"""Pre-steps that a person could write at the beginning of a script."""


@pytest.mark.newest_engine
@pytest.mark.parametrize("image", ["busybox", "django"])
def test_the_readable_line_does_the_same_as_the_exact_one(
    containers: Containers, image: str
) -> None:
    labels = [
        word for number, step in enumerate(STEPS) for word in ("--label", f"t{number}={step}")
    ]
    target = containers(image, None, *labels)
    target.inside("echo 'export A=\"of a file\"' >/tmp/step")
    env = {"PATH": os.environ["PATH"], "DOCKER_HOST": target.engine.host}

    def done(number: int, *words: str) -> tuple[int, set[bytes]]:
        label = ("--label", f"t{number}", "--container", target.name)
        said = target.rind("--explain", *label, *words).stdout.decode()
        assert "\ndocker exec " in said, said
        line = said[said.index("\ndocker exec ") + 1 :]
        is_short = len(line) < 200 and "\\0" not in line
        assert is_short or "-v" in words or STEPS[number] == "exit 3"
        line = line.replace("docker exec", f"{target.engine.docker} exec", 1)
        run = subprocess.run(["bash", "-c", line], env=env, capture_output=True, check=False)
        ours = (b"_=", b"SHLVL=", b"OLDPWD=", b"PWD=")
        kept = {line for line in run.stdout.splitlines() if not line.startswith(ours)}
        return run.returncode, kept

    for number in range(image == "django", len(STEPS), 2):
        for words in (["env"], ["-w", "/", "-c", "echo $A; pwd; echo $1", "x"]):
            assert done(number, *words) == done(number, "-v", *words)
