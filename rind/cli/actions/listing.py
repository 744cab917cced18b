"""--list: the containers that have the label, as a table or as JSON."""

from __future__ import annotations

import json
import time

from rind.cli.report import HEADER, partial_note, row, table
from rind.cli.translate import wanted_from
from rind.decide.selection import in_order
from rind.decide.wanted import matching
from rind.errors import SelectionError
from rind.model import INDEX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rind.cli.options import Options
    from rind.find.blocking import EarlyClient
    from rind.model import Container

    Print = Callable[[str], None]

__all__ = ["show_list"]


def show_list(client: EarlyClient, options: Options, out: Print, say: Print) -> None:
    """Print the containers that fit the options, in any state; without any, say what to do.

    Args:
        client: a client of the engine.
        options: which containers to list.
        out: prints to stdout, one or more lines.
        say: prints a message on stderr.

    Raises:
        EngineError: the engine failed.
    """
    conditions = wanted_from(options)
    label = conditions.label
    found = matching(client.containers(conditions, stopped=True), conditions)
    found.sort(key=in_order)
    if note := partial_note(found):
        say(note)
    here = ""
    try:
        here = client.find(conditions)[1].container.id
    except SelectionError as exc:
        if options.verbosity > 0 or not (found or options.json):
            say(str(exc))
    if options.json:
        rows = [_as_json(container, label, is_here=container.id == here) for container in found]
        out(json.dumps(rows, indent=2))
    elif found:
        now = time.time()
        cells = [row(container, label, now, is_here=container.id == here) for container in found]
        out("\n".join(table([HEADER, *cells])))


def _as_json(container: Container, label: str, *, is_here: bool) -> dict[str, object]:
    return {
        "id": container.id,
        "name": container.name,
        "here": is_here,
        "service": container.service,
        "project": container.project,
        "node": container.node or None,
        "index": _as_number(container.index) or None,
        "image": container.image,
        "created": container.created,
        "state": container.state,
        "status": container.status,
        "health": container.health or None,
        "one_off": container.is_one_off,
        "pre_step": container.labels.get(label),
    }


def _as_number(index: str) -> int | str:
    return int(index) if INDEX.fullmatch(index) else index
