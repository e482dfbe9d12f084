"""The store and the files: modes, damage, sudden ends, many at once.

What was acknowledged is there, what is damaged is an error and never a grant.
"""

import hashlib
import itertools
import os
import random
import re
import resource
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from support import secrets, tokens
from support.dockpass import (ENV, PATIENCE, PROGRAM, STORE_MEND,
                              Dockpass)
from support.process import wait_until
from support.ways import WAYS, get_basic, login, refresh, refresh_token

ASKED = "repository:g/app:pull,push"
GRANTED = {"repository:g/app": "pull,push"}


def small(folder):
    """A dockpass with one project and its developer, not started."""
    dockpass = Dockpass(folder, services=[{"name": "registry",
                                           "refresh_tokens": True}])
    dockpass.user("alice", password="correct horse battery")
    dockpass.cli("project", "add", "g/app")
    dockpass.cli("member", "add", "g", "alice", "developer")
    dockpass.secret = dockpass.token("alice", scopes="api", name="alice's")
    return dockpass


@pytest.fixture
def own(tmp_path):
    with small(tmp_path) as dockpass:
        yield dockpass


@pytest.fixture(scope="module")
def still(tmp_path_factory):
    """Never started; a test leaves its files as they were."""
    return small(tmp_path_factory.mktemp("still"))


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """The same, started."""
    with small(tmp_path_factory.mktemp("store")) as dockpass:
        yield dockpass.serve()


def refused_by_all(dockpass, *commands):
    """The line that serve, check and others end with, alone."""
    lines = {dockpass.refused(*command)[1] for command in (
        ("serve",), ("check",), *commands)}
    assert len(lines) == 1, lines
    return lines.pop()


MODES = [
    ("store", 0o750, 0o700), ("store", 0o720, 0o700), ("store", 0o701, 0o700),
    ("store", 0o777, 0o700), ("store/data.mdb", 0o640, 0o600),
    ("store/data.mdb", 0o604, 0o600), ("store/data.mdb", 0o622, 0o600),
    ("store/lock.mdb", 0o660, 0o600), ("keys", 0o750, 0o700),
    ("keys", 0o730, 0o700), ("keys", 0o705, 0o700),
    ("keys/keyring", 0o640, 0o600), ("keys/keyring", 0o602, 0o600),
    ("keys/*.pem", 0o644, 0o600), ("keys/*.pem", 0o620, 0o600),
]


@pytest.mark.parametrize("name, mode, good", MODES, ids=lambda value: (
    value if isinstance(value, str) else f"{value:o}"))
def test_LMDB_wrong_mode_is_refused(still, name, mode, good):
    file, = still.folder.glob(name)
    file.chmod(mode)
    line = refused_by_all(still, ("key", "list") if "keys" in name
                          else ("user", "list"))
    assert line == f"dockpass: {file}: group or others can " \
        f"{'enter or read' if name == 'keys' else 'read or write'} it; " \
        f"run: chmod {good:o} {file}"
    subprocess.run(line.partition("run: ")[2].split(), check=True, timeout=9)
    assert file.stat().st_mode & 0o777 == good and still.cli("check")


@pytest.mark.parametrize("name, mode, good", [
    row for row in MODES if "keys" in row[0]])
def test_a_reload_keeps_the_keys_that_it_has(shared, name, mode, good):
    file, = shared.folder.glob(name)
    file.chmod(mode)
    said = shared.reload()
    assert said.startswith("the old ones stay: ") and f"chmod {good:o}" in said
    assert get_basic(shared, shared.secret).status_code == 200
    file.chmod(good)
    assert shared.reload().startswith("done: ")


def move(file, there):
    file.rename(there)
    file.symlink_to(there)


@pytest.mark.parametrize("name", ["store", "keys", "store/data.mdb",
                                  "keys/keyring"])
def test_behind_a_link_the_same_rules_hold(own, tmp_path, name):
    """A link is no mistake; what it leads to is looked at."""
    real = tmp_path / "elsewhere"
    move(own.folder / name, real)
    good = real.stat().st_mode & 0o777
    real.chmod(good | 0o040)
    assert f"run: chmod {good:o} " in refused_by_all(own)
    real.chmod(good)
    own.serve()
    assert tokens.access(get_basic(own, own.secret, ASKED), own) == GRANTED
    own.stop()
    real.rename(tmp_path / "away")
    assert str(own.folder / name) in own.refused("serve")[1] or \
        "no store there" in own.refused("serve")[1]


# data.mdb: what becomes of it, what every command says
FILES = {
    "empty": (lambda file: os.truncate(file, 0), "no store there"),
    "missing": (os.unlink, "no store there"),
    "half-a-page": (lambda file: os.truncate(file, 2048), "restore a backup"),
    "one-page": (lambda file: os.truncate(file, 4096), "restore a backup"),
    "two-pages": (lambda file: os.truncate(file, 8192), "restore a backup"),
    "three-pages": (lambda file: os.truncate(file, 12288), "restore a backup"),
    "garbage": (lambda file: file.write_bytes(os.urandom(1 << 20)),
                "restore a backup"),
    "zeros": (lambda file: file.write_bytes(bytes(1 << 20)),
              "restore a backup"),
    "text": (lambda file: file.write_text("issuer: x\n" * 1000),
             "restore a backup"),
    "ones": (lambda file: file.write_bytes(b"\xff" * (1 << 20)),
             "restore a backup"),
}


@pytest.mark.parametrize("how", FILES)
def test_a_store_that_is_none(still, how):
    spoil, words = FILES[how]
    file = still.folder / "store/data.mdb"
    whole = file.read_bytes()
    spoil(file)
    line = refused_by_all(still, ("user", "list"), ("token", "revoke", "1"), (
        "user", "add", "x", "--email", "a@b"))
    assert words in line and str(still.folder / "store") in line
    file.write_bytes(whole)
    file.chmod(0o600)
    assert still.cli("check")


def test_a_store_cut_short_under_the_server(own):
    """It ends with a line: no answer is better than a wrong one."""
    own.serve()
    os.truncate(own.folder / "store/data.mdb", 8192)
    with pytest.raises(requests.ConnectionError):
        answer = get_basic(own, own.secret, ASKED)
        assert answer.status_code == 500
        get_basic(own, own.secret, ASKED)
    daemon, own.daemon = own.daemon, None
    assert daemon.process.wait(10 * PATIENCE) == 1
    assert own.output.endswith(f"{own.folder}/store/data.mdb: damaged or cut "
                               "short, or its disk is full or fails; free some "
                               f"space, or {STORE_MEND}\n")


def key(*ids):
    return b"".join(number.to_bytes(8, "big") for number in ids)


# Where the byte stands in data.mdb that becomes another: the group. alice is
# user 1, her token is 1; g is place 1, g/app is 2. SHA stands for a digest.
DAMAGES = {
    "token-version": (b"SHA(\2)", 9),
    "token-kind": (b"SHA\2" + key(1, 1, 0) + b"(\1)", 7),
    "token-length": (b"SHA\2" + key(1, 1, 0) + b"\1.{4}.{56}(\0)", 255),
    "refresh-version": (b"SHA(\1)" + key(1), 9),
    "refresh-token": (b"SHA\1" + key(0)[1:] + b"(\1)", 0),
    "user-version": (b"(\1)\0{4}.{8}\0\5alice\0\x11alice@", 9),
    "user-length": (b"\1\0{4}.{8}(\0)\5alice\0\x11alice@", 255),
    "place-version": (b"g/app(\1)" + key(2), 9),
    "place-kind": (b"g/app\1" + key(2) + b"(\2)", 5),
    "place-visibility": (b"g/app\1" + key(2) + b"\2(\0)", 4),
    "member-version": (key(1, 1) + b"(\1)\x1e", 9),
    "member-role": (key(1, 1) + b"\1(\x1e)", 99),
}


class Damage:
    """Done to every copy of a page; undone at the end."""

    def __init__(self, file, mark, value):
        self.file, self.value = file, bytes([value])
        self.whole = file.read_bytes()
        self.places = [found.start(1) for found in
                       re.finditer(mark, self.whole, re.DOTALL)]
        assert self.places, mark

    def write(self, byte):
        with open(self.file, "r+b", buffering=0) as raw:
            for place in self.places:
                os.pwrite(raw.fileno(), byte(place), place)

    def __enter__(self):
        self.write(lambda place: self.value)

    def __exit__(self, *_):
        self.write(lambda place: self.whole[place:place + 1])


@pytest.mark.parametrize("what", DAMAGES)
def test_docker_auth_D16_a_damaged_record_is_an_error(shared, what):
    """500, not 401: his token is right, the store is not. D16: and no word of
    what was in it."""
    refreshed = refresh_token(login(shared, shared.secret))
    secret = refreshed if "refresh" in what else shared.secret
    digest = re.escape(hashlib.sha256(secret.encode()).digest())
    mark, value = DAMAGES[what]
    with Damage(shared.folder / "store/data.mdb",
                mark.replace(b"SHA", digest), value):
        answers = [refresh(shared, refreshed, ASKED)]
        if secret is shared.secret:
            answers += [way(shared, secret, ASKED) for way in WAYS.values()]
        others = shared.ask("repository:g/other:pull")
    for answer in answers:
        message = tokens.refusal(answer, 500, "UNKNOWN")
        assert message == "the token server has failed: its log says why"
    assert tokens.access(others, shared) == {}
    assert tokens.access(refresh(shared, refreshed, ASKED), shared) == GRANTED


def ended(process, seconds):
    """Its status; None if it had to be killed at that moment."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return None if process.wait(10) < 0 else process.returncode


def test_LMDB_kill_9_of_the_server_while_it_writes(own):
    """Each refresh token that somebody has got is there for good. (What a power
    cut leaves is test/unit/server/test_calls.c's: the page cache outlives
    this.)"""
    chance = random.Random(1)
    got = {}
    for turn in range(20):
        own.serve()
        pats = [own.token("alice", scopes="read_registry", name=f"{turn} {i}")
                for i in range(4)]
        mine = [[] for _ in pats]

        def work(pat, mine):
            for _ in range(30):
                try:
                    mine.append(refresh_token(login(own, pat)))
                except requests.RequestException:
                    return
        threads = [threading.Thread(target=work, args=row)
                   for row in zip(pats, mine)]
        for thread in threads:
            thread.start()
        wait_until(lambda mine=mine: sum(map(len, mine)) > 3, 20 * PATIENCE,
                   "refresh tokens")
        assert ended(own.daemon.process, chance.uniform(0, 0.02)) is None
        for thread in threads:
            thread.join(20 * PATIENCE)
        got[turn] = list(itertools.chain(*mine))
    own.serve()
    assert sum(map(len, got.values())) >= 80
    for token in itertools.chain(*got.values()):
        answer = refresh(own, token, ASKED)
        assert tokens.access(answer, own) == {"repository:g/app": "pull"}
    assert len(own.json("token", "list")) == 81


def test_LMDB_kill_9_of_commands_while_they_write(shared):
    """A user and his token are there whole, or not at all."""
    chance = random.Random(2)
    killed = 0
    for turn in range(20):
        for words in (("user", "add", f"k{turn}", "--email", "k@b.c"),
                      ("project", "add", f"k/{turn}/a/b/c"),
                      ("member", "add", "g", f"k{turn}", "developer"),
                      ("token", "create", f"k{turn}", "--name", f"k{turn}",
                       "--scopes", "api")):
            command = [PROGRAM, *words, "--config", shared.config_file]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                                  stderr=subprocess.DEVNULL, env=ENV) as one:
                status = ended(one, chance.uniform(0, 0.012 * PATIENCE))
                secret = one.stdout.read().removesuffix("\n")
            killed += status is None
            if secret.startswith("glpat-") and len(secret) == 26:
                secrets.remember(secret)
                assert get_basic(shared, secret).status_code == 200
            elif status is None:
                # Again: done the first time or not, it is done now.
                again = shared.run(*words, "--config", shared.config_file,
                                   check=False, secret=True)
                assert again.returncode == 0 or \
                    "exists already" in again.stderr, again.stderr
            assert get_basic(shared, shared.secret).status_code == 200
    print(f"{killed} of 80 were killed")
    assert killed >= 5
    users = [user["username"] for user in shared.json("user", "list")]
    places = {p["path_with_namespace"] for p in shared.json("project", "list")}
    for turn in range(20):
        assert users.count(f"k{turn}") == 1 and f"k/{turn}/a/b/c" in places


def test_eight_commands_at_once(shared):
    """On the live store, while it serves: all are there, none twice."""
    def add(name):
        shared.user(name)
        shared.cli("member", "add", "g", name, "developer")
        secret = shared.token(name, scopes="api", name=name)
        return tokens.access(get_basic(shared, secret, ASKED), shared)

    def same(_):
        return shared.run("user", "add", "onlyone", "--email", "a@b.c",
                          "--config", shared.config_file, check=False)
    names = [f"many{i}" for i in range(64)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(add, names)) == 64 * [GRANTED]
        done = list(pool.map(same, range(16)))
    assert sorted(one.returncode for one in done) == [0] + 15 * [1]
    assert all("exists already" in one.stderr for one in done
               if one.returncode)
    for what, key in (("user", "username"), ("token", "name")):
        rows = shared.json(what, "list")
        assert len({row["id"] for row in rows}) == len(rows)
        listed = [row[key] for row in rows]
        assert all(listed.count(name) == 1 for name in names)


def test_64_refresh_tokens_at_once(shared):
    """One commit for many of them; each is its own and holds."""
    pats = [shared.token("alice", scopes="api", name=f"r{i}")
            for i in range(4)]
    with ThreadPoolExecutor(64) as pool:
        given = list(pool.map(lambda i: refresh_token(
            login(shared, pats[i % 4])), range(64)))
        assert len(set(given)) == 64
        answers = list(pool.map(lambda token: refresh(shared, token, ASKED),
                                given))
    for answer in answers:
        assert tokens.access(answer, shared) == GRANTED


def test_an_idle_server_pins_no_page(own):
    """Its workers have answered, and rest: what is written since takes the
    place of what no one reads any more."""
    own.serve()
    assert get_basic(own, own.secret, ASKED).status_code == 200
    file = own.folder / "store/data.mdb"
    before, changes = file.stat().st_size, 50
    for i in range(changes):
        own.cli("user", "two-factor", "alice", ("on", "off")[i % 2])
    # Else each takes several pages more.
    assert file.stat().st_size - before < changes * resource.getpagesize()
    assert tokens.access(get_basic(own, own.secret, ASKED), own) == GRANTED


def test_LMDB_full_still_reads(own):
    """A full disk: no refresh token, but no wrong answer and no end either."""
    own.serve()
    pid = own.daemon.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    old = refresh_token(login(own, own.secret))
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        tokens.refusal(login(own, own.secret), 500, "UNKNOWN")
        answer = get_basic(own, own.secret, ASKED)
        assert tokens.access(answer, own) == GRANTED
        assert refresh(own, old).status_code == 200
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
    assert refresh(own, refresh_token(login(own, own.secret))).ok
