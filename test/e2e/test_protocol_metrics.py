"""/metrics: what was asked is what is counted, over all workers, reloads and
listeners; and nothing in it is of a user's making."""

import json
import os
import re
import socket
import ssl
import time
from datetime import date, timedelta

import pytest
import requests

from support import metrics, secrets
from support.dockpass import PATIENCE, Dockpass
from support.process import wait_until
from support.site import Certificate
from support.ways import basic
from support.wire import Wire, request, send

REQUESTS = 'dockpass_token_requests_total{outcome="%s",reason="%s"}'
RESPONSES = 'dockpass_http_responses_total{code="%d"}'
COUNT = 'dockpass_token_request_duration_seconds_count{outcome="%s"}'
HEALTH = request("GET /healthz")


@pytest.fixture
def own(tmp_path):
    """Without anybody in it: it is made sooner."""
    with Dockpass(tmp_path, services=[{"name": "registry"}]) as own:
        yield own


def asked(world):
    """{(outcome, reason): how to ask for it}"""
    return {
        ("issued", "login"): {"auth": world.basic("alice", "api")},
        ("issued", "granted"): {"scope": "repository:g/priv/x:pull",
                                "auth": world.basic("alice", "api")},
        ("issued", "partial"): {"scope": "repository:g/priv/x:pull,delete",
                                "auth": world.basic("alice", "api")},
        ("issued", "nothing"): {"scope": "repository:g/priv/x:pull"},
        ("refused", "unknown_token"): {"auth": ("alice", secrets.remember(
            "glpat-xxxxxxxxxxxxxxxxxxxx"))},
        ("refused", "wrong_password"): {"auth": ("carol", "no such word")},
        ("refused", "owner_blocked"): {"auth": world.basic("blk", "api")},
        ("refused", "unknown_service"): {"fields": {"service": "no"}},
        ("refused", "no_registry_scope"): {
            "auth": world.basic("alice", "read_user")},
    }


def test_each_request_is_counted_once_over_two_workers(own_world):
    """As many as were asked, on connections that the kernel spreads."""
    own_world.configure(workers=2)
    own_world.serve()
    wants = {how: n for n, how in enumerate(asked(own_world), 3)}
    before = metrics.scrape(own_world)
    codes = {}
    for how, n in wants.items():
        for _ in range(n):
            answer = own_world.ask(**asked(own_world)[how])
            codes[answer.status_code] = codes.get(answer.status_code, 0) + 1
    after = metrics.scrape(own_world)
    rise = metrics.rise(before, after)
    assert before["dockpass_workers"] == 2
    assert {key: n for key, n in rise.items() if "requests_total" in key} == \
        {REQUESTS % how: n for how, n in wants.items()}
    assert {key: n for key, n in rise.items() if "responses_total" in key} == \
        {RESPONSES % code: n for code, n in codes.items()}
    total = {outcome: sum(n for how, n in wants.items() if how[0] == outcome)
             for outcome in ("issued", "refused")}
    for outcome, n in total.items():
        assert rise[COUNT % outcome] == n
    assert COUNT % "failed" not in rise
    assert rise["dockpass_connections_accepted_total"] == sum(codes.values())


def test_what_is_always_there(own):
    own.serve()
    before = metrics.scrape(own)["process_cpu_seconds_total"]
    for _ in range(20):
        own.ask()
    assert 0 < before < metrics.scrape(own)["process_cpu_seconds_total"] < 600


def test_both_workers_count(own):
    """Each connection says by its order which worker has it: what one has
    counted, the other tells as well."""
    own.configure(workers=2)
    own.serve()
    for n in range(1, 41):
        assert own.ask().status_code == 200
        # Whichever of the two is asked:
        assert metrics.scrape(own)[REQUESTS % ("issued", "login")] == n
    with open(f"/proc/{own.daemon.process.pid}/net/tcp",
              encoding="ascii") as table:
        port = f":{own.admin_port:04X} 00000000:0000 0A"
        assert sum(port in line for line in table) == 2


def test_the_histogram_adds_up(own_world):
    own_world.configure(workers=2)
    own_world.serve()
    began = time.monotonic()
    for _ in range(20):
        own_world.ask(auth=own_world.basic("alice", "api"))
    own_world.ask(auth=("carol", "no such word"))
    took = time.monotonic() - began
    text = metrics.get(own_world).text
    for outcome, count in (("issued", 20), ("refused", 1), ("failed", 0)):
        rows = re.findall(
            r'dockpass_token_request_duration_seconds_bucket\{outcome="'
            + outcome + r'",le="([^"]+)"\} (\d+)', text)
        ends = [float(end) for end, _ in rows]
        counts = [int(n) for _, n in rows]
        assert ends == sorted(ends) and ends[-1] == float("inf")
        assert counts == sorted(counts) and counts[-1] == count
        total = metrics.parse(text)[
            "dockpass_token_request_duration_seconds_sum{outcome=\""
            + outcome + '"}']
        assert 0 <= total <= took
        assert bool(total) == bool(count)
        # A password is hashed: that takes milliseconds.
        if outcome == "refused":
            assert counts[ends.index(0.001)] == 0


def test_answers_that_are_held_back(own_world):
    own_world.configure(guard={"failures": 3})
    own_world.serve()
    for n in range(5):
        secret = secrets.remember(f"glpat-{n:020}")
        with Wire(own_world.port, source="127.0.9.1") as wire:
            answer = wire.send(request(
                "GET /token?service=registry",
                f"Authorization: {basic('x', secret)}")).answer()
            assert answer.status_code == 401
    assert metrics.scrape(own_world)["dockpass_answers_held_back_total"] == 2


def test_a_reload_keeps_what_was_counted(own):
    own.serve()
    for i in range(5):
        own.ask()
        said = own.reload()
        assert said.startswith("done:")
        assert metrics.scrape(own)[
            REQUESTS % ("issued", "login")] == i + 1


def test_reloads_are_told(own):
    own.serve()
    good = metrics.scrape(own)
    started = good["process_start_time_seconds"]
    assert abs(started - time.time()) < 600
    assert good["dockpass_reload_successful"] == 1
    assert good["dockpass_reload_success_timestamp_seconds"] == started
    text = own.config_file.read_text()
    own.config_file.write_text(text + "nonsense: 1\n")
    assert own.reload().startswith("the old ones stay")
    bad = metrics.scrape(own)
    assert bad["dockpass_reload_successful"] == 0
    assert bad["dockpass_reload_success_timestamp_seconds"] == started
    own.config_file.write_text(text)
    own.reload()
    assert metrics.scrape(own)["dockpass_reload_successful"] == 1


def test_what_is_refused_at_the_gate_is_counted(own):
    own.serve()
    before = metrics.scrape(own)
    send(own, request("GET /nowhere"))
    send(own, request("DELETE /token"))
    send(own, request("GET /token?" + "a" * 40000))
    send(own, request("GET /token", "Content-Length: x"))
    rise = metrics.rise(before, metrics.scrape(own))
    assert {key: n for key, n in rise.items() if "responses" in key} == {
        RESPONSES % code: 1 for code in (400, 404, 405, 414)}


def test_connections(own):
    own.configure(limits={"connections": 5})
    own.serve()
    wires = [Wire(own.port) for _ in range(5)]
    for wire in wires:
        assert wire.send(HEALTH).answer().status_code == 200
    full = metrics.scrape(own)
    assert full["dockpass_connections"] == 5
    assert full["dockpass_connections_limit"] == 5
    assert full["dockpass_connections_accepted_total"] == 5
    # Who watches is let in all the same, and not counted.
    with Wire(own.port) as wire:
        assert wire.send(HEALTH).answer().status_code == 503
    assert metrics.get(own, "/readyz").status_code == 200
    assert metrics.scrape(own)[
        'dockpass_connections_crowded_total{limit="connections"}'] == 1
    for wire in wires:
        wire.close()
    metrics.reaches(own, "dockpass_connections", 0)
    assert metrics.scrape(own)[
        "dockpass_connections_accepted_total"] == 6


def test_a_crowd_of_watchers_is_bounded(own):
    """The descriptors are for those whom the server is for."""
    own.configure(workers=2)
    own.serve()
    wires = [Wire(own.admin_port) for _ in range(64)]
    for wire in wires:
        assert wire.send(HEALTH).answer().status_code == 200
    with pytest.raises((AssertionError, ConnectionError)):
        with Wire(own.admin_port) as wire:
            wire.send(HEALTH).answer()
    assert own.ask().status_code == 200
    wires.pop().close()

    def let_in():
        try:
            with Wire(own.admin_port) as wire:
                return wire.send(HEALTH).answer().status_code == 200
        except (AssertionError, ConnectionError):
            return False
    wait_until(let_in, 20 * PATIENCE, "a place for a watcher")
    for wire in wires:
        wire.close()
    seen = {}

    def told():
        try:
            seen.update(metrics.scrape(own))
        except requests.ConnectionError:
            return False
        return True
    wait_until(told, 20 * PATIENCE, "room for a scrape")
    # Watchers are not among those for whom the server is.
    assert seen["dockpass_connections_accepted_total"] == 1
    assert metrics.crowded(seen) == 0


def test_failed_handshakes(tmp_path):
    certificate = Certificate(tmp_path)
    certificate.file = certificate.file.rename(tmp_path / r't"l\s.crt')
    with Dockpass(tmp_path, listener=certificate.listener) as world:
        world.verify = str(certificate.ca)
        world.serve()
        key = 'dockpass_tls_handshakes_failed_total{cause="%s"}'

        def failed():
            return sum(n for name, n in metrics.scrape(world).items()
                       if name.startswith(key.split("{", maxsplit=1)[0]))
        assert world.ask().status_code == 200
        # Whoever connects and leaves has tried none.
        socket.create_connection(("127.0.0.1", world.port)).close()
        assert world.ask().status_code == 200
        assert failed() == 0
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(world.url, timeout=20, verify=True)
        metrics.reaches(world, key % "refused", 1)
        with socket.create_connection(("127.0.0.1", world.port)) as plain:
            plain.sendall(b"GET /token HTTP/1.1\r\nHost: a\r\n\r\n")
            while plain.recv(1000):
                pass
        metrics.reaches(world, key % "no_tls", 1)
        context = ssl.create_default_context(cafile=certificate.ca)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with Wire(world.port, tls=context) as wire:
            assert wire.send(HEALTH).answer().status_code == 200
        assert world.ask().status_code == 200
        assert failed() == 2
        ends = {name: n for name, n in metrics.scrape(world).items()
                if name.startswith("dockpass_certificate_expiry")}
        pem = ssl._ssl._test_decode_cert(str(certificate.file))
        assert list(ends.values()) == [
            ssl.cert_time_to_seconds(pem["notAfter"])]
        assert r'/t\"l\\s.crt"' in next(iter(ends))


# The store and its jobs

def test_the_store(own):
    own.serve()
    before = metrics.scrape(own)
    own.user("newcomer")
    own.cli("project", "add", "new/project")
    rise = metrics.rise(before, metrics.scrape(own))
    entries = {re.search('"(.*)"', key)[1]: n for key, n in rise.items()
               if "entries" in key}
    assert entries == {"user": 1, "user_name": 1, "space": 2, "space_id": 2,
                       "log": 2, "meta": 3}
    assert rise["dockpass_store_last_commit_id"] == 2
    size = (own.folder / "store/data.mdb").stat().st_size
    after = metrics.scrape(own)
    assert size // 2 < after["dockpass_store_size_bytes"] <= size
    assert after["dockpass_store_map_bytes"] == 64 << 30
    workers = after["dockpass_workers"]
    assert workers <= after["dockpass_store_readers"] <= workers + 1
    assert after["dockpass_store_readers_limit"] == 1024


def test_keys(own):
    own.serve()
    new = own.json("key", "new")["kid"]
    own.reload()
    keys = own.json("key", "list")
    told = {re.search('kid="(.*?)"', key)[1]:
            (n, re.search('state="(.*?)"', key)[1])
            for key, n in metrics.scrape(own).items()
            if key.startswith("dockpass_key_expiry")}
    assert new in told
    assert {kid: state for kid, (_, state) in told.items()} == {
        key["kid"]: key["state"] for key in keys}
    for end, _ in told.values():
        assert abs(end - time.time() - 3650 * 86400) < 5 * 86400


def test_tokens_that_die_soon(own_world):
    own_world.serve()
    key = "dockpass_tokens_expiring_soon"
    metrics.reaches(own_world, key, 0)
    for days in (1, 3, 20):
        own_world.token("alice", scopes="api", name=f"in {days}",
                        expires=str(date.today() + timedelta(days)))
    metrics.reaches(own_world, key, 2)
    own_world.cli("token", "revoke", own_world.token_id("in 3"))
    metrics.reaches(own_world, key, 1)


# Nobody's name

def test_neither_names_nor_secrets(own_world):
    """Whatever was asked for, by whom."""
    own_world.serve()
    for how in asked(own_world).values():
        own_world.ask(**how)
    own_world.ask("repository:evil\"}x/y:pull", fields={"service": 'a"b\n'})
    text = metrics.get(own_world).text
    for word in ("alice", "carol", "blk", "evil", "g/priv", "glpat",
                 str(own_world.folder), os.uname().nodename):
        assert word not in text, word
    assert set(re.findall(r'[{,]([a-z]+)="', text)) <= {
        "version", "outcome", "reason", "le", "code", "table", "kid", "alg",
        "state", "listener", "check", "cause", "limit", "in"}
    own_world.said.write_text(text)  # secrets.leaks() looks there
    assert json.dumps(text)
