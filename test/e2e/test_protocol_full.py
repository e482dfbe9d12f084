"""A store that is full, by store_size or because its map is used up: nothing
is added and everybody is told what to do; what is there is read, and can be
taken away; room is made by pruning the log. All that was acknowledged stays.
"""

import datetime
import os
import struct

import pytest

from support import metrics, tokens
from support.dockpass import on
from support.doctor import doctor
from support.filling import GRANTED, PER_PAT, Filled
from support.ways import get_basic, login, refresh_token

ASKED = "repository:g/app:pull"
PAGE = 4096
MAP = 64 << 30  # of store/db.c
META = 16  # a page's head; then LMDB's struct MDB_meta
LAST_PAGE = META + 120
CLIENTS = 180  # of 32 refresh tokens each: more than the store can hold

ADDING = ["user add bob --email bob@example.com", "group add h",
          "project add h/app", "token rotate 1",
          "token create alice --name more --scopes api",
          "token create --project g/app --name more --scopes api"]
TAKING = ["token revoke 2", "user block carol", "user unblock carol",
          "user two-factor alice on", "member add g carol guest",
          "member remove g carol", "project set g/app --visibility internal",
          "settings set default_token_days 90", "user remove carol --yes"]


class Full(Filled):
    def __init__(self, folder, clients, **options):
        super().__init__(folder, **options)
        self.user("carol")
        self.cli("member", "add", "g", "carol", "developer")
        self.make_pats(clients)
        self.message = f"the store {self.folder}/store "

    def reads(self):
        """Tokens are given, and other programs can look."""
        answer = get_basic(self, self.pats[-1], ASKED)
        assert tokens.access(answer, self) == GRANTED
        assert self.json("user", "list")[0]["username"] == "alice"
        assert self.cli("store", "check")

    def usage(self):
        now = metrics.scrape(self)
        return [int(now[f"dockpass_store_{name}_bytes"])
                for name in ("used", "limit")]

    def prune(self):
        """All of the log, by a clock that is two days ahead."""
        day = datetime.datetime.now(datetime.timezone.utc).date()
        one = datetime.timedelta(days=1)
        return self.json("audit", "prune", "--before", day + one, "--yes",
                         env=on(day + 2 * one))["entries"]


def test_a_store_that_is_full(tmp_path, faketime):
    """Filled by clients; killed then; emptied by a prune."""
    with Full(tmp_path, CLIENTS, store_size=1) as full:
        full.serve()
        used, limit = full.usage()
        assert used < limit == 1 << 20
        refreshes, refused = full.fill()
        for answer in refused:
            tokens.refusal(answer, 500, "UNKNOWN")
        why = f"{full.message}is full: it holds the 1 MiB of store_size; " \
            "raise that, or run: dockpass audit prune"
        for line in full.logged(0, count=len(refused), event="failure"):
            assert line["message"] == f"a token could not be made: {why}"
        used, limit = full.usage()
        assert limit <= used < limit + 64 * PAGE
        full.reads()
        for command in ADDING:
            status, message = full.refused(*command.split(), secret=True)
            assert (status, message) == (1, f"dockpass: {why}"), command
        for secret in full.pats:  # also the one that could not be rotated
            assert get_basic(full, secret).status_code == 200
        full.daemon.process.kill()
        full.daemon.process.wait()
        full.serve()
        full.keeps(refreshes)
        tokens.refusal(login(full, full.pats[2]), 500, "UNKNOWN")
        for command in TAKING:
            full.cli(*command.split())
        tokens.refusal(get_basic(full, full.pats[1], ASKED), 401)
        tokens.refusal(login(full, full.pats[2]), 500, "UNKNOWN")
        assert full.prune() > len(refreshes)
        used, limit = full.usage()
        assert used < 0.9 * limit
        full.keeps([refresh_token(login(full, full.pats[2]))])
        for command in ADDING:
            full.cli(*command.split(), secret=True)
        full.cli("audit", "verify")
        full.reads()


def test_the_doctor_sees_it_fill(tmp_path):
    """From nine tenths on it warns."""
    with Full(tmp_path, CLIENTS, store_size=1) as full:
        def room():
            return doctor(full)[1]["room"]["status"]

        full.serve()
        assert room() == "ok"
        for pat in full.pats:
            for _ in range(PER_PAT):
                refresh_token(login(full, pat))
            used, limit = full.usage()
            if used >= 0.91 * limit:
                break
        assert used < limit and room() == "warn"
        full.fill()
        assert room() == "fail"


def test_more_room_by_a_reload(tmp_path):
    """And less; for clients of a server that runs."""
    with Full(tmp_path, 1, store_size=2) as full:
        full.serve()
        assert full.usage()[1] == 2 << 20
        full.configure(store_size=1)
        assert full.reload().startswith("done: ")
        assert full.usage()[1] == 1 << 20
        full.keeps([refresh_token(login(full, full.pats[0]))])


def use_up(dockpass):
    """As if all pages of the map had been used but those that are free: the
    file is sparse."""
    with open(dockpass.folder / "store/data.mdb", "r+b") as file:
        for meta in 0, PAGE:
            file.seek(meta + META)
            assert struct.unpack("<II", file.read(8)) == (0xbeefc0de, 1)
            file.seek(meta + LAST_PAGE)
            assert struct.unpack("<Q", file.read(8))[0] < 1000
            file.seek(meta + LAST_PAGE)
            file.write(struct.pack("<Q", MAP // PAGE - 1))
        file.truncate(MAP)


def shrink(dockpass):
    """So that a look at the whole file does not take 64 GiB."""
    os.truncate(dockpass.folder / "store/data.mdb", 1000 * PAGE)


def until_refused(dockpass, command):
    """How often it was done; and what was said then."""
    for turn in range(2000):
        done = dockpass.run(*command(turn).split(), "--config",
                            dockpass.config_file, check=False)
        if done.returncode:
            return turn, done.stderr
    raise AssertionError("never refused")


def test_a_map_that_is_used_up(tmp_path, faketime):
    """Beyond store_size: then nothing can be changed, until the log is
    pruned. The last word on who is blocked is the acknowledged one."""
    def block(turn):
        return f"user {('block', 'unblock')[turn % 2]} carol"

    with Full(tmp_path, 1) as full:
        for turn in range(100):
            full.cli(*block(turn).split())
        carol = full.token("carol", scopes="api")
        use_up(full)
        try:
            full.serve()
            _, message = full.refused(*ADDING[0].split())
            assert "store_size" in message
            done, message = until_refused(full, block)
            assert message == f"dockpass: {full.message}failed: it is full: " \
                "run dockpass audit prune, then repeat\n"
            assert full.usage()[0] > MAP - 100 * PAGE
            full.reads()
            assert get_basic(full, carol).status_code == (200, 401)[done % 2]
            assert full.prune() > 100
            for turn in range(50):
                full.cli(*block(done + turn).split())
            full.cli("audit", "verify")
            full.reads()
        finally:
            full.stop()
            shrink(full)
        assert full.cli("store", "check")


def test_doctor_of_a_store_that_is_full(tmp_path):
    """By store_size, as the alert has it, not by the map of 64 GiB."""
    with Full(tmp_path, CLIENTS, store_size=1) as full:
        full.serve()
        full.fill()
        room = doctor(full)[1]["room"]
        assert room["status"] == "fail", room
        assert "store_size" in room["mend"], room
