"""What wrk cannot do: many connections that wait, and the first answer."""

import contextlib
import socket
import time

REQUEST = b"GET /token?service=registry HTTP/1.1\r\nHost: localhost\r\n\r\n"
PER_ADDRESS = 3000  # under limits.connections_per_address


@contextlib.contextmanager
def many(port, n):
    """n keep-alive connections, each has had an answer and waits."""
    held = []
    try:
        for i in range(n):
            held.append(socket.create_connection(
                ("127.0.0.1", port), timeout=10,
                source_address=(f"127.0.0.{2 + i // PER_ADDRESS}", 0)))
            held[-1].sendall(REQUEST)
            assert held[-1].recv(65536).startswith(b"HTTP/1.1 200")
        yield
    finally:
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
        assert time.monotonic() < begin + 30, "no answer"
    return (time.monotonic() - begin) * 1000
