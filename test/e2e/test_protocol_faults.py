"""What must not go wrong: sudden ends, slots that dead readers hold, a clock
that is set back, keys that change under load.

`make soak` does the same for longer. Other faults have their tests where their
subject is: a full or read-only disk (test_protocol_disk), a full store (_full),
descriptors (_load), bad files at a reload (_reload, _tls), mail and webhooks
that hang (test_jobs_*), killed backups (test_cli_backup).
"""

import os
import random
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
import requests

from support import secrets, tokens
from support.clock import Clock
from support.dockpass import (ENV, PATIENCE, PROGRAM, SOAK, Dockpass,
                              progress)
from support.doctor import doctor
from support.process import wait_until
from support.ways import get_basic, login, refresh, refresh_token
from support.wire import Wire

KILLS = (1000 if SOAK else 200) // PATIENCE
KEYS = 40 if SOAK else 4
READERS = 1024  # of store/db.c
PER_PAT = 32  # refresh tokens; for more the oldest go
ASKED = "repository:g/app:pull"
GRANTED = {"repository:g/app": "pull"}


@pytest.fixture
def own(tmp_path):
    """One project and its developer; not started."""
    with Dockpass(tmp_path, services=[{"name": "registry",
                                       "refresh_tokens": True}]) as dockpass:
        dockpass.user("alice")
        dockpass.cli("project", "add", "g/app")
        dockpass.cli("member", "add", "g", "alice", "developer")
        dockpass.secret = dockpass.token("alice", scopes="api", name="first")
        yield dockpass


# Sudden ends

class Writers:
    """Who changes the store, by HTTP and by commands, and what of it was
    acknowledged."""

    def __init__(self, dockpass):
        self.dockpass = dockpass
        self.made, self.refreshes, self.dead = [], [], set()
        self.pat = self.command = None
        self.over = threading.Event()

    def http(self):
        """As many as one token may have, of a new one each time."""
        for _ in range(PER_PAT):
            try:
                answer = login(self.dockpass, self.pat)
                self.refreshes.append(refresh_token(answer))
            except requests.RequestException:
                return

    def run(self, *words):
        """What a command printed, if it came to its end; else None."""
        with subprocess.Popen(
                [PROGRAM, *words, "--config", self.dockpass.config_file],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                env=ENV) as self.command:
            out, err = self.command.communicate(timeout=60 * PATIENCE)
        assert self.command.returncode in (0, -signal.SIGKILL), err
        return out if self.command.returncode == 0 else None

    def commands(self, turn):
        """Two tokens, of which the first is revoked again."""
        for i in range(2):
            out = self.run("token", "create", "alice", "--name",
                           f"{turn} {i}", "--scopes", "read_registry")
            if out is None:
                return
            self.made.append((f"{turn} {i}", secrets.remember(out.strip())))
        name = f"{turn} 0"
        if self.run("token", "revoke",
                    str(self.dockpass.token_id(name))) is not None:
            self.dead.add(name)

    def turn(self, number, seconds):
        """Both, until all that runs is killed."""
        self.over.clear()
        self.refreshes = []
        self.pat = self.dockpass.token("alice", scopes="read_registry",
                                       name=f"turn {number}")
        with ThreadPoolExecutor(2) as pool:
            work = [pool.submit(self.http), pool.submit(self.commands, number)]
            self.over.wait(seconds)
            self.dockpass.daemon.process.kill()
            if self.command and number % 2:
                self.command.kill()
            self.over.set()
            for one in work:
                one.result()
        self.dockpass.daemon.process.wait(10)


def test_kill_9_under_writing_load(own):
    """All that was acknowledged is there, and each index agrees, each time.
    (What a power cut leaves is test_calls.c's: the page cache outlives this.)
    """
    writers, chance, seen = Writers(own), random.Random(3), 0
    for number in range(KILLS):
        own.serve()
        for token in writers.refreshes:  # of the turn before
            assert tokens.access(refresh(own, token, ASKED), own) == GRANTED
        seen += len(writers.refreshes)
        writers.turn(number, chance.uniform(0, 0.15 * PATIENCE))
        if number % 20 == 0:
            own.cli("store", "check")
            progress(f"kill {number} of {KILLS}")
    own.cli("store", "check")
    assert len(writers.made) > KILLS / 8 and len(writers.dead) > KILLS / 50
    assert seen > KILLS / 2
    own.serve()
    for name, secret in writers.made:
        answer = get_basic(own, secret, ASKED)
        if name in writers.dead:
            tokens.refusal(answer, 401)
        elif not name.endswith(" 0"):  # else its revocation may be done, too
            assert tokens.access(answer, own) == GRANTED


# Slots of readers

HOLDER = """
import sys
import lmdb
store = lmdb.open(sys.argv[1], max_readers=int(sys.argv[2]), max_dbs=64,
                  map_size=64 << 30, readonly=True)
held = []
try:
    while len(held) < int(sys.argv[3]):
        held.append(store.begin())
    print(len(held), flush=True)
except lmdb.ReadersFullError:
    print(len(held), flush=True)
sys.stdin.read()
"""


def test_dead_readers_hold_nothing(own):
    """While all slots are taken the server answers, and a command says why it
    cannot; once their holder was killed they are free again."""
    own.serve()
    assert get_basic(own, own.secret, ASKED).status_code == 200
    with subprocess.Popen(
            [sys.executable, "-c", HOLDER, own.folder / "store", str(READERS),
             str(READERS + 1)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        try:
            assert int(holder.stdout.readline()) > READERS - 50
            assert tokens.access(get_basic(own, own.secret, ASKED),
                                 own) == GRANTED
            _, message = own.refused("user", "list")
            assert "all slots for readers are taken, by process " in message
            assert f"{holder.pid} (" in message
            assert message.endswith("of them): end what hangs there")
        finally:
            holder.kill()
    assert own.json("user", "list")
    own.user("bob")
    file = own.folder / "store/data.mdb"
    before = file.stat().st_size
    for i in range(50):  # no page is kept for them either
        own.cli("user", "two-factor", "alice", ("on", "off")[i % 2])
    assert file.stat().st_size - before < 50 * os.sysconf("SC_PAGE_SIZE")
    assert refresh(own, refresh_token(login(own, own.secret))).ok


@pytest.mark.parametrize("held, status", [(900, "ok"), (930, "warn")])
def test_the_doctor_sees_readers_that_stay(own, held, status):
    """From nine tenths of the slots on; its own is one."""
    with subprocess.Popen(
            [sys.executable, "-c", HOLDER, own.folder / "store", str(READERS),
             str(held)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        try:
            assert int(holder.stdout.readline()) == held
            check = doctor(own)[1]["room"]
        finally:
            holder.kill()
    assert check["status"] == status, check
    if status == "warn":
        assert "of the store's 1024 readers are taken" in check["message"]


# The clock

def test_a_clock_that_is_set_back(own, tmp_path, faketime):
    """What is signed then is dated by it, and what is dead stays dead."""
    clock, day = Clock(tmp_path), 86400
    clock.set(1_800_000_000)
    env = clock.env()
    short = secrets.remember(own.cli(
        "token", "create", "alice", "--name", "short", "--scopes", "api",
        "--expires", "2027-01-17", env=env, secret=True).strip())
    own.serve(env=env)
    gone = own.token("alice", scopes="api", name="gone")
    assert get_basic(own, gone, ASKED).status_code == 200
    own.cli("token", "revoke", own.token_id("gone"), env=env)
    clock.set(1_800_000_000 + 3 * day)
    tokens.refusal(get_basic(own, short, ASKED), 401)
    for back in (2 * day, 1, 3 * day):
        clock.set(now := 1_800_000_000 + 3 * day - back)
        tokens.refusal(get_basic(own, gone, ASKED), 401)
        token = get_basic(own, own.secret, ASKED).json()["token"]
        claims = jwt.decode(token, options={"verify_signature": False})
        assert claims["nbf"] <= now < claims["exp"] <= now + 300
        own.cli("user", "two-factor", "alice", "off", env=env)
        own.cli("store", "check", env=env)
    assert get_basic(own, short, ASKED).status_code == 200  # its day is to come


# Keys

def published(dockpass):
    answer = requests.get(f"{dockpass.url}/.well-known/jwks.json", timeout=10)
    return {key["kid"]: jwt.PyJWK(key).key for key in answer.json()["keys"]}


def request_text(dockpass):
    auth = requests.auth._basic_auth_str("alice", dockpass.secret)
    return (f"GET /token?service=registry&scope={ASKED} HTTP/1.1\r\n"
            f"Host: a\r\nAuthorization: {auth}\r\n\r\n").encode()


def ended(loads):
    """None has; or what it failed of."""
    return [load.result() for load in loads if load.done()]


def test_keys_change_under_load(own):
    """The whole way that README has, again and again: not one request fails,
    and each JWT is of a key that was published before and is so after."""
    ends, seen = [], set()

    def load():
        known = published(own)
        with Wire(own.port) as wire:
            while not ends:
                answer = wire.send(request_text(own)).answer()
                assert answer.status_code == 200, answer.text
                token = answer.json()["token"]
                kid = jwt.get_unverified_header(token)["kid"]
                if kid not in known:
                    known = published(own)
                jwt.decode(token, known[kid], algorithms=["ES256"],
                           audience="registry")
                seen.add(kid)

    own.serve()
    with ThreadPoolExecutor(3) as pool:
        loads = [pool.submit(load) for _ in range(3)]
        try:
            wait_until(lambda: seen or ended(loads), 20 * PATIENCE, "load")
            for number in range(KEYS):
                progress(f"key {number} of {KEYS}")
                old = next(key["rfc7638"] for key in own.json("key", "list")
                           if key["state"] == "current")
                new = own.json("key", "new")["kid"]
                assert own.reload().startswith("done: ")
                before = len(seen)
                own.cli("key", "activate", new)
                assert own.reload().startswith("done: ")
                wait_until(lambda n=before: len(seen) > n or ended(loads),
                           20 * PATIENCE, "JWTs of the new key")
                own.cli("key", "remove", old)
                assert own.reload().startswith("done: ")
        finally:
            ends.append(True)
        for done in loads:
            done.result()
    assert len(seen) == KEYS + 1
