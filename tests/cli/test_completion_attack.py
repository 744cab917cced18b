"""Completing a hostile name with TAB does no harm on this machine.

The shells are real, on a terminal, and have Rind's completion. Their ``rind`` is a stub, so that
thousands of cases take seconds: at TAB, it prints the result of the real :func:`answer` for a
container with the names of the case; otherwise, it reports its arguments.
"""

import os
import re
import select
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import pexpect
import pytest
from conftest import TIMEOUT

from rind.cli.actions import completion
from rind.cli.actions.completion import Gap, answer
from rind.cli.actions.completion_scripts import SCRIPTS
from rind.cli.actions.program_completion import read

# --- shells -----------------------------------------------------------------------------------

# A message is its kind and words, each followed by a NUL, and the record separator.
STUB: Final = r"""#!/bin/sh
{ printf 'rind\0'; printf '%s\0' "$@"; printf '\036'; } >"$LAB/told"
[ "$1" != --complete ] || cat "$LAB/answer"
"""
# In each shell, this key reports the current line.
REPORT: Final = "\x1d"
RC: Final = {
    "bash": r"""PS1='ready> '
report() { printf 'line\0%s\0\036' "$READLINE_LINE" >"$LAB/told"; }
bind -x '"\C-]": report'
bind '"\C-t": menu-complete'
x=sub
""",
    # Unlike TAB, Ctrl-T does not expand the text already typed.
    "zsh": r"""PS1='ready> '
autoload -Uz compinit
compinit -u
report() { printf 'line\0%s\0\036' "$BUFFER" >"$LAB/told" }
zle -N report
bindkey '^]' report
bindkey '^T' complete-word
x=sub
""",
    "fish": r"""function fish_prompt; echo -n 'ready> '; end
set fish_greeting
set fish_autosuggestion_enabled 0
function report; printf 'line\0%s\0\036' (commandline | string collect) >"$LAB/told"; end
bind \c] report
bind \ct complete
set x sub
""",
}
RC_FILES: Final = {"bash": "rc", "zsh": ".zshrc", "fish": ".config/fish/config.fish"}
PROGRAMS: Final = {
    "bash": ["bash", "--noprofile", "--rcfile", "rc"],
    "zsh": [os.environ.get("RIND_TEST_ZSH", "zsh")],
    "fish": [os.environ.get("RIND_TEST_FISH", "fish")],
}
# These options make more characters special.
OPTIONS: Final = {
    "bash": "shopt -s extglob globstar\n",
    "zsh": "setopt extendedglob kshglob magicequalsubst rcquotes interactivecomments\n",
    "fish": "",
}


class Shell:
    """An interactive shell in an empty directory, with the stub as its rind."""

    def __init__(self, name: str, folder: Path, options: str) -> None:
        self.name = name
        self.asked = False
        """Whether it asked for candidates at the last TAB."""
        self.environ: Mapping[str, str] = {}
        """The variables from which candidates are taken."""
        self._home = folder / "home"
        self._answer = folder / "answer"
        file = self._home / RC_FILES[name]
        file.parent.mkdir(parents=True)
        file.write_text(RC[name] + options + SCRIPTS[name])
        # Without this folder, fish first reads the machine's manual pages for a new user.
        (self._home / ".local/share/fish/generated_completions").mkdir(parents=True)
        stub = folder / "bin/rind"
        stub.parent.mkdir()
        stub.write_text(STUB)
        stub.chmod(0o755)
        os.mkfifo(folder / "told")
        os.mkfifo(self._answer)
        self._told = os.open(folder / "told", os.O_RDWR)
        self._unread = b""
        self._env = {
            "HOME": str(self._home),
            "LAB": str(folder),
            "LC_ALL": "C.UTF-8",
            "PATH": f"{stub.parent}{os.pathsep}{os.environ['PATH']}",
            "TERM": "xterm",
        }
        self._start()
        self._found = self._files()

    def _start(self) -> None:
        program, *args = PROGRAMS[self.name]
        self._spawned = pexpect.spawn(
            *(program, args),
            env=self._env,
            cwd=self._home,
            dimensions=(50, 500),
            timeout=TIMEOUT,
        )
        self._spawned.delaybeforesend = None
        self._spawned.expect_exact(b"ready> ")

    def close(self) -> None:
        self._spawned.close(force=True)
        os.close(self._told)

    def press(self, keys: str) -> str:
        """Press keys on an empty line; return the resulting line."""
        self.asked = False
        self._spawned.send(keys + REPORT)
        kind, *words = self._message()
        assert kind == "line", (keys, kind, words)
        return words[0]

    def enter(self, keys: str = "") -> list[list[str]]:
        """Press more keys and Enter; return the words of each rind that this runs."""
        self._spawned.send(f"{keys}\r{REPORT}")
        runs = []
        while (message := self._message())[0] == "rind":
            runs.append(message[1:])
        if not runs or message[1]:
            # For the shell, the line is unfinished.
            self._spawned.close(force=True)
            self._start()
        return runs

    def clear(self) -> None:
        """Empty the line."""
        if self.press("\x05\x15"):
            self._spawned.close(force=True)
            self._start()

    def harm(self) -> set[str]:
        """Return the files that were made since the last call, and remove them."""
        made = self._files() - self._found
        for name in made:
            (self._home / name).unlink()
        return made

    def _files(self) -> set[str]:
        return {file.name for file in self._home.iterdir() if not file.name.startswith(".")}

    def _message(self) -> list[str]:
        """Return the next message, after answering those that ask for candidates."""
        terminal = self._spawned.fileno()
        while True:
            while b"\x1e" not in self._unread:
                ready, *_ = select.select([self._told, terminal], [], [], TIMEOUT)
                assert ready, "the shell is silent"
                if terminal in ready:
                    os.read(terminal, 65536)
                if self._told in ready:
                    self._unread += os.read(self._told, 65536)
            message, _, self._unread = self._unread.partition(b"\x1e")
            words = message.decode().split("\0")[:-1]
            if words[:2] != ["rind", "--complete"]:
                return words
            self.asked = True
            found = answer(words[2:], self.environ)
            self._answer.write_text("".join(f"{candidate}\n" for candidate in found))


Shells = Callable[..., Shell]


@pytest.fixture(scope="module")
def shells(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shells]:
    """Return a function that starts each shell once."""
    started: dict[tuple[str, str], Shell] = {}

    def shell(name: str, options: str = "") -> Shell:
        if (name, options) not in started:
            started[name, options] = Shell(name, tmp_path_factory.mktemp(name), options)
        return started[name, options]

    yield shell
    for each in started.values():
        each.close()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list, whose items are the candidates of every kind."""
    names: list[str] = []

    def ask(_gap: Gap, _env: Mapping[str, str]) -> list[str]:
        return names

    monkeypatch.setattr(completion, "_ask", ask)
    monkeypatch.setattr(completion, "context_names", lambda _env: names)
    return names


# --- one name ---------------------------------------------------------------------------------

FIRST: Final = [char for char in map(chr, range(32, 127)) if char != "/"]
SPECIAL: Final = [char for char in FIRST if not char.isalnum()]
HOSTILE: Final = (
    "; touch P&touch P|touch P\\`touch P`$(touch P)${IFS}$IFS(touch P)'$(touch P)'"
    "\"`touch P`$(touch P)\"!!'!!'!touch\\!!\\\\$(touch P)<*>?[a]{b,c}~#^=@(a).z"
)
# Text that is special as a whole.
SPELT: Final = [
    *("~", "~+", "~-", "%self", "=ls", "!!", "!1", "!-1", "!?t", "$x", "${x}", "$IFS", "`id`"),
    *("$(id)", "{a,b}", "--", "a=~", "a:~", "<1-2>", "**", "\\\\", "$'x'", '$"x"', "''", '""'),
    *("'$x'", '"$x"', "a'", 'a"', "a\\", "a$", "a!", "a`", "(a)", "@(a)", "!(a)", "[a]", "a b"),
]
NAMES: Final = [
    *(first + HOSTILE for first in FIRST),
    *(first + rest for first in SPECIAL for rest in ("", "root")),
    *SPELT,
]
OPENINGS: Final = {
    "bash": ["", "\\", "'", '"', "ab", "ab\\", "'ab", '"ab', "a'b", 'a"b', "a'b'", 'a"b"'],
    "zsh": ["", "\\", "'", '"', "$'", "ab", "'ab", '"ab', "$'ab", 'a"b'],
    "fish": ["", "\\", "'", '"', "ab", "'ab", '"ab', "a'b"],
}
STATES: Final = [(shell, opening) for shell, some in OPENINGS.items() for opening in some]


def attack(  # noqa: PLR0913 # the last two are of a few
    shell: Shell, names: list[str], typed: str, name: str, *, key: str = "\t", closing: str = ""
) -> str:
    """Complete typed text, type ``closing``, and press Enter; return the outcome.

    It is "exact" if rind gets the one name, "nothing" if completion inserted nothing; any other
    outcome is a failure.
    """
    names[:] = [name]
    line = shell.press(typed + key)
    inserted = shell.asked and not typed.startswith(line)  # fish removes a last backslash
    runs = []
    if inserted:
        runs = shell.enter(closing)
    else:
        shell.clear()
    if harm := shell.harm():
        return f"{typed} became {line}, and made {harm}"
    if not inserted:
        return "nothing"
    exact = len(runs) == 1 and runs[0][-1].removeprefix(_option(typed)) == name
    return "exact" if exact else f"{typed} became {line}, and ran {runs}"


def check(outcomes: Sequence[str], nothing: float = 1.0) -> None:
    """Assert that no outcome is a failure, and at most the share ``nothing`` is "nothing"."""
    wrong = [outcome for outcome in outcomes if outcome not in {"exact", "nothing"}]
    assert not wrong, f"{len(wrong)} of {len(outcomes)}"
    assert outcomes.count("nothing") <= nothing * len(outcomes)


def _option(typed: str) -> str:
    """Return the option whose value is completed, if it is in the same word."""
    last = re.sub(r"['\"]", "", typed).split(" ")[-1]
    return last if last.startswith("--") and last.endswith("=") else ""


def _begun(opening: str) -> str:
    return re.sub(r"\W", "", opening)


def _unclosed(opening: str) -> str:
    return next((quote for quote in "'\"" if opening.count(quote) % 2), "")


@pytest.mark.parametrize(("shell", "opening"), STATES)
def test_a_hostile_name_is_inserted_exactly_or_not_at_all(
    shells: Shells, names: list[str], shell: str, opening: str
) -> None:
    typed = f"rind ./cat {opening}"
    outcomes = []
    for name in (_begun(opening) + rest for rest in NAMES):
        # fish leaves the quote open after one of these, since the name may continue.
        closing = _unclosed(opening) if shell == "fish" and name[-1] in "=@:.,-" else ""
        outcomes.append(attack(shells(shell), names, typed, name, closing=closing))
    check(outcomes, nothing=0.1)


@pytest.mark.parametrize(("shell", "opening"), [("bash", ""), ("bash", '"'), ("zsh", "")])
def test_more_special_characters_do_no_harm(
    shells: Shells, names: list[str], shell: str, opening: str
) -> None:
    special = shells(shell, OPTIONS[shell])
    check(
        [
            attack(special, names, f"rind ./cat {opening}{begun}", begun + name)
            for begun in ("", "a=", "a:")
            for name in [*SPELT, *(first + "root" for first in SPECIAL)]
        ],
        nothing=0.2,
    )


# Text that shells expand, or that ends a word, unless it is quoted.
ACTIVE: Final = [
    *(char for char in SPECIAL if char != " "),
    *("$x/", "${x}/", "$(touch P)", "$(touch P)/", "`touch P`", "`touch P`/", "(touch P)/"),
    *("$((1))/", "$[1]", "$!", "~/", "~root/", "~+/", "*/", "h*/", "**/", "?/", "[a-z]/"),
    *("{a,b}/", "(a|b)/", "<1-3>/", "=ls/", "a=~/", "a:~/", "!!", "!!/", "a!", "a!1", "a$x"),
    *("a$", "a${", "a$(", "a`", "a;", "a&b", "a>b", "$'a", '$"a', "<(", "=(", "@(a", "+(a", "^a"),
    *("%1", "a#", "a~", "a{", "{a,", "a\\", "a\\$x", "a\\!!", "a'b$x", 'a"b$x', "a'!!", 'a"!!'),
    *("a'b'$x", 'a"b"$x', "a\\`touch P`"),
]


@pytest.mark.parametrize("opening", ["", "'", '"'])
@pytest.mark.parametrize("shell", SCRIPTS)
def test_a_word_that_is_not_literal_does_no_harm(
    shells: Shells, names: list[str], shell: str, opening: str
) -> None:
    key = "\x14" if shell == "zsh" else "\t"
    check(
        [
            attack(shells(shell), names, f"rind ./cat {opening}{active}", active + rest, key=key)
            for active in ACTIVE
            if not opening or opening not in active
            for rest in ("x", HOSTILE)
        ]
    )


# --- text before and after the name -----------------------------------------------------------

SOME: Final = [
    *("a" + HOSTILE, "a`touch P`", "a$(touch P)", "a$x", "a!!", "a'", 'a"', "a\\", "a\\\\b", "a;b"),
    *("a'$(touch P)'", 'a"$(touch P)"', "a'!!", 'a"!!', "a~", "a{b,c}"),
]
FEW: Final = ["a" + HOSTILE, "a!!", "a$(touch P)"]
BEFORE: Final = [
    *(r"rind \"a ", r"rind it\'s ", "rind 'a\"b' ", 'rind "it\'s" ', r'rind "a\"b" ', r"rind a\\ "),
    *("rind '' ", 'rind "" ', "rind $x ", 'rind "$x" ', "rind ~ ", "rind {a,b} ", "rind a#b "),
    *("rind ! ", "rind a=b ", "rind $(true) ", r"echo \"; rind ", 'echo "it\'s"; rind '),
    *(r"echo it\'s; rind ", "true && rind ", "true | rind ", "x=1 rind "),
]
ONLY: Final = {
    "bash": ["rind `true` ", r"rind $'it\'s' ", 'rind $"x" ', "rind # "],
    "zsh": ["rind `true` ", r"rind $'it\'s' ", r"echo $'it\'s'; rind ", "rind =ls "],
    "fish": ["rind (true) ", 'rind "$(true)" ', "not rind "],
}


@pytest.mark.parametrize("shell", SCRIPTS)
def test_words_before_the_name_do_no_harm(shells: Shells, names: list[str], shell: str) -> None:
    check(
        [
            attack(shells(shell), names, f"{before}{opening}a", name)
            for before in [*BEFORE, *ONLY[shell]]
            for opening in ("", "'", '"')
            for name in FEW
        ],
        nothing=0.4,
    )


AROUND: Final = {
    "bash": [("echo `", "`"), ('echo "`', '`"'), ("echo $(", ")"), ('echo "$(', ')"'), ("(", ")")],
    "zsh": [
        *(("echo `", "`"), ('echo "`', '`"'), ("echo $(", ")"), ('echo "$(', ')"'), ("(", ")")),
        *(("cat <(", ")"), ("x=${y:-$(", ")}"), ("x=${y:-`", "`}"), ("{ ", "}")),
    ],
    "fish": [("echo (", ")"), ('echo "$(', ')"'), ("echo $(", ")"), ("begin; ", ";end")],
}


@pytest.mark.parametrize("shell", SCRIPTS)
def test_a_name_inside_a_substitution_does_no_harm(
    shells: Shells, names: list[str], shell: str
) -> None:
    outcomes = []
    for before, after in AROUND[shell]:
        for opening in ("", "'", '"'):
            for name in SOME:
                typed = f"{before}rind ./cat {opening}a"
                outcomes.append(attack(shells(shell), names, typed, name, closing=after))
    check(outcomes)


# "|" marks the cursor.
MIDDLES: Final = [
    *("'a|'", "'a|; touch P'", "'a| ; touch P'", "'a|b; touch P' 'c'", r"'a|; touch P \'", '"a|"'),
    *('"a|; touch P"', '"a| ; touch P" ""', r'"a|; touch P \""', "a|';touch P'", "a|b';touch P'"),
    *("'a|'';touch P'", "'a|' ';touch P'", 'a|";touch P"', r"a|\;touch\ P", r"a\|;touch\ P"),
]


@pytest.mark.parametrize("shell", SCRIPTS)
def test_a_cursor_in_the_middle_does_no_harm(shells: Shells, names: list[str], shell: str) -> None:
    for middle in MIDDLES:
        before, _, after = middle.partition("|")
        back = "\x02" * len(after)
        for name in FEW:
            names[:] = [name]
            line = shells(shell).press(f"rind ./cat {before}{after}{back}\t")
            shells(shell).enter()
            assert shells(shell).harm() == set(), line


def test_an_open_quote_that_readline_misreads_runs_nothing(
    shells: Shells, names: list[str]
) -> None:
    """The quote stays open, so Enter runs nothing yet."""
    for name in FEW:
        names[:] = [name]
        line = shells("bash").press("echo $'it\\'s'; rind ./cat 'a\t")
        assert shells("bash").enter() == [], line
        assert shells("bash").harm() == set(), line


# --- several names ----------------------------------------------------------------------------

PAIRS: Final = [
    (f"{begun}{one}", f"{begun}{other}")
    for begun in ("", "b$(touch P)'\"!!\\")
    for one, other in [*pairwise(SPECIAL), ("'", "!"), ("$", '"'), ("!", "b")]
]


def _common(names: Sequence[str]) -> str:
    return os.path.commonprefix(names)  # noqa: RUF071 # of names, not of paths


SHORT_OPENINGS: Final = ["", "\\", "'", '"', "a", "'a", '"a']


@pytest.mark.parametrize("opening", SHORT_OPENINGS)
@pytest.mark.parametrize("shell", SCRIPTS)
def test_two_names_insert_their_common_prefix(
    shells: Shells, names: list[str], shell: str, opening: str
) -> None:
    quote = _unclosed(opening)
    typed = f"rind ./cat {opening}"
    for pair in PAIRS:
        if shell == "fish" and {".", "~"}.intersection(pair):
            continue  # names that fish does not offer
        names[:] = [_begun(opening) + name for name in pair]
        line = shells(shell).press(f"{typed}\t")
        # zsh may insert only the part of an escape that both names share.
        if typed.startswith(line) or (shell == "zsh" and line.endswith("\\")):
            shells(shell).clear()
        else:
            runs = shells(shell).enter(quote)
            assert [run[-1] for run in runs] == [_common(names)], (line, names)
        assert shells(shell).harm() == set(), (line, names)


@pytest.mark.parametrize("keys", ["\x1b*", "\x1b?", "\x14", "\x14\x14", "\t\t", "\t\x14"])
def test_other_keys_of_readline_do_no_harm(shells: Shells, names: list[str], keys: str) -> None:
    """They insert all names, list all, or insert each in place of the previous one."""
    for opening in SHORT_OPENINGS:
        typed = f"rind ./cat {opening}"
        for some in (SOME[:1], SOME[:2], SOME, ["a b", "a'b", "$(touch P)"]):
            names[:] = some
            line = shells("bash").press(typed + keys)
            if line == typed:
                shells("bash").clear()
            else:
                runs = shells("bash").enter("" if line.endswith(" ") else _unclosed(opening))
                inserted = {word for run in runs for word in run[1:]}
                assert inserted <= {*some, _common(some), _begun(opening)}, line
            assert shells("bash").harm() == set(), line


# --- other sources ----------------------------------------------------------------------------


@pytest.mark.parametrize("shell", SCRIPTS)
def test_a_programs_own_candidates_do_no_harm(
    shells: Shells, names: list[str], shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program is the container's, and so is what it says of its words."""

    def ask(gap: Gap, _env: Mapping[str, str]) -> list[str]:
        output = "".join(f"{name}\0" for name in ["", *names])
        return read(output.encode(), gap.head, gap.text, ended=True)

    monkeypatch.setattr(completion, "_ask", ask)
    outcomes = [
        attack(shells(shell), names, f"rind {program} {opening}", name)
        for program in ("tool", "./tool")
        for opening in ("a", "'a", '"a', "--x=")
        for name in SOME
    ]
    check(outcomes, nothing=0.2)


@pytest.mark.parametrize("shell", SCRIPTS)
def test_labels_contexts_and_variables_do_no_harm(
    shells: Shells, names: list[str], shell: str
) -> None:
    outcomes = []
    for option in ("--service", "--project", "--container", "--context", "--env"):
        for typed in (f"{option} ", f"{option}=", f"{option} '", f'{option} "', f'"{option}='):
            for name in FEW:
                shells(shell).environ = {name: ""}
                outcomes.append(attack(shells(shell), names, f"rind {typed}", name))
    shells(shell).environ = {}
    check(outcomes, nothing=0.3)
