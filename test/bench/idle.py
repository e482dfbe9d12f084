"""What wrk cannot do: many connections that wait, a peer that does nothing, and
the first answer."""

import contextlib
import resource
import socket
import threading
import time

REQUEST = b"GET /token?service=registry HTTP/1.1\r\nHost: localhost\r\n\r\n"
PER_ADDRESS = 3000  # under limits.connections_per_address
SPARE = 400  # what dockpass keeps for itself (CROWD_EXTRA, CROWD_RESERVE)


def all_files():
    """As many descriptors as the machine lets us have, and our servers."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextlib.contextmanager
def many(port, n):
    """n keep-alive connections, each has had an answer and waits."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert most >= n + SPARE, (
        f"{n} connections want {n + SPARE} descriptors, and ulimit -Hn says "
        f"{most}")
    held = []
    try:
        for i in range(n):
            held.append(socket.create_connection(
                ("127.0.0.1", port), timeout=10,
                source_address=(f"127.0.0.{2 + i // PER_ADDRESS}", 0)))
            held[-1].sendall(REQUEST)
            assert held[-1].recv(65536).startswith(b"HTTP/1.1 200"), (
                f"connection {i + 1} is not answered with 200")
        yield
    finally:
        for connection in held:
            connection.close()


@contextlib.contextmanager
def sink():
    """A port at which connections are taken, and no more."""
    held = []

    def accept():
        with contextlib.suppress(OSError):
            while True:
                held.append(listening.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in held:
                connection.close()


def answered(port, request):
    with contextlib.suppress(ConnectionError), \
            socket.create_connection(("127.0.0.1", port), timeout=5) as s:
        s.sendall(request)
        return s.recv(65536).startswith(b"HTTP/1.1 200")
    return False


def first_answer(ours, start):
    """Milliseconds from the start of a server to its first token, for a PAT."""
    who, target = ours.sample.read_text().splitlines()[0].split("\t")
    request = (f"GET {target} HTTP/1.1\r\nHost: localhost\r\n"
               f"Authorization: {who}\r\n\r\n").encode()
    begin = time.monotonic()
    start()
    while not answered(ours.port, request):
        assert time.monotonic() < begin + 30, "no answer within 30 s"
    return (time.monotonic() - begin) * 1000
