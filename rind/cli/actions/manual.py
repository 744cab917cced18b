"""The manual page and the table of options, made from the option table.

``python -m rind.cli.actions.manual`` writes both to where they are kept, ``rind/docs/``.
"""

import re
from pathlib import Path
from typing import Final

from rind import __version__
from rind.cli.actions.help import ABOUT, EXAMPLES, STATUSES, WORDS
from rind.cli.option_table import OPTIONS
from rind.cli.options import Option

__all__ = ["manual", "option_page"]

_ENVIRONMENT: Final = {
    "RIND_CONTAINER, RIND_SERVICE, RIND_PROJECT, RIND_LABEL": (
        "What --container, --service, --project and --label say, where these are not given."
    ),
    "RIND_MAP_PATHS": "If set, --map-paths is given.",
    "COMPOSE_PROJECT_NAME": "Of several containers, those of this project.",
    "DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG": "The engine, as for the docker command.",
    "DOCKER_TLS_VERIFY, DOCKER_TLS, DOCKER_CERT_PATH": (
        "Whether TCP is encrypted, and the folder of ca.pem, cert.pem and key.pem, as there."
    ),
    "XDG_RUNTIME_DIR, CONTAINER_HOST": "Where engines may be that nothing names.",
    "NO_COLOR": "If set, container names have no colour.",
}

_LABELS: Final = {
    "app.rind": (
        "The pre-step: a shell fragment that runs before the command; may be empty. What it prints "
        "goes to stderr. When it fails, the command is not started."
    ),
    "app.rind.shell": "The shell that runs the pre-step and SCRIPT, instead of /bin/sh.",
    "app.rind.user": 'The user; "host" for the uid:gid that rind is run with.',
    "app.rind.workdir": (
        'The directory; "auto" for where the container has the one that you are in, through a '
        "bind mount."
    ),
    "app.rind.command": "What bare rind runs, instead of the shell.",
    "app.rind.env.NAME": "A variable.",
    "app.rind.pass-env": "The names of variables of yours to hand over.",
    "app.rind.map-paths": '"true" for what --map-paths does.',
}

_FILES: Final = {
    "~/.docker/config.json": "The current context, and detachKeys.",
    "/var/run/docker.sock": (
        "The engine, where nothing says another one; if it is not there, the first well-known "
        "socket that answers: of rootless Docker, Docker Desktop, Colima, Rancher Desktop, "
        "OrbStack or Podman."
    ),
    "$XDG_RUNTIME_DIR/rind": "Connections by ssh; they end after ten idle seconds.",
}

_SIGNALS: Final = """\
A signal that rind gets, it hands to the command and to all that the command has started; what has
not ended after --kill-after is killed. At a second interrupt that is done at once. When rind itself
is killed, the engine ends the command and what it started.
"""


def manual() -> str:
    """Return the manual page, for man(7)."""
    return "\n".join(
        [
            f'.TH RIND 1 "" "rind {__version__}" "User Commands"',
            ".SH NAME",
            r"rind \- run a command in a running container, as if it ran here",
            ".SH SYNOPSIS",
            r".B rind",
            r"[\fIOPTIONS\fR] [\-\-] [\fICOMMAND\fR [\fIARG\fR...]]",
            ".SH DESCRIPTION",
            *_paragraphs(ABOUT, WORDS),
            ".SH OPTIONS",
            *(line for heading, options in OPTIONS.items() for line in _group(heading, options)),
            ".SH EXIT STATUS",
            *_paragraphs(STATUSES),
            ".SH SIGNALS",
            *_paragraphs(_SIGNALS),
            ".SH LABELS",
            *_terms(_LABELS),
            ".SH ENVIRONMENT",
            *_terms(_ENVIRONMENT),
            ".SH FILES",
            *_terms(_FILES),
            ".SH EXAMPLES",
            *_terms(EXAMPLES),
            ".SH SEE ALSO",
            r".BR docker\-exec (1),",
            r".BR docker\-compose (1)",
            "",
        ]
    )


def option_page() -> str:
    """Return the options as tables, in Markdown."""
    lines = ["# Options", "", *ABOUT.splitlines(), "", *WORDS.splitlines()]
    for heading, options in OPTIONS.items():
        lines += ["", f"## {heading}", "", "| option | |", "|---|---|"]
        for option in options:
            lines.append(f"| `{_cell(option.names + option.value)}` | {_cell(option.help)} |")
    return "\n".join([*lines, ""])


def _cell(text: str) -> str:
    """Return text for a cell of a table."""
    return text.replace("|", r"\|")


def _group(heading: str, options: tuple[Option, ...]) -> list[str]:
    lines = [f'.SS "{_escaped(heading)}"']
    for option in options:
        names = ", ".join(rf"\fB{_escaped(name)}\fR" for name in option.names.split(", "))
        lines += [".TP", rf"{names}\fI{_escaped(option.value)}\fR", _escaped(option.help)]
    return lines


def _terms(terms: dict[str, str]) -> list[str]:
    return [
        line
        for term, text in terms.items()
        for line in (".TP", rf"\fB{_escaped(term)}\fR", _escaped(text))
    ]


def _paragraphs(*texts: str) -> list[str]:
    return [line for text in texts for line in (".PP", _escaped(text.replace("\n", " ").strip()))]


_SPECIAL: Final = {
    "\\": r"\e",
    "-": r"\-",
    "~": r"\(ti",
    "^": r"\(ha",
    "`": r"\(ga",
    "'": r"\(aq",
    '"': r"\(dq",
}
"""Characters that groff_char(7) would print as others, or that begin something."""


def _escaped(text: str) -> str:
    """Return text that roff prints as it is, on a line that is no request."""
    escaped = re.sub(r"[-\\~^`'\"]", lambda match: _SPECIAL[match[0]], text)
    return rf"\&{escaped}" if escaped.startswith(".") else escaped


if __name__ == "__main__":
    _DOCS: Final = Path(__file__).parents[1] / "docs"
    (_DOCS / "rind.1").write_text(manual())
    (_DOCS / "options.md").write_text(option_page())
