"""Requests byte for byte, as they stand on the wire."""

import json
import socket
from http.client import HTTPResponse

from support.dockpass import PATIENCE

FORM = "application/x-www-form-urlencoded"


class Answer:
    """One reply, under the names that requests has for its parts."""

    def __init__(self, sock, method="GET"):
        response = HTTPResponse(sock, method=method)
        response.begin()
        self.status_code, self.headers = response.status, response.headers
        self.content = response.read()
        self.text = self.content.decode()

    def json(self):
        return json.loads(self.text)


def request(line, *headers, body=None, form=FORM):
    """`line`: "GET /token?a=b". A body is sent with its type and length."""
    rows = [f"{line} HTTP/1.1", "Host: auth.example.com", *headers]
    if body is not None:
        rows += [f"Content-Type: {form}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*rows, "", body or ""]).encode()


def connect(dockpass):
    return socket.create_connection(("127.0.0.1", dockpass.port),
                                    timeout=20 * PATIENCE)


def send(dockpass, data):
    """The answer to `data`, the bytes of one request."""
    with connect(dockpass) as sock:
        sock.sendall(data)
        return Answer(sock, data.split(b" ", 1)[0].decode())
