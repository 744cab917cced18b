"""Which engine: the endpoint's URL, found in the docker CLI's order of precedence.

aiodocker lets a current context beat ``DOCKER_HOST`` and ignores ``DOCKER_CONFIG``; the docker
CLI does neither, and people expect the CLI's engine.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rind.errors import UsageError

__all__ = ["DEFAULT_HOST", "Endpoint", "context_names", "docker_setting", "resolve_endpoint"]

DEFAULT_HOST: Final = "unix:///var/run/docker.sock"
_SCHEMES: Final = ("unix://", "tcp://", "http://")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the engine is.

    Attributes:
        url: ``unix:///path`` or ``tcp://host:port``.
        source: what said so, for messages.
    """

    url: str
    source: str


def resolve_endpoint(
    env: Mapping[str, str], *, host: str | None = None, context: str | None = None
) -> Endpoint:
    """Find the engine's endpoint.

    In this order: ``host``, ``context``, ``DOCKER_HOST``, ``DOCKER_CONTEXT``, docker's
    configuration file, the default socket.

    Raises:
        UsageError: the context does not exist, or the URL is of a kind that Rind has no
            transport for.
    """
    if host and context:
        raise UsageError("--host and --context exclude each other")
    if host:
        return _checked(host, "--host")
    if not context and env.get("DOCKER_HOST"):
        return _checked(env["DOCKER_HOST"], "DOCKER_HOST")
    config = _config_folder(env)
    source = "--context" if context else "DOCKER_CONTEXT"
    name = context or env.get("DOCKER_CONTEXT")
    if not name:
        source = str(config / "config.json")
        name = docker_setting(env, "currentContext")
    if not name or name == "default":
        return Endpoint(DEFAULT_HOST, "the default")
    return _checked(_context_host(config, name, source), f"the context {name}")


def docker_setting(env: Mapping[str, str], name: str) -> str:
    """Return a setting of docker's configuration file; empty where there is none.

    Raises:
        UsageError: the file cannot be read.
    """
    path = _config_folder(env) / "config.json"
    try:
        value = json.loads(path.read_bytes()).get(name)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError, AttributeError) as exc:
        raise UsageError(f"cannot read docker's configuration file {path}: {exc}") from exc
    return value if isinstance(value, str) else ""


def context_names(env: Mapping[str, str]) -> list[str]:
    """Return the names of docker's contexts, those that can be read."""
    names = ["default"]
    for path in _config_folder(env).glob("contexts/meta/*/meta.json"):
        with suppress(OSError, ValueError, LookupError, TypeError):
            names.append(str(json.loads(path.read_bytes())["Name"]))
    return names


def _config_folder(env: Mapping[str, str]) -> Path:
    return Path(env.get("DOCKER_CONFIG") or Path(env.get("HOME", "/")) / ".docker")


def _context_host(config: Path, name: str, source: str) -> str:
    # docker/cli, context/store: a context's directory is the SHA-256 of its name.
    path = config / "contexts/meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
    try:
        host = json.loads(path.read_bytes())["Endpoints"]["docker"]["Host"]
    except FileNotFoundError as exc:
        raise UsageError(
            f"there is no docker context {name} (named by {source}); see: docker context ls"
        ) from exc
    except (OSError, ValueError, LookupError, TypeError) as exc:
        raise UsageError(f"cannot read the docker context {name} in {path}: {exc}") from exc
    return str(host)


def _checked(url: str, source: str) -> Endpoint:
    # As the docker CLI has it, an address with no scheme is a TCP one.
    if "://" not in url:
        url = f"tcp://{url}"
    if not url.startswith(_SCHEMES):
        raise UsageError(
            f"no transport for the engine {url} (from {source}): "
            "Rind speaks unix:// and tcp://; for ssh, forward the socket with ssh -L"
        )
    return Endpoint(url, source)
