"""A way to a port of 127.0.0.1 on which what clients send comes slowly."""

import socket
import threading
import time

CHUNK = 2048


class Slow:
    """`rate`: bytes a second, of each connection; answers are not slowed."""

    def __init__(self, port, rate):
        self.target, self.rate = port, rate
        self.listener = socket.socket()
        # What the kernel holds has not come yet, but the client is rid of it.
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CHUNK)
        self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        self.port = self.listener.getsockname()[1]
        self.sockets = []
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            self.sockets += [client, server]
            for source, sink, rate in ((client, server, self.rate),
                                       (server, client, 0)):
                thread = threading.Thread(
                    target=self._pass, args=(source, sink, rate), daemon=True)
                self.threads.append(thread)
                thread.start()

    @staticmethod
    def _pass(source, sink, rate):
        try:
            while data := source.recv(CHUNK if rate else 65536):
                if rate:
                    time.sleep(len(data) / rate)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # one of the two is gone, and so is the way

    def close(self):
        for each in (self.listener, *self.sockets):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()
        for thread in self.threads:
            thread.join(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
