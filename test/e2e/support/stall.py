"""A thread of another process that stands, as one that hangs does."""

import ctypes
import os
from contextlib import contextmanager
from pathlib import Path

from support.dockpass import PATIENCE
from support.process import wait_until

ATTACH, DETACH = 16, 17
EPOLL = {"232", "281", "22"}  # epoll_wait, epoll_pwait (x86-64, then arm64)
WALL = 0x40000000  # __WALL: threads, too


def ptrace(what, thread):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p,
                            ctypes.c_void_p]
    if libc.ptrace(what, thread, None, None):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def workers_of(pid):
    """Its threads that wait for connections."""
    def find():
        return [int(task.name) for task in
                Path(f"/proc/{pid}/task").iterdir()
                if (task / "syscall").read_text().split()[0] in EPOLL]
    wait_until(lambda: len(find()) >= 2, 20 * PATIENCE, "two workers")
    return find()


@contextmanager
def stalled(thread):
    """Gives a function: has it been killed? Whoever traced it has to look, or
    its process would never be gone."""
    ptrace(ATTACH, thread)
    os.waitpid(thread, WALL)
    ended = []

    def killed():
        if not ended:
            pid, status = os.waitpid(thread, WALL | os.WNOHANG)
            if pid and not os.WIFSTOPPED(status):
                ended.append(status)
        return bool(ended)
    try:
        yield killed
    finally:
        if not killed():
            ptrace(DETACH, thread)
