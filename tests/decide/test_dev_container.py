import json

import pytest

from rind.decide.dev_container import METADATA, read_metadata, substituted
from rind.decide.plan import Command, needs_defaults, plan
from rind.decide.profile import read_profile
from rind.errors import SelectionError
from rind.model import DEV_FOLDER, Caller, Container, Defaults, Mount

ENTRIES = [
    {"id": "a feature", "init": True, "remoteEnv": {"A": "1", "B": "2"}, "remoteUser": "first"},
    {"containerUser": "root", "remoteEnv": {"B": "3", "C": None}},
    {"remoteUser": "node", "workspaceFolder": "/workspaces/shop"},
]
PLACE = {DEV_FOLDER: "/home/me/shop"}
LABELS = {**PLACE, METADATA: json.dumps(ENTRIES)}
MOUNTS = [Mount("/home/me/shop", "/code")]
SHOP = Container(
    "0" * 64, "shop", "running", "Up", LABELS, mounts=MOUNTS, local_folder="/home/me/shop"
)


def test_the_last_entry_takes_precedence() -> None:
    assert read_metadata(LABELS) == {
        "user": "node",
        "workdir": "auto",
        "workspace": "/workspaces/shop",
        "remote_env": {"A": "1", "B": "3"},
    }
    assert read_metadata({METADATA: json.dumps(ENTRIES[1])})["user"] == "root"
    assert read_metadata({})["user"] == read_metadata({METADATA: ""})["user"] == ""
    assert read_metadata({METADATA: '{"workspaceFolder": "x"}'})["workspace"] == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("1", "needs a JSON list of objects, but has int"),
        ("[1]", "needs a JSON list of objects, but has int"),
        ('{"remoteUser": 1}', "needs text for remoteUser, but has int"),
        ('{"remoteEnv": []}', None),
        ('{"remoteEnv": [1]}', "needs an object for remoteEnv, but has list"),
        ('{"remoteEnv": {"A": {}}}', "needs text for remoteEnv.A, but has dict"),
    ],
)
def test_an_invalid_value_is_reported(text: str, said: str | None) -> None:
    if said is None:
        assert read_metadata({METADATA: text})
        return
    with pytest.raises(SelectionError, match=said):
        read_metadata({METADATA: text})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain $HOME ${HOME}", "plain $HOME ${HOME}"),
        ("${localEnv:HOME}/x", "/home/me/x"),
        ("${env:HOME}", "/home/me"),
        ("${localEnv:NONE}|${localEnv:NONE:other}", "|other"),
        ("${containerEnv:PATH}:/x", "/bin:/x"),
        ("${containerEnv:HOME:/nowhere}", "/nowhere"),
        ("${containerEnv:PATH:}", "/bin"),
    ],
)
def test_references_are_substituted(text: str, value: str) -> None:
    assert substituted(text, {"HOME": "/home/me"}, {"PATH": "/bin"}) == value


def test_labels_of_rind_and_options_take_precedence() -> None:
    caller = Caller(cwd="/home/me/shop/src", environ={"HOME": "/home/me"})
    plain = plan(Command(argv=["x"]), read_profile(LABELS), SHOP, caller)
    assert (plain.user, plain.workdir, plain.env) == ("node", "/code/src", ["A=1", "B=3"])
    ours = {"app.rind.user": "me", "app.rind.workdir": "/x", "app.rind.env.A": "ours"}
    ours_too = plan(Command(argv=["x"]), read_profile({**LABELS, **ours}), SHOP, caller)
    assert (ours_too.user, ours_too.workdir, ours_too.env) == ("me", "/x", ["A=ours", "B=3"])
    command = Command(argv=["x"], user="", workdir="/y", env={"B": "typed"})
    typed = plan(command, read_profile(LABELS), SHOP, caller)
    assert (typed.user, typed.workdir, typed.env) == ("", "/y", ["A=1", "B=typed"])


def test_the_user_and_the_folders_are_substituted() -> None:
    entry = {
        "remoteUser": "${localEnv:WHO:app}",
        "remoteEnv": {
            "A": "${localWorkspaceFolder}|${localWorkspaceFolderBasename}",
            "B": "${containerWorkspaceFolder}|${containerWorkspaceFolderBasename}",
        },
    }
    profile = read_profile({**PLACE, METADATA: json.dumps(entry)})
    config = plan(Command(argv=["x"]), profile, SHOP, Caller(cwd="/home/me/shop"))
    assert (config.user, config.env) == ("app", ["A=/home/me/shop|shop", "B=/code|code"])
    caller = Caller(cwd="/", environ={"WHO": "her"})
    assert plan(Command(argv=["x"]), profile, SHOP, caller).user == "her"


def test_a_caller_elsewhere_starts_in_the_workspace() -> None:
    profile = read_profile(LABELS)
    assert plan(Command(argv=["x"]), profile, SHOP, Caller(cwd="/")).workdir == "/workspaces/shop"


def test_the_containers_variables_are_read_only_if_referenced() -> None:
    command = Command(argv=["x"])
    assert not needs_defaults(command, read_profile(LABELS))
    text = json.dumps({"remoteEnv": {"PATH": "${containerEnv:PATH}:/x"}})
    profile = read_profile({**PLACE, METADATA: text})
    assert needs_defaults(command, profile)
    defaults = Defaults(variables={"PATH": "/bin"})
    assert plan(command, profile, SHOP, Caller(cwd="/"), defaults).env == ["PATH=/bin:/x"]


def test_metadata_without_the_folder_label_is_ignored() -> None:
    assert read_profile({METADATA: json.dumps(ENTRIES)}).user == ""
