"""The scripts that carry an ssh agent's connections out of a container. Text only.

A script makes a socket in a folder of its own, which only its user can enter, and prints the path
of the socket in one line. From then on, its stdin and stdout carry the socket's connections in
frames (:mod:`rind.decide.agent_messages`). At the end of its stdin, which Rind's death brings about
too, and at a signal, it removes the folder and ends.

A shell cannot listen at a socket. So there is the same script for Python 3, which also runs in
Python 2.7, and for Perl, which is a part of every Debian and Ubuntu image.
"""

from __future__ import annotations

from rind.decide.agent_messages import MOST_CONNECTIONS
from rind.model import ExecConfig
from rind.reaper.scripts import BOOTSTRAP, SHELL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["PERL", "PYTHON", "agent_config"]

_CHOICE: Final = r"""
# "rind-agent" is what docker top shows.
for program in python3 python perl; do
  command -v "$program" >/dev/null 2>&1 || continue
  case $program in
    perl) exec perl -e 'eval $ENV{RIND_PERL}; die $@ if $@' rind-agent ;;
    *) exec "$program" -ES -c 'import os; exec(os.environ["RIND_PYTHON"])' rind-agent ;;
  esac
done
echo 'it has neither python3 nor perl' >&2
exit 1
"""

PYTHON: Final = (
    f"MOST = {MOST_CONNECTIONS}\n"
    r"""
import binascii, os, select, signal, socket, struct, sys


def make():
    for parent in "/tmp", "/dev/shm", "/var/tmp":
        name = binascii.hexlify(os.urandom(16)).decode("ascii")
        folder = "%s/rind-agent-%s" % (parent, name)
        server = socket.socket(socket.AF_UNIX)
        try:
            os.mkdir(folder, 0o700)
            server.bind(folder + "/socket")
            server.listen(MOST)
            return folder, server
        except EnvironmentError:
            remove(folder)
    sys.exit("it has no place for the socket: /tmp and /dev/shm cannot be written")


def remove(folder):
    for removed, path in (os.unlink, folder + "/socket"), (os.rmdir, folder):
        try:
            removed(path)
        except EnvironmentError:
            pass


def send(number, data):
    frame = struct.pack(">BH", number, len(data)) + data
    while frame:
        frame = frame[os.write(1, frame):]


def carry(server):
    free, clients, unsent, closing, begun = list(range(MOST)), {}, {}, set(), b""

    def end(number):
        clients.pop(number).close()
        del unsent[number]
        send(number, b"")
        if number in closing:
            closing.remove(number)
            free.append(number)

    while True:
        reading = [client for number, client in clients.items() if number not in closing]
        writing = [client for number, client in clients.items() if unsent[number]]
        accepting = [server] if free else []
        readable, writable, _ = select.select([0] + accepting + reading, writing, [])
        if 0 in readable:
            data = os.read(0, 65536)
            if not data:
                return
            begun += data
            while len(begun) >= 3:
                number, size = struct.unpack(">BH", begun[:3])
                if len(begun) < 3 + size:
                    break
                data, begun = begun[3:3 + size], begun[3 + size:]
                if number not in clients:
                    if not data:
                        free.append(number)
                elif data:
                    unsent[number] += data
                else:
                    closing.add(number)
        if server in readable:
            number = free.pop()
            clients[number] = server.accept()[0]
            clients[number].setblocking(False)
            unsent[number] = b""
        for number, client in list(clients.items()):
            try:
                if client in readable:
                    data = client.recv(16384)
                    if not data:
                        raise EOFError
                    send(number, data)
                if client in writable:
                    unsent[number] = unsent[number][client.send(unsent[number]):]
            except (EOFError, socket.error):
                end(number)
                continue
            if number in closing and not unsent[number]:
                end(number)


def run():
    for number in signal.SIGTERM, signal.SIGHUP, signal.SIGINT:
        signal.signal(number, lambda *_: sys.exit(1))
    folder, server = make()
    try:
        os.write(1, (folder + "/socket\n").encode("ascii"))
        carry(server)
    finally:
        remove(folder)


run()
"""
)

PERL: Final = (
    f"use constant MOST => {MOST_CONNECTIONS};\n"
    r"""
use strict;
use Socket;

my ($folder, $server);

sub remove { if (defined $folder) { unlink "$folder/socket"; rmdir $folder } }
END { remove() }
$SIG{$_} = sub { exit 1 } for qw(TERM HUP INT);
$SIG{PIPE} = "IGNORE";
binmode STDIN;
binmode STDOUT;

open my $random, "<", "/dev/urandom" or die "it has no /dev/urandom\n";
for my $parent ("/tmp", "/dev/shm", "/var/tmp") {
  sysread $random, my $name, 16;
  $folder = "$parent/rind-agent-" . unpack "H*", $name;
  socket $server, PF_UNIX, SOCK_STREAM, 0;
  last if mkdir($folder, 0700) && bind($server, pack_sockaddr_un("$folder/socket"))
    && listen($server, MOST);
  remove();
  undef $folder;
}
defined $folder or die "it has no place for the socket: /tmp and /dev/shm cannot be written\n";

my (%clients, %unsent, %closing);
my ($begun, @free) = ("", 0 .. MOST - 1);

sub put {
  my $frame = shift;
  while (length $frame) {
    my $sent = syswrite STDOUT, $frame;
    defined $sent or exit 1;
    substr $frame, 0, $sent, "";
  }
}

sub finish {
  my $number = shift;
  close delete $clients{$number};
  delete $unsent{$number};
  put(pack "Cn", $number, 0);
  push @free, $number if delete $closing{$number};
}

put("$folder/socket\n");
while (1) {
  my ($in, $out) = ("", "");
  vec($in, 0, 1) = 1;
  vec($in, fileno $server, 1) = 1 if @free;
  for (keys %clients) {
    my $fd = fileno $clients{$_};
    vec($in, $fd, 1) = 1 unless $closing{$_};
    vec($out, $fd, 1) = 1 if length $unsent{$_};
  }
  next if select($in, $out, undef, undef) < 0;
  if (vec $in, 0, 1) {
    sysread STDIN, $begun, 65536, length $begun or exit 0;
    while (length $begun >= 3) {
      my ($number, $size) = unpack "Cn", $begun;
      last if length $begun < 3 + $size;
      my $data = substr $begun, 3, $size;
      substr $begun, 0, 3 + $size, "";
      if (!$clients{$number}) { push @free, $number unless $size }
      elsif ($size) { $unsent{$number} .= $data }
      else { $closing{$number} = 1 }
    }
  }
  if (vec($in, fileno $server, 1) && accept(my $client, $server)) {
    my $number = pop @free;
    ($clients{$number}, $unsent{$number}) = ($client, "");
  }
  for my $number (keys %clients) {
    my $client = $clients{$number};
    my $gone;
    if (vec $in, fileno $client, 1) {
      if (sysread $client, my $data, 16384) {
        put(pack("Cn", $number, length $data) . $data);
      } else { $gone = 1 }
    }
    if (!$gone && vec $out, fileno $client, 1) {
      my $sent = send $client, $unsent{$number}, MSG_DONTWAIT;
      if (defined $sent) { substr $unsent{$number}, 0, $sent, "" } else { $gone = 1 }
    }
    finish($number) if $gone || ($closing{$number} && !length $unsent{$number});
  }
}
"""
)


def agent_config(user: str) -> ExecConfig:
    """Return the exec configuration of the script, for a command of this user's."""
    variables = {"RIND_SCRIPT": _CHOICE, "RIND_PYTHON": PYTHON, "RIND_PERL": PERL}
    return ExecConfig(
        argv=[SHELL, "-c", BOOTSTRAP, "rind-agent"],
        env=[f"{name}={text}" for name, text in variables.items()],
        user=user,
        workdir="/",
    )
