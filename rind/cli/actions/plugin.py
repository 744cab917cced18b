"""``docker rind``: makes Rind a plugin of docker's command line.

docker finds the program ``docker-rind`` in its plugin folders, and runs it with docker's own words,
beginning with the global options (docker/cli, cli-plugins/manager).
"""

from __future__ import annotations

import json
import os

from rind import __version__
from rind.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence
    from typing import Final

__all__ = ["METADATA", "NAME", "metadata", "translated"]

NAME: Final = "docker-rind"
"""The name of the plugin's file."""

METADATA: Final = "docker-cli-plugin-metadata"
"""The word by which docker requests :func:`metadata`."""

# docker's global options (docker/cli, cli/flags/options.go); first the short ones' long names.
_LONG: Final = {"-c": "--context", "-H": "--host", "-l": "--log-level", "-D": "--debug"}
_FLAGS: Final = {"--debug": "", "--tls": "DOCKER_TLS", "--tlsverify": "DOCKER_TLS_VERIFY"}
_FILES: Final = {"--tlscacert": "ca.pem", "--tlscert": "cert.pem", "--tlskey": "key.pem"}
_VALUES: Final = {"--config", "--context", "--host", "--log-level", *_FILES}


def metadata() -> str:
    """Return the plugin's description for docker."""
    about = {
        "SchemaVersion": "0.1.0",
        "Vendor": "Rind",
        "Version": __version__,
        "ShortDescription": "Run a command in the container that belongs here",
    }
    return f"{json.dumps(about)}\n"


def translated(argv: Sequence[str], env: MutableMapping[str, str]) -> list[str]:
    """Return Rind's words for docker's; set variables for docker's other global options.

    Raises:
        UsageError: Rind has no such option.
    """
    words, left = [], list(argv)
    while left and left[0].startswith("-"):
        name, value = _option(left)
        if name in {"--context", "--host"}:
            words += [name, value]
        elif name == "--config":
            env["DOCKER_CONFIG"] = value
        elif name in _FILES:
            env["DOCKER_CERT_PATH"] = _folder(name, value, env)
        elif _FLAGS.get(name) and value != "false":
            env[_FLAGS[name]] = "1"
    if left[:1] == ["help"]:
        return ["--help"]
    return [*words, *left[1:]]  # without the plugin's name


def _option(left: list[str]) -> tuple[str, str]:
    """Remove docker's first option from the words; return its long name and its value."""
    word = left.pop(0)
    if not word.startswith("--"):  # -Hurl, -H=url and -H url
        value = word[2:].removeprefix("=")
        word = _LONG.get(word[:2], word[:2]) + (f"={value}" if value else "")
    name, equals, value = word.partition("=")
    if name in _FLAGS:
        return name, value
    if name not in _VALUES or not (equals or left):
        raise UsageError(f"docker rind does not know docker's option {name}")
    return name, value if equals else left.pop(0)


def _folder(name: str, file: str, env: MutableMapping[str, str]) -> str:
    """Return a TLS file's folder: Rind reads all three from one folder, by docker's names."""
    folder, base = os.path.split(os.path.abspath(file))
    if base != _FILES[name] or env.get("DOCKER_CERT_PATH", folder) != folder:
        raise UsageError(
            f"docker rind needs ca.pem, cert.pem and key.pem in one folder, but got {name}={file}: "
            "set DOCKER_CERT_PATH, or use a docker context"
        )
    return folder
