"""HTTP as bytes on a connection: what no client library would send."""

import json
import socket

from requests.structures import CaseInsensitiveDict

from support.dockpass import PATIENCE

FORM = "application/x-www-form-urlencoded"


class Answer:
    """Named as in requests, so that support/tokens.py reads both."""

    def __init__(self, head, content):
        line, *rows = head.decode("latin-1").split("\r\n")
        self.version, status, self.reason = line.split(" ", 2)
        self.status_code = int(status)
        self.headers = CaseInsensitiveDict(row.split(": ", 1) for row in rows)
        assert len(self.headers) == len(rows), head
        self.content = content

    @property
    def text(self):
        return self.content.decode()

    def json(self):
        return json.loads(self.content)


class Wire:
    """One connection to a dockpass; `tls`: an ssl.SSLContext."""

    def __init__(self, port, tls=None, source=None, host="127.0.0.1"):
        self.socket = socket.create_connection(
            (host, port), 20 * PATIENCE, source and (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.held = b""
        if tls:
            self.socket = tls.wrap_socket(self.socket,
                                          server_hostname="localhost")

    def send(self, data):
        self.socket.sendall(data)
        return self

    def _until(self, done):
        while not done():
            more = self.socket.recv(65536)
            assert more, f"closed after {self.held!r}"
            self.held += more

    def answer(self, body=True):
        """The next answer, which has a Content-Length; HEAD: no body."""
        self._until(lambda: b"\r\n\r\n" in self.held)
        head, self.held = self.held.split(b"\r\n\r\n", 1)
        answer = Answer(head, b"")
        size = int(answer.headers["Content-Length"]) if body else 0
        self._until(lambda: len(self.held) >= size)
        answer.content, self.held = self.held[:size], self.held[size:]
        return answer

    def wait_for(self, text):
        """Exactly these bytes come next."""
        self._until(lambda: len(self.held) >= len(text))
        assert self.held.startswith(text), self.held
        self.held = self.held[len(text):]

    def rest(self):
        """What comes until the server closes: orderly, without a reset."""
        while more := self.socket.recv(65536):
            self.held += more
        rest, self.held = self.held, b""
        return rest

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def request(line, *headers, body=None, form=FORM):
    """`line`: "GET /token?a=b". A body is sent with its type and length."""
    rows = [f"{line} HTTP/1.1", "Host: auth.example.com", *headers]
    if body is not None:
        rows += [f"Content-Type: {form}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*rows, "", body or ""]).encode()


def send(dockpass, data):
    """The answer to `data`, the bytes of one request."""
    with Wire(dockpass.port) as wire:
        return wire.send(data).answer(body=not data.startswith(b"HEAD "))
