"""A restore: beside which servers, of which files, and what it says."""

import json
import os
import shutil
import subprocess
import time

import pytest

from support.clock import Clock
from support.dockpass import Dockpass
from test_protocol_backup import desk, lives  # fixtures


def test_no_restore_beside_a_server_that_has_what_was_there(desk):
    """Of data.mdb that was moved away under it: both would share lock.mdb, by
    which LMDB tells which of two commits is the newest. A change that was
    acknowledged is gone at the server's next write; as --damaged, refused."""
    desk.serve()
    desk.cli("backup", desk.file)
    (desk.folder / "store/data.mdb").rename(desk.folder / "moved")
    status, said = desk.refused("restore", desk.file)
    assert status == 1
    assert "another server uses this store; stop it first" in said
    assert not (desk.folder / "store/data.mdb").exists()
    desk.stop()
    desk.cli("restore", desk.file)
    desk.serve()
    lives(desk, desk.secret)


def test_a_restore_says_that_no_server_has_the_store(desk):
    """Nor can one that runs with what was there be seen: it has no lock in a
    folder that was made again."""
    def said(*words):
        return desk.run("restore", desk.file, *words, "--config",
                        desk.config_file).stderr

    unserved = f"no server has {desk.folder / 'store'} open: start it; one " \
        "that runs has another store, which no command changes: restart it"
    desk.cli("backup", desk.file)
    assert unserved in said("--yes")
    desk.serve()
    assert "no server" not in said("--yes")
    assert desk.json("restore", desk.file, "--yes")["served"] is True
    shutil.rmtree(desk.folder / "store")
    assert unserved in said()
    assert desk.json("restore", desk.file, "--yes")["served"] is False


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("mode, owner", [(0o666, 0), (0o644, 54321)])
def test_a_backup_that_others_can_write(desk, mode, owner):
    """Whoever writes it chooses who is an administrator, and by what
    password: the seal has no secret in it."""
    desk.cli("backup", desk.file)
    desk.file.chmod(mode)
    os.chown(desk.file, owner, owner)
    status, message = desk.refused("restore", desk.file, "--yes")
    assert status == 1 and message.startswith(f"dockpass: {desk.file}: ")
    said, _, remedy = message.partition("restore a copy: ")
    assert ("group or others" if mode == 0o666 else "user 54321") in said
    subprocess.run(remedy.split(), check=True)
    desk.cli("restore", remedy.split()[-1], "--yes")


def test_a_restore_says_whom_a_limit_that_it_brings_back_revokes(desk):
    """As `settings set` does: in three hours they are gone."""
    def run(*words):
        done = desk.run(*words, "--config", desk.config_file)
        return done.stdout, done.stderr

    warning = "1 token lives longer and will be revoked at "
    keep = ["settings", "set", "max_token_lifetime", "none"]
    restore = ["restore", desk.file, "--yes"]
    assert warning in run("settings", "set", "max_token_lifetime", "30")[1]
    desk.cli("backup", desk.file)
    desk.cli(*keep)
    assert warning in run(*restore)[1]
    told, said = run(*restore, "--json")
    assert json.loads(told)["limit_revokes"] == 1
    assert warning + json.loads(told)["limit_revokes_at"] in said
    desk.cli(*keep)
    desk.cli("backup", desk.file, "--yes")
    assert "revoked at" not in run(*restore)[1]
    told = desk.json(*restore)
    assert (told["limit_revokes"], told["limit_revokes_at"]) == (0, None)


def test_the_wrong_backup_first_and_then_the_right_one(desk):
    """What was blocked, closed and tightened is in the log of the store that
    is replaced, though that parted from the backup's."""
    ask = ["explain", "--anonymous", "--access", "repository:g/open:pull"]
    desk.cli("project", "add", "g/open", "--visibility", "public")
    desk.cli("backup", desk.file)
    desk.user("bob")
    newer = desk.file.with_name("newer")
    desk.cli("backup", newer)
    desk.serve()
    desk.cli("user", "block", "ann")
    desk.cli("project", "set", "g/open", "--visibility", "private")
    desk.cli("settings", "set", "require_token_expiry", "true")
    for backup in desk.file, newer:
        desk.cli("restore", backup, "--yes")
        lives(desk, desk.secret, 401)
        assert desk.json(*ask)["granted"] == []
        assert desk.json("settings", "get", "require_token_expiry") is True
    assert {user["name"]: user["state"] for user in
            desk.json("user", "list")} == {"ann": "blocked", "bob": "active"}


def test_an_older_backup_first_takes_nothing_from_the_right_one(desk):
    """What it has stricter was given since; nothing was taken away."""
    desk.cli("project", "add", "g/open")
    desk.user("bob")
    desk.cli("member", "add", "g/open", "bob", "reporter")
    desk.cli("user", "block", "bob")
    desk.cli("settings", "set", "max_token_lifetime", "30")
    desk.cli("backup", desk.file)
    desk.cli("settings", "set", "max_token_lifetime", "none")
    desk.cli("user", "unblock", "bob")
    desk.cli("member", "add", "g/open", "bob", "maintainer")
    desk.cli("project", "set", "g/open", "--visibility", "public")
    newer = desk.file.with_name("newer")
    desk.cli("backup", newer)
    for backup, was in (desk.file, "later"), (newer, "parted"):
        told = desk.json("restore", backup, "--yes")
        assert (told["store_was"], told["taken_away"]) == (was, 0)
    assert desk.json("user", "show", "bob")["state"] == "active"
    assert desk.json("project", "show", "g/open")["visibility"] == "public"
    assert "maintainer" in desk.cli("member", "list", "g/open")
    assert desk.json("settings", "get", "max_token_lifetime") is None


def test_a_backup_of_a_store_just_made_first_and_then_the_right_one(tmp_path):
    """No change is in it, so none is in common with any: it is its own for
    all that."""
    dockpass = Dockpass(tmp_path)
    empty, right = tmp_path / "empty", tmp_path / "right"
    dockpass.cli("backup", empty)
    dockpass.user("ann")
    dockpass.cli("backup", right)
    dockpass.cli("restore", empty, "--yes")
    dockpass.cli("restore", right, "--yes")
    assert dockpass.json("user", "show", "ann")["state"] == "active"


@pytest.mark.parametrize("made, closed", [
    ("x/app/own", {"visibility": "private", "container_registry_access_level":
                   "disabled"}), ("x", {"visibility": "private"})])
def test_what_was_made_where_another_comes_back(desk, made, closed):
    """After the wrong backup: below it, or above. What is pushed there is not
    everybody's because of that."""
    newer = desk.file.with_name("newer")
    desk.cli("backup", desk.file)
    desk.cli("project", "add", "x/app", "--visibility", "public")
    desk.cli("backup", newer)
    desk.cli("restore", desk.file, "--yes")
    desk.cli("project", "add", made)
    assert desk.json("restore", newer, "--yes")["store_was"] == "parted"
    project = desk.json("project", "show", "x/app")
    assert {name: project[name] for name in closed} == closed


def test_a_backup_of_a_store_that_had_no_change_yet(tmp_path):
    """The log says all that came after: it is whole."""
    with Dockpass(tmp_path) as dockpass:
        dockpass.cli("backup", tmp_path / "first")
        dockpass.user("ann")
        done = dockpass.json("restore", tmp_path / "first", "--yes")
        assert (done["store_was"], done["lost"]) == ("later", 1)


@pytest.mark.parametrize("wrong_first", [False, True])
def test_what_was_made_where_another_comes_back_and_is_gone(desk, wrong_first):
    """What was pushed there was private until it was removed."""
    right = desk.file.with_name("right")
    if wrong_first:
        desk.cli("backup", desk.file)
    desk.cli("project", "add", "x/app", "--visibility", "public")
    desk.cli("backup", right)
    if wrong_first:
        desk.cli("restore", desk.file, "--yes")
        desk.cli("project", "add", "x/app/own")
        desk.cli("group", "remove", "x", "--recursive", "--yes")
    else:
        desk.cli("group", "remove", "x", "--recursive", "--yes")
        desk.cli("project", "add", "x")
        desk.cli("project", "remove", "x", "--yes")
    desk.cli("restore", right, "--yes")
    assert desk.json("project", "show", "x/app")["visibility"] == "private"


@pytest.mark.usefixtures("faketime")
def test_a_backup_of_another_server(desk, tmp_path):
    """People of the same names are others: nothing of both is put together,
    and what is there is not lost."""
    clock, other = Clock(tmp_path), tmp_path / "other"
    clock.set(1900000000)
    desk.run("init", other, env=clock.env())
    for words in (["user", "add", "ann", "--email", "a@b.test"],
                  ["user", "block", "ann"], ["backup", desk.file]):
        desk.run(*words, "--config", other / "dockpass.yaml")
    status, message = desk.refused("restore", desk.file, "--yes")
    data = desk.folder / "store/data.mdb"
    assert status == 1 and message.endswith(
        f"holds another store, which has no change in common with this "
        "backup: nothing of it can stay. To have the backup there all the "
        f"same, stop the server, mv {data} away, and say it again")
    desk.serve()
    lives(desk, desk.secret)
    assert desk.stop() == 0
    data.rename(tmp_path / "away")
    desk.cli("restore", desk.file)
    assert desk.json("user", "show", "ann")["state"] == "blocked"


@pytest.mark.usefixtures("faketime")
def test_a_log_that_was_pruned_past_the_backup(desk):
    """Why nobody knows what was taken away since."""
    desk.cli("backup", desk.file)
    desk.cli("user", "add", "later", "--email", "later@example.com")
    clock = Clock(desk.folder)
    clock.set(int(time.time()) + 40 * 86400)
    before = time.strftime("%F", time.gmtime(time.time() + 20 * 86400))
    desk.cli("audit", "prune", "--before", before, "--yes", env=clock.env())
    said = desk.run("restore", desk.file, "--yes", "--config",
                    desk.config_file).stderr
    assert "has nothing in common with this backup's (one was pruned, or is " \
        "damaged), so it does not tell what came after" in said
