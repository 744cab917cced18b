"""--list: the containers that have the label, as a table or as JSON."""

import json
import time
from collections.abc import Callable

from rind.cli.options import Options
from rind.cli.report import HEADER, partial_note, row, table
from rind.cli.translate import wanted
from rind.client import Client
from rind.decide.selection import in_order
from rind.errors import SelectionError
from rind.model import INDEX, Container

__all__ = ["show_list"]

Print = Callable[[str], None]


async def show_list(client: Client, options: Options, out: Print, say: Print) -> None:
    """Print the containers that could be wanted; where there is none, say what to do.

    Args:
        client: an open one.
        options: which containers to list.
        out: prints to stdout, one or more lines.
        say: prints to the user.

    Raises:
        EngineError: the engine failed.
    """
    found = sorted(await client.containers(wanted(options)), key=in_order)
    if note := partial_note(found):
        say(note)
    if options.json:
        out(json.dumps([_as_json(container, options.label) for container in found], indent=2))
    elif not found:
        try:
            await client.find(wanted(options))
        except SelectionError as exc:
            say(str(exc))
    else:
        now = time.time()
        out(
            "\n".join(table([HEADER, *(row(container, options.label, now) for container in found)]))
        )


def _as_json(container: Container, label: str) -> dict[str, object]:
    return {
        "id": container.id,
        "name": container.name,
        "service": container.service,
        "project": container.project,
        "node": container.node or None,
        "index": _as_number(container.index) or None,
        "image": container.image,
        "created": container.created,
        "state": container.state,
        "status": container.status,
        "pre_step": container.labels.get(label),
    }


def _as_number(index: str) -> int | str:
    return int(index) if INDEX.fullmatch(index) else index
