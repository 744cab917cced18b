import hashlib
import json
import os
import socket
from pathlib import Path

import pytest

from rind.endpoint.address import DEFAULT_HOST
from rind.endpoint.docker_config import broken_config, context_names, docker_setting, http_headers
from rind.endpoint.endpoint import resolve_endpoint
from rind.errors import UsageError

DEEP = "[" * 100_000
"""JSON that is nested too deeply for Python's parser."""


def test_an_empty_home_variable_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text('{"detachKeys": "a"}')
    assert docker_setting({"HOME": str(tmp_path)}, "detachKeys") == "a"
    assert docker_setting({"HOME": ""}, "detachKeys") == ""


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '"x"', "null", "\xff", DEEP, '{"x":' * 100_000, '{"x": 1' + "0" * 5000 + "}"],
    ids=lambda content: content[:9],
)
def test_a_broken_configuration_file_is_reported(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_bytes(content.encode("latin-1"))
    env = {"DOCKER_CONFIG": str(tmp_path)}
    assert str(broken_config(env)).startswith("cannot read docker's configuration file")
    assert resolve_endpoint(env).url == DEFAULT_HOST


def test_an_empty_configuration_file_is_valid(tmp_path: Path) -> None:
    for content in ("", "\n", "{}", '{"currentContext": null}', '{"currentContext": ""}'):
        (tmp_path / "config.json").write_text(content)
        assert resolve_endpoint({"DOCKER_CONFIG": str(tmp_path)}).url == DEFAULT_HOST
        assert broken_config({"DOCKER_CONFIG": str(tmp_path)}) is None
    assert broken_config({"DOCKER_CONFIG": str(tmp_path / "none")}) is None


@pytest.mark.parametrize("value", [[], {}, 1, 1.5, True, ["a"]])
def test_a_setting_that_is_not_text_is_rejected(tmp_path: Path, value: object) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": value}))
    env = {"DOCKER_CONFIG": str(tmp_path)}
    assert str(broken_config(env)).startswith("currentContext in docker's configuration file ")
    assert resolve_endpoint(env).url == DEFAULT_HOST


def test_a_current_context_may_have_any_name(tmp_path: Path) -> None:
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
def test_a_broken_context_is_reported(config: Path, meta: str, why: str) -> None:
    for path in (config / "contexts/meta").glob("*/meta.json"):
        path.write_text(meta)
    with pytest.raises(UsageError, match="cannot read the docker context a in") as caught:
        resolve_endpoint({"DOCKER_CONFIG": str(config)})
    assert why in str(caught.value)


@pytest.mark.parametrize("kind", ["fifo", "folder", "socket", "device", "huge", "loop"])
def test_an_unreadable_file_of_docker_is_reported(tmp_path: Path, kind: str) -> None:
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
        assert str(broken_config(env)).startswith("cannot read docker's configuration file")
        assert docker_setting(env, "detachKeys") == ""
        with pytest.raises(UsageError, match="cannot read the docker context a in"):
            resolve_endpoint(env, context="a")
        assert context_names(env) == ["default"]


def test_a_configuration_file_may_have_the_largest_size(tmp_path: Path) -> None:
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


def test_an_impossible_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    inside = {"DOCKER_CONFIG": str(tmp_path / "file")}
    assert resolve_endpoint(inside).url == DEFAULT_HOST
    with pytest.raises(UsageError, match="there is no docker context a"):
        resolve_endpoint(inside, context="a")
    long = {"DOCKER_CONFIG": "/" + "x" * 8000}
    assert "File name too long" in str(broken_config(long))
    with pytest.raises(UsageError, match="File name too long"):
        resolve_endpoint(long, context="a")


def test_headers_that_cannot_be_sent_are_ignored(tmp_path: Path) -> None:
    asked = {
        "X-Meta": "a b",
        "X-Bad": "a\r\nX: y",
        "Host": "x",
        "a b": "c",
        "X-Number": 1,
        "X": "é",
    }
    (tmp_path / "config.json").write_text(json.dumps({"HttpHeaders": asked}))
    env = {"DOCKER_CONFIG": str(tmp_path)}
    assert http_headers(env) == (("X-Meta", "a b"),)
    assert resolve_endpoint(env, host="tcp://x").headers == (("X-Meta", "a b"),)
    (tmp_path / "config.json").write_text(json.dumps({"HttpHeaders": ["X"]}))
    assert http_headers(env) == ()


def test_the_api_version_is_read_as_docker_reads_it() -> None:
    assert resolve_endpoint({}).api_version is None
    for text in ("1.41", "v1.41"):
        assert resolve_endpoint({"DOCKER_API_VERSION": text}).api_version == (1, 41)
    for wrong in ("1", "x", "1.41\n", "1.1234"):
        with pytest.raises(UsageError, match=r"DOCKER_API_VERSION is .* must be a version"):
            resolve_endpoint({"DOCKER_API_VERSION": wrong})
