"""Rind (Run in Docker): run a command inside a running container as if it ran here.

    import rind

    done = await rind.run(["./manage.py", "check"], timeout=60, check=True)

    async with rind.connect() as client:
        web = await client.find(service="web")
        async with web.open_process(["bash"], tty=True, size=(40, 120)) as process:
            ...

Everything is loaded when it is first used: the command line has to start quickly.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rind.api import run as run
    from rind.api import run_sync as run_sync
    from rind.attach import attach_terminal as attach_terminal
    from rind.client import Client as Client
    from rind.client import connect as connect
    from rind.errors import Broken as Broken
    from rind.errors import CommandError as CommandError
    from rind.errors import CommandFailed as CommandFailed
    from rind.errors import ContainerGone as ContainerGone
    from rind.errors import EngineError as EngineError
    from rind.errors import ExitStatus as ExitStatus
    from rind.errors import LeftRunning as LeftRunning
    from rind.errors import Lost as Lost
    from rind.errors import Refused as Refused
    from rind.errors import RindError as RindError
    from rind.errors import SelectionError as SelectionError
    from rind.errors import StartError as StartError
    from rind.errors import TimedOut as TimedOut
    from rind.errors import Unreachable as Unreachable
    from rind.errors import UsageError as UsageError
    from rind.piped import PipedProcess as PipedProcess
    from rind.plan import Command as Command
    from rind.profile import Profile as Profile
    from rind.selection import AmbiguousError as AmbiguousError
    from rind.selection import Container as Container
    from rind.selection import Wanted as Wanted
    from rind.streams import DEVNULL as DEVNULL
    from rind.streams import PIPE as PIPE
    from rind.streams import STDOUT as STDOUT
    from rind.streams import StdinWriter as StdinWriter
    from rind.target import CompletedProcess as CompletedProcess
    from rind.target import Target as Target

__version__ = "0.1.0"

_HOMES = {
    "api": ("run", "run_sync"),
    "attach": ("attach_terminal",),
    "client": ("Client", "connect"),
    "errors": (
        *("Broken", "CommandError", "CommandFailed", "ContainerGone", "EngineError"),
        *(
            "ExitStatus",
            "LeftRunning",
            "Lost",
            "Refused",
            "RindError",
            "SelectionError",
            "StartError",
        ),
        *("TimedOut", "Unreachable", "UsageError"),
    ),
    "piped": ("PipedProcess",),
    "plan": ("Command",),
    "profile": ("Profile",),
    "selection": ("AmbiguousError", "Container", "Wanted"),
    "streams": ("DEVNULL", "PIPE", "STDOUT", "StdinWriter"),
    "target": ("CompletedProcess", "Target"),
}

__all__ = [name for names in _HOMES.values() for name in names]  # they are names


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            from importlib import import_module  # noqa: PLC0415 # the command line needs none

            return getattr(import_module(f"rind.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
