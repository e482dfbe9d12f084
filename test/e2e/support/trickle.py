#!/usr/bin/python3
"""support/trickle.py PORT N: N connections that never come to an end of their
request: half a line, then a byte a second. Who is closed comes again. Prints
"ready" when all are there; ends with its standard input.
"""

import contextlib
import resource
import select
import socket
import subprocess
import sys
import time

BEGIN = b"GET /token?service=registry&scope=repository:"
PER_ADDRESS = 3000  # under limits.connections_per_address


def connect(port, i):
    """Half a request, from an address that has room."""
    made = socket.create_connection(
        ("127.0.0.1", port), timeout=20,
        source_address=(f"127.0.1.{1 + i // PER_ADDRESS}", 0))
    made.sendall(BEGIN)
    made.setblocking(False)
    return made


def trickled(one):
    """A byte more; False: there has been an end."""
    try:
        one.send(b"a")
        return one.recv(4096) is None  # an answer, or the end
    except BlockingIOError:
        return True
    except OSError:
        return False


def main(port, n):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    held = [connect(port, i) for i in range(n)]
    print("ready", flush=True)
    turn, at = time.monotonic(), 0
    while not select.select([sys.stdin], [], [], 0.02)[0]:
        # Those whose second is over, so that they do not come all at once.
        until = int((time.monotonic() - turn) * n)
        for i in range(at, until):
            if not trickled(held[i % n]):
                held[i % n].close()
                held[i % n] = connect(port, i % n)
        at = until


@contextlib.contextmanager
def trickling(port, n, pinned=()):
    """n of them, as long as this lasts; in a process of their own."""
    with subprocess.Popen([*pinned, "/usr/bin/python3", __file__, str(port),
                           str(n)], stdin=subprocess.PIPE, text=True,
                          stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield
            assert process.poll() is None
        finally:
            process.stdin.close()
            process.wait(30)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
