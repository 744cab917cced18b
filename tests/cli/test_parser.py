import pytest
from hypothesis import given
from hypothesis import strategies as st

from rind.cli.options import Options
from rind.cli.parser import LONG, parse
from rind.decide.plan import Command
from rind.decide.wanted import Wanted
from rind.errors import UsageError


def parsed(argv: list[str], env: dict[str, str]) -> Options:
    """Return the parsed options, without the typed words."""
    options = parse(argv, env)
    options.typed = []
    return options


def test_no_words_select_the_default_command() -> None:
    assert parse([], {}) == Options()


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["ls", "-la"], Options(words=["ls", "-la"])),
        (["--", "-odd"], Options(words=["-odd"])),
        (["--", "--", "x"], Options(words=["--", "x"])),
        (["ls", "--", "x"], Options(words=["ls", "--", "x"])),
        (["-"], Options(words=["-"])),
        (["-t", ""], Options(tty=True, words=[""])),
        (["-it", "sh"], Options(tty=True, words=["sh"])),
        (["-T", "-t"], Options(tty=True)),
        (["-t", "--no-tty"], Options(tty=False)),
        (["-e", "A=1", "--env=B=2", "-eC", "-e=D"], Options(env=["A=1", "B=2", "C", "D"])),
        (["-c", "-n", "x"], Options(words=["x"], command=Command(script="-n"))),
        (["--command=a=b"], Options(command=Command(script="a=b"))),
        (["-uroot"], Options(command=Command(user="root"))),
        (["-u", "root"], Options(command=Command(user="root"))),
        (["-tuapp", "id"], Options(tty=True, words=["id"], command=Command(user="app"))),
        (["-w", "/x", "--privileged"], Options(command=Command(workdir="/x", privileged=True))),
        (
            ["-w", "src", "--all", "--group"],
            Options(all=True, group=True, command=Command(workdir="src")),
        ),
        (["--all", "--wait"], Options(all=True, wait=60.0)),
        (["--container", "web", "-q"], Options(verbosity=-1, wanted=Wanted(container="web"))),
        (["-H", "tcp://x", "--label=l"], Options(host="tcp://x", wanted=Wanted(label="l"))),
        (["-h"], Options(action="help")),
        (
            ["-anT", "-p", "x"],
            Options(all=True, stdin=False, tty=False, wanted=Wanted(project="x")),
        ),
        (["-nd"], Options(stdin=False, detach=True)),
        (["--detach-keys", ""], Options(detach_keys="")),
        (["--timeout", "30"], Options(timeout=30)),
        (["--timeout=.5m", "--kill-after", "1.5h"], Options(timeout=30, kill_after=5400)),
        (["--version"], Options(action="version")),
    ],
)
def test_options_and_command_are_parsed(argv: list[str], expected: Options) -> None:
    assert parsed(argv, {}) == expected


def test_typed_options_are_kept_without_shim() -> None:
    argv = ["-uroot", "--shim", "d", "-e", "--shim", "--wait=5s", "--shim=x", "-nT", "--", "a=-q"]
    options = parse(argv, {})
    assert options.typed == ["-uroot", "-e", "--shim", "--wait=5s", "-nT"]
    assert (options.shim, options.words) == ("x", ["a=-q"])


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--xyzzy"], "unknown option --xyzzy; see: rind --help"),
        (["--verbos"], "unknown option --verbos: did you mean --verbose?"),
        (["-x"], "unknown option -x; see: rind --help (a command that begins with a dash goes"),
        (["-tx"], "unknown option -x"),
        (["--env"], "--env needs a value, but is the last word"),
        (["-tu"], "-u needs a value"),
        (["--quiet=1"], "--quiet takes no value, but got '1'"),
        (["--host="], "--host needs a value, but got an empty one"),
        (
            ["--timeout", "soon"],
            "--timeout needs a duration such as 30s, 1.5m or 1h30m, but got 'soon'",
        ),
        (["--kill-after=-1"], "--kill-after needs a duration"),
        (["--detach-keys", "ctrl-"], "no such detach key: 'ctrl-'"),
        (["--container", "x", "-s", "y"], "--service cannot be combined with --container"),
        (["--container", "x", "-a"], "--all cannot be combined with --container"),
        (["-at"], "--all cannot be combined with --tty"),
        (["--group", "ls"], "--group is only for --all"),
        (["-ad"], "--all cannot be combined with --detach"),
        (["--index", "0"], "--index needs a number from 1 on, or the name of a swarm's node, but"),
        (["--index", "-1"], "--index needs a number from 1 on, or the name of a swarm's node, but"),
        (["--shell", "bin/sh"], "--shell needs an absolute path in the container, or a name"),
        (["--shell", ""], "--shell needs an absolute path in the container, or a name"),
        (["--timeout", "1m30"], "--timeout needs a duration"),
        (["--timeout", "1mm"], "--timeout needs a duration"),
        (["--list", "ls"], "--list runs no command, but got 'ls'"),
        (["--doctor", "ls", "-l"], "--doctor runs no command, but got 'ls'"),
        (["--wait", "60", "ls"], "--wait takes its duration after an equals sign: --wait=60"),
        (["--wait", "5m", "ls"], "--wait takes its duration after an equals sign: --wait=5m"),
        (["-d", "--timeout", "1"], "--timeout cannot be combined with --detach"),
        (["-e", "A B=1"], "-e: the variable name 'A B' has white space in it"),
        (["-e", "=s3cret"], "-e: a variable needs a name before the equals sign"),
        (["-e", "A=\udcff"], "-e: the variable 'A' is not valid UTF-8"),
        (["--\udcff"], r"unknown option --\udcff; see: rind --help"),
    ],
)
def test_mistakes_are_usage_errors(argv: list[str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(argv, {})
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    "name",
    [
        option.long
        for option in LONG.values()
        if option.is_checked and option.metavar.strip("[]") == option.metavar != ""
    ],
)
def test_a_value_that_is_not_utf8_is_rejected(name: str) -> None:
    for argv in ([name, "/a\udcff", "x"], [f"{name}=/a\udcff"]):
        with pytest.raises(UsageError) as caught:
            parse(argv, {})
        assert str(caught.value) == rf"{name} needs text in UTF-8, but got '/a\udcff'"


def test_an_optional_value_needs_an_equals_sign() -> None:
    options = parse(["-aT", "everywhere"], {})
    assert (options.all, options.wanted.everywhere, options.words) == (True, False, ["everywhere"])
    assert parse(["--all=everywhere"], {}).wanted.everywhere
    with pytest.raises(UsageError, match="--all takes no value except everywhere, but got 'x'"):
        parse(["--all=x"], {})


def test_a_value_that_is_not_utf8_is_cut_short() -> None:
    with pytest.raises(UsageError, match=rf"but got '{'x' * 40}'\.\.\.$"):
        parse(["-u", "x" * 50 + "\udcff"], {})


def test_a_file_on_this_machine_may_have_any_name() -> None:
    assert parse(["--env-file", "\udcff"], {}).env_files == ["\udcff"]
    assert parse(["-H", "unix:///\udcff"], {}).host == "unix:///\udcff"


def test_the_last_of_two_opposites_counts() -> None:
    assert parse(["-t", "-T", "--all"], {}).tty is False
    assert parse(["-T", "-t"], {}).tty is True


@pytest.mark.parametrize("name", ["RIND_LABEL", "RIND_CONTAINER", "RIND_SERVICE", "RIND_PROJECT"])
def test_a_default_that_is_not_utf8_is_rejected(name: str) -> None:
    with pytest.raises(UsageError, match=rf"^{name} needs text in UTF-8, but got 'a.udcff'$"):
        parse([], {name: "a\udcff"})


def test_an_unused_default_is_not_checked() -> None:
    env = dict.fromkeys(("RIND_CONTAINER", "RIND_SERVICE", "RIND_PROJECT"), "\udcff")
    assert parse(["--container", "x"], env).wanted.container == "x"
    assert parse(["-s", "x", "-p", "y"], env).wanted.service == "x"


def test_typed_options_override_the_environment() -> None:
    assert parsed([], {"RIND_CONTAINER": "web", "RIND_LABEL": "x"}) == Options(
        wanted=Wanted(container="web", label="x")
    )
    assert parsed([], {"RIND_CONTAINER": "", "RIND_LABEL": ""}) == Options()
    assert parse(["--label", "y"], {"RIND_LABEL": "x"}).wanted.label == "y"
    env = {"RIND_CONTAINER": "c", "RIND_SERVICE": "s", "RIND_PROJECT": "p"}
    assert parse([], env).wanted.container == "c"
    # Typed options override the environment.
    assert parsed(["-s", "web"], env) == Options(wanted=Wanted(service="web", project="p"))
    assert parsed(["--index", "2"], env) == Options(
        wanted=Wanted(service="s", project="p", index=2)
    )
    assert parsed(["--index", "node2"], {}).wanted.index == "node2"
    assert parsed(["--all"], env) == Options(all=True, wanted=Wanted(service="s", project="p"))
    assert parsed(["--container", "x"], env) == Options(wanted=Wanted(container="x"))


@given(st.lists(st.text()))
def test_all_words_after_the_options_belong_to_the_command(words: list[str]) -> None:
    assert parse(["--", *words], {}).words == words
    assert parse(["-t", "cmd", *words], {}).words == ["cmd", *words]


@given(st.lists(st.text() | st.sampled_from(["-e", "-c", "--", "--env", "-it", "--user=x"])))
def test_any_words_yield_options_or_a_usage_error(words: list[str]) -> None:
    try:
        command = parse(words, {}).words
    except UsageError:
        return
    assert command == words[len(words) - len(command) :]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        (".5", 0.5),
        ("1.5m", 90),
        ("1m30s", 90),
        ("1h2m3s", 3723),
        ("500ms", 0.5),
        ("1s500ms", 1.5),
        ("0", 0),
    ],
)
def test_durations_are_parsed_to_seconds(text: str, seconds: float) -> None:
    assert parse(["--timeout", text, "true"], {}).timeout == seconds
