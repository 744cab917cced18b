from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rind.decide.plan import Command, needs_defaults, plan
from rind.decide.pre_step import PreStep, wrap, wrap_script
from rind.decide.profile import Profile
from rind.errors import UsageError
from rind.model import Caller, Container, Defaults, ExecConfig, Mount

WEB = Container("1" * 64, "web", "running", "Up", {}, mounts=[Mount("/home/me/shop", "/app")])
CALLER = Caller(
    cwd="/home/me/shop/api",
    environ={"EDITOR": "vi", "A": "host"},
    uid=1000,
    gid=100,
)


def settle(
    profile: Profile = Profile(),  # noqa: B008 # frozen
    command: Command = Command(),  # noqa: B008 # frozen
    defaults: Defaults | None = None,
) -> ExecConfig:
    return plan(command, profile, WEB, CALLER, defaults)


X = PreStep(text="x=1", container="web")
NONE = PreStep(container="web")


def test_no_command_runs_the_shell() -> None:
    assert settle().argv == ["/bin/sh"]
    assert settle(Profile(shell="/bin/bash")).argv == ["/bin/bash"]
    assert settle(Profile(shell="/bin/bash"), Command(shell="/bin/ash")).argv == ["/bin/ash"]


def test_no_command_runs_the_profiles_command() -> None:
    profile = Profile(command="bash -l", pre_step="x=1")
    assert settle(profile).argv == wrap(["bash", "-l"], X)
    script = Profile(command="cd /app && bash", shell="/bin/bash")
    assert settle(script).argv == wrap_script("cd /app && bash", [], PreStep(shell="/bin/bash"))
    assert settle(profile, Command(argv=["ls"])).argv == wrap(["ls"], X)
    assert settle(profile, Command(script="ls $1", argv=["x"])).argv == wrap_script(
        "ls $1", ["x"], X
    )


def test_a_command_without_words_is_rejected() -> None:
    nothing: tuple[Any, ...] = ([], (), iter([]))
    for argv in nothing:
        with pytest.raises(UsageError, match="needs at least one word"):
            settle(command=Command(argv=argv))
    assert settle(command=Command(script="ls", argv=[])) == settle(command=Command(script="ls"))
    assert settle(command=deepcopy(Command())).argv == ["/bin/sh"]
    no_lists: tuple[Any, ...] = ("ls", b"ls", Path("ls"))
    for argv in no_lists:
        with pytest.raises(UsageError, match="a command is a list of words"):
            settle(command=Command(argv=argv))


SHELL_WORDS = ["exec bash -l", "cd /tmp", "exit 9", ". /x", "source /x", "export A", "umask 077"]


@pytest.mark.parametrize(
    "text", ["A=1 x", "a;b", "$X", "~/x", "a*", "a'b", "a\nb", "(a)", "!a", *SHELL_WORDS]
)
def test_a_command_that_needs_a_shell_gets_one(text: str) -> None:
    assert settle(Profile(command=text)).argv == wrap_script(text, [], NONE)


def test_the_pre_step_can_be_left_out() -> None:
    assert settle(Profile(pre_step="x=1"), Command(argv=["ls"], pre_step=False)).argv == ["ls"]


def test_variables_have_their_precedence() -> None:
    profile = Profile(env={"A": "label", "B": "label"}, pass_env=("A", "EDITOR", "ABSENT"))
    assert settle(profile).env == ["A=host", "B=label", "EDITOR=vi"]
    assert settle(profile, Command(env={"A": "user"})).env == ["A=user", "B=label", "EDITOR=vi"]


def test_the_user_is_planned() -> None:
    assert settle().user == ""
    assert settle(Profile(user="app")).user == "app"
    assert settle(Profile(user="host")).user == "1000:100"
    assert settle(Profile(user="app"), Command(user="host")).user == "1000:100"
    assert settle(Profile(user="app"), Command(user="")).user == ""


@pytest.mark.parametrize(
    ("environ", "login"),
    [
        ({"USER": "me"}, "me"),
        ({"LOGNAME": "me", "USER": "x"}, "me"),
        ({"LOGNAME": "x" * 500_000, "USER": "me"}, "me"),
        ({"USER": "\udcff"}, "1000"),
        ({"USER": "a b"}, "1000"),
        ({}, "1000"),
    ],
)
def test_the_login_name_belongs_to_the_user(environ: dict[str, str], login: str) -> None:
    caller = replace(CALLER, environ=environ)
    config = plan(Command(argv=["x"], user="host"), Profile(), WEB, caller)
    assert f"/tmp/rind-{login}\n" in config.argv[4]
    root = replace(caller, uid=0)
    assert plan(Command(argv=["x"], user="host"), Profile(), WEB, root).argv == ["x"]


def test_the_working_directory_is_planned() -> None:
    assert settle().workdir == ""
    assert settle(Profile(workdir="auto")).workdir == "/app/api"
    assert settle(Profile(workdir="/x")).workdir == "/x"
    assert settle(Profile(workdir="/x"), Command(workdir="auto")).workdir == "/app/api"
    assert settle(Profile(workdir="auto"), Command(workdir="/y")).workdir == "/y"


def test_defaults_have_the_lowest_precedence() -> None:
    lent = {"TERM": "xterm", "LANG": "C", "LC_ALL": "C"}
    command = Command(argv=["x"], env={"TERM": "dumb"}, env_defaults=lent)
    defaults = Defaults(variables={"LANG": "C"})
    assert settle(command=command, defaults=defaults).env == ["TERM=dumb", "LC_ALL=C"]


@pytest.mark.parametrize(
    ("own", "workdir", "path"),
    [("/app", "src", "/app/src"), ("", "src", "/src"), ("/app", "../x", "/app/../x")],
)
def test_a_relative_directory_starts_from_the_containers(own: str, workdir: str, path: str) -> None:
    command = Command(workdir=workdir)
    assert needs_defaults(command, Profile())
    assert settle(command=command, defaults=Defaults(workdir=own)).workdir == path


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("", "x", "has no name"),
        ("A", None, "must be text, but is of type NoneType"),
        (7, "x", "must be text, but is of type int"),
        ("A=B", "x", "an equals sign"),
        ("A", "secret\0", "a NUL byte"),
        ("A", "secret\udcff", "not valid UTF-8"),
        ("A", "secret" + "x" * 128 * 1024, "too long for Linux"),
    ],
)
def test_an_invalid_variable_is_rejected(name: str, value: str, why: str) -> None:
    for command in (Command(env={name: value}), Command(env_defaults={name: value})):
        with pytest.raises(UsageError, match=why) as caught:
            settle(command=command)
        assert "secret" not in str(caught.value)


def test_words_may_be_paths_and_bytes() -> None:
    assert settle(command=Command(argv=[Path("/bin/ls"), b"a", "b"])).argv == ["/bin/ls", "a", "b"]
    assert settle(command=Command(workdir=Path("/tmp"))).workdir == "/tmp"
    with pytest.raises(UsageError, match="not valid UTF-8"):
        settle(command=Command(argv=[b"\xff"]))
    with pytest.raises(TypeError, match="not int"):
        settle(command=Command(argv=[1]))  # type: ignore[list-item] # it is what is tested


def test_an_option_overrides_the_label_of_the_ssh_agent() -> None:
    def agent(label: bool, option: bool | None) -> tuple[str | None, bool]:  # noqa: FBT001
        config = settle(Profile(ssh_agent=label), Command(ssh_agent=option))
        return config.ssh_agent, config.needs_ssh_agent

    assert agent(False, None) == (None, False)
    assert agent(True, None) == ("", False)
    assert agent(False, True) == ("", True)
    assert agent(True, False) == (None, False)
    caller = replace(CALLER, environ={"SSH_AUTH_SOCK": "/run/agent"})
    assert plan(Command(ssh_agent=True), Profile(), WEB, caller).ssh_agent == "/run/agent"
