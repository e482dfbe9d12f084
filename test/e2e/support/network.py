"""Networks in which 127.0.0.1 is another one, or is not all there is."""

import ctypes
import os
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

CLONE_NEWNET = 0x40000000


def need_ipv6():
    if not socket.has_ipv6 or not Path("/proc/net/if_inet6").read_text():
        pytest.skip("this machine has no IPv6")


def _must(function, *args):
    if function(*args):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _libc():
    return ctypes.CDLL(None, use_errno=True)


@contextmanager
def _back():
    """What the block enters, this thread leaves after it."""
    with open("/proc/thread-self/ns/net", "rb") as own:
        try:
            yield
        finally:
            _must(_libc().setns, own.fileno(), CLONE_NEWNET)


@contextmanager
def of(pid):
    """This thread connects where that process does."""
    with open(f"/proc/{pid}/ns/net", "rb") as its, _back():
        _must(_libc().setns, its.fileno(), CLONE_NEWNET)
        yield


@contextmanager
def alone(address):
    """This thread, and all that it starts, has a network of its own: of
    loopback, where this address is, too. Whoever goes there comes from there,
    and is not 127.0.0.1 to anybody."""
    with _back():
        try:
            _must(_libc().unshare, CLONE_NEWNET)
            for words in ("link set lo up", f"addr add {address}/32 dev lo"):
                subprocess.run(["ip", *words.split()], check=True, timeout=20,
                               capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no network of its own can be had: {error}")
        yield
