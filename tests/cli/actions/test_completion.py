"""The gap to complete; candidates from real containers; TAB in real shells on a terminal."""

import json
import os
import shlex
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest
from conftest import RIND, TIMEOUT, Containers, TestContainer, TestEngine, wait_until
from hypothesis import given
from hypothesis import strategies as st

from rind.cli.actions import completion
from rind.cli.actions.completion import Gap, answer, decide
from rind.cli.actions.completion_scripts import SCRIPTS
from rind.cli.options import Options
from rind.cli.parser import LONG
from rind.decide.plan import Command
from rind.decide.wanted import Wanted
from rind.errors import UsageError

PATIENCE = TIMEOUT / 4

# --- the decision -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", Gap("commands", Options(), "")),
        ("ls", Gap("commands", Options(), "ls")),
        ("./x", Gap("programs", Options(), "./x")),
        ("-", Gap("options", Options(), "-")),
        ("--se", Gap("options", Options(), "--se")),
        ("-t --se", Gap("options", Options(tty=True), "--se")),
        ("-s", Gap("options", Options(), "-s")),
        ("-s w", Gap("services", Options(), "w")),
        ("-ts w", Gap("services", Options(), "w")),
        ("-p shop --service w", Gap("services", Options(wanted=Wanted(project="shop")), "w")),
        ("--service=w", Gap("services", Options(), "w", "--service=")),
        ("--tty=w", Gap("", Options(), "w", "--tty=")),
        ("-e -x", Gap("variables", Options(), "-x")),
        ("-s web l", Gap("commands", Options(wanted=Wanted(service="web")), "l")),
        ("-- --se", Gap("commands", Options(), "--se")),
        ("-t -- a/--se", Gap("programs", Options(tty=True), "a/--se")),
        ("ls --", Gap("files", Options(words=["ls"]), "--")),
        ("-- ls -s", Gap("files", Options(words=["ls"]), "-s")),
        ("ls -- x", Gap("files", Options(words=["ls", "--"]), "x")),
        ("dd of=x", Gap("files", Options(words=["dd"]), "of=x")),
        ("ls --x=y=z", Gap("files", Options(words=["ls"]), "y=z", "--x=")),
        ("--shell ba", Gap("commands", Options(), "ba")),
        ("--shell /b", Gap("programs", Options(), "/b")),
        ("-u r", Gap("users", Options(), "r")),
        ("--command=l", Gap("commands", Options(), "l", "--command=")),
        ("-c s a", Gap("files", Options(command=Command(script="s")), "a")),
        ("-c s -- a", Gap("files", Options(command=Command(script="s")), "a")),
        ("-c s --quie", Gap("options", Options(command=Command(script="s")), "--quie")),
        (
            "-w /x ls -w y",
            Gap("files", Options(command=Command(workdir="/x"), words=["ls", "-w"]), "y"),
        ),
    ],
)
def test_decide_finds_the_gap(line: str, expected: Gap) -> None:
    gap = decide(line.split(" "), {})
    gap.options.typed = []
    assert gap == expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("l", Gap("commands", Options(), "l")),
        ("bin/l", Gap("programs", Options(), "bin/l")),
        ("ls /e", Gap("files", Options(), "/e", "ls ")),
        ("cd /x && l", Gap("commands", Options(), "l", "cd /x && ")),
        ("a | ./b", Gap("programs", Options(), "./b", "a | ")),
        ("(c", Gap("commands", Options(), "c", "(")),
        ("ls '", Gap("", Options(), "ls '")),
        ("echo $x", Gap("", Options(), "echo $x")),
    ],
)
def test_decide_finds_the_gap_in_a_script(script: str, expected: Gap) -> None:
    assert decide(["-c", script], {}) == expected


def test_defaults_from_the_environment_apply() -> None:
    env = {"RIND_SERVICE": "web", "RIND_LABEL": "x"}
    assert decide(["ls"], env).options == Options(wanted=Wanted(service="web", label="x"))
    assert decide([], env) == decide([""], env)


@pytest.mark.parametrize("line", ["--no-such x", "--shell a/b x", "--tty=x y", "--index 0 -s w"])
def test_a_usage_error_yields_no_candidates(line: str) -> None:
    with pytest.raises(UsageError):
        decide(line.split(), {})
    assert answer(["fish", *line.split()], {}) == []


@given(st.lists(st.text() | st.sampled_from(["-e", "-c", "--", "--env", "-it", "--user="])))
def test_any_words_yield_a_gap_or_a_usage_error(words: list[str]) -> None:
    try:
        gap = decide(words, {})
    except UsageError:
        return
    assert gap.head + gap.text == (words[-1] if words else "")


def test_only_an_argument_of_a_program_by_its_name_is_asked_here() -> None:
    for line, expected in (
        ("rind git chec", ["\t5"]),
        ("  rind -w 'x y' -- git a ", ["\t19"]),
        ("rind ./manage.py x", None),
        ("rind gi", None),
        ("rind --completion z", ["sh"]),
        ("rind git $x", []),
        ("rind -c 'ls", None),
    ):
        found = answer(["local", "bash", line], {"DOCKER_HOST": "unix:///dev/null"})
        assert found == (expected or []), line
    assert answer(["local", "zsh", "-e", "x", "git", "a", ""], {}) == ["\t3"]
    assert answer(["local", "fish-token", "git", "'a"], {}) == ["\t1"]
    off = {"DOCKER_HOST": "unix:///dev/null", "RIND_NO_LOCAL_COMPLETION": "1"}
    assert answer(["local", "zsh", "git", ""], off) == []


# --- without an engine ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (["--deta"], ["--detach", "--detach-keys"]),
        (["-"], sorted(LONG)),
        (["--completion", ""], ["bash", "fish", "zsh"]),
        (["--completion=z"], ["--completion=zsh"]),
        (["-e", "RI"], ["RIND_A", "RIND_B"]),
        (["--kill-after", ""], []),
        (["-sx"], []),
    ],
)
def test_candidates_that_need_no_engine(word: list[str], expected: list[str]) -> None:
    found = answer(["fish", *word], {"RIND_A": "", "RIND_B": "", "C": ""})
    assert [candidate.partition("\t")[0] for candidate in found] == expected


def test_contexts_are_offered(tmp_path: Path) -> None:
    for name in ("far", "near", "broken", "bell\a"):
        folder = tmp_path / "contexts/meta" / name.strip("\a")
        folder.mkdir(parents=True)
        (folder / "meta.json").write_text("" if name == "broken" else json.dumps({"Name": name}))
    env = {"DOCKER_CONFIG": str(tmp_path)}
    assert answer(["fish", "--context", ""], env) == ["default", "far", "near"]
    assert answer(["fish", "--context=f"], env) == ["--context=far"]


def test_an_overlong_candidate_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["x" * 4097, "y" * 4096, "\u00e9" * 2049]
    monkeypatch.setattr(completion, "context_names", lambda _env: names)
    assert answer(["fish", "--context", ""], {}) == ["y" * 4096]


def test_too_many_candidates_yield_none(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [str(number) for number in range(10_001)]
    monkeypatch.setattr(completion, "context_names", lambda _env: names)
    assert answer(["fish", "--context", ""], {}) == []
    assert len(answer(["fish", "--context", "1"], {})) == 1112


def test_environment_files_are_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub dir").mkdir()
    (tmp_path / "sub dir/b").touch()
    (tmp_path / ".env").touch()
    assert answer(["fish", "--env-file", ""], {}) == [".env", "sub dir/"]
    assert answer(["fish", "--env-file=sub dir/"], {}) == ["--env-file=sub dir/b"]
    assert answer(["fish", "--env-file", "no/"], {}) == []
    assert answer(["bash", "rind --env-file su"], {}) == ["b\\ dir/"]


def test_an_unknown_shell_is_an_error() -> None:
    done = subprocess.run([RIND, "--completion", "ksh"], capture_output=True, check=False)
    said = b"rind: --completion needs one of bash, zsh, fish, but got 'ksh'\n"
    assert (done.returncode, done.stdout, done.stderr) == (125, b"", said)


def test_a_run_does_not_import_completion() -> None:
    program = "import sys, rind.cli.program, rind.cli.running.invocation; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert b"rind.cli.actions.completion" not in done.stdout.split()
    assert b"rind.cli.running.invocation" in done.stdout.split()


# --- from containers --------------------------------------------------------------------------


def lines(container: TestContainer, *words: str, **env: str) -> list[str]:
    """Ask once; on a busy machine, an answer that is too late yields no candidates."""
    done = subprocess.run(
        [RIND, "--complete", "fish", *words],
        env=container.environ(**env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=TIMEOUT,
    )
    assert done.stderr == b""
    return done.stdout.decode().splitlines()


def offers(
    container: TestContainer, *words: str, expected: list[str] | None = None, **env: str
) -> list[str]:
    """Ask until there are candidates, or those that are expected."""
    deadline = time.monotonic() + PATIENCE
    while not (found := lines(container, *words, **env)) or found != (expected or found):
        assert time.monotonic() < deadline, (words, found)
    return found


@pytest.fixture(scope="module")
def stocked(session_containers: Containers) -> TestContainer:
    """Return a container with awkward files in the directory of its pre-step, which prints."""
    pre_step = "echo hi; set -fu; IFS=x; PATH=/stock/bin:$PATH; cd /stock; set -- a b"
    container = session_containers("busybox", pre_step)
    container.inside(
        r"""
        mkdir -p /stock/bin "/stock/sub dir/deeper" /stock/empty; cd /stock
        printf '#!/bin/sh\n' >bin/tool-1; cp bin/tool-1 bin/tool-2; chmod +x bin/tool-1
        ln -s nowhere broken; ln -s bin linked
        touch -- 'two words' "it's" 'quo"te' 'dol$lar' 'back\slash' 'star*' .hidden '=odd' -n
        touch "sub dir/inner" "$(printf 'bad\033[31m')" "$(printf 'bad\nx')" "$(printf 'bad\377')"
        mkdir -p /trap/a /trap/b /trap/c; cd /trap
        touch 'a/$(touch PWNED)' 'b/`touch PWNED`' 'c/g!!;touch PWNED'
        """
    )
    return container


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["tool"], ["tool-1"]),
        (["--", "basen"], ["basename"]),
        (["bin/to"], ["bin/tool-1"]),
        (["/stock/b"], ["/stock/bin/"]),
        (["cat", "b"], ["back\\slash", "bin/", "broken"]),
        (["cat", "bin/to"], ["bin/tool-1", "bin/tool-2"]),
        (["cat", "."], [".hidden"]),
        (["cat", "-n", "star*"], ["star*"]),
        (["cat", "-"], ["-n"]),
        (["cat", "--from=two"], ["--from=two words"]),
        (["cat", "--from=="], ["--from==odd"]),
        (["cat", "su"], ["sub dir/"]),
        (["cat", "sub dir/"], ["sub dir/deeper/", "sub dir/inner"]),
        (["-w", "/stock/sub dir/", "--no-pre-step", "cat", "in"], ["inner"]),
        (["-w", "/stock/"], ["/stock/bin/", "/stock/empty/", "/stock/linked/", "/stock/sub dir/"]),
        (["--shell=/stock/bin/"], ["--shell=/stock/bin/tool-1"]),
        (["-c", "cat $1", "quo"], ['quo"te']),
        (["-c", "cat bin/to"], ["cat bin/tool-1", "cat bin/tool-2"]),
        (["-c", "cat x; basen"], ["cat x; basename"]),
        (["-u", "ro"], ["root"]),
        (["-u", "ho"], ["host"]),
        (["-u", "app", "-e", "X=1", "cat", "dol"], ["dol$lar"]),
    ],
)
def test_candidates_come_from_the_container(
    stocked: TestContainer, words: list[str], expected: list[str]
) -> None:
    assert offers(stocked, *words) == expected


def test_names_with_control_characters_are_left_out(stocked: TestContainer) -> None:
    assert "it's" in offers(stocked, "cat", "")
    assert lines(stocked, "cat", "ba") == offers(stocked, "cat", "bac")
    assert not any("bad" in offer for offer in offers(stocked, "cat", ""))


def test_the_pre_steps_path_and_the_working_directory_apply(django: TestContainer) -> None:
    assert "python3.11" in offers(django, "python")
    assert "/venv/bin/activate" in offers(django, ".", "/venv/bin/act")
    assert offers(django, "./m") == ["./manage.py", "./mysite/"]
    assert "sh" in offers(django, "")
    assert offers(django, "--shell", "/bin/das") == ["/bin/dash"]
    assert offers(django, "--shell", "/bin/bash", "./man") == ["./manage.py"]
    assert offers(django, "--env-file", "/dev/null", "-w", "/venv", "cat", "pyv") == ["pyvenv.cfg"]


def test_containers_are_offered_by_their_traits(containers: Containers, engine: TestEngine) -> None:
    project = f"p{uuid.uuid4().hex[:8]}"
    compose = "com.docker.compose"
    for service, index in (("web", 1), ("web", 2), ("worker\a", 1)):
        traits = {"project": project, "service": service, "container-number": index}
        labels = [f"--label={compose}.{name}={value}" for name, value in traits.items()]
        last = containers("busybox", "", *labels)
    assert offers(last, "--project", project[:4]) == [project]
    assert offers(last, "-p", project, "-s", "") == ["web"]
    assert offers(last, "-s", "", RIND_PROJECT=project, RIND_SERVICE="x") == ["web"]
    assert offers(last, "-p", project, "-s", "web", "--index=") == ["--index=1", "--index=2"]
    assert offers(last, "--container", last.name[:-1], RIND_PROJECT="no") == [last.name]
    assert offers(last, "-p", project, "-s", "web", "--index", "2", "basen") == ["basename"]
    assert (
        lines(last, "-p", project, "-s", "web", "basen") == []
    )  # two containers fit, and none is chosen
    engine.cli("pause", last.name)
    assert lines(last, "--container", last.name) == []
    assert lines(last, "--container", last.name, "basen") == []
    engine.cli("unpause", last.name)


def test_any_failure_yields_no_candidates_and_no_message(
    distroless: TestContainer, containers: Containers, tmp_path: Path
) -> None:
    assert lines(distroless, "e") == []
    assert lines(distroless, "e", RIND_LABEL="no.such.label") == []
    assert lines(distroless, "e", DOCKER_HOST=f"unix://{tmp_path}/none") == []
    assert lines(distroless, "--env-file", "/no/such", "e") == []
    malformed = containers("busybox", "", "--label", "x.shel=/bin/sh", label="x")
    assert lines(malformed, "basen") == []
    failing = containers("busybox", "exit 3")
    assert lines(failing, "basen") == []
    assert lines(failing, "\udcff", "\x1b", "") == []


def test_an_endless_answer_is_cut_off(containers: Containers) -> None:
    container = containers("busybox", "")
    container.inside(r"printf '#!/bin/sh\nexec yes\n' >/shell; chmod +x /shell")
    gap = Gap(
        "files",
        Options(
            words=["cat"], command=Command(shell="/shell"), wanted=Wanted(label=container.label)
        ),
        "",
    )
    began = time.monotonic()
    assert completion._ask(gap, {"DOCKER_HOST": container.engine.host}) == []
    assert time.monotonic() - began < completion.ASK_LIMIT, (
        "it ran into the time limit, not into the limit of its output"
    )


def test_a_pre_step_that_hangs_is_ended(containers: Containers) -> None:
    hanging = containers("busybox", "sleep 54321")
    started = time.monotonic()
    assert lines(hanging, "basen") == []
    wait_until(lambda: "54321" not in hanging.inside("ps -o args | grep -v grep | grep sleep"))
    assert time.monotonic() - started < TIMEOUT / 2


def test_an_engine_that_hangs_yields_no_candidates(tmp_path: Path, busybox: TestContainer) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "docker.sock"))
        server.listen()
        assert lines(busybox, "e", DOCKER_HOST=f"unix://{tmp_path}/docker.sock") == []


# --- TAB --------------------------------------------------------------------------------------

SHOW = """(printf '(%s)' "$@"; echo; echo "=END=")"""
RC = {
    "bash": f"""show() {SHOW}
eval "$(rind --completion bash)"
PS1='ready> '
""",
    "zsh": f"""show() {SHOW}
autoload -Uz compinit
compinit -u
source <(rind --completion zsh)
PS1='ready> '
""",
    "fish": """function show; printf '(%s)' $argv; echo; echo =END=; end
function fish_prompt; echo -n 'ready> '; end
set fish_greeting
set fish_autosuggestion_enabled 0
rind --completion fish | source
""",
}
# The files that contain these commands.
RC_FILES = {"bash": "rc", "zsh": ".zshrc", "fish": ".config/fish/config.fish"}
PROGRAMS = {
    "bash": ["bash", "--noprofile", "--rcfile", "rc"],
    "zsh": [os.environ.get("RIND_TEST_ZSH", "zsh")],
    "fish": [os.environ.get("RIND_TEST_FISH", "fish")],
}


class Terminal:
    """An interactive shell that has rind's completion."""

    def __init__(self, shell: str, container: TestContainer, home: Path) -> None:
        file = home / RC_FILES[shell]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(RC[shell])
        # Without this folder, fish first reads the machine's manual pages for a new user.
        (home / ".local/share/fish/generated_completions").mkdir(parents=True)
        path = f"{Path(RIND).parent}:{os.environ['PATH']}"
        program, *args = PROGRAMS[shell]
        self._spawned = pexpect.spawn(
            program,
            args,
            env=container.environ(HOME=str(home), PATH=path, LC_ALL="C.UTF-8"),
            cwd=home,
            dimensions=(50, 200),
            encoding="utf-8",
            timeout=TIMEOUT,
        )
        self._spawned.expect_exact("ready> ")

    def words(self, typed: str) -> str:
        """Type text; return the words of the resulting line, each in brackets."""
        # Ctrl-A moves to the beginning of the line.
        self._spawned.send(f"{typed}\x01show \r")
        self._spawned.expect("[\r\n](\\([^\r\n]*\\))\r\n=END=\r\n")
        words: str = self._spawned.match[1]
        return words

    def shows(self, typed: str, text: str) -> None:
        """Type text, and wait for other text on the screen."""
        self._spawned.send(typed)
        self._spawned.expect_exact(text)

    def close(self) -> None:
        self._spawned.close(force=True)


@pytest.fixture(params=SCRIPTS)
def terminal(
    request: pytest.FixtureRequest, stocked: TestContainer, tmp_path: Path
) -> Iterator[Terminal]:
    made = Terminal(request.param, stocked, tmp_path)
    yield made
    made.close()


def test_tab_inserts_the_candidate(terminal: Terminal, stocked: TestContainer) -> None:
    for typed, expected in (
        ("rind --versi\tx", "(rind)(--version)(x)"),
        ("rind --completion=z\tx", "(rind)(--completion=zsh)(x)"),
        ("rind basen\tx", "(rind)(basename)(x)"),
        ("rind bin/to\tx", "(rind)(bin/tool-1)(x)"),
        ("rind cat tw\tx", "(rind)(cat)(two words)(x)"),
        ("rind cat two\\ w\tx", "(rind)(cat)(two words)(x)"),
        ("rind cat 'tw\tx", "(rind)(cat)(two words)(x)"),
        ('rind cat "do\tx', "(rind)(cat)(dol$lar)(x)"),
        ("rind cat 'qu\tx", '(rind)(cat)(quo"te)(x)'),
        ("rind cat it\tx", "(rind)(cat)(it's)(x)"),
        ("rind cat \"it'\tx", "(rind)(cat)(it's)(x)"),
        ("rind cat do\tx", "(rind)(cat)(dol$lar)(x)"),
        ("rind cat back\tx", "(rind)(cat)(back\\slash)(x)"),
        ("rind cat su\tin\tx", "(rind)(cat)(sub dir/inner)(x)"),
        ("rind cat --from=tw\tx", "(rind)(cat)(--from=two words)(x)"),
        (f"rind --container={stocked.name[:-1]}\tx", f"(rind)(--container={stocked.name})(x)"),
        ("rind cat bin/to\t2 x", "(rind)(cat)(bin/tool-2)(x)"),
        ("rind cat bad\tx", "(rind)(cat)(badx)"),
    ):
        # On a busy machine, an answer that is too late is there the next time.
        deadline = time.monotonic() + PATIENCE
        while (words := terminal.words(typed)) != expected:
            assert time.monotonic() < deadline, (typed, words)


@pytest.mark.parametrize("terminal", ["zsh", "fish"], indirect=True)
def test_tab_shows_the_help_of_an_option(terminal: Terminal) -> None:
    terminal.shows("rind --deta\t\t", "attach nothing")


def test_tab_runs_nothing(terminal: Terminal, tmp_path: Path) -> None:
    for typed, expected in (
        ('rind cat "/trap/a/\tx', "(rind)(cat)(/trap/a/$(touch PWNED))(x)"),
        ("rind cat /trap/b/\tx", "(rind)(cat)(/trap/b/`touch PWNED`)(x)"),
        ('rind cat "/trap/c/\tx', "(rind)(cat)(/trap/c/g!!;touch PWNED)(x)"),
        ("rind cat '/trap/c/\tx", "(rind)(cat)(/trap/c/g!!;touch PWNED)(x)"),
    ):
        deadline = time.monotonic() + PATIENCE
        while (words := terminal.words(typed)) != expected:
            assert time.monotonic() < deadline, (typed, words)
    assert not (tmp_path / "PWNED").exists()


BASH_COMPLETION = os.environ.get("RIND_TEST_BASH_COMPLETION", "/usr/share/bash-completion")
# "grow" is a program that each shell's completion knows; "show" is the tests' own.
OWN = {
    "bash": f""". {shlex.quote(BASH_COMPLETION)}/bash_completion
"""
    """_grow() {
  COMPREPLY=()
  case $COMP_CWORD-${COMP_WORDS[*]}-$COMP_LINE-$COMP_POINT in
    "1-grow tre-grow tre-8" | "3-grow --x = tre-grow --x=tre-12") COMPREPLY=("tree "); ;;
    "1-grow ki-grow ki-7") COMPREPLY=(kind:a kind:b) ;;
    *) compopt -o filenames; COMPREPLY=(here.txt) ;;
  esac
}
complete -o nospace -F _grow grow
complete -o default -C 'printf "%s\\n" "seed-$COMP_LINE" #' sow
""",
    "zsh": """_grow() { _arguments '*:what:->what' && return; compadd tree kind:a kind:b; _files }
compdef _grow grow
""",
    "fish": """complete --command grow --arguments 'tree kind:a kind:b --x=tree'
""",
}


@pytest.mark.parametrize("shell", SCRIPTS)
def test_tab_asks_this_machines_completion_of_the_program(
    shell: str, stocked: TestContainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are the container's, also where the program's completion offers this machine's."""
    for name in ("here.txt", "tree.txt"):
        (tmp_path / name).touch()
    monkeypatch.setitem(
        RC, shell, OWN[shell] + RC[shell] if shell == "bash" else RC[shell] + OWN[shell]
    )
    terminal = Terminal(shell, stocked, tmp_path)
    cases = [
        ("rind grow tre\tx", "(rind)(grow)(tree)(x)"),
        ("rind -e 'ab=c:d e' grow tre\tx", "(rind)(-e)(ab=c:d e)(grow)(tree)(x)"),
        ("rind grow ki\ta x", "(rind)(grow)(kind:a)(x)"),
        ("rind ./grow tre\tx", "(rind)(./grow)(trex)"),
        ("rind grow he\tx", "(rind)(grow)(hex)"),
        ("rind grow su\tin\tx", "(rind)(grow)(sub dir/inner)(x)"),
        ("rind cat he\tx", "(rind)(cat)(hex)"),
        ("rind cat tw\tx", "(rind)(cat)(two words)(x)"),
    ]
    if shell != "zsh":
        cases.append(("rind grow --x=tre\tx", "(rind)(grow)(--x=tree)(x)"))
    if shell == "bash":
        cases.append(("rind find . -nam\tx", "(rind)(find)(.)(-name)(x)"))
        cases.append(("rind sow s\tx", "(rind)(sow)(seed-sow)(s)(x)"))
    else:
        cases.append(("rind git cherry-p\tx", "(rind)(git)(cherry-pick)(x)"))
    for typed, expected in cases:
        deadline = time.monotonic() + PATIENCE
        while (words := terminal.words(typed)) != expected:
            assert time.monotonic() < deadline, (typed, words)
    terminal.close()
