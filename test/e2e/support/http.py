"""An HTTP server that answers as a test says, and keeps what it was asked."""

import http.server
import ssl
import threading
from typing import NamedTuple

from support.process import free_ports


class Asked(NamedTuple):
    path: str
    headers: dict
    body: bytes


class Server(http.server.ThreadingHTTPServer):
    """What `answer(handler)` writes, to GET and POST. `certificate`: with TLS,
    as support.site.Certificate has it."""
    daemon_threads = True

    def __init__(self, answer, port=None, certificate=None):
        self.answer, self.asked = answer, []
        super().__init__(("127.0.0.1", port or free_ports(1)[0]), Handler)
        if certificate:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate.file, certificate.key)
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://localhost:{self.server_port}"
        self.thread = threading.Thread(target=self.serve_forever)

    def handle_error(self, *_):
        """A client may hang up."""

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
        self.thread.join()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(Asked(self.path, dict(self.headers), body))
        self.server.answer(self)

    do_POST = do_GET

    def say(self, status, headers=(), body=b""):
        self.send_response_only(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def always(status, headers=(), body=b""):
    return lambda handler: handler.say(status, headers, body)
