import hashlib
import json
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rind.engine.endpoint import (
    DEFAULT_HOST,
    context_names,
    docker_setting,
    resolve_endpoint,
    shown,
)
from rind.errors import UsageError

DEEP = "[" * 100_000
"""JSON that Python's parser gives up on."""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return docker's configuration folder, with the contexts a and b, a being current."""
    for name in "ab":
        folder = tmp_path / "contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
        folder.mkdir(parents=True)
        meta = {"Name": name, "Endpoints": {"docker": {"Host": f"unix:///{name}.sock"}}}
        (folder / "meta.json").write_text(json.dumps(meta))
    (tmp_path / "config.json").write_text('{"currentContext": "a"}')
    return tmp_path


def test_precedence_is_the_docker_clis(config: Path) -> None:
    env = {"DOCKER_CONFIG": str(config)}
    assert resolve_endpoint(env).url == "unix:///a.sock"
    env["DOCKER_CONTEXT"] = "b"
    assert resolve_endpoint(env).url == "unix:///b.sock"
    env["DOCKER_HOST"] = "unix:///host.sock"
    assert resolve_endpoint(env).url == "unix:///host.sock"
    assert resolve_endpoint(env, context="a").url == "unix:///a.sock"
    assert resolve_endpoint(env, host="unix:///option.sock").url == "unix:///option.sock"


def test_home_and_default(config: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    assert resolve_endpoint({"HOME": str(home)}).url == DEFAULT_HOST
    (home / ".docker").symlink_to(config)
    assert resolve_endpoint({"HOME": str(home)}).url == "unix:///a.sock"
    assert resolve_endpoint({"HOME": str(home), "DOCKER_CONTEXT": "default"}).url == DEFAULT_HOST
    assert resolve_endpoint({"HOME": str(home), "DOCKER_HOST": ""}).url == "unix:///a.sock"


def test_an_empty_home_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text('{"detachKeys": "a"}')
    assert docker_setting({"HOME": str(tmp_path)}, "detachKeys") == "a"
    assert docker_setting({"HOME": ""}, "detachKeys") == ""


# --- addresses --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("127.0.0.1:2375", "tcp://127.0.0.1:2375"),
        ("garbage", "tcp://garbage:2375"),
        ("tcp://localhost", "tcp://localhost:2375"),
        ("tcp://localhost:", "tcp://localhost:2375"),
        ("tcp://localhost:2376/", "tcp://localhost:2376"),
        ("tcp://localhost:02376", "tcp://localhost:2376"),
        ("tcp://localhost:65535", "tcp://localhost:65535"),
        ("tcp://", "tcp://localhost:2375"),
        ("tcp://:1", "tcp://localhost:1"),
        (":1", "tcp://localhost:1"),
        ("tcp://my_host.example.", "tcp://my_host.example.:2375"),
        ("tcp://b\xfccher.example", "tcp://b\xfccher.example:2375"),
        ("tcp://[::1]", "tcp://[::1]:2375"),
        ("[::1]:1", "tcp://[::1]:1"),
        ("[::1]:", "tcp://[::1]:2375"),
        ("tcp://[fe80::1%eth0]:1", "tcp://[fe80::1%eth0]:1"),
        ("http://host", "http://host:80"),
        ("http://host:1", "http://host:1"),
        ("unix:///x", "unix:///x"),
        ("unix:///run/user@1/a?b#c", "unix:///run/user@1/a?b#c"),
        ("unix://", DEFAULT_HOST),
        ("/run/x.sock", "unix:///run/x.sock"),
        (" unix:///x\n", "unix:///x"),
        (" ", DEFAULT_HOST),
    ],
)
def test_an_address_is_completed_as_the_docker_cli_does(address: str, url: str) -> None:
    assert resolve_endpoint({"DOCKER_HOST": address}).url == url
    assert resolve_endpoint({}, host=address).url == url


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("unix:/path", "did you mean unix:///path?"),
        ("unix://var/run/docker.sock", "the socket needs an absolute path"),
        ("./docker.sock", "the socket needs an absolute path"),
        ("unix:///" + "x" * 107, "the socket's path has 108 bytes, and 107 are the most"),
        ("unix:///" + "\xfc" * 54, "the socket's path has 109 bytes"),
        ("unix:///a\0b", "has a NUL byte in it"),
        ("unix:///\udcff", "it is not valid UTF-8"),
        ("tcp://\udcff", "it is not valid UTF-8"),
        ("tcp://localhost:0", "the port '0' is not a number from 1 to 65535"),
        ("tcp://localhost:65536", "the port '65536' is not a number from 1 to 65535"),
        ("tcp://localhost:http", "the port 'http' is not a number from 1 to 65535"),
        ("tcp://localhost:\u0661", "is not a number from 1 to 65535"),
        ("tcp://localhost:-1", "the port '-1' is not a number from 1 to 65535"),
        ("tcp://localhost:1/prefix", "more than a host and a port: write tcp://HOST:PORT"),
        ("tcp://localhost?x=1", "more than a host and a port"),
        ("http://localhost#x", "more than a host and a port: write http://HOST:PORT"),
        ("tcp://tcp://x", "more than a host and a port"),
        ("tcp://::1", "an IPv6 address needs brackets, as tcp://[::1]:2375"),
        ("tcp://[::1]x", "an IPv6 address needs brackets"),
        ("tcp://[::1", "an IPv6 address needs brackets"),
        ("tcp://[]:1", "'[]' is neither a host name nor an IP address"),
        ("tcp://[1.2.3.4]", "'[1.2.3.4]' is neither a host name"),
        ("tcp://[::1%]", "'[::1%]' is neither a host name"),
        ("tcp://[::1%a b]", "'[::1%a b]' is neither a host name"),
        ("tcp://a b", "'a b' is neither a host name"),
        ("tcp://a..b", "'a..b' is neither a host name"),
        ("tcp://.", "'.' is neither a host name"),
        ("tcp://%41", "'%41' is neither a host name"),
        ("tcp://a\\b", "is neither a host name"),
        ("tcp://a\nb", "is neither a host name"),
        ("tcp://" + "x" * 64, "is neither a host name"),
        ("tcp://" + "x." * 127 + "x", "is neither a host name"),
        ("u:p@h://x", "remove the user and the password"),
    ],
)
def test_an_address_that_is_refused(address: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_endpoint({}, host=address)
    said = str(caught.value)
    assert said.startswith("invalid engine address ")
    assert why in said
    assert "(from --host): " in said


@pytest.mark.parametrize("host", ["TCP://x", "https://x", "fd://", "npipe:////./pipe/x"])
def test_a_transport_that_there_is_not(host: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_endpoint({"DOCKER_HOST": host})
    assert f"no transport for the engine {host} (from DOCKER_HOST)" in str(caught.value)


@pytest.mark.parametrize(
    ("address", "seen"),
    [
        ("tcp://user:s3cret@host:1", "tcp://***@host:1"),
        ("tcp://s3cret@host", "tcp://***@host"),
        ("user:s3cret@host:1", "***@host:1"),
        ("tcp://u:s3@cret/s3cret?#@host", "tcp://***@host"),
        ("http://:s3cret@", "http://***@"),
        ("https://u:s3cret@host", "https://***@host"),
        ("ssh://user:s3cret@host", "ssh://user:***@host"),
        ("ssh://me@there", "ssh://me@there"),
        ("tcp://host?token=s3cret", "tcp://host?***"),
        ("tcp://host/#s3cret", "tcp://host/#***"),
        ("tcp:/u:s3cret@host", "***@host"),
        ("u:s3cret@h://x", "***@h://x"),
    ],
)
def test_a_password_in_an_address_is_never_shown(address: str, seen: str, config: Path) -> None:
    assert shown(address) == seen
    meta = json.dumps({"Endpoints": {"docker": {"Host": address}}})
    for path in (config / "contexts/meta").glob("*/meta.json"):
        path.write_text(meta)
    env = {"DOCKER_CONFIG": str(config)}
    for environ, host in ((env, None), (env, address), ({"DOCKER_HOST": address}, None)):
        with pytest.raises(UsageError) as caught:
            resolve_endpoint(environ, host=host)
        assert seen in str(caught.value)
        assert "cret" not in str(caught.value)


@given(st.text() | st.from_regex(r"(tcp|unix|http)://[\[\]a-z0-9.:/@?#%-]*", fullmatch=True))
def test_any_address_is_an_endpoint_or_refused(address: str) -> None:
    try:
        url = resolve_endpoint({}, host=address or "x").url
    except UsageError:
        return
    assert resolve_endpoint({}, host=url).url == url
    scheme, _, rest = url.partition("://")
    assert scheme == "unix" or ("@" not in rest and "/" not in rest)


# --- docker's files ---------------------------------------------------------------------------


def test_mistakes_name_their_source(config: Path) -> None:
    env = {"DOCKER_CONFIG": str(config)}
    with pytest.raises(UsageError, match=r"no docker context nope \(named by DOCKER_CONTEXT\)"):
        resolve_endpoint({**env, "DOCKER_CONTEXT": "nope"})
    with pytest.raises(UsageError, match=r"named by --context"):
        resolve_endpoint(env, context="nope")
    with pytest.raises(UsageError, match=r"name 'x.udcff' .* --context\) is not valid UTF-8"):
        resolve_endpoint(env, context="x\udcff")
    with pytest.raises(UsageError, match=r"'x.udcff' .* DOCKER_CONTEXT\) is not valid UTF-8"):
        resolve_endpoint({**env, "DOCKER_CONTEXT": "x\udcff"})
    with pytest.raises(UsageError, match=r"no transport for the engine ssh://x \(from --host\)"):
        resolve_endpoint(env, host="ssh://x")
    with pytest.raises(UsageError, match="exclude each other"):
        resolve_endpoint(env, host="unix:///x", context="a")


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '"x"', "null", "\xff", DEEP, '{"x":' * 100_000, '{"x": 1' + "0" * 5000 + "}"],
    ids=lambda content: content[:9],
)
def test_a_broken_configuration_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError, match="cannot read docker's configuration file"):
        resolve_endpoint({"DOCKER_CONFIG": str(tmp_path)})


def test_a_configuration_file_with_nothing_in_it_says_nothing(tmp_path: Path) -> None:
    for content in ("", "\n", "{}", '{"currentContext": null}', '{"currentContext": ""}'):
        (tmp_path / "config.json").write_text(content)
        assert resolve_endpoint({"DOCKER_CONFIG": str(tmp_path)}).url == DEFAULT_HOST


@pytest.mark.parametrize("value", [[], {}, 1, 1.5, True, ["a"]])
def test_a_setting_that_is_no_text(tmp_path: Path, value: object) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": value}))
    with pytest.raises(UsageError, match=r"config\.json: currentContext is not a string"):
        resolve_endpoint({"DOCKER_CONFIG": str(tmp_path)})


def test_a_current_context_of_the_strangest_name(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "a\udcff"}))
    with pytest.raises(UsageError, match=r"the name 'a\\udcff' of a docker context .* valid UTF-8"):
        resolve_endpoint({"DOCKER_CONFIG": str(tmp_path)})


@pytest.mark.parametrize(
    ("meta", "why"),
    [
        ('{"Endpoints": []}', "it names no host"),
        ("{}", "it names no host"),
        ('{"Endpoints": {"docker": "x"}}', "it names no host"),
        ('{"Endpoints": {"docker": {"Host": 5}}}', "it names no host"),
        ('{"Endpoints": {"docker": {"Host": ["x"]}}}', "it names no host"),
        ('{"Endpoints": {"docker": {"Host": ""}}}', "it names no host"),
        ("[1]", "it is not a JSON object"),
        ("x", "it is not JSON"),
        (DEEP, "it is nested too deeply"),
    ],
    ids=lambda text: text[:40],
)
def test_a_broken_context(config: Path, meta: str, why: str) -> None:
    for path in (config / "contexts/meta").glob("*/meta.json"):
        path.write_text(meta)
    with pytest.raises(UsageError, match="cannot read the docker context a in") as caught:
        resolve_endpoint({"DOCKER_CONFIG": str(config)})
    assert why in str(caught.value)


@pytest.mark.parametrize("kind", ["fifo", "folder", "socket", "device", "huge", "loop"])
def test_a_file_of_dockers_that_is_none(tmp_path: Path, kind: str) -> None:
    meta = tmp_path / "contexts/meta" / hashlib.sha256(b"a").hexdigest() / "meta.json"
    meta.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as sock:
        for path in (tmp_path / "config.json", meta):
            match kind:
                case "fifo":
                    os.mkfifo(path)
                case "folder":
                    path.mkdir()
                case "socket":
                    if path != meta:
                        sock.bind(str(path))
                    else:
                        path.symlink_to(tmp_path / "config.json")
                case "device":
                    path.symlink_to("/dev/zero")
                case "huge":
                    path.write_text("{" + " " * 2**20 + "}")
                case _:
                    path.symlink_to(path)
        env = {"DOCKER_CONFIG": str(tmp_path)}
        with pytest.raises(UsageError, match="cannot read docker's configuration file"):
            resolve_endpoint(env)
        with pytest.raises(UsageError, match="cannot read docker's configuration file"):
            docker_setting(env, "detachKeys")
        with pytest.raises(UsageError, match="cannot read the docker context a in"):
            resolve_endpoint(env, context="a")
        assert context_names(env) == ["default"]


def test_the_longest_configuration_file(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"detachKeys": "a"}'.ljust(2**20))
    assert docker_setting({"DOCKER_CONFIG": str(tmp_path)}, "detachKeys") == "a"


def test_contexts_that_cannot_be_read_are_not_listed(config: Path) -> None:
    for number, meta in enumerate(["{", "[]", '{"Name": 5}', '{"Name": []}', "{}", DEEP]):
        folder = config / "contexts/meta" / str(number)
        folder.mkdir()
        (folder / "meta.json").write_text(meta)
    (config / "contexts/meta/file").write_text("")
    assert sorted(context_names({"DOCKER_CONFIG": str(config)})) == ["a", "b", "default"]
    assert context_names({"DOCKER_CONFIG": "/nope"}) == ["default"]
    assert context_names({"DOCKER_CONFIG": "/" + "x" * 8000}) == ["default"]


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    inside = {"DOCKER_CONFIG": str(tmp_path / "file")}
    assert resolve_endpoint(inside).url == DEFAULT_HOST
    with pytest.raises(UsageError, match="there is no docker context a"):
        resolve_endpoint(inside, context="a")
    long = {"DOCKER_CONFIG": "/" + "x" * 8000}
    with pytest.raises(UsageError, match="File name too long"):
        resolve_endpoint(long)
    with pytest.raises(UsageError, match="File name too long"):
        resolve_endpoint(long, context="a")
