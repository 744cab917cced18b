"""Rind (Run in Docker): run a command inside a running container as if it ran here.

    import rind

    done = await rind.run(["./manage.py", "check"], timeout=60, check=True)

    async with rind.connect() as client:
        web = await client.find(service="web")
        async with web.open_process(["bash"], tty=True, size=(40, 120)) as process:
            ...

Each name is loaded at its first use, so that the command line starts quickly.
"""

# False: a name is never empty. Under a plain False, jedi would complete none of these names.
TYPE_CHECKING = not __name__
if TYPE_CHECKING:
    from rind.attach import attach_terminal as attach_terminal
    from rind.client import Client as Client
    from rind.client import connect as connect
    from rind.decide.plan import Command as Command
    from rind.decide.plan import Word as Word
    from rind.decide.profile import Profile as Profile
    from rind.decide.selection import AmbiguousError as AmbiguousError
    from rind.decide.selection import NoContainerError as NoContainerError
    from rind.decide.wanted import Wanted as Wanted
    from rind.errors import Broken as Broken
    from rind.errors import CommandError as CommandError
    from rind.errors import CommandFailed as CommandFailed
    from rind.errors import ContainerGone as ContainerGone
    from rind.errors import EngineError as EngineError
    from rind.errors import ExitStatus as ExitStatus
    from rind.errors import LeftRunning as LeftRunning
    from rind.errors import Lost as Lost
    from rind.errors import OutputMissing as OutputMissing
    from rind.errors import Refused as Refused
    from rind.errors import RindError as RindError
    from rind.errors import SelectionError as SelectionError
    from rind.errors import StartError as StartError
    from rind.errors import TimedOut as TimedOut
    from rind.errors import TooMuchOutput as TooMuchOutput
    from rind.errors import Unreachable as Unreachable
    from rind.errors import UsageError as UsageError
    from rind.execution.capture import CompletedProcess as CompletedProcess
    from rind.execution.exec import Exec as Exec
    from rind.execution.stdin import StdinWriter as StdinWriter
    from rind.execution.stdio import DEVNULL as DEVNULL
    from rind.execution.stdio import PIPE as PIPE
    from rind.execution.stdio import STDOUT as STDOUT
    from rind.execution.stdio import LocalFile as LocalFile
    from rind.execution.text import TextReader as TextReader
    from rind.execution.text import TextWriter as TextWriter
    from rind.keywords import CommandOptions as CommandOptions
    from rind.keywords import RunOptions as RunOptions
    from rind.keywords import WantedFields as WantedFields
    from rind.model import Container as Container
    from rind.model import EngineInfo as EngineInfo
    from rind.model import ExecConfig as ExecConfig
    from rind.model import ExecState as ExecState
    from rind.oneshot import run as run
    from rind.process import BytesProcess as BytesProcess
    from rind.process import Process as Process
    from rind.process import TextProcess as TextProcess
    from rind.process import TtyProcess as TtyProcess
    from rind.sync.clients import SyncClient as SyncClient
    from rind.sync.clients import connect_sync as connect_sync
    from rind.sync.clients import run_sync as run_sync
    from rind.sync.popen import SyncProcess as SyncProcess
    from rind.sync.targets import SyncTarget as SyncTarget
    from rind.target import Target as Target

__version__ = "1.0.0"

__all__ = [
    "DEVNULL",
    "PIPE",
    "STDOUT",
    "AmbiguousError",
    "Broken",
    "BytesProcess",
    "Client",
    "Command",
    "CommandError",
    "CommandFailed",
    "CommandOptions",
    "CompletedProcess",
    "Container",
    "ContainerGone",
    "EngineError",
    "EngineInfo",
    "Exec",
    "ExecConfig",
    "ExecState",
    "ExitStatus",
    "LeftRunning",
    "LocalFile",
    "Lost",
    "NoContainerError",
    "OutputMissing",
    "Process",
    "Profile",
    "Refused",
    "RindError",
    "RunOptions",
    "SelectionError",
    "StartError",
    "StdinWriter",
    "SyncClient",
    "SyncProcess",
    "SyncTarget",
    "Target",
    "TextProcess",
    "TextReader",
    "TextWriter",
    "TimedOut",
    "TooMuchOutput",
    "TtyProcess",
    "Unreachable",
    "UsageError",
    "Wanted",
    "WantedFields",
    "Word",
    "attach_terminal",
    "connect",
    "connect_sync",
    "run",
    "run_sync",
]

_HOMES = {
    "AmbiguousError": "decide.selection",
    "Broken": "errors",
    "BytesProcess": "process",
    "Client": "client",
    "Command": "decide.plan",
    "CommandError": "errors",
    "CommandFailed": "errors",
    "CommandOptions": "keywords",
    "CompletedProcess": "execution.capture",
    "Container": "model",
    "ContainerGone": "errors",
    "DEVNULL": "execution.stdio",
    "EngineError": "errors",
    "Exec": "execution.exec",
    "ExecConfig": "model",
    "EngineInfo": "model",
    "ExecState": "model",
    "ExitStatus": "errors",
    "LeftRunning": "errors",
    "LocalFile": "execution.stdio",
    "Lost": "errors",
    "OutputMissing": "errors",
    "NoContainerError": "decide.selection",
    "PIPE": "execution.stdio",
    "Process": "process",
    "Profile": "decide.profile",
    "Refused": "errors",
    "RindError": "errors",
    "RunOptions": "keywords",
    "STDOUT": "execution.stdio",
    "SelectionError": "errors",
    "StartError": "errors",
    "StdinWriter": "execution.stdin",
    "SyncClient": "sync.clients",
    "SyncProcess": "sync.popen",
    "SyncTarget": "sync.targets",
    "Target": "target",
    "TextProcess": "process",
    "TextReader": "execution.text",
    "TextWriter": "execution.text",
    "TimedOut": "errors",
    "TooMuchOutput": "errors",
    "TtyProcess": "process",
    "Unreachable": "errors",
    "UsageError": "errors",
    "Wanted": "decide.wanted",
    "WantedFields": "keywords",
    "Word": "decide.plan",
    "attach_terminal": "attach",
    "connect": "client",
    "connect_sync": "sync.clients",
    "run": "oneshot",
    "run_sync": "sync.clients",
}
"""The module of each name, imported at its first use: the command line needs few of them."""

_CONNECTS = {"Client", "connect", "connect_sync", "run", "run_sync"}
"""The names that need all of the library, which is loaded with them."""


if not TYPE_CHECKING:  # else every misspelt name would have a type

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        if name in _CONNECTS:
            # Imported at the first connection, they would block the event loop.
            import_module("rind.transport.kept")
            import_module("rind.transport.loop_wire")
        return getattr(import_module(f"rind.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
