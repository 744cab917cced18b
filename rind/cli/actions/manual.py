"""The manual page and the page on options, made from the option table.

``python -m rind.cli.actions.manual`` writes both into ``rind/docs/``.
"""

import re
from pathlib import Path
from typing import Final

from rind import __version__
from rind.cli.actions.completion_scripts import SCRIPTS
from rind.cli.actions.help import ABOUT, EXAMPLES, STATUSES, WORDS
from rind.cli.option_table import OPTIONS
from rind.cli.options import Option

__all__ = ["DOCS", "manual", "option_page"]

DOCS: Final = Path(__file__).parents[2] / "docs"
"""The folder of the pages."""

_ENVIRONMENT: Final = {
    "RIND_CONTAINER, RIND_SERVICE, RIND_PROJECT, RIND_LABEL": (
        "Defaults for --container, --service, --project and --label."
    ),
    "RIND_MAP_PATHS": "If set, --map-paths is the default.",
    "RIND_SSH_AGENT": "If set, --ssh-agent is the default.",
    "SSH_AUTH_SOCK": "The socket of the ssh agent for --ssh-agent.",
    "RIND_NO_LOCAL_COMPLETION": (
        "If set, TAB asks the container alone for the words of a program, not this machine too."
    ),
    "COMPOSE_PROJECT_NAME": "The project to choose a container from, not the one where you are.",
    "DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG": "The engine, as the docker command chooses it.",
    "DOCKER_TLS_VERIFY, DOCKER_TLS, DOCKER_CERT_PATH": (
        "Whether TCP is encrypted, and the folder of ca.pem, cert.pem and key.pem, as for docker."
    ),
    "XDG_RUNTIME_DIR, CONTAINER_HOST": "Where to look for an engine if none is named.",
    "NO_COLOR": "If set, container names have no colour.",
}

_LABELS: Final = {
    "app.rind": (
        "The pre-step: a shell fragment that runs before the command; may be empty. Its output "
        "goes to stderr. If it fails, the command is not started."
    ),
    "app.rind.shell": "The shell that runs the pre-step and SCRIPT, instead of /bin/sh.",
    "app.rind.user": 'The user; "host" for the uid:gid that runs rind.',
    "app.rind.workdir": (
        'The working directory; "auto" for yours, as the container has it below a bind mount.'
    ),
    "app.rind.command": "The command that rind without arguments runs, instead of the shell.",
    "app.rind.env.NAME": "The value of the variable NAME.",
    "app.rind.pass-env": "The names of your variables to pass on.",
    "app.rind.map-paths": '"true" to map paths, as --map-paths does.',
    "app.rind.ssh-agent": (
        '"true" for your ssh agent, as with --ssh-agent. Without an agent, Rind prints a line.'
    ),
    "app.rind.shims": "The shims that rind --shim DIR writes if it has no names.",
}

_FILES: Final = {
    "~/.docker/config.json": "The current context, and detachKeys.",
    "/var/run/docker.sock": (
        "The engine, unless another one is named; if this socket does not exist, the first "
        "well-known one that answers: of rootless Docker, Docker Desktop, Colima, Rancher Desktop, "
        "OrbStack, Lima or Podman."
    ),
    "$XDG_RUNTIME_DIR/rind": "Sockets of ssh connections, which end after ten idle seconds.",
}

_SIGNALS: Final = """\
rind passes a signal on to the command and to all processes that the command has started; those that
have not ended after --kill-after are killed. A second interrupt kills them at once. If rind itself
is killed, the engine ends the command and the processes that it started.
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
    """Return ``text`` escaped for a cell of a Markdown table."""
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
"""Characters that groff prints as others, or reads as syntax, and their escapes (groff_char(7))."""


def _escaped(text: str) -> str:
    """Return ``text`` escaped so that roff prints it unchanged, on a line that is not a request."""
    escaped = re.sub(r"[-\\~^`'\"]", lambda match: _SPECIAL[match[0]], text)
    return rf"\&{escaped}" if escaped.startswith(".") else escaped


def pages() -> dict[str, str]:
    """Return the files in the documents' folder that are made from the program, by their names.

    Packages install the completion scripts where shells look for them, under the names that they
    look for; zsh needs the first line, and executes the file at the first TAB.
    """
    return {
        "rind.1": manual(),
        "options.md": option_page(),
        "completion/rind.bash": SCRIPTS["bash"],
        "completion/rind.zsh": f'#compdef rind\n{SCRIPTS["zsh"]}_rind "$@"\n',
        "completion/rind.fish": SCRIPTS["fish"],
    }


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text)
