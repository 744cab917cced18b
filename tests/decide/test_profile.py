import pytest

from rind.decide.profile import Profile, read_profile
from rind.errors import SelectionError


def test_a_container_without_labels_has_an_empty_profile() -> None:
    assert read_profile({"other": "x", "app.rinder": "y"}) == Profile()


def test_every_label_is_read() -> None:
    labels = {
        "app.rind": "source /x",
        "app.rind.shell": "/bin/bash",
        "app.rind.user": "host",
        "app.rind.workdir": "auto",
        "app.rind.command": "bash -l",
        "app.rind.env.A": "1",
        "app.rind.env.B.C": "x=y",
        "app.rind.pass-env": "EDITOR, PAGER\nTZ",
        "app.rind.ssh-agent": "true",
    }
    assert read_profile(labels) == Profile(
        pre_step="source /x",
        shell="/bin/bash",
        user="host",
        workdir="auto",
        command="bash -l",
        env={"A": "1", "B.C": "x=y"},
        pass_env=("EDITOR", "PAGER", "TZ"),
        ssh_agent=True,
    )


def test_labels_under_another_key_are_read() -> None:
    assert read_profile({"dev.user": "me", "app.rind.user": "x"}, "dev").user == "me"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("usr", "x", "unknown label app.rind.usr: did you mean app.rind.user?"),
        ("passenv", "x", "unknown label app.rind.passenv: did you mean app.rind.pass-env?"),
        ("env", "x", "unknown label app.rind.env: "),
        ("env.", "x", "unknown label app.rind.env.: "),
        ("zzz", "x", "unknown label app.rind.zzz: there are app.rind.shell, app.rind.user, "),
        ("shell", "a/b", "the label app.rind.shell needs an absolute path or a name, but is 'a/b'"),
        (
            "pass-env",
            "A PV*",
            "the label app.rind.pass-env needs names of variables, but has 'PV*'",
        ),
        ("pass-env", "A=1", "the label app.rind.pass-env needs names of variables, but has 'A=1'"),
        ("user", "a\x1b[2J", "the label app.rind.user has the control character '\\x1b' in it"),
        ("env.A", "\x9b2J", "the label app.rind.env.A has the control character '\\x9b' in it"),
        ("workdir", "src", "the label app.rind.workdir needs an absolute path or auto, but is"),
    ],
)
def test_an_invalid_label_is_reported(name: str, value: str, said: str) -> None:
    with pytest.raises(SelectionError) as caught:
        read_profile({"app.rind": "", f"app.rind.{name}": value})
    assert str(caught.value).startswith(said)


def test_a_pre_step_with_a_control_character_is_rejected() -> None:
    with pytest.raises(SelectionError, match=r"the label app\.rind has the control character"):
        read_profile({"app.rind": "\x1b[2J"})
    assert read_profile({"app.rind": "a\tb", "other": "\x1b"}).pre_step == "a\tb"


def test_windows_line_ends_are_accepted() -> None:
    labels = {"app.rind": "a\r\nb\r\n", "app.rind.user": "root\r"}
    profile = read_profile(labels)
    assert (profile.pre_step, profile.user) == ("a\nb\n", "root")
