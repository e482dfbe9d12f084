"""The admin listener: health and readiness, to the very end; what it has and
the public ones have not; its address."""

import signal
import socket
import time

import pytest
import requests

from support import metrics, tokens
from support.dockpass import NO_JOIN, PATIENCE, Dockpass
from support.process import is_open, wait_until
from support.site import Certificate
from support.wire import Wire, request, send

HEALTH = request("GET /healthz")
CHECKS = {"store": "ok", "key": "ok", "draining": "ok"}


@pytest.fixture
def own(tmp_path):
    """Without anybody in it: it is made sooner."""
    with Dockpass(tmp_path, services=[{"name": "registry"}]) as own:
        yield own


def test_ready_and_healthy(world):
    answer = metrics.get(world, "/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "checks": CHECKS}
    assert answer.headers["Cache-Control"] == "no-store"
    for url in (world.url, f"http://127.0.0.1:{world.admin_port}"):
        answer = requests.get(f"{url}/healthz", timeout=20)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/metrics/",
                                  "//metrics", "/%6detrics", "/token/metrics"])
def test_none_of_it_is_public(world, path):
    answer = send(world, request(f"GET {path}"))
    assert tokens.refusal(answer, 404) == "nothing is here: ask /token"


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/token", 404), ("GET", "/.well-known/jwks.json", 404),
    ("GET", "/", 404), ("POST", "/metrics", 405), ("POST", "/readyz", 405),
    ("DELETE", "/metrics", 405), ("HEAD", "/metrics", 200)])
def test_what_the_admin_listener_has(world, method, path, status):
    answer = requests.request(
        method, f"http://127.0.0.1:{world.admin_port}{path}", timeout=20)
    assert answer.status_code == status
    if status == 404:
        assert "/metrics, /healthz or /readyz" in tokens.refusal(answer, 404)


ENDING = {"status": "not ready", "checks": {
    **CHECKS, "draining": "the server has been told to end"}}


def not_ready(own):
    wait_until(lambda: metrics.get(own, "/readyz").status_code == 503,
               20 * PATIENCE, "not ready")
    assert metrics.get(own, "/readyz").json() == ENDING
    assert metrics.scrape(own)["dockpass_draining"] == 1
    assert metrics.get(own, "/healthz").status_code == 200


def test_the_end_is_seen_before_listeners_close(own):
    """Requests are taken all the while that /readyz says no."""
    own.configure(admin={"drain": 3})
    own.serve()
    began = time.monotonic()
    own.daemon.send(signal.SIGTERM)
    not_ready(own)
    assert own.logged(0, event="stop")[0]["message"] == \
        "told to end: for 3 s /readyz says no, and all else goes on " \
        "(admin.drain)"
    while time.monotonic() < began + 1.5:
        assert own.ask().status_code == 200
    assert own.daemon.process.wait(30 * PATIENCE) == 0
    assert time.monotonic() >= began + 3


def test_the_end_is_seen_to_the_very_end(own):
    """While the last request is under way, nobody else is let in."""
    own.configure(workers=1)
    own.serve()
    with Wire(own.port) as wire:
        wire.send(HEALTH[:-2])
        metrics.reaches(own, "dockpass_connections", 1)
        own.daemon.send(signal.SIGTERM)
        wait_until(lambda: not is_open(own.port), 20 * PATIENCE, "closed")
        not_ready(own)
        assert wire.send(HEALTH[-2:]).answer().status_code == 200
    assert own.daemon.process.wait(30 * PATIENCE) == 0


def test_a_second_signal_ends_the_wait(own):
    own.configure(admin={"drain": 300})
    own.serve()
    began = time.monotonic()
    own.daemon.send(signal.SIGTERM)
    not_ready(own)
    # No reason to go on, nor to end.
    own.daemon.send(signal.SIGHUP)
    while time.monotonic() < began + 1.5:
        assert own.ask().status_code == 200
    own.daemon.send(signal.SIGTERM)
    assert own.daemon.process.wait(30 * PATIENCE) == 0


def left(own):
    """Why it left at once, once it has."""
    assert own.daemon.process.wait(30 * PATIENCE) == 0
    return own.logged(0, event="stop")[-1]["message"]


def test_a_reload_while_it_ends_opens_the_log_again(own, tmp_path):
    """As logrotate wants it; it puts off no end, and is said."""
    (tmp_path / "logs").mkdir()
    log, old = tmp_path / "logs/log", tmp_path / "logs/log.1"
    own.configure(admin={"drain": 4}, log={"file": str(log)})
    own.serve()
    began = time.monotonic()
    own.daemon.send(signal.SIGTERM)
    not_ready(own)
    while time.monotonic() < began + 2:
        assert own.ask().status_code == 200
    log.rename(old)
    message = "the old ones stay, as the server ends; the log's file was " \
        "opened again"
    assert own.reload() == message
    asked = own.ask().client
    assert own.daemon.process.wait(30 * PATIENCE) == 0
    if PATIENCE == 1:
        assert 4 <= time.monotonic() - began < 5.5
    assert message in log.read_text() and asked in log.read_text()
    assert asked not in old.read_text()


def test_why_it_left_at_once_is_said(own):
    own.configure(admin={"drain": 300})
    own.serve()
    own.daemon.send(signal.SIGTERM)
    not_ready(own)
    own.daemon.send(signal.SIGTERM)
    assert left(own) == "left at once: a second signal came"


def test_who_does_not_finish_is_left_by_a_second_signal(own):
    """A reload meanwhile is none."""
    own.serve(env=NO_JOIN)
    with Wire(own.port) as wire:
        wire.send(request("GET /token", "X: y")[:-2])
        metrics.reaches(own, "dockpass_connections", 1)
        own.daemon.send(signal.SIGTERM)
        wait_until(lambda: not is_open(own.port), 20 * PATIENCE, "closed")
        assert own.reload().startswith("the old ones stay, as")
        own.daemon.send(signal.SIGTERM)
        assert left(own) == "left at once: a second signal came"


def test_whoever_watches_does_not_hold_up_the_end(own):
    own.serve()
    with Wire(own.admin_port) as wire:
        assert wire.send(HEALTH).answer().status_code == 200
        wire.send(HEALTH[:-2])
        began = time.monotonic()
        assert own.stop() == 0
        assert time.monotonic() - began < 5 * PATIENCE


# The listener itself

def test_nothing_when_it_is_switched_off(own):
    own.serve(env={"DOCKPASS_ADMIN_ADDRESS": ""})
    with pytest.raises(requests.ConnectionError):
        metrics.get(own)
    assert own.ask().status_code == 200
    assert "metrics and health" not in own.output


def test_an_address_that_is_taken(own):
    with socket.create_server(("127.0.0.1", own.admin_port)):
        status, message = own.refused("serve")
    assert status == 1
    assert message == (f"dockpass: 127.0.0.1:{own.admin_port} is taken "
                       "by another process: end it, or choose another address "
                       "under admin")


@pytest.mark.parametrize("address, says", [
    ("127.0.0.1", "has no port"), ("localhost:5002", "is no IP address"),
    ("127.0.0.1:0", "has no port"), ("LISTENER", "a listener has this")])
def test_addresses_that_are_refused(own, address, says):
    address = address.replace("LISTENER", f"127.0.0.1:{own.port}")
    for command in ("check", "serve"):
        status, message = own.refused(
            command, env={"DOCKPASS_ADMIN_ADDRESS": address})
        assert status == 1 and says in message
        assert "DOCKPASS_ADMIN_ADDRESS: " in message


def test_a_reload_cannot_move_it(own):
    own.env.pop("DOCKPASS_ADMIN_ADDRESS")
    own.configure(admin={"address": f"127.0.0.1:{own.admin_port}"})
    own.serve()
    for address, warned in ((own.admin_port, 0), (own.admin_port + 1, 1)):
        own.configure(admin={"address": f"127.0.0.1:{address}"})
        seen = len(own.log("reload"))
        assert own.reload().startswith("done:")
        said = [line["message"] for line in own.log("reload")[seen:]]
        assert said.count("admin.address has changed: restart to use the new "
                          "one") == warned
        assert metrics.get(own).status_code == 200


def test_a_reload_cannot_give_it_tls(own):
    certificate = Certificate(own.folder)
    own.env.pop("DOCKPASS_ADMIN_ADDRESS")
    admin = {"address": f"127.0.0.1:{own.admin_port}"}
    own.configure(admin=admin)
    own.serve()
    own.configure(admin={**admin, **certificate.listener})
    assert own.reload().startswith("done:")
    said = [line["message"] for line in own.log("reload")]
    assert "admin.address has changed: restart to use the new one" in said
    assert metrics.get(own).status_code == 200


def test_a_proxy_of_watchers_is_none_of_ours(own):
    """Whom it asks for is nothing to the log."""
    own.serve()
    answer = metrics.get(own, headers={"X-Forwarded-For": "192.0.2.1"})
    assert answer.status_code == 200
    own.ask()
    own.logged(0)
    assert own.log("proxy") == []
    own.ask(headers={"X-Forwarded-For": "192.0.2.1"})
    warning, = own.logged(0, event="proxy")
    assert "127.0.0.1" in warning["message"]


def test_one_too_many_is_closed_without_a_word(own):
    """64 there may be; who is one too many takes no place of a client's."""
    own.serve()
    inside = [Wire(own.admin_port).send(HEALTH) for _ in range(64)]
    assert {wire.answer().status_code for wire in inside} == {200}
    with Wire(own.admin_port) as wire:
        begun = time.monotonic()
        assert wire.rest() == b""
        assert time.monotonic() - begun < 5 * PATIENCE
    inside.pop().close()
    wait_until(lambda: is_answered(own.admin_port), 5 * PATIENCE, "room again")
    for wire in inside:
        wire.close()


def is_answered(port):
    with Wire(port) as wire:
        try:
            return wire.send(HEALTH).answer().status_code == 200
        except (AssertionError, ConnectionError):
            return False
