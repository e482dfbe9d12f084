"""Where a command's output goes, and that output which is lost is an error.

A secret is shown once: where it cannot be written, the command says so; and
a closed descriptor must never become a file of the store.
"""

import os
import subprocess

import pytest

from support.dockpass import ENV, PATIENCE, PROGRAM, Dockpass
from support.process import Daemon


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A store with alice, whose server is not started."""
    with Dockpass(tmp_path_factory.mktemp("desk")) as desk:
        desk.user("alice")
        yield desk


def run(desk, redirect, *args):
    """A command with its standard output as the shell's `redirect` says."""
    read, write = os.pipe()
    os.close(read)  # a pipe that nobody reads: "| true"
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" "$@" {redirect}', PROGRAM, *args],
        stdout=write, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        text=True, timeout=60 * PATIENCE, check=False,
        env={**ENV, "DOCKPASS_CONFIG": str(desk.config_file)})
    os.close(write)
    return done


LOST = "dockpass: standard output cannot be written"
NOWHERE = ["", ">&-", ">/dev/full"]  # a closed pipe, closed, a full disk
COMMANDS = {
    "user list": "", "check --json": "", "--help": "", "help": "",
    "user --help": "", "user add --help": "", "--version": "",
    "user block alice --json": ": what was asked is done all the same",
    "key new": ": the keys are changed all the same; see dockpass key list",
}


@pytest.mark.parametrize("redirect", NOWHERE)
@pytest.mark.parametrize("command, done_all_the_same", COMMANDS.items())
def test_lost_output_is_an_error(desk, redirect, command, done_all_the_same):
    done = run(desk, redirect, *command.split())
    assert (done.returncode, done.stderr) == (1, LOST + done_all_the_same +
                                              "\n")


@pytest.mark.parametrize("json", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize("redirect", NOWHERE)
def test_a_lost_secret_is_said_with_its_token(desk, redirect, json):
    done = run(desk, redirect, "token", "create", "alice", "--name", "lost",
               "--scopes", "api", *json)
    last = desk.json("token", "list")[-1]
    assert last["name"] == "lost" and last["active"]
    assert (done.returncode, done.stderr) == (
        1, f"{LOST}: the secret of token {last['id']} is lost; revoke it and "
           "create another\n")


def files(desk):
    return [file for file in desk.folder.rglob("*") if file.is_file()]


def test_a_closed_output_is_no_file_of_the_store(desk):
    """The next file that opens has its number, and had the secret in it."""
    done = run(desk, ">&- 2>&-", "token", "create", "alice", "--name", "x",
               "--scopes", "api")
    assert done.returncode == 1
    assert not [file for file in files(desk) if b"glpat-" in file.read_bytes()]
    assert desk.json("token", "list")[-1]["name"] == "x"


def test_a_closed_log_is_no_file_of_the_store(tmp_path):
    with Dockpass(tmp_path) as dockpass:
        dockpass.user("alice")
        secret = dockpass.token("alice", scopes="api")
        command = ["sh", "-c", 'exec "$0" "$@" 2>&- >&- <&-', PROGRAM, "serve",
                   "--config", dockpass.config_file]
        dockpass.daemon = Daemon(command, tmp_path / "none",
                                 env=dockpass.env)
        dockpass.daemon.wait_ready(lambda: answers(dockpass, secret),
                                   30 * PATIENCE)
        assert dockpass.stop() == 0
        held = b"".join(file.read_bytes() for file in files(dockpass))
        assert b"ready: " not in held and b'"event"' not in held
        assert dockpass.json("user", "show", "alice")["username"] == "alice"


def answers(dockpass, secret):
    try:
        return dockpass.ask(auth=("alice", secret)).status_code == 200
    except OSError:
        return False


def test_a_closed_standard_error_changes_nothing(desk):
    done = run(desk, "2>&-", "user", "list", "--colour")
    assert done.returncode == 2
    done = run(desk, ">/dev/null 2>&-", "user", "list")
    assert done.returncode == 0


@pytest.mark.parametrize("args, note", [
    (("token", "create", "alice", "--name", "x", "--scopes", "api"),
     "token {id} made, never expires; its secret is not shown again"),
    (("token", "create", "alice", "--name", "x", "--scopes", "api",
      "--expires", "2999-12-31"),
     "token {id} made, dies on 2999-12-31; its secret is not shown again"),
])
def test_what_a_person_should_know_is_beside_the_output(desk, args, note):
    """The secret alone is on standard output, so that a file can have it."""
    done = desk.run(*args, "--config", desk.config_file, secret=True)
    assert len(done.stdout) == len("glpat-") + 20 + 1
    last = desk.json("token", "list")[-1]["id"]
    assert done.stderr == note.format(id=last) + "\n"
    done = desk.run(*args, "--json", "--config", desk.config_file, secret=True)
    assert done.stderr == ""
