"""The audit trail: what the store's log says of each change, and that nobody
changes, drops, reorders or cuts it unseen; across restart, backup, restore and
prune.
"""

import hashlib
import json
import re
import stat
import struct
from datetime import datetime, timedelta, timezone

import lmdb
import pytest

from support import secrets
from support.dockpass import FAKETIME, Dockpass

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z")
HASH = re.compile(r"[0-9a-f]{64}")
PASSWORD = "a-password-of-nobody"
NOTHING = "0" * 64


@pytest.fixture
def desk(tmp_path):
    with Dockpass(tmp_path) as desk:
        desk.user("ann", password=PASSWORD)
        desk.user("bob")
        desk.cli("project", "add", "g/p", "--visibility", "public")
        desk.cli("member", "add", "g/p", "ann", "developer")
        desk.token("ann", scopes="api,read_user", name="first")
        desk.cli("token", "revoke", 1)
        desk.cli("settings", "set", "default_token_days", 30)
        desk.cli("user", "block", "bob")
        desk.cli("member", "remove", "g/p", "ann")
        yield desk


# What each of these says beside number, time, actor and the two hashes.
SAID = [
    {"action": "user_add", "user": "ann", "email": "ann@example.com"},
    {"action": "user_add", "user": "bob", "email": "bob@example.com"},
    {"action": "project_add", "path": "g/p", "visibility": "public"},
    {"action": "member_put", "user": "ann", "path": "g/p",
     "role": "developer"},
    {"action": "token_add", "user": "ann", "name": "first", "token_id": 1,
     "kind": "personal", "scopes": ["api", "read_user"]},
    {"action": "token_revoke", "token_id": 1},
    {"action": "setting_put", "setting": "default_token_days", "value": "30"},
    {"action": "user_flag", "user": "bob", "flag": "blocked", "on": True},
    {"action": "member_remove", "user": "ann", "path": "g/p"},
]
ALWAYS = {"number", "time", "actor", "hash", "previous"}


def entries(desk, *args):
    return desk.json("audit", "list", *args)


def numbers(desk, *args):
    return [entry["number"] for entry in entries(desk, *args)]


def said(entry):
    return {key: entry[key] for key in entry if key not in ALWAYS}


def head(desk, *args):
    return desk.json("audit", "verify", *args)["head"]


def test_each_change_is_told(desk):
    log = entries(desk)
    assert [said(entry) for entry in log] == SAID
    before = NOTHING
    for number, entry in enumerate(log, 1):
        assert ALWAYS <= set(entry) and entry["number"] == number
        assert TIME.fullmatch(entry["time"]), entry
        assert HASH.fullmatch(entry["hash"]), entry
        assert entry["actor"].startswith("cli:")
        assert entry["previous"] == before
        before = entry["hash"]
    assert head(desk) == f"{len(log)}:{before}"


def test_limits_mail_and_the_end_of_a_grace_are_told(desk, tmp_path):
    desk.token("ann", "--network", "192.0.2.0/24", "--repository", "g/*",
               "--repository", "h/p", scopes="read_registry", name="second")
    desk.cli("user", "set", "bob", "--email", "bob@example.org")
    desk.cli("backup", tmp_path / "file")
    secrets.remember(desk.cli("token", "rotate", 2, "--grace", "1h",
                              secret=True).removesuffix("\n"))
    rotate = entries(desk)[-1]
    assert said(rotate) == {"action": "token_rotate", "token_id": 2,
                            "new_token_id": 3, "grace": 3600}
    assert numbers(desk, "--user", "ann")[-1] == rotate["number"]
    desk.cli("restore", tmp_path / "file", "--yes")
    limited, mail, restore, *counters, end = map(said, entries(desk)[9:])
    assert limited == {
        "action": "token_add", "user": "ann", "name": "second", "token_id": 2,
        "kind": "personal", "scopes": ["read_registry"],
        "networks": ["192.0.2.0/24"], "repositories": ["g/*", "h/p"]}
    assert mail == {"action": "user_email", "user": "bob",
                    "email": "bob@example.org"}
    assert restore["action"] == "restore"
    assert {row["action"] for row in counters} == {"counter_put"}
    assert (end["action"], end["token_id"]) == ("token_end", 2)
    assert TIME.fullmatch(end["expires_at"])
    about = entries(desk, "--user", "ann")
    assert about[-1]["number"] == entries(desk)[-1]["number"]
    # Ids of others, which are the same numbers.
    assert "counter_put" not in {entry["action"] for entry in about}
    desk.cli("token", "revoke", 1, "--family")
    assert said(entries(desk)[-1]) == {"action": "token_revoke", "token_id": 1,
                                       "family": True}


def test_the_same_for_people(desk):
    lines = desk.cli("audit", "list").splitlines()
    assert lines[0].split() == ["NUMBER", "TIME", "ACTOR", "ACTION", "WHAT"]
    assert len(lines) == 1 + len(entries(desk))
    assert "user=ann path=g/p role=developer" in "\n".join(lines)


def test_a_name_is_not_taken_for_other_fields(desk):
    written = {'x" user=bob  cli:root': r'"x\" user=bob  cli:root"',
               "role=owner": '"role=owner"', "two words": '"two words"',
               'a"b': r'"a\"b"', "one-word": "one-word"}
    for name in written:
        desk.token("ann", scopes="api", name=name)
    lines = desk.cli("audit", "list").splitlines()[-len(written):]
    for line, name in zip(lines, written.values()):
        assert f"user=ann name={name} kind=personal" in line


def test_no_secret_is_told(desk, tmp_path):
    """Neither of a token nor of a password, and no digest of them."""
    file = tmp_path / "export"
    secret = desk.token("ann", scopes="api", name="other")
    mistyped = "glpat-where-a-name-belongs"  # looks like one, and is none
    desk.cli("token", "create", "ann", "--scopes", "api", "--name", mistyped,
             secret=True)
    desk.cli("audit", "export", file)
    text = file.read_text() + desk.cli("audit", "list")
    assert "$y$" not in text and PASSWORD not in text
    assert secret not in text and mistyped not in text
    assert hashlib.sha256(secret.encode()).hexdigest() not in text
    secrets.watch(file)


@pytest.mark.parametrize("args, want", [
    (["--since", "2020-01-01"], slice(None)),
    (["--since", "2999-01-01"], slice(0)), (["--until", "2020-01-01"], slice(0)),
    (["--until", "2999-01-01"], slice(None)), (["--actor", "nobody"], slice(0)),
], ids=lambda value: "-".join(value) if isinstance(value, list) else "")
def test_some_entries_alone(desk, args, want):
    assert numbers(desk, *args) == numbers(desk)[want]


def test_those_of_a_day(desk):
    day = entries(desk)[0]["time"][:10]
    assert numbers(desk, "--since", day, "--until", day) == numbers(desk)


def test_those_by_somebody_and_about_somebody(desk):
    actor = entries(desk)[0]["actor"]
    assert numbers(desk, "--actor", actor) == numbers(desk)
    told = [said(entry) for entry in entries(desk, "--user", "ANN")]
    assert told == [row for row in map(said, entries(desk))
                    if row.get("user") == "ann" or row.get("token_id") == 1]
    assert {"action": "token_revoke", "token_id": 1} in told
    assert numbers(desk, "--user", "nobody") == []


@pytest.mark.parametrize("words, status, message", [
    (["list", "--since", "soon"], 2, "'soon' is no date"),
    (["list", "--since", "2027-02-01", "--until", "2027-01-31"], 2,
     "--until is before --since"),
    (["verify", "--head", "7"], 2, "--head: '7' is no NUMBER:HASH"),
    (["verify", "--head", "0:" + NOTHING], 2, "is no NUMBER:HASH"),
    (["verify", "--head", "7:" + "g" * 64], 2, "is no NUMBER:HASH"),
    (["verify", "--head", "7:" + "0" * 65], 2, "is no NUMBER:HASH"),
    (["prune"], 2, "which entries? add --before"),
    (["prune", "--before", "2999-01-01", "--yes"], 2, "has not come yet"),
])
def test_what_cannot_be_meant(desk, words, status, message):
    got, line = desk.refused("audit", *words)
    assert got == status and message in line


def test_an_export(desk, tmp_path):
    file = tmp_path / "audit.jsonl"
    done = desk.json("audit", "export", file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [json.loads(line) for line in file.read_text().splitlines()] == \
        entries(desk)
    assert done == {"entries": len(entries(desk)), "head": head(desk)}
    before = file.read_bytes()
    status, message = desk.refused("audit", "export", file)
    assert status == 1 and "is there already" in message
    assert file.read_bytes() == before
    desk.cli("audit", "export", file, "--user", "bob", "--yes")
    assert file.read_text().count("\n") == len(entries(desk, "--user", "bob"))
    assert [path.name for path in tmp_path.glob("audit*")] == ["audit.jsonl"]


def test_a_long_export_is_whole(desk, tmp_path):
    file, many = tmp_path / "audit.jsonl", 1000
    with Log(desk) as log:
        for number in range(10, many + 1):
            log.rows[number] = log.rows[7]
        log.chain()
    assert desk.json("audit", "export", file)["entries"] == many
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [row["number"] for row in rows] == list(range(1, many + 1))


def test_an_export_of_what_cannot_be_read(desk, tmp_path):
    with Log(desk) as log:
        log.rows[5] = b"\2" + log.rows[5][1:]
    file = tmp_path / "audit.jsonl"
    for command, why in ((["list"], "log entry 5 cannot be read"),
                         (["export", file], "log entry 5 was changed: it "
                                            "cannot be read")):
        status, line = desk.refused("audit", *command)
        assert status == 1 and why in line
    assert not list(tmp_path.glob("audit*"))


def test_tomorrow_has_not_come(desk):
    today = datetime.now(timezone.utc).date()
    status, line = desk.refused("audit", "prune", "--yes", "--before",
                                str(today + timedelta(1)))
    assert status == 2 and "has not come yet" in line
    assert desk.json("audit", "prune", "--yes", "--before",
                     str(today))["entries"] == 0


# Tampering, by who can write the file

class Log:
    """Table "log" and its head in "meta", behind dockpass's back."""

    def __init__(self, desk):
        self.env = lmdb.open(str(desk.folder / "store"), max_dbs=64,
                             map_size=1 << 30)
        self.txn = self.env.begin(write=True)
        self.log = self.env.open_db(b"log", self.txn, create=False)
        self.meta = self.env.open_db(b"meta", self.txn, create=False)
        rows = list(self.txn.cursor(self.log))
        self.rows = {struct.unpack(">Q", key)[0]: value for key, value in rows}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.txn.drop(self.log, delete=False)
        for number, value in self.rows.items():
            self.txn.put(struct.pack(">Q", number), value, db=self.log)
        self.txn.commit()
        self.env.close()

    def change(self, number, old, new):
        assert self.rows[number].count(old) == 1 and len(old) == len(new)
        self.rows[number] = self.rows[number].replace(old, new)

    def drop(self, *numbers):
        for number in numbers:
            del self.rows[number]

    def forget(self, number):
        """All up to it, with the anchor that a prune would leave."""
        key = struct.pack(">Q", number)
        digest = hashlib.sha256(key + self.rows[number]).digest()
        self.txn.put(b"log_anchor", key + digest, db=self.meta)
        self.drop(*range(min(self.rows), number + 1))

    def swap(self, one, other):
        self.rows[one], self.rows[other] = self.rows[other], self.rows[one]

    def chain(self):
        """All hashes anew, as whoever has this source can make them."""
        before = bytes(32)
        for number, value in sorted(self.rows.items()):
            self.rows[number] = value[:1] + before + value[33:]
            before = hashlib.sha256(
                struct.pack(">Q", number) + self.rows[number]).digest()
        self.txn.put(b"log", struct.pack(">Q", max(self.rows)) + before,
                     db=self.meta)


TAMPERING = {
    "changed": (lambda log: log.change(5, b"ann", b"bob"),
                "log entry 5 was changed"),
    "the oldest": (lambda log: log.change(1, b"ann@", b"eve@"),
                   "log entry 1 was changed"),
    "the newest": (lambda log: log.change(9, b"ann", b"bob"),
                   "log entry 9 was changed"),
    "dropped": (lambda log: log.drop(5), "log entry 5 is missing"),
    "dropped first": (lambda log: log.drop(1, 2),
                      "log entries 1 to 2 are missing"),
    "dropped first, as if pruned": (
        lambda log: log.forget(2), "the anchor of the log is entry 2, but the "
        "newest prune ended with entry 0"),
    "reordered": (lambda log: log.swap(4, 5),
                  "log entry 4 was changed or is out of place"),
    "all gone": (lambda log: log.drop(*range(1, 10)),
                 "log entries 1 to 9 are missing"),
    "tail cut": (lambda log: log.drop(8, 9), "log entries 8 to 9 are missing"),
}


@pytest.mark.parametrize("harm, message", TAMPERING.values(),
                         ids=TAMPERING.keys())
def test_tampering_is_found(desk, harm, message):
    with Log(desk) as log:
        assert max(log.rows) == 9
        harm(log)
    for command in (["audit", "verify"], ["store", "check"],
                    ["backup", desk.folder / "file"],
                    ["audit", "export", desk.folder / "export"],
                    ["audit", "prune", "--before", "2026-01-01", "--yes"]):
        status, line = desk.refused(*command)
        assert status == 1 and message in line, (command, line)
    assert not (desk.folder / "export").exists()
    shown = desk.run("audit", "list", "--config", desk.config_file)
    assert f"dockpass: warning: {message}" in shown.stderr
    assert shown.stdout.startswith("NUMBER")


@pytest.mark.parametrize("harm, message", [
    (lambda log: log.change(4, b"ann", b"bob"), "log entry 9 is another one"),
    (lambda log: log.swap(4, 5), "log entry 9 is another one"),
    (lambda log: log.drop(8, 9),
     "log ends with entry 7: those up to 9, which there were, are missing"),
], ids=["changed", "reordered", "tail cut"])
def test_a_log_made_again_is_found_by_who_kept_the_head(desk, harm, message):
    kept = head(desk)
    assert head(desk, "--head", kept) == kept
    with Log(desk) as log:
        harm(log)
        log.chain()
    desk.json("audit", "verify")  # nothing in the store tells
    status, line = desk.refused("audit", "verify", "--head", kept)
    assert status == 1 and message in line


def test_across_restarts(desk):
    kept = [head(desk)]
    for turn in range(3):
        desk.serve()
        desk.token("ann", scopes="api", name=f"t{turn}")
        desk.stop()
        kept.append(head(desk))
    assert [int(one.split(":")[0]) for one in kept] == [9, 10, 11, 12]
    for one in kept:
        desk.json("audit", "verify", "--head", one)


def test_across_backup_and_restore(desk, tmp_path):
    desk.serve()
    old = head(desk)
    desk.cli("backup", tmp_path / "file")
    desk.token("ann", scopes="api", name="lost")
    between = head(desk)
    desk.user("zoe")
    last = head(desk)
    desk.cli("restore", tmp_path / "file", "--yes")
    log = entries(desk)
    restore = next(entry for entry in log if entry["action"] == "restore")
    assert restore["number"] == 12
    assert f'{restore["lost_head"]}:{restore["lost_hash"]}' == last
    assert [entry["number"] for entry in log] == \
        [*range(1, 10), *range(12, 12 + len(log) - 9)]
    lost = {"from": 10, "to": 11, "restore": 12,
            "restored_at": restore["time"]}
    assert desk.json("audit", "verify")["lost"] == [lost]
    told = f"lost by the restore of {restore['time']}, entry 12\n"
    assert f"\nnumbers 10 to 11 were {told}" in desk.cli("audit", "verify")
    for kept in old, last, head(desk):
        desk.json("audit", "verify", "--head", kept)
    status, line = desk.refused("audit", "verify", "--head", between)
    assert status == 1 and "log entry 10 was lost by the restore of" in line
    desk.json("store", "check")
    desk.cli("backup", tmp_path / "again")
    number = entries(desk)[-1]["number"] + 1
    desk.user("one")
    desk.cli("restore", tmp_path / "again", "--yes")
    gaps = desk.json("audit", "verify")["lost"]
    assert gaps[0] == lost and gaps[1]["from"] == gaps[1]["to"] == number
    assert f"\nnumber {number} was lost by" in desk.cli("audit", "verify")


def test_a_prune(desk, faketime, tmp_path):
    kept = head(desk)
    desk.token("ann", scopes="api", name="much later", day="2031-05-05")
    before = ["audit", "prune", "--before", "2031-05-05"]
    status, line = desk.refused(*before)
    assert (status, len(entries(desk))) == (2, 10), line  # not come yet
    today = {"FAKETIME": "@2031-05-06 12:00:00", "TZ": "UTC",
             "FAKETIME_DONT_RESET": "1", "LD_PRELOAD": str(FAKETIME),
             "ASAN_OPTIONS": "verify_asan_link_order=0"}
    status, line = desk.refused(*before, env=today)
    assert status == 1 and line.startswith(
        "dockpass: 9 entries, up to number 9, would go for good")
    assert len(entries(desk)) == 10
    assert desk.json(*before, "--yes", env=today) == {
        "entries": 9, "pruned": kept}
    assert [said(entry) for entry in entries(desk)][1] == {
        "action": "audit_prune", "up_to": 9,
        "up_to_hash": kept.split(":")[1]}
    facts = desk.json("audit", "verify")
    assert (facts["entries"], facts["pruned"]) == (2, kept)
    desk.json("audit", "verify", "--head", kept)
    desk.json("store", "check")
    desk.cli("backup", tmp_path / "file")
    desk.cli("restore", tmp_path / "file", "--yes")
    assert desk.json("audit", "verify")["pruned"] == kept
    assert desk.json(*before, "--yes", env=today)["entries"] == 0


def test_a_pruned_log_is_as_safe(desk):
    with Log(desk) as log:  # all are of long ago
        for number, value in log.rows.items():
            log.rows[number] = value[:35] + struct.pack(">Q", 86400 * number) \
                + value[43:]
        log.chain()
    old = [f'{entry["number"]}:{entry["hash"]}' for entry in entries(desk)]
    # Each at 00:00 of its day, which is that day's alone.
    assert numbers(desk, "--since", "1970-01-03", "--until",
                   "1970-01-04") == [2, 3]
    desk.cli("audit", "prune", "--before", "1970-01-06", "--yes")
    assert numbers(desk) == [5, 6, 7, 8, 9, 10]
    assert desk.json("audit", "verify")["pruned"] == old[3]
    status, line = desk.refused("audit", "verify", "--head", old[2])
    assert status == 1 and "log entry 3 was pruned, with all up to 4" in line
    with Log(desk) as log:
        log.drop(5)
    status, line = desk.refused("audit", "verify")
    assert status == 1 and "log entry 5 is missing" in line
