"""What was shown to the server is nowhere in its memory any more, once it has
been answered: a core, a debugger, a swapped page would have nothing to tell.
"""

import os
from urllib.parse import quote_plus, urlencode

import pytest

from support import secrets
from support.dockpass import PATIENCE
from support.ways import basic
from support.wire import Wire, request
from support.world import World

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can look into a "
                       "process that is not dumpable"),
    pytest.mark.skipif(PATIENCE > 1, reason="a sanitizer keeps what was freed")]


def memory(pid):
    """All of it that can be read, but for files of gigabytes (the store)."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, \
            open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            start, end = (int(word, 16) for word in
                          line.split()[0].split("-"))
            if "r" not in line.split()[1] or end - start > 1 << 32:
                continue
            try:
                mem.seek(start)
                yield mem.read(end - start)
            except OSError:
                continue  # of the kernel's


def found(pid, *shown):
    return sum(part.count(shape) for part in memory(pid) for secret in shown
               for shape in {quote_plus(secret).encode(),
                             *secrets.forms(secret)})


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nothing_that_was_shown_is_left(tmp_path, method):
    """Right ones and wrong ones, tokens and passwords; by a connection that
    is open still."""
    with World(tmp_path) as world:
        world.serve()
        pid = world.daemon.process.pid
        wrong = secrets.remember("glpat-" + 20 * "q")
        shown = [world.pat("alice", "api"), wrong, world.PASSWORD]
        with Wire(world.port) as wire:
            for secret in shown:
                if method == "GET":
                    data = request("GET /token?service=registry",
                                   "Authorization: " + basic("carol", secret))
                else:
                    data = request("POST /token", body=urlencode({
                        "grant_type": "password", "service": "registry",
                        "client_id": "test", "username": "carol",
                        "password": secret}))
                assert wire.send(data).answer().status_code == \
                    (401 if secret == wrong else 200)
            # What it does not forget is found: it is in what is looked at.
            assert found(pid, str(world.folder)) > 0
            assert found(pid, *shown) == 0

