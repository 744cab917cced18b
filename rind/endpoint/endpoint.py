"""Which engine: the endpoint's URL, found in the docker CLI's order of precedence.

aiodocker lets a current context beat ``DOCKER_HOST`` and ignores ``DOCKER_CONFIG``; the docker
CLI does neither, and people expect the CLI's engine.
"""

from __future__ import annotations

import os
import re

from rind.base.records import dataclass, replace
from rind.endpoint.address import DEFAULT_HOST, DEFAULT_SOCKET, accepted, shown
from rind.endpoint.docker_config import current_context, http_headers, read_context, wanted_tls
from rind.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    from rind.endpoint.docker_config import Tls

__all__ = ["Endpoint", "resolve_endpoint"]


_API_VERSION: Final = r"[0-9]{1,3}\.[0-9]{1,3}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the engine is.

    Attributes:
        url: ``unix:///path``, ``tcp://host:port``, ``http://host:port`` or
            ``ssh://user@host:port/path``; it may be printed.
        source: what said so, for messages.
        tls: how to encrypt; None for not at all.
        context: the docker context that it is of; empty for none.
        headers: what every request has beside its own, as (name, value).
        api_version: the one to speak, as ``1.41``; empty for the engine's.
    """

    url: str
    source: str
    tls: Tls | None = None
    context: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    api_version: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether its sockets carry the bytes as they are."""
        return self.tls is None and not self.url.startswith("ssh:")


def resolve_endpoint(
    env: Mapping[str, str],
    *,
    host: str | None = None,
    context: str | None = None,
    prefix: str = "--",
) -> Endpoint:
    """Find the engine's endpoint.

    In this order: ``host``, ``context``, ``DOCKER_HOST``, ``DOCKER_CONTEXT``, docker's
    configuration file, the default socket, the first well-known socket that answers
    (:mod:`rind.endpoint.discovery`). As for docker, the file's ``HttpHeaders`` go with every
    request, and ``DOCKER_API_VERSION`` is the version to speak.

    Args:
        env: the environment variables.
        host: an address; None for none.
        context: the name of a docker context; None for none.
        prefix: of these two names in messages: an option's, or none for a keyword.

    Raises:
        UsageError: the context does not exist or cannot be read, the address is invalid, or Rind
            has no transport for it, or the version is none.
    """
    version = env.get("DOCKER_API_VERSION", "").removeprefix("v")
    if version and not re.fullmatch(_API_VERSION, version):
        raise UsageError(f"DOCKER_API_VERSION is {version!r}, but must be a version, as 1.41")
    found = _resolve(env, host, context, prefix)
    return replace(found, headers=http_headers(env), api_version=version)


def _resolve(
    env: Mapping[str, str], host: str | None, context: str | None, prefix: str
) -> Endpoint:
    if host and context:
        raise UsageError(f"{prefix}host and {prefix}context exclude each other")
    if host:
        return _checked(host, f"{prefix}host", wanted_tls(env))
    if not context and env.get("DOCKER_HOST"):
        return _checked(env["DOCKER_HOST"], "DOCKER_HOST", wanted_tls(env))
    name, source = (context, f"{prefix}context") if context else current_context(env)
    if name and name != "default":
        found = read_context(env, name, source)
        return _checked(found.host, f"the context {name}", found.tls, name)
    if tls := wanted_tls(env):
        return _checked("tcp://localhost", "DOCKER_TLS_VERIFY", tls)
    return _default(env)


def _default(env: Mapping[str, str]) -> Endpoint:
    """Return the default socket, or where that is not there, another one that is well known."""
    if not os.path.exists(DEFAULT_SOCKET):  # noqa: PTH110 # importing pathlib takes 9 ms
        from rind.endpoint.discovery import answering  # noqa: PLC0415 # rarely needed

        if found := answering(env):
            return Endpoint(found[0], f"the usual place of {found[1]}")
    return Endpoint(DEFAULT_HOST, "the default")


def _checked(address: str, source: str, tls: Tls | None, context: str = "") -> Endpoint:
    try:
        url = accepted(address, tls=tls is not None)
    except ValueError as exc:
        address = address.strip()
        raise UsageError(f"invalid engine address {shown(address)} (from {source}): {exc}") from exc
    if url is None:
        raise UsageError(
            f"no transport for the engine {shown(address.strip())} (from {source}): "
            "Rind speaks unix://, tcp:// and ssh://"
        )
    # As for docker, a socket of this machine is never encrypted.
    tls = tls if url.startswith(("tcp:", "http:")) else None
    return Endpoint(url, source, tls, context)
