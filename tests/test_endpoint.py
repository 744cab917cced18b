import hashlib
import json
from pathlib import Path

import pytest

from rind.endpoint import DEFAULT_HOST, resolve_endpoint
from rind.errors import UsageError


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give docker's configuration folder, with the contexts a and b, a being current."""
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


def test_an_address_with_no_scheme_is_tcp() -> None:
    assert resolve_endpoint({"DOCKER_HOST": "127.0.0.1:2375"}).url == "tcp://127.0.0.1:2375"


def test_mistakes_name_their_source(config: Path) -> None:
    env = {"DOCKER_CONFIG": str(config)}
    with pytest.raises(UsageError, match=r"no docker context nope \(named by DOCKER_CONTEXT\)"):
        resolve_endpoint({**env, "DOCKER_CONTEXT": "nope"})
    with pytest.raises(UsageError, match=r"named by --context"):
        resolve_endpoint(env, context="nope")
    with pytest.raises(UsageError, match=r"no transport for the engine ssh://x \(from --host\)"):
        resolve_endpoint(env, host="ssh://x")
    with pytest.raises(UsageError, match="exclude each other"):
        resolve_endpoint(env, host="unix:///x", context="a")


@pytest.mark.parametrize("content", ["{", "[]", '"x"'])
def test_a_broken_configuration_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(UsageError, match="cannot read docker's configuration file"):
        resolve_endpoint({"DOCKER_CONFIG": str(tmp_path)})


def test_a_broken_context(config: Path) -> None:
    for meta in (config / "contexts/meta").glob("*/meta.json"):
        meta.write_text('{"Endpoints": []}')
    with pytest.raises(UsageError, match="cannot read the docker context a in"):
        resolve_endpoint({"DOCKER_CONFIG": str(config)})
