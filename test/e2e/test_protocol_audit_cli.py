"""What an operator asks the audit trail at night: what was done to the keys, by
whom, to whom; and what it says when there is nothing.
"""

import re
import os

import pytest

ALWAYS = {"number", "time", "actor", "hash", "previous"}


def said(own, *args):
    return [{key: entry[key] for key in entry if key not in ALWAYS}
            for entry in own.json("audit", "list", *args)]


# Keys

def test_what_is_done_to_keys_is_told(own):
    assert said(own) == []  # not the first, of init
    old = own.json("key", "list")[0]["kid"]
    kid = own.json("key", "new", "--alg", "RS256")["kid"]
    own.cli("key", "activate", kid)
    own.cli("key", "activate", kid)  # changes nothing
    own.cli("key", "remove", old[:14])
    assert said(own) == [
        {"action": "key_new", "kid": kid, "alg": "RS256"},
        {"action": "key_activate", "kid": kid},
        {"action": "key_remove", "kid": old}]
    lines = own.cli("audit", "list").splitlines()
    assert lines[1].endswith(f"key_new       kid={kid} alg=RS256")
    assert lines[3].endswith(f"key_remove    kid={old}")
    own.json("audit", "verify")
    own.cli("store", "check")


@pytest.mark.parametrize("harm", [
    lambda store: (store / "data.mdb").write_bytes(b"x" * 8192),
    lambda store: (store / "data.mdb").unlink(),
    lambda store: (store / "data.mdb").chmod(0o644),
], ids=["damaged", "lost", "open to others"])
def test_a_leaked_key_is_replaced_whatever_the_store_is_like(own, harm):
    old = own.json("key", "list")[0]["kid"]
    harm(own.folder / "store")
    done = [own.run("key", "new", "--config", own.config_file)]
    kid = done[0].stdout.strip()
    done += [own.run("key", *words, "--config", own.config_file)
             for words in (["activate", kid], ["remove", old])]
    for one in done:
        assert ("dockpass: warning: it is done, but not in the store's log: "
                in one.stderr), one
    assert [(key["kid"], key["state"]) for key in own.json("key", "list")] \
        == [(kid, "current")]


def test_a_key_command_that_is_refused_is_not_told(own):
    own.refused("key", "remove", own.json("key", "list")[0]["kid"])
    assert said(own) == []


# Whose it was

@pytest.mark.skipif(os.geteuid() != 0, reason="only root is root by sudo")
def test_who_was_root_by_sudo(own):
    own.user("ann")
    own.cli("user", "block", "ann", env={"SUDO_USER": "mallory"})
    own.cli("user", "unblock", "ann", env={"SUDO_USER": "$(reboot)"})
    actors = [entry["actor"] for entry in own.json("audit", "list")]
    assert actors == ["cli:root", "cli:mallory(root)", "cli:root"]
    for actor, numbers in {"mallory": [2], "cli:mallory": [2],
                           "cli:mallory(root)": [2], "root": [1, 2, 3],
                           "cli:root": [1, 2, 3]}.items():
        assert [entry["number"] for entry in own.json(
            "audit", "list", "--actor", actor)] == numbers, actor


# Which of them

def test_those_of_an_action(own):
    for name in "ann", "bob":
        own.user(name)
    own.cli("user", "block", "bob")
    own.token("ann", scopes="api")
    assert [entry["action"] for entry in said(own, "--action", "user_add")] \
        == ["user_add", "user_add"]
    assert said(own, "--action", "user_flag", "--user", "ann") == []
    assert [entry["user"] for entry in said(
        own, "--action", "user_flag", "--user", "bob")] == ["bob"]
    done = own.json("audit", "export", own.folder / "file",
                    "--action", "token_add")
    assert done["entries"] == 1


def test_an_action_that_there_is_not(own):
    for command in ["list"], ["export", own.folder / "file"]:
        status, line = own.refused("audit", *command, "--action", "USER_ADD")
        assert status == 2
        assert "--action: 'USER_ADD' is no action; there are: user_add " \
            in line and " refresh_remove; usage: " in line
        text = own.run("audit", command[0], "--help").stdout
        assert "--action NAME" in text
        listed = re.search(r"\nActions.*:\n((?:  [a-z_]+: .+\n)+)", text)
        told = dict(row.strip().split(": ", 1)
                    for row in listed[1].splitlines())
        names = line.split("there are: ")[1].split(";")[0].split()
        assert list(told) == names and all(told.values())
        assert told["user_flag"] == \
            "user block, unblock, admin, external, two-factor"


# Nothing, and why

@pytest.mark.parametrize("args, message", [
    (["--user", "alcie"], "there is no user 'alcie', and the log knows of "
     "none; dockpass user list shows all\n"),
    (["--actor", "alcie"], "nobody called 'alcie' has changed anything; "
     "dockpass audit list shows all actors\n"),
    (["--user", "ann", "--since", "2999-01-01"],
     "no entry of the log matches\n"),
    (["--user", "gone", "--action", "token_add"],
     "no entry of the log matches\n"),
    (["--user", "glpat-aaaaaaaaaaaaaaaaaaaa"], "there is no user 'glpat-***"),
    (["--user", "a\x1b[31m"], "there is no user 'a?[31m'"),
    (["--user", "ANN"], ""), (["--user", "gone"], ""), ([], ""),
], ids=lambda value: "-".join(value)[:20] if isinstance(value, list) else "")
def test_it_says_that_there_is_nothing(own, args, message):
    own.user("ann")
    own.user("gone")
    own.cli("user", "remove", "gone")
    for more in [], ["--json"]:
        done = own.run("audit", "list", *args, *more, "--config",
                       own.config_file)
        assert done.stderr.startswith(message), done
        assert bool(message) or not done.stderr
    file = own.folder / "file"
    done = own.run("audit", "export", file, *args, "--config",
                   own.config_file)
    assert done.stderr.startswith(message)
    assert (file.read_text() == "") == bool(message)
