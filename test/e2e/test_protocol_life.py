"""A server's life: what stops its start, whose it becomes, and how it ends."""

import os
import re
import shutil
import signal
import socket
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest

from support import secrets, tokens
from support.dockpass import AT_ONCE, NO_JOIN, PATIENCE, TOP, Dockpass
from support.network import need_ipv6
from support.process import free_ports, is_open, wait_until
from support.wire import Wire, request
from support.world import World

END = b"\r\n\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a" + END
HALF = b"GET /healthz HTT"


# The start

def edit(dockpass, old, new):
    text = dockpass.config_file.read_text()
    assert old in text
    dockpass.config_file.write_text(text.replace(old, new))


FORMAT = int(re.search(r"STORE_FORMAT = (\d+)",
                       (TOP / "store/db.h").read_text())[1])


def other_format(dockpass, number):
    """As another dockpass leaves it: the value behind the name in LMDB."""
    data = dockpass.folder / "store/data.mdb"
    old = b"format" + FORMAT.to_bytes(8, "big")
    assert data.read_bytes().count(old) >= 1
    data.write_bytes(data.read_bytes().replace(
        old, b"format" + number.to_bytes(8, "big")))


def key_file(dockpass):
    return next((dockpass.folder / "keys").glob("*.pem"))


# rule: (what is done before, the words of the one line)
NO_START = {
    "no configuration": (lambda d: d.config_file.unlink(),
                         "dockpass.yaml: not found; name the file"),
    "no YAML": (lambda d: d.config_file.write_text("a: [b\n"),
                "dockpass.yaml:2: no YAML: "),
    "an unknown key": (lambda d: d.configure(colour="red"),
                       ": colour: is no option"),
    "a ttl of 59": (lambda d: edit(d, "ttl: 300", "ttl: 59"),
                    "services[0].ttl: "),
    "no store": (lambda d: shutil.rmtree(d.folder / "store"), "store: "),
    "an empty store": (lambda d: (d.folder / "store/data.mdb").unlink(),
                       "store: no store there; name another folder"),
    "a store's folder that a group can read":
        (lambda d: (d.folder / "store").chmod(0o750), "chmod 700"),
    "a store that others can read":
        (lambda d: (d.folder / "store/data.mdb").chmod(0o604), "chmod 600"),
    "a store of a newer format":
        (lambda d: other_format(d, FORMAT + 1), f"store of format {FORMAT + 1},"
         f" this dockpass reads {FORMAT}; use the dockpass that made it"),
    "a store of an older format":
        (lambda d: other_format(d, 1), "store of format 1, this dockpass "
         f"reads {FORMAT}; use the dockpass that made it"),
    "no folder of keys": (lambda d: shutil.rmtree(d.folder / "keys"),
                          "keys: not found; name the folder of keys"),
    "keys that a group can enter": (lambda d: (d.folder / "keys").chmod(0o710),
                                    "chmod 700"),
    "a key that others can read": (lambda d: key_file(d).chmod(0o604),
                                   "chmod 600"),
    "a key that is gone": (lambda d: key_file(d).unlink(),
                           "keyring names it; restore the file"),
    "a key that is torn": (lambda d: key_file(d).write_text("-----BEGIN"),
                           ".pem: "),
    "an address that is not here":
        (lambda d: d.configure(listeners=[{"address": "203.0.113.1:5001"}]),
         "203.0.113.1:5001 cannot be bound: "),
    "an address twice":
        (lambda d: d.configure(listeners=[
            {"address": f"127.0.0.1:{d.port}"} for _ in range(2)]),
         "another listener has this address; remove one"),
}


@pytest.fixture
def dockpass(tmp_path):
    with Dockpass(tmp_path) as dockpass:
        yield dockpass


@pytest.mark.parametrize("row", NO_START.values(), ids=NO_START.keys())
def test_what_stops_a_start(dockpass, row):
    harm, words = row
    harm(dockpass)
    status, message = dockpass.refused("serve")
    assert status == 1
    assert message.startswith("dockpass: ") and words in message
    assert not is_open(dockpass.port)


def test_a_variable_of_no_option_stops_a_start(dockpass):
    status, message = dockpass.refused("serve", env={"DOCKPASS_TTL": "60"})
    assert status == 1 and "DOCKPASS_TTL: is no option" in message


def test_a_taken_port_stops_a_start(dockpass):
    with socket.create_server(("127.0.0.1", dockpass.port)):
        status, message = dockpass.refused("serve")
    assert status == 1
    assert f"127.0.0.1:{dockpass.port} is taken by another process" in message


@pytest.mark.parametrize("same, words", [
    ("port", "is taken by another process"),
    ("store", "another server uses this store; stop it first")])
def test_a_second_server_does_the_first_no_harm(dockpass, tmp_path, same,
                                                words):
    dockpass.serve()
    (tmp_path / "second").mkdir()
    with Wire(dockpass.port) as wire, Dockpass(tmp_path / "second") as second:
        if same == "port":
            second.configure(listener={"address": f"127.0.0.1:{dockpass.port}"})
        else:
            second.configure(store=str(dockpass.folder / "store"))
        for _ in range(3):
            status, message = second.refused("serve")
            assert status == 1 and words in message
        assert wire.send(HEALTH).answer().status_code == 200
        for _ in range(20):  # none of its sockets has taken ours
            with Wire(dockpass.port) as other:
                assert other.send(HEALTH).answer().status_code == 200
        dockpass.user("alice")


def test_two_listeners_and_ipv6(dockpass):
    need_ipv6()
    (other,) = free_ports(1)
    dockpass.configure(listeners=[{"address": f"127.0.0.1:{dockpass.port}"},
                                  {"address": f"[::1]:{other}"}])
    dockpass.serve()
    with Wire(dockpass.port) as four, Wire(other, host="::1") as six:
        for wire in four, six, four:
            assert wire.send(HEALTH).answer().status_code == 200
    with Wire(other, host="::1") as six:
        six.send(request("GET /token?service=registry")).answer()
        wait_until(lambda: dockpass.log("token"), 5, "a line of the log")
        assert dockpass.log("token")[0]["addr"] == "::1"
    with pytest.raises(ConnectionRefusedError):
        Wire(other)


def test_any_address_of_ipv6_is_none_of_ipv4(dockpass):
    """So both may be named, and IPv4 clients have IPv4 addresses."""
    need_ipv6()
    dockpass.configure(listeners=[{"address": f"[::]:{dockpass.port}"},
                                  {"address": f"0.0.0.0:{dockpass.port}"}])
    dockpass.serve()
    for host in "127.0.0.1", "::1":
        with Wire(dockpass.port, host=host) as wire:
            wire.send(request("GET /token?service=registry")).answer()
    wait_until(lambda: len(dockpass.log("token")) == 2, 5, "the log")
    # In no order: the lines of two workers are written as they are found.
    assert {line["addr"] for line in dockpass.log("token")} == \
        {"127.0.0.1", "::1"}


# What it is while it runs

def status_of(pid, name):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(line.split()[1:] for line in status
                    if line.startswith(name + ":"))


def test_nothing_of_it_can_be_read_by_others(own_world):
    secret = own_world.pat("alice", "api")
    own_world.serve()
    assert own_world.ask(auth=("alice", secret)).status_code == 200
    pid = own_world.daemon.process.pid
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert ["0", "0"] == next(
        line.split()[4:6] for line in limits.splitlines()
        if line.startswith("Max core file size"))
    places = [Path(f"/proc/{pid}/{name}") for name in ("cmdline", "environ")]
    if os.geteuid():
        with pytest.raises(PermissionError):
            places.pop().read_bytes()
    assert all(place.read_bytes() for place in places)
    assert list(secrets.find(places, secrets.known())) == []


OWNER = 54321


@pytest.fixture
def foreign():
    """A folder of another user's, on a path that he may walk."""
    if os.geteuid():
        pytest.skip("only root can become another user")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    services = [{"name": "registry", "refresh_tokens": True}]
    with Dockpass(folder, services=services) as dockpass:
        for path in dockpass.folder.rglob("*"):
            os.chown(path, OWNER, OWNER)
        os.chown(dockpass.folder, OWNER, OWNER)
        yield dockpass
    shutil.rmtree(folder)


def test_root_becomes_the_owner_of_the_store(foreign):
    foreign.serve()
    pid = foreign.daemon.process.pid
    assert status_of(pid, "Uid") == [str(OWNER)] * 4
    assert status_of(pid, "Gid") == [str(OWNER)] * 4
    assert status_of(pid, "Groups") == []
    assert int(status_of(pid, "CapEff")[0], 16) == 0
    # Not dumpable: his own other processes may not look into it.
    assert os.stat(f"/proc/{pid}/environ").st_uid == 0
    # Commands by root leave nothing that it could not write.
    foreign.user("alice")
    secret = foreign.token("alice", scopes="api")
    foreign.cli("key", "new")
    written = foreign.ask(auth=("alice", secret),
                          fields={"offline_token": "true"}).json()
    secrets.remember(written["refresh_token"])
    assert foreign.reload().startswith("done")
    strangers = [path for path in foreign.folder.rglob("*")
                 if path.stat().st_uid != OWNER]
    assert strangers == []
    assert "runs as root" not in foreign.output
    assert foreign.stop() == 0
    foreign.serve()


def test_other_processes_of_its_user_may_not_look_into_it(foreign):
    """Started as the owner: no change of user hides it."""
    foreign.inside = ["setpriv", f"--reuid={OWNER}", f"--regid={OWNER}",
                      "--clear-groups", "--inh-caps=-all"]
    foreign.serve()
    pid = foreign.daemon.process.pid
    assert status_of(pid, "Uid") == [str(OWNER)] * 4
    assert os.stat(f"/proc/{pid}/environ").st_uid == 0


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("folder_mode", [0o755, 0o700])
def test_a_file_that_the_owner_cannot_read_is_named(foreign, folder_mode,
                                                    linked):
    """It was root who typed: "run as root" would be no advice. The folder is
    that which is closed, be it where a link leads (certbot's live)."""
    aside = foreign.folder.parent / "etc"
    aside.mkdir()
    file = aside / "mail-password"
    file.write_text(secrets.remember("a-mail-password-of-roots") + "\n")
    file.chmod(0o600)
    if linked:
        live = foreign.folder.parent / "live"
        live.mkdir()
        (live / file.name).symlink_to(f"../etc/{file.name}")
        file = live / file.name
    foreign.configure(mail={"url": "smtps://h", "from": "a@b.c", "user": "u",
                            "password_file": str(file)})
    lines = foreign.config_file.read_text().splitlines()
    number = next(i for i, line in enumerate(lines, 1) if "_file:" in line)
    aside.chmod(folder_mode)
    advice = f"the store's owner reads it: chown {OWNER} {file}" \
        if folder_mode == 0o755 else \
        f"let user {OWNER} into {aside}"
    for command in "serve", "check":
        assert foreign.refused(command) == (
            1, f"dockpass: {foreign.config_file}:{number}: mail.password_file: "
            f"{file}: cannot open it: Permission denied; {advice}")
    aside.chmod(0o755)
    os.chown(file, OWNER, OWNER)
    foreign.serve()


# The end

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_server_ends_at_once(dockpass, number):
    dockpass.serve()
    with Wire(dockpass.port) as idle, Wire(dockpass.port) as silent:
        assert idle.send(HEALTH).answer().status_code == 200
        begun = time.monotonic()
        assert dockpass.stop(number) == 0
        assert time.monotonic() - begun < AT_ONCE
        assert idle.rest() == silent.rest() == b""
    assert not is_open(dockpass.port)


def test_a_second_signal_does_not_wait(dockpass):
    dockpass.serve(env=NO_JOIN)
    with Wire(dockpass.port).send(HALF), Wire(dockpass.port) as other:
        assert other.send(HEALTH).answer().status_code == 200
        dockpass.daemon.send(signal.SIGTERM)
        wait_until(lambda: "finishing what is under way" in dockpass.output,
                   5 * PATIENCE, "the end's begin")
        begun = time.monotonic()
        assert dockpass.stop() == 0
        assert time.monotonic() - begun < AT_ONCE
        assert "left at once" in dockpass.output


def hammer(port, request, until):
    """Sends and reads until it is told of the end: statuses that came. What
    was sent whole and stays unanswered is an error of Wire's."""
    statuses = []
    with Wire(port) as wire:
        while True:
            answer = wire.send(request).answer()
            statuses.append(answer.status_code)
            if answer.headers.get("Connection") == "close":
                assert wire.rest() == b""
                return statuses
            if until():
                return statuses


def test_the_end_leaves_no_request_unanswered(own_world):
    """50 clients without a pause, and 30 passwords that are being checked."""
    ask = request("GET /token?service=registry&scope=repository:g/pub:pull")
    form = urlencode({"grant_type": "password", "username": "carol",
                      "password": World.PASSWORD, "service": "registry",
                      "scope": "repository:g/priv:pull"})
    login = request("POST /token", body=form)
    own_world.serve()
    port, seen = own_world.port, []
    with ThreadPoolExecutor(50) as pool:
        clients = [pool.submit(hammer, port, ask, lambda: seen.append(1))
                   for _ in range(50)]
        wait_until(lambda: len(seen) > 1000, 20 * PATIENCE, "load")
        logins = [Wire(port) for _ in range(30)]
        for wire in logins:
            wire.send(login)
        begun = time.monotonic()
        assert own_world.stop() == 0
        assert time.monotonic() - begun < 10
        for client in clients:
            statuses = client.result()
            assert set(statuses) == {200}
        for wire in logins:
            assert tokens.access(wire.answer(), own_world) == {
                "repository:g/priv": "pull"}
            assert wire.rest() == b""
