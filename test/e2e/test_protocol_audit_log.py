"""Every change of the store is a line of the log, whoever made it and whether
the server ran or not: the line says what `audit list` says, once.
"""

import json
import signal

import pytest

from support import secrets
from support.dockpass import PATIENCE, Dockpass
from support.filling import SERVICE
from support.process import wait_until
from test_protocol_disk import disk  # fixtures

OWN = {"level", "event", "count"}  # what a line of the log has besides


@pytest.fixture
def own(tmp_path):
    with Dockpass(tmp_path, services=[SERVICE]) as own:
        (tmp_path / "log").mkdir()
        own.to = tmp_path / "log/own.log"
        own.configure(log={"file": str(own.to)})
        secrets.watch(own.to)
        own.user("ann")
        yield own


def changes(own):
    """The lines of changes in its file; half a line is not there yet."""
    text = own.to.read_text() if own.to.exists() else ""
    lines = [json.loads(line) for line in text.split("\n")[:-1]]
    return [line for line in lines if line["event"] == "change"]


def told(own):
    return [{key: line[key] for key in line if key not in OWN}
            for line in changes(own)]


def entries(own):
    return own.json("audit", "list")


def all_told(own, seconds=10):
    """Until each entry of the store's log is a line, once and in order."""
    want = entries(own)
    wait_until(lambda: told(own) == want, seconds * PATIENCE,
               lambda: [line["number"] for line in told(own)])
    return want


def test_a_command_while_it_runs(own):
    own.serve()
    own.user("bob")
    own.token("ann", scopes="api", name="first")
    own.cli("token", "revoke", 1)
    assert [entry["action"] for entry in all_told(own)] == [
        "user_add", "user_add", "token_add", "token_revoke"]
    assert {line["level"] for line in changes(own)} == {"info"}
    assert own.log("change") == []  # standard error is for what is neither


def test_within_about_a_second(own):
    own.serve()
    all_told(own)
    own.user("bob")
    wait_until(lambda: len(told(own)) == 2, 3 * PATIENCE, "its line")


def test_on_standard_error_if_there_is_no_file(own):
    own.configure(log={})
    own.serve("--log-format", "text")
    own.token("ann", scopes="api", name="a b=c")
    wait_until(lambda: " token_add user=ann" in own.output, 10 * PATIENCE,
               "its line")
    line = next(line for line in own.output.splitlines()
                if "token_add" in line)
    assert " info change 2 cli:" in line
    assert ' name="a b=c" kind=personal scopes=api token_id=1' in line


def test_what_the_server_changes_itself(own):
    """Refresh tokens: those in a row are one line, and it says how many."""
    secret = own.token("ann", scopes="api")
    own.serve()
    count = 20
    for _ in range(count):
        answer = own.ask(auth=("ann", secret),
                         fields={"offline_token": "true"})
        secrets.remember(answer.json()["refresh_token"])
    last = own.user("bob") and entries(own)[-1]["number"]
    wait_until(lambda: changes(own)[-1]["number"] == last, 10 * PATIENCE,
               "all of them")
    lines = [line for line in changes(own)
             if line["action"] == "refresh_add"]
    assert sum(line.get("count", 1) for line in lines) == count
    assert lines[-1]["number"] == last - 1
    assert {line["token_id"] for line in lines} == {1}


def test_what_changed_while_it_was_down(own):
    own.user("bob")
    own.serve()
    all_told(own)
    for turn in range(3):
        own.stop()
        own.user(f"u{turn}")
        own.serve()
        all_told(own)
    own.stop()
    assert told(own) == entries(own)  # nor at the end


def test_after_a_crash_nothing_is_missing(own):
    own.serve()
    for turn in range(3):
        own.user(f"u{turn}")
        own.stop(signal.SIGKILL)
        own.user(f"v{turn}")
        own.serve()
        wait_until(lambda: {line["number"] for line in told(own)}
                   == {entry["number"] for entry in entries(own)},
                   10 * PATIENCE, "all of them")


def test_across_a_restore(own, tmp_path):
    """The mark stays where it was, as numbers go on."""
    own.serve()
    own.cli("backup", tmp_path / "file")
    own.user("bob")
    before = all_told(own)
    own.cli("restore", tmp_path / "file", "--yes")
    want = before + entries(own)[1:]
    assert want[2]["action"] == "restore" and want[2]["number"] == 3
    wait_until(lambda: told(own) == want, 10 * PATIENCE, "what it did")
    own.stop()
    own.serve()
    own.user("zoe")
    want.append(entries(own)[-1])
    wait_until(lambda: told(own) == want, 10 * PATIENCE, "what came then")
    own.cli("store", "check")
    own.cli("backup", tmp_path / "again")


def test_no_secret(own):
    """A name that looks like one, too."""
    mistyped = "glpat-where-a-name-belongs"
    own.token("ann", scopes="api", name=mistyped)
    own.serve()
    all_told(own)
    assert mistyped not in own.to.read_text()


def test_a_full_disk_loses_none(tmp_path, disk):
    with Dockpass(tmp_path) as own:
        own.inside = disk.inside
        own.to = disk.path / "own.log"
        own.configure(log={"file": f"{disk.folder}/own.log"})
        own.serve()
        own.user("ann")
        all_told(own)
        disk.fill()
        for turn in range(30):
            own.user(f"{'u' * 200}{turn}")
        wait_until(lambda: "no space left" in own.output.lower(),
                   10 * PATIENCE, "what is wrong")
        own.stop()  # they wait in the store
        disk.free()
        own.serve()
        all_told(own)
