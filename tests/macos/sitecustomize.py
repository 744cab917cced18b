"""Makes Python on Linux look as on macOS, to the programs and modules that start after this.

Python imports it by its name where its folder is in PYTHONPATH (site, "sitecustomize"). The tests
pass that variable on to each rind that they start.

Each part names the source of its facts. What no part plays: other error numbers, BSD's ps, stat and
script (Rind starts none of them), file systems, and the kernel's own timing.
"""

from __future__ import annotations

import _signal
import _socket
import errno
import os
import select
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    # The tests of what a start loads run under this too.
    from collections.abc import Callable, Iterable
    from typing import Any

_DEVICE = os.makedev(5, 0)
"""Linux's /dev/tty (Documentation/admin-guide/devices.txt)."""

_LINUX_ONLY = {
    # CPython's documentation of os, signal, select, socket, fcntl and resource: "Availability".
    os: (
        *("splice", "SPLICE_F_MOVE", "SPLICE_F_NONBLOCK", "SPLICE_F_MORE", "pidfd_open", "pipe2"),
        *("memfd_create", "eventfd", "copy_file_range", "sched_getaffinity", "getrandom"),
        *("getxattr", "listxattr", "setxattr", "removexattr", "posix_fadvise", "posix_fallocate"),
        *("O_PATH", "O_TMPFILE", "O_DIRECT", "O_NOATIME", "O_LARGEFILE", "P_PIDFD"),
    ),
    _signal: (
        *("pidfd_send_signal", "sigtimedwait", "sigwaitinfo", "SIGRTMIN", "SIGRTMAX"),
        *("SIGPOLL", "SIGPWR", "SIGSTKFLT", "SIGCLD"),
    ),
    select: ("epoll", *(name for name in dir(select) if name.startswith("EPOLL")), "POLLRDHUP"),
    _socket: (
        *("SO_PEERCRED", "SO_PASSCRED", "SO_DOMAIN", "SO_PROTOCOL", "MSG_CMSG_CLOEXEC"),
        *("MSG_NOSIGNAL", "SOCK_CLOEXEC", "SOCK_NONBLOCK", "TCP_KEEPIDLE", "TCP_USER_TIMEOUT"),
        *("AF_NETLINK", "AF_PACKET", "AF_VSOCK", "AF_ALG"),
    ),
}

# --- waiting ----------------------------------------------------------------------------------


def _is_refused(fd: int) -> bool:
    """Whether kqueue and poll refuse a descriptor: every device but terminals by their own name.

    poll(2) of macOS, BUGS: "The poll() system call currently does not support devices".
    crossterm-rs/crossterm#996, junegunn/fzf#4653: /dev/tty fails, /dev/ttys000 works.
    prompt-toolkit/python-prompt-toolkit#2065: /dev/null gives EINVAL, which is an OSError.
    """
    try:
        status = os.fstat(fd)
    except OSError:
        return False
    if not stat.S_ISCHR(status.st_mode):
        return False
    return status.st_rdev == _DEVICE or not os.isatty(fd)


_poll = select.poll
_epoll: Any = getattr(select, "epoll", None)
_READS, _WRITES = 1, 4  # EPOLLIN and EPOLLOUT (epoll_ctl(2))


class Poll:
    """select.poll, with POLLNVAL for the descriptors that it refuses."""

    def __init__(self) -> None:
        self._poll = _poll()
        self._fds: set[int] = set()

    def register(self, fd: Any, events: int = select.POLLIN | select.POLLOUT) -> None:
        self._poll.register(fd, events)
        self._fds.add(fd if isinstance(fd, int) else fd.fileno())

    def modify(self, fd: Any, events: int) -> None:
        self._poll.modify(fd, events)

    def unregister(self, fd: Any) -> None:
        self._poll.unregister(fd)
        self._fds.discard(fd if isinstance(fd, int) else fd.fileno())

    def poll(self, timeout: float | None = None) -> list[tuple[int, int]]:
        refused = [fd for fd in self._fds if _is_refused(fd)]
        ready = dict(self._poll.poll(0 if refused else timeout))
        return [*(ready | dict.fromkeys(refused, select.POLLNVAL)).items()]


class Kevent:
    def __init__(self, ident: int, filter: int = -1, flags: int = 1) -> None:  # noqa: A002
        self.ident, self.filter, self.flags = ident, filter, flags


class Kqueue:
    """As much of kqueue as CPython's selectors.KqueueSelector uses, on top of epoll.

    kqueue(2) of macOS: a regular file is accepted, and is readable until its end.
    """

    def __init__(self) -> None:
        self._epoll = _epoll()
        self._masks: dict[int, int] = {}
        self._files: dict[int, int] = {}
        self.closed = False

    def fileno(self) -> int:
        fd: int = self._epoll.fileno()
        return fd

    def close(self) -> None:
        self._epoll.close()
        self.closed = True

    def control(
        self, changes: Iterable[Kevent] | None, most: int, timeout: float | None = None
    ) -> list[Kevent]:
        for change in changes or ():
            bit = _READS if change.filter == KQ["KQ_FILTER_READ"] else _WRITES
            self._set(change.ident, bit, adds=change.flags == KQ["KQ_EV_ADD"])
        found = list(self._of_files()) if most else []
        if most:
            for fd, ready in self._epoll.poll(0 if found else timeout, most):
                bits = ready if ready & (_READS | _WRITES) else _READS | _WRITES
                found += self._events(fd, bits & self._masks.get(fd, 0))
        return found

    def _set(self, fd: int, bit: int, *, adds: bool) -> None:
        if adds and _is_refused(fd):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        masks = self._files if stat.S_ISREG(os.fstat(fd).st_mode) else self._masks
        before = masks.get(fd, 0)
        if not adds and not before & bit:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        masks[fd] = mask = before | bit if adds else before & ~bit
        if masks is self._files:
            return
        if not mask:
            del masks[fd]
            self._epoll.unregister(fd)
        elif before:
            self._epoll.modify(fd, mask)
        else:
            self._epoll.register(fd, mask)

    def _of_files(self) -> Iterable[Kevent]:
        for fd, mask in self._files.items():
            is_at_end = os.lseek(fd, 0, os.SEEK_CUR) >= os.fstat(fd).st_size
            yield from self._events(fd, mask & ~_READS if is_at_end else mask)

    @staticmethod
    def _events(fd: int, bits: int) -> Iterable[Kevent]:
        if bits & _READS:
            yield Kevent(fd, KQ["KQ_FILTER_READ"])
        if bits & _WRITES:
            yield Kevent(fd, KQ["KQ_FILTER_WRITE"])


KQ = {"KQ_FILTER_READ": -1, "KQ_FILTER_WRITE": -2, "KQ_EV_ADD": 1, "KQ_EV_DELETE": 2}
"""Numbers of macOS's sys/event.h."""

# --- files and sockets ------------------------------------------------------------------------

_sendfile, _open = os.sendfile, os.open


def sendfile(out: int, source: int, offset: int, count: int, *_: object, **__: object) -> int:
    """os.sendfile of macOS: the offset is a number, and the file's position stays where it is.

    CPython, Doc/library/os.rst and Modules/posixmodule.c.
    """
    if not isinstance(offset, int):
        raise TypeError(f"{type(offset).__name__!r} object cannot be interpreted as an integer")
    return _sendfile(out, source, offset, count)


def open_(path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
    """os.open: /dev/fd/N duplicates a descriptor (fd(4) of macOS), and its flags with it."""
    if isinstance(path, str) and path.startswith("/dev/fd/"):
        return os.dup(int(path.removeprefix("/dev/fd/")))
    return _open(path, flags, mode, **more)


def _hide_proc(event: str, arguments: tuple[Any, ...]) -> None:
    """Hide /proc from Rind; the tests may look into it."""
    if event not in {"open", "os.listdir", "os.scandir"} or not arguments:
        return
    path = arguments[0]
    if not isinstance(path, str | os.PathLike) or not os.fspath(path).startswith("/proc"):
        return
    frame = sys._getframe()
    while frame := frame.f_back:  # type: ignore[assignment]
        if str(frame.f_globals.get("__name__")).startswith("rind."):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)


_LONGEST = 104
"""Bytes of sun_path (unix(4) of macOS)."""


def _checked(address: Any) -> Any:
    if isinstance(address, str | bytes):
        path = os.fsencode(address)
        if len(path) >= _LONGEST:
            raise OSError("AF_UNIX path too long")
        if path.startswith(b"\0"):  # only Linux has abstract sockets (unix(7))
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return address


class Socket(_socket.socket):
    __slots__ = ()

    def bind(self, address: Any, /) -> None:
        super().bind(_checked(address))

    def connect(self, address: Any, /) -> None:
        super().connect(_checked(address))

    def connect_ex(self, address: Any, /) -> int:
        return super().connect_ex(_checked(address))


# --- signals ----------------------------------------------------------------------------------

_NUMBERS = {
    # The numbers of macOS's sys/signal.h, where Linux has others (signal(7), x86 and ARM).
    "SIGEMT": 7,
    "SIGBUS": 10,
    "SIGSYS": 12,
    "SIGURG": 16,
    "SIGSTOP": 17,
    "SIGTSTP": 18,
    "SIGCONT": 19,
    "SIGCHLD": 20,
    "SIGIO": 23,
    "SIGINFO": 29,
    "SIGUSR1": 30,
    "SIGUSR2": 31,
}
_TO_LINUX = {number: getattr(_signal, name, 0) for name, number in _NUMBERS.items()}
_FROM_LINUX = {linux: number for number, linux in _TO_LINUX.items() if linux}
_handlers: dict[int, Any] = {}


def _linux(number: int) -> int:
    return _TO_LINUX.get(number, number)


def _numbered(function: Callable[..., Any], place: int) -> Callable[..., Any]:
    """Return a function that takes a signal at a place among its arguments."""

    def called(*arguments: Any) -> Any:
        words = [*arguments]
        words[place] = _linux(int(words[place]))
        return function(*words)

    return called


def _signal_signal(function: Callable[..., Any]) -> Callable[..., Any]:
    def called(number: int, handler: Any, /) -> Any:
        before = getsignal(number)
        name = int(number)

        def handle(_: int, frame: Any) -> None:
            handler(name, frame)

        is_function = callable(handler) and not isinstance(handler, int)
        function(_linux(name), handle if is_function else handler)
        _handlers[name] = handler
        return before

    getsignal = _getsignal(_signal.getsignal)
    return called


def _getsignal(function: Callable[..., Any]) -> Callable[..., Any]:
    def called(number: int, /) -> Any:
        return _handlers.get(int(number), function(_linux(int(number))))

    return called


def _of_set(function: Callable[..., Any]) -> Callable[..., Any]:
    def called(how: int, mask: Iterable[int], /) -> set[int]:
        found = function(how, {_linux(int(number)) for number in mask})
        return {_FROM_LINUX.get(number, number) for number in found}

    return called


def _exit_code(function: Callable[[int], int]) -> Callable[[int], int]:
    def called(status: int) -> int:
        code = function(status)
        return -_FROM_LINUX.get(-code, -code) if code < 0 else code

    return called


def _renumber() -> None:
    _signal.signal = _signal_signal(_signal.signal)
    _signal.getsignal = _getsignal(_signal.getsignal)
    _signal.raise_signal = _numbered(_signal.raise_signal, 0)
    _signal.siginterrupt = _numbered(_signal.siginterrupt, 0)
    _signal.pthread_kill = _numbered(_signal.pthread_kill, 1)
    _signal.pthread_sigmask = _of_set(_signal.pthread_sigmask)
    _signal.valid_signals = lambda: {*range(1, 32)}
    _set(os, kill=_numbered(os.kill, 1), killpg=_numbered(os.killpg, 1))
    _set(os, waitstatus_to_exitcode=_exit_code(os.waitstatus_to_exitcode))
    _set(_signal, **_NUMBERS, NSIG=32)


# --- all of it --------------------------------------------------------------------------------


def _set(module: object, **values: object) -> None:
    for name, value in values.items():
        setattr(module, name, value)


def apply() -> None:
    """Change this process; nothing can be changed back."""
    _renumber()
    for module, names in _LINUX_ONLY.items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    # PIPE_BUF: macOS's sys/syslimits.h.
    _set(select, poll=Poll, kqueue=Kqueue, kevent=Kevent, **KQ, PIPE_BUF=512)
    _set(os, sendfile=sendfile, open=open_)
    # Linux's TCP_KEEPIDLE, by the name of macOS's tcp(4).
    _set(_socket, TCP_KEEPALIVE=4, socket=Socket)
    # urllib.request asks it for the system's proxies (CPython, Modules/_scproxy.c).
    sys.modules["_scproxy"] = proxies = type(sys)("_scproxy")
    proxies._get_proxies = proxies._get_proxy_settings = dict  # type: ignore[attr-defined]
    # sysconfig finds the variables of this build by the platform's name.
    arch = getattr(sys.implementation, "_multiarch", "")
    os.environ["_PYTHON_SYSCONFIGDATA_NAME"] = f"_sysconfigdata_{sys.abiflags}_linux_{arch}"
    sys.addaudithook(_hide_proc)
    sys.platform = "darwin"


if sys.platform == "linux":
    apply()
