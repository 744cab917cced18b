import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rind.endpoint.address import (
    _LONGEST_PATH as MOST,
)
from rind.endpoint.address import (
    DEFAULT_HOST,
    DEFAULT_SOCKET,
    SshAddress,
    accepted,
    read_ssh,
    shown,
)
from rind.endpoint.endpoint import resolve_endpoint
from rind.errors import UsageError


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
        ("unix://@abstract", "unix://@abstract"),
        ("ssh://host", "ssh://host"),
        ("ssh://host/", "ssh://host"),
        (
            "ssh://me@my-host.example:022/run/user/1000/docker.sock",
            "ssh://me@my-host.example:22/run/user/1000/docker.sock",
        ),
        ("ssh://[::1]:22", "ssh://[::1]:22"),
    ],
)
def test_an_address_is_completed_as_the_docker_cli_does(address: str, url: str) -> None:
    assert resolve_endpoint({"DOCKER_HOST": address}).url == url
    assert resolve_endpoint({}, host=address).url == url


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("unix:/path", "did you mean unix:///path?"),
        (
            "unix:///" + "x" * MOST,
            f"the socket's path is too long: it has {MOST + 1} bytes, and at most {MOST} fit",
        ),
        ("unix:///" + "\xfc" * 54, "the socket's path is too long: it has 109"),
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
        ("tcp://::1", "an IPv6 address needs brackets, for example tcp://[::1]:2375"),
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
        ("u:p@h://x", "it has more than a host and a port"),
        ("ssh://me:secret@host", "remove the password: ssh asks for it"),
        ("ssh://", "it names no host: write ssh://USER@HOST"),
        ("ssh://-oProxyCommand=x", "is neither a host name"),
        ("ssh://-host", "it names no host"),
        ("ssh://-l@host", "'-l' is not a valid user name"),
        ("ssh://$(id)@host", "'$(id)' is not a valid user name"),
        ("ssh://@host", "'' is not a valid user name"),
        ("ssh://host:x", "the port 'x' is not a number"),
        ("ssh://host?x", "is neither a host name"),
        ("ssh://::1", "an IPv6 address needs brackets, for example ssh://[::1]:22"),
        ("ssh://host/a:b", "ssh cannot forward a socket at the path '/a:b'"),
        ("ssh://host/%h", "ssh cannot forward a socket at the path '/%h'"),
        ("ssh://host/${HOME}/x", "ssh cannot forward a socket"),
        ("ssh://host/a//b", "ssh cannot forward a socket"),
        ("ssh://host/" + "x" * MOST, f"the socket's path is too long: it has {MOST + 1}"),
    ],
)
def test_an_invalid_address_is_rejected(address: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_endpoint({}, host=address)
    said = str(caught.value)
    assert said.startswith("invalid engine address ")
    assert why in said
    assert "(from --host): " in said


@pytest.mark.parametrize("host", ["TCP://x", "https://x", "fd://", "npipe:////./pipe/x"])
def test_an_unsupported_transport_is_rejected(host: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_endpoint({"DOCKER_HOST": host})
    assert f"unsupported engine address {host} (from DOCKER_HOST)" in str(caught.value)


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
        ("ssh://me@there:ssh", "ssh://me@there:ssh"),
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
        try:
            said = resolve_endpoint(environ, host=host).url
        except UsageError as exc:
            said = str(exc)
            assert seen in said
        assert "cret" not in said


def test_every_address_that_docker_accepts_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for address in ("unix://a/docker.sock", "unix://./a/docker.sock", "./a/docker.sock"):
        assert accepted(address, tls=False) == f"unix://{tmp_path}/a/docker.sock"
    assert accepted("tcp://me:secret@host:1", tls=False) == "tcp://host:1"


@given(st.text() | st.from_regex(r"(tcp|unix|http|ssh)://[\[\]a-z0-9.:/@?#%-]*", fullmatch=True))
def test_any_address_is_an_endpoint_or_rejected(address: str) -> None:
    try:
        url = resolve_endpoint({}, host=address or "x").url
    except UsageError:
        return
    assert resolve_endpoint({}, host=url).url == url
    scheme, _, rest = url.partition("://")
    assert scheme in {"unix", "ssh"} or ("@" not in rest and "/" not in rest)


def test_ssh_gets_the_address_as_options() -> None:
    assert read_ssh("ssh://host") == SshAddress("", "host", "", DEFAULT_SOCKET)
    assert read_ssh("ssh://me@[::1]:22/x.sock") == SshAddress("me", "::1", "22", "/x.sock")
