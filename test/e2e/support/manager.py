"""What systemd does for a service: hears what it says of itself (sd_notify),
and hands sockets over (sd_listen_fds)."""

import socket
import time

from support.dockpass import PATIENCE
from support.process import wait_until

# It becomes the program, so that LISTEN_PID is the program's.
HAND_OVER = 'export LISTEN_PID=$$; {}exec "$@" {}'


class Manager:
    """`abstract`: its socket is in no folder. `heard`: (time, {key: value})
    of each datagram."""

    def __init__(self, folder, abstract=False):
        self.name = f"{'@' if abstract else ''}{folder}/notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.name.replace("@", "\0"))
        self.socket.setblocking(False)
        self.heard = []

    def env(self, seconds=None):
        """`seconds`: of the watchdog."""
        return {"NOTIFY_SOCKET": self.name,
                **({"WATCHDOG_USEC": str(int(seconds * 1e6))}
                   if seconds else {})}

    def listen(self):
        while True:
            try:
                text = self.socket.recv(4096).decode()
            except BlockingIOError:
                return self.heard
            self.heard.append((time.monotonic(), dict(
                line.split("=", 1) for line in text.splitlines())))

    def said(self, key):
        return [words[key] for _, words in self.listen() if key in words]

    def wait(self, key, seen=0, seconds=20):
        """The first after the `seen` there were, with all it was said with."""
        wait_until(lambda: len(self.said(key)) > seen, seconds * PATIENCE,
                   lambda: f"no {key}: {self.heard}")
        return [words for _, words in self.heard if key in words][seen]

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def listener(host="127.0.0.1", port=0, kind=socket.SOCK_STREAM, listen=True,
             only=True):
    """A socket as systemd makes it. `only`: an IPv6 one is for IPv6 alone."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET,
                         kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if ":" in host:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
    made.bind((host, port))
    if listen:
        made.listen(64)
    return made


def handing(sockets, names="dockpass.socket", pid=None):
    """(words before the program, its environment, what Popen must pass):
    the sockets are its descriptors from 3 on."""
    # Over 20 first, as one of them may be 3 itself.
    fds = [sock.fileno() for sock in sockets]
    aside = "".join(f"exec {20 + i}<&{fd} {fd}<&-; "
                    for i, fd in enumerate(fds))
    there = " ".join(f"{3 + i}<&{20 + i} {20 + i}<&-"
                     for i in range(len(fds)))
    script = HAND_OVER.format(aside, there)
    if pid:
        script = script.replace("$$", str(pid))
    return (["bash", "-c", script, "bash"],
            {"LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": names}, fds)
