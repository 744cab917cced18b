import hashlib
import json
from pathlib import Path

import pytest
from sockets import listening

from rind.endpoint import endpoint
from rind.endpoint.address import DEFAULT_HOST
from rind.endpoint.docker_config import Tls
from rind.endpoint.endpoint import Endpoint, resolve_endpoint
from rind.errors import UsageError


def test_precedence_equals_the_docker_clis(config: Path) -> None:
    env = {"DOCKER_CONFIG": str(config)}
    assert resolve_endpoint(env).url == "unix:///a.sock"
    env["DOCKER_CONTEXT"] = "b"
    assert resolve_endpoint(env).url == "unix:///b.sock"
    env["DOCKER_HOST"] = "unix:///host.sock"
    assert resolve_endpoint(env).url == "unix:///host.sock"
    assert resolve_endpoint(env, context="a").url == "unix:///a.sock"
    assert resolve_endpoint(env, host="unix:///option.sock").url == "unix:///option.sock"


def test_the_home_and_the_default_are_used(config: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    assert resolve_endpoint({"HOME": str(home)}).url == DEFAULT_HOST
    (home / ".docker").symlink_to(config)
    assert resolve_endpoint({"HOME": str(home)}).url == "unix:///a.sock"
    assert resolve_endpoint({"HOME": str(home), "DOCKER_CONTEXT": "default"}).url == DEFAULT_HOST
    assert resolve_endpoint({"HOME": str(home), "DOCKER_HOST": ""}).url == "unix:///a.sock"


def test_errors_name_their_source(config: Path) -> None:
    env = {"DOCKER_CONFIG": str(config)}
    with pytest.raises(UsageError, match=r"no docker context nope \(from DOCKER_CONTEXT\)"):
        resolve_endpoint({**env, "DOCKER_CONTEXT": "nope"})
    with pytest.raises(UsageError, match=r"no docker context .* \(from --context\)"):
        resolve_endpoint(env, context="nope")
    with pytest.raises(UsageError, match=r"name 'x.udcff' .* --context\) is not valid UTF-8"):
        resolve_endpoint(env, context="x\udcff")
    with pytest.raises(UsageError, match=r"'x.udcff' .* DOCKER_CONTEXT\) is not valid UTF-8"):
        resolve_endpoint({**env, "DOCKER_CONTEXT": "x\udcff"})
    with pytest.raises(UsageError, match=r"unsupported engine address fd://x \(from --host\)"):
        resolve_endpoint(env, host="fd://x")
    with pytest.raises(UsageError, match="cannot be combined with"):
        resolve_endpoint(env, host="unix:///x", context="a")


def test_variables_configure_tls(tmp_path: Path) -> None:
    env = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
    ca, cert, key = (str(tmp_path / f"{name}.pem") for name in ("ca", "cert", "key"))
    bare = resolve_endpoint(env, host="tcp://host")
    assert bare == Endpoint("tcp://host:2376", "--host", Tls(ca, None, None, verify=True))
    for name in (cert, key):
        Path(name).write_text("")
    assert resolve_endpoint(env, host="tcp://host").tls == Tls(ca, cert, key, verify=True)
    unverified = {"DOCKER_TLS": "1", "DOCKER_CERT_PATH": str(tmp_path), "DOCKER_HOST": "host:1"}
    unsafe = resolve_endpoint(unverified)
    assert unsafe == Endpoint("tcp://host:1", "DOCKER_HOST", Tls(None, cert, key, verify=False))
    # By default, the files are in docker's configuration folder.
    env = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CONFIG": str(tmp_path)}
    assert resolve_endpoint(env).url == "tcp://localhost:2376"
    assert resolve_endpoint(env).tls == Tls(ca, cert, key, verify=True)
    # As with docker, a unix socket has no TLS.
    for address in ("unix:///x", "ssh://x"):
        assert resolve_endpoint(env, host=address).tls is None
    assert resolve_endpoint({"DOCKER_TLS_VERIFY": ""}, host="tcp://host").tls is None


def test_a_context_configures_tls(config: Path) -> None:
    def write(**endpoint: object) -> None:
        for path in (config / "contexts/meta").glob("*/meta.json"):
            path.write_text(json.dumps({"Endpoints": {"docker": endpoint}}))

    # The variables do not apply to a context.
    env = {"DOCKER_CONFIG": str(config), "DOCKER_TLS_VERIFY": "1"}
    write(Host="tcp://host")
    assert resolve_endpoint(env) == Endpoint("tcp://host:2375", "the context a", context="a")
    write(Host="tcp://host", SkipTLSVerify=True)
    unsafe = Tls(None, None, None, verify=False)
    assert resolve_endpoint(env) == Endpoint("tcp://host:2376", "the context a", unsafe, "a")
    write(Host="tcp://host", SkipTLSVerify=False)
    folder = config / "contexts/tls" / hashlib.sha256(b"a").hexdigest() / "docker"
    folder.mkdir(parents=True)
    ca = folder / "ca.pem"
    ca.write_text("")
    assert resolve_endpoint(env).tls == Tls(str(ca), None, None, verify=True)


def test_the_default_socket_precedes_the_well_known_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    default = tmp_path / "default.sock"
    monkeypatch.setattr(endpoint, "DEFAULT_SOCKET", str(default))
    env = {"XDG_RUNTIME_DIR": str(tmp_path)}
    assert resolve_endpoint(env) == Endpoint(DEFAULT_HOST, "the default")
    with listening(tmp_path / "docker.sock"):
        found = resolve_endpoint(env)
        assert found.url == f"unix://{tmp_path}/docker.sock"
        assert found.source == "the usual place of rootless Docker"
        default.touch()
        assert resolve_endpoint(env) == Endpoint(DEFAULT_HOST, "the default")
