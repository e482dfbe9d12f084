"""A trusted proxy that resets its connection before it is looked at: nobody can
be asked any more who it was.
"""

import base64
import signal
import socket
import struct

from support.dockpass import Dockpass

PROXY, CLIENT = "127.0.0.2", "203.0.113.9"


def ask_and_reset(dockpass, secret):
    """While the server sleeps: so it accepts what has gone already."""
    words = base64.b64encode(f"ann:{secret}".encode()).decode()
    with socket.socket() as sock:
        sock.bind((PROXY, 0))
        sock.connect(("127.0.0.1", dockpass.port))
        sock.sendall("\r\n".join([
            f"GET /token?service={dockpass.service} HTTP/1.1", "Host: x",
            f"X-Forwarded-For: {CLIENT}", f"Authorization: Basic {words}",
            "", ""]).encode())
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack("ii", 1, 0))


def test_whom_it_asked_for_is_not_the_proxy(tmp_path):
    """Or a token limited to the proxy's network works for all behind it."""
    with Dockpass(tmp_path, trusted_proxies=PROXY) as dockpass:
        dockpass.user("ann")
        secret = dockpass.token("ann", "--network", f"{PROXY}/32",
                                scopes="api")
        dockpass.serve()
        dockpass.daemon.send(signal.SIGSTOP)
        ask_and_reset(dockpass, secret)
        dockpass.daemon.send(signal.SIGCONT)
        said, = dockpass.logged(0)
        # The kernel may still know the proxy, or not any more.
        assert said["addr"] in (PROXY, CLIENT)
        assert said["reason"] == "token_network"
