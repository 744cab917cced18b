"""Finds the engine's endpoint in the docker CLI's order of precedence.

aiodocker prefers the current context to ``DOCKER_HOST`` and ignores ``DOCKER_CONFIG``. The docker
CLI does neither, and people expect the CLI's engine.
"""

from __future__ import annotations

import os

from rind.base.light import pattern
from rind.base.records import dataclass, replace
from rind.endpoint.address import DEFAULT_HOST, DEFAULT_SOCKET, accepted, shown
from rind.endpoint.docker_config import current_context, http_headers, read_context, wanted_tls
from rind.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    from rind.endpoint.docker_config import Tls

__all__ = ["Endpoint", "parse_api_version", "resolve_endpoint"]


_API_VERSION: Final = pattern(r"([0-9]{1,3})\.([0-9]{1,3})")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of an engine, and how to talk to it.

    Attributes:
        url: ``unix:///path``, ``tcp://host:port``, ``http://host:port`` or
            ``ssh://user@host:port/path``. Without a password, so it may be printed.
        source: the option, variable or file that names it, for messages.
        tls: how to encrypt; None for no encryption.
        context: the docker context that it is from; None for none.
        headers: additional headers of every request, as (name, value).
        api_version: the API version to use, such as (1, 41); None to ask the engine.
    """

    url: str
    source: str
    tls: Tls | None = None
    context: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    api_version: tuple[int, int] | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it uses neither TLS nor ssh."""
        return self.tls is None and not self.url.startswith("ssh:")


def resolve_endpoint(
    env: Mapping[str, str],
    *,
    host: str | None = None,
    context: str | None = None,
    prefix: str = "--",
) -> Endpoint:
    """Find the engine's endpoint.

    The order of precedence is: ``host``, ``context``, ``DOCKER_HOST``, ``DOCKER_CONTEXT``, docker's
    configuration file, ``DOCKER_TLS_VERIFY`` or ``DOCKER_TLS``, the default socket, the first
    well-known socket with a listener (:mod:`rind.endpoint.discovery`). As for docker, every request
    has the file's ``HttpHeaders``, and ``DOCKER_API_VERSION`` sets the API version.

    Args:
        env: the environment variables.
        host: an address, or None.
        context: the name of a docker context, or None.
        prefix: precedes these two names in messages: ``--`` of options, nothing of keywords.

    Raises:
        UsageError: the context does not exist or cannot be read, the address is invalid, Rind has
            no transport for it, or the API version is invalid.
    """
    asked = env.get("DOCKER_API_VERSION", "").removeprefix("v")
    version = parse_api_version(asked)
    if asked and version is None:
        raise UsageError(f"DOCKER_API_VERSION is {asked!r}, but must be a version such as 1.41")
    endpoint = _resolve(env, host, context, prefix)
    return replace(endpoint, headers=http_headers(env), api_version=version)


def parse_api_version(text: str) -> tuple[int, int] | None:
    """Parse an API version such as ``1.41``; return None if it is invalid."""
    match = _API_VERSION.fullmatch(text)
    return None if match is None else (int(match[1]), int(match[2]))


def _resolve(
    env: Mapping[str, str], host: str | None, context: str | None, prefix: str
) -> Endpoint:
    if host and context:
        raise UsageError(f"{prefix}host cannot be combined with {prefix}context")
    if host:
        return _checked(host, f"{prefix}host", wanted_tls(env))
    if not context and env.get("DOCKER_HOST"):
        return _checked(env["DOCKER_HOST"], "DOCKER_HOST", wanted_tls(env))
    name, source = (context, f"{prefix}context") if context else current_context(env)
    if name and name != "default":
        read = read_context(env, name, source)
        return _checked(read.host, f"the context {name}", read.tls, name)
    if tls := wanted_tls(env):
        return _checked("tcp://localhost", "DOCKER_TLS_VERIFY", tls)
    return _default(env)


def _default(env: Mapping[str, str]) -> Endpoint:
    """Return the default socket, or if it does not exist, a well-known one that listens."""
    if not os.path.exists(DEFAULT_SOCKET):
        from rind.endpoint.discovery import answering

        if found := answering(env):
            return Endpoint(found[0], f"the usual place of {found[1]}")
    return Endpoint(DEFAULT_HOST, "the default")


def _checked(address: str, source: str, tls: Tls | None, context: str | None = None) -> Endpoint:
    try:
        url = accepted(address, tls=tls is not None)
    except ValueError as exc:
        address = address.strip()
        raise UsageError(f"invalid engine address {shown(address)} (from {source}): {exc}") from exc
    if url is None:
        raise UsageError(
            f"unsupported engine address {shown(address.strip())} (from {source}): "
            "use unix://, tcp:// or ssh://"
        )
    # As for docker, a unix socket is never encrypted.
    tls = tls if url.startswith(("tcp:", "http:")) else None
    return Endpoint(url, source, tls, context)
