"""Backup and restore of a store that lives: the server goes on meanwhile, and
what was taken away since does not come back.
"""

import hashlib
import json
import os
import random
import shutil
import stat
import threading

import pytest

from support import secrets, tokens
from support.dockpass import NO_JOIN, STORE_MEND, Dockpass
from support.ways import refresh_token
from test_doctor_here import later

PULL = "repository:g/p:pull"


@pytest.fixture
def desk(tmp_path):
    with Dockpass(tmp_path) as desk:
        desk.user("ann")
        desk.cli("project", "add", "g/p")
        desk.cli("member", "add", "g/p", "ann", "developer")
        desk.secret = desk.token("ann", scopes="api", name="first")
        desk.file = tmp_path / "backup"
        yield desk


def lives(desk, secret, status=200):
    answer = desk.ask(PULL, auth=("ann", secret))
    assert answer.status_code == status, answer.text
    if status == 200:
        assert len(tokens.access(answer, desk)) == 1


def test_the_file(desk):
    facts = desk.json("backup", desk.file)
    assert facts == desk.json("store", "check")
    assert (facts["users"], facts["spaces"], facts["tokens"]) == (1, 2, 1)
    assert stat.S_IMODE(desk.file.stat().st_mode) == 0o600
    assert desk.secret.encode() not in desk.file.read_bytes()
    before = desk.file.read_bytes()
    assert desk.refused("backup", desk.file) == (
        1, f"dockpass: {desk.file}: is there already; name another file, or "
        "say --yes to replace it")
    assert desk.file.read_bytes() == before
    desk.cli("backup", desk.file, "--yes")
    assert [path.name for path in desk.file.parent.iterdir()
            if path.name.startswith("backup")] == ["backup"]


def test_the_server_follows_a_restore_at_once(desk):
    desk.serve()
    desk.cli("backup", desk.file)
    later = desk.token("ann", scopes="api", name="later")
    lives(desk, later)
    status, message = desk.refused("restore", desk.file)
    assert status == 1 and "say --yes to put" in message
    lives(desk, later)
    desk.cli("restore", desk.file, "--yes")
    lives(desk, later, 401)
    lives(desk, desk.secret)
    desk.token("ann", scopes="api", name="again")
    assert desk.token_id("again") == 3  # 2 was the later one's


def test_what_was_revoked_since_stays_revoked(desk):
    desk.serve()
    desk.cli("backup", desk.file)
    desk.cli("token", "revoke", 1)
    assert desk.json("restore", desk.file, "--yes")["taken_away"] == 1
    lives(desk, desk.secret, 401)


def test_what_was_replaced_or_closed_since_stays_so(desk):
    """The old password, which somebody had learnt; a project that all saw."""
    old, new = "the-one-he-told-somebody", "the-one-he-has-now"
    desk.user("bob", password=old)
    desk.cli("project", "set", "g/p", "--visibility", "public")
    desk.serve()
    assert len(tokens.access(desk.ask(PULL), desk)) == 1
    desk.cli("backup", desk.file)
    secrets.remember(new)
    desk.cli("user", "password", "bob", "--password-stdin", stdin=new)
    desk.cli("project", "set", "g/p", "--visibility", "private")
    assert desk.json("restore", desk.file, "--yes")["taken_away"] == 2
    assert desk.ask(auth=("bob", old)).status_code == 401
    assert desk.ask(auth=("bob", new)).status_code == 200
    assert not tokens.access(desk.ask(PULL), desk)


@pytest.mark.usefixtures("faketime")
def test_expired_tokens_that_no_longer_worked_do_not_again(desk):
    """enforce_token_expiry was off in the copy; it was switched on since."""
    desk.cli("settings", "set", "enforce_token_expiry", "false")
    desk.token("ann", scopes="api", name="dated", expires="30d")
    ask = ["explain", "--token-id", 2, "--access", PULL]
    desk.cli("backup", desk.file)
    assert len(desk.json(*ask, env=later(40))["granted"]) == 1
    desk.cli("settings", "set", "enforce_token_expiry", "true")
    assert desk.json(*ask, env=later(40))["reason"] == "token_expired"
    assert desk.json("restore", desk.file, "--yes")["taken_away"] == 1
    assert desk.json(*ask, env=later(40))["reason"] == "token_expired"


def test_a_project_that_was_closed_and_removed_stays_closed(desk):
    """Of what is gone the log alone tells how it was at last."""
    desk.cli("project", "add", "g/open", "--visibility", "public")
    desk.cli("member", "add", "g/open", "ann", "developer")
    ask = ["explain", "--anonymous", "--access", "repository:g/open:pull"]
    assert len(desk.json(*ask)["granted"]) == 1
    desk.cli("backup", desk.file)
    desk.cli("project", "set", "g/open", "--visibility", "private")
    desk.cli("member", "remove", "g/open", "ann")
    desk.cli("project", "remove", "g/open", "--yes")
    assert desk.json("restore", desk.file, "--yes")["taken_away"] == 2
    assert desk.json(*ask)["granted"] == []
    assert desk.json("member", "list", "g/open") == []
    assert desk.json("project", "show", "g/open")["visibility"] == "private"


def test_refresh_tokens_that_gave_way_stay_gone(desk):
    """The 33rd of a token took the place of the first."""
    desk.configure(services=[{"name": "registry", "refresh_tokens": True}])
    desk.serve()

    def given():
        return refresh_token(desk.ask(
            auth=("ann", desk.secret), fields={"offline_token": "true"}))

    def status(token):
        return desk.ask(method="POST", fields={
            "grant_type": "refresh_token",
            "refresh_token": token}).status_code
    first, second = given(), given()
    desk.cli("backup", desk.file)
    later = [given() for _ in range(31)]
    assert [status(token) for token in (first, second)] == [401, 200]
    assert desk.json("restore", desk.file, "--yes")["taken_away"] == 1
    assert [status(token) for token in (first, second, later[-1])] == \
        [401, 200, 401]
    assert desk.json("audit", "list", "--action",
                     "refresh_remove")[0]["token_id"] == 1


def test_a_project_that_was_made_again_stays_closed(desk):
    """Of the same path, and private: it is another one by its number alone."""
    desk.cli("project", "add", "g/open", "--visibility", "public")
    ask = ["explain", "--anonymous", "--access", "repository:g/open:pull"]
    assert len(desk.json(*ask)["granted"]) == 1
    desk.cli("backup", desk.file)
    desk.cli("project", "remove", "g/open", "--yes")
    desk.cli("project", "add", "g/open", "--visibility", "private")
    assert desk.json(*ask)["granted"] == []
    assert desk.json("restore", desk.file, "--yes")["taken_away"] == 1
    assert desk.json(*ask)["granted"] == []


def test_who_was_made_again_does_not_come_back_as_he_was(desk):
    """His name is another's now, who has another password and is no member."""
    old, new = "of-the-one-who-left", "of-the-one-who-came"
    desk.user("bob", password=old)
    desk.cli("member", "add", "g/p", "bob", "developer")
    token = desk.token("bob", scopes="api", name="his")
    desk.serve()
    lives(desk, token)
    desk.cli("backup", desk.file)
    desk.cli("user", "remove", "bob", "--yes")
    desk.user("bob", password=new)
    assert desk.json("restore", desk.file, "--yes")["taken_away"] == 3
    lives(desk, token, 401)
    assert desk.ask(auth=("bob", old)).status_code == 401
    answer = desk.ask(PULL, auth=("bob", new))
    assert answer.status_code == 200 and not tokens.access(answer, desk)


def test_after_a_loss_of_the_store(desk):
    """Nobody can know what was revoked meanwhile: it is said, and the newest
    can be revoked all the same."""
    desk.cli("backup", desk.file)
    for path in (desk.folder / "store").iterdir():
        path.unlink()
    done = desk.run("restore", desk.file, "--config", desk.config_file)
    assert "no store was here that could tell what came after: what was " \
        "revoked or blocked after 20" in done.stderr
    assert "may work again" in done.stderr
    assert "or repeat with --yes --revoke-newer-than DATE" in done.stderr
    desk.serve()
    lives(desk, desk.secret)
    newer = ["restore", desk.file, "--yes", "--revoke-newer-than",
             "2020-01-01", "--config", desk.config_file]
    said = desk.run(*newer).stderr
    assert "tokens revoked, as they were made since 2020-01-01: 1\n" in said
    lives(desk, desk.secret, 401)
    told = json.loads(desk.run(*newer, "--json").stdout)
    assert (told["taken_away"], told["revoked_newer"]) == (1, 0)
    desk.stop()
    for path in (desk.folder / "store").iterdir():
        path.unlink()
    said = desk.run(*newer).stderr
    assert "may work again" in said and "repeat" not in said


def zero(path, first, pages):
    with open(path, "r+b") as file:
        file.seek(first * 4096)
        file.write(bytes(pages * 4096))


def scribble(path):
    with open(path, "r+b") as file:
        file.seek(2 * 4096)
        file.write(os.urandom(12 * 4096))


@pytest.mark.parametrize("damage", [
    lambda path: zero(path, 0, 2), lambda path: zero(path, 5, 3),
    lambda path: os.truncate(path, 20480), scribble,
], ids=["meta", "pages", "cut", "nonsense"])
def test_a_damaged_store_is_set_aside(desk, damage):
    """Where --yes cannot read it either, as every message of damage says."""
    desk.cli("backup", desk.file)
    data = desk.folder / "store/data.mdb"
    damage(data)
    damaged = data.read_bytes()
    status, said = desk.refused("store", "check")
    assert status == 1 and STORE_MEND in said
    status, said = desk.refused("restore", desk.file, "--yes")
    assert status == 1 and STORE_MEND in said and data.read_bytes() == damaged
    restore = ["restore", desk.file, "--damaged"]
    done = desk.run(*restore, "--config", desk.config_file)
    assert "data.mdb.damaged, cannot be read: what was revoked" in done.stderr
    assert (desk.folder / "store/data.mdb.damaged").read_bytes() == damaged
    desk.cli("store", "check")
    desk.serve(env=NO_JOIN)
    lives(desk, desk.secret)
    # Not a sound one; nor under a server; nor over what was set aside.
    assert "the store is sound: say --yes instead, which keeps what was " \
        "revoked since" in desk.refused(*restore)[1]
    zero(data, 0, 2)
    assert "another server uses this store; stop it first" in \
        desk.refused(*restore)[1]
    desk.stop()
    assert "data.mdb.damaged: is there from another time: move it away" in \
        desk.refused(*restore)[1]
    (desk.folder / "store/data.mdb.damaged").unlink()
    desk.cli(*restore)
    assert "ann" in desk.cli("user", "list")


@pytest.mark.parametrize("record, other", [
    (b"ann", b"a\0n"), (b"ann@", b"an\0@"), (b"first", b"fir\0t"),
    (b"g/p", b"g//")], ids=["user", "log", "token", "project"])
def test_a_damaged_record_takes_no_revocation(desk, record, other):
    """What every message of damage says first: --yes, for what can be read."""
    desk.cli("backup", desk.file)
    desk.cli("token", "revoke", "1")
    data = desk.folder / "store/data.mdb"
    whole = data.read_bytes()
    data.write_bytes(whole.replace(record, other))
    assert STORE_MEND in desk.refused("store", "check")[1]
    desk.cli("restore", desk.file, "--yes")
    desk.cli("store", "check")
    assert [token["revoked"] for token in desk.json("token", "list")] == \
        [True]
    desk.serve()
    lives(desk, desk.secret, 401)


@pytest.mark.parametrize("name", ["store/data.mdb", "store/new", "keys/new",
                                  "public/bundle.pem"])
@pytest.mark.parametrize("command", [["backup"], ["audit", "export"]],
                         ids=lambda words: words[0])
def test_the_servers_own_folders_take_no_backup(desk, command, name):
    """They would write over what the server lives on."""
    before = (desk.folder / "store/data.mdb").read_bytes()
    status, said = desk.refused(*command, desk.folder / name, "--yes")
    assert status == 1 and "is dockpass's own folder; name a file elsewhere" \
        in said
    assert not (desk.folder / "store/new").exists()
    assert (desk.folder / "store/data.mdb").read_bytes() == before


@pytest.mark.parametrize("command", [["backup"], ["audit", "export"]],
                         ids=lambda words: words[0])
def test_nor_do_its_configuration_and_what_that_names(desk, command):
    secret = desk.folder / "secret"
    secret.write_text(secrets.remember("a-secret-of-a-webhook") + "\n")
    secret.chmod(0o600)
    desk.configure(webhook={"url": "http://localhost:1",
                            "secret_file": str(secret)})
    for file, words in (
            (desk.config_file, "is dockpass's own configuration"),
            (secret, f"{desk.config_file} uses it")):
        before = file.read_bytes()
        status, said = desk.refused(*command, file, "--yes")
        assert status == 1 and words in said and "name another file" in said
        assert file.read_bytes() == before


def test_nor_does_a_log_that_is_not_there_yet(desk, monkeypatch):
    """By whatever name: the server would write into the backup."""
    folder = desk.folder / "log"
    folder.mkdir()
    desk.configure(log={"file": str(folder / "dockpass.log")})
    monkeypatch.chdir(folder)
    status, said = desk.refused("backup", "dockpass.log")
    assert status == 1 and "uses it; name another file" in said
    assert not list(folder.iterdir())


@pytest.mark.parametrize("harm, message", [
    (lambda data: data[:-1], "is no backup of dockpass, or was cut short"),
    (lambda data: data[:5000] + bytes([data[5000] ^ 1]) + data[5001:],
     "has changed since it was made"),
    (lambda data: b"", "is no backup of dockpass"),
    (lambda data: os.urandom(len(data)), "is no backup of dockpass"),
], ids=["cut", "rotten", "empty", "other"])
def test_what_is_no_backup_changes_nothing(desk, harm, message):
    desk.cli("backup", desk.file)
    desk.file.write_bytes(harm(desk.file.read_bytes()))
    before = desk.json("store", "check")
    status, said = desk.refused("restore", desk.file, "--yes")
    assert status == 1 and message in said
    assert desk.json("store", "check") == before


SEAL = b"dockpass backup, sealed\n"


def sealed(body):
    """As anybody can make one."""
    return body + SEAL + hashlib.sha256(body).digest()


@pytest.mark.parametrize("harm", [
    None, lambda body: b"x" * 9000, lambda body: sealed(b"x" * 9000),
    lambda body: sealed(body[:8192] + b"\xff" * len(body[8192:])),
], ids=["missing", "other", "no pages", "wild pages"])
@pytest.mark.parametrize("how", ["--yes", "--damaged"])
@pytest.mark.parametrize("there", ["sound", "damaged", "missing"])
def test_the_backup_is_looked_at_first(desk, harm, how, there):
    """What is there stays, be it a store, a ruin or nothing (an empty one would
    be served)."""
    desk.cli("backup", desk.file)
    body = desk.file.read_bytes()[:-56]
    desk.file.unlink()
    if harm:
        desk.file.write_bytes(harm(body))
    data = desk.folder / "store/data.mdb"
    if there == "damaged":
        zero(data, 5, 3)
    if there == "missing":
        shutil.rmtree(data.parent)
    before = data.exists() and data.read_bytes()
    status, said = desk.refused("restore", desk.file, how)
    assert status == 1 and str(desk.file) in said
    assert (data.exists() and data.read_bytes()) == before
    assert not data.with_name("data.mdb.damaged").exists()
    assert data.parent.exists() == (there != "missing")


def change(body, rand):
    """A few bytes, most of them where pages have their heads."""
    body = bytearray(body)
    for _ in range(rand.choice([1, 1, 2, 4])):
        at = rand.randrange(len(body) // 4096) * 4096 + rand.choice(
            [rand.randrange(16), rand.randrange(64), rand.randrange(4088)])
        size = rand.choice([1, 2, 4, 8])
        body[at:at + size] = rand.choice(
            [bytes(size), b"\xff" * size, rand.randbytes(size)])
    return bytes(body)


def test_a_changed_backup_with_a_right_seal_ends_in_words(desk):
    """They name the file, and not the store that is whole."""
    for i in range(12):
        desk.cli("project", "add", f"g/p{i}")
        desk.token("ann", scopes="api", name=f"n{i}")
    desk.cli("backup", desk.file)
    body = desk.file.read_bytes()[:-56]
    rand, wrong = random.Random(7), {}
    for turn in range(200):
        desk.file.write_bytes(sealed(change(body, rand)))
        done = desk.run("restore", desk.file, "--yes", "--config",
                        desk.config_file, check=False)
        if done.returncode and (
                done.returncode != 1 or done.stderr.count("\n") != 1
                or not done.stderr.startswith(f"dockpass: {desk.file}: ")):
            wrong[turn] = done.returncode, done.stderr
    assert not wrong, wrong
    desk.cli("store", "check")


def test_a_backup_while_others_write(desk):
    """Each is one state of the store, and sound."""
    ends = threading.Event()

    def write():
        while not ends.is_set():
            desk.cli("user", "block", "ann")
            desk.cli("user", "unblock", "ann")
    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = [desk.json("backup", desk.file, "--yes")["changes"]
                for _ in range(15)]
    finally:
        ends.set()
        writer.join()
    assert seen == sorted(seen) and seen[0] < seen[-1]
    desk.json("store", "check")
