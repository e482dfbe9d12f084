"""SIGHUP: what is good takes effect at the next request, on connections that
are there already; what is bad changes nothing, and is said; and no request is
lost, however often.
"""

import shutil
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import jwt
import pytest

from support import secrets, tokens
from support.dockpass import PATIENCE, SOAK, Dockpass, progress
from support.process import wait_until
from support.site import Certificate
from support.ways import basic
from support.wire import Wire, request
from support.world import SERVICES

END = b"\r\n\r\n"


def asking(service="registry"):
    return f"GET /token?service={service} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


@pytest.fixture
def dockpass(tmp_path):
    with Dockpass(tmp_path, services=SERVICES) as dockpass:
        yield dockpass.serve()


@pytest.fixture(scope="module")
def steady(tmp_path_factory):
    """One that a test may break; `mended` makes it good again."""
    with Dockpass(tmp_path_factory.mktemp("steady"),
                  services=SERVICES) as dockpass:
        yield dockpass.serve()


@pytest.fixture
def mended(steady, tmp_path):
    shutil.copytree(steady.folder, tmp_path / "good")
    yield
    if steady.config_file.is_dir():
        steady.config_file.rmdir()
    shutil.rmtree(steady.folder / "keys", ignore_errors=True)
    shutil.copytree(tmp_path / "good/keys", steady.folder / "keys")
    shutil.copy(tmp_path / "good/dockpass.yaml", steady.config_file)
    assert steady.reload().startswith("done: ")


# Bad ones

def edit(old, new):
    def change(dockpass):
        text = dockpass.config_file.read_text()
        assert old in text
        dockpass.config_file.write_text(text.replace(old, new, 1))
    return change


def text(content):
    return lambda dockpass: dockpass.config_file.write_text(content)


def key_file(dockpass):
    return next((dockpass.folder / "keys").glob("*.pem"))


def line_of(dockpass, word):
    """The number of the first line that holds it."""
    before, found, _ = dockpass.config_file.read_text().partition(word)
    assert found
    return before.count("\n") + 1


# rule: (what is done, the word whose line is named or None, what is said)
BAD = {
    "no YAML": (text("issuer: x\nservices: [a\n"), None, "yaml:3: no YAML: "),
    "tabs": (text("issuer: x\n\tstore: y\n"), None, "yaml:2: no YAML: "),
    "nothing": (text(""), None, "services: no service; name your registry"),
    "no services": (lambda w: w.configure(services=[], store="store") or
                    edit("services:", "#")(w), None, "dockpass.yaml:"),
    "an unknown key": (edit("services:", "colour: red\nservices:"), "colour",
                       "colour: is no option"),
    "a key twice": (edit("services:", "issuer: a\nissuer: b\nservices:"),
                    None, "issuer: is set a second time"),
    "a ttl of 59": (edit("- name: other", "- name: other\n  ttl: 59"), "ttl",
                    "services[1].ttl: "),
    "a ttl of letters": (edit("- name: other", "- name: other\n  ttl: long"),
                         "ttl", "services[1].ttl: "),
    "a flag that is none": (edit("anonymous: false", "anonymous: nope"),
                            "anonymous", "services[3].anonymous: "),
    "a service twice": (edit("- name: other", "- name: registry"), None,
                        "services[1].name: another service has this name"),
    "a certificate that is not there": (
        lambda w: w.configure(listener={"tls": {
            "certificate": "no.crt", "key": "no.key"}}), "certificate",
        "no.crt: No such file or directory; put the file there"),
    "a key without a certificate": (
        lambda w: w.configure(listener={"tls": {"key": "no.key"}}), "key: no",
        "tls needs certificate and key"),
    "a url with a path": (edit("services:", "url: http://a/b\nservices:"),
                          "url: http://a/b", "must end with the host"),
    "no file": (lambda w: w.config_file.unlink(), None,
                "dockpass.yaml: not found"),
    "a folder": (lambda w: w.config_file.unlink() or w.config_file.mkdir(),
                 None, "dockpass.yaml: is a folder; name the file in it"),
    "no signing key": (lambda w: key_file(w).unlink(), None,
                       ".pem: not found, but"),
    "a torn signing key": (lambda w: key_file(w).write_text("-----BEGIN EC"),
                           None, ".pem: "),
    "a signing key that others can read":
        (lambda w: key_file(w).chmod(0o644), None, "run: chmod 600"),
    "no current key": (
        lambda w: (w.folder / "keys/keyring").write_text(
            (w.folder / "keys/keyring").read_text()
            .replace("current", "retired")), None, "no key is current"),
    "no folder of keys": (lambda w: shutil.rmtree(w.folder / "keys"), None,
                          "keys: not found; name the folder of keys"),
}


@pytest.mark.parametrize("row", BAD.values(), ids=BAD.keys())
def test_bad_ones_change_nothing_and_are_said(steady, mended, row):
    change, word, words = row
    with Wire(steady.port) as wire:
        before = wire.send(asking()).answer().json()
        change(steady)
        message = steady.reload()
        assert message.startswith("the old ones stay: ")
        assert words in message
        if word:
            where = f"{steady.config_file}:{line_of(steady, word)}: "
            assert where in message
        after = wire.send(asking()).answer().json()
        assert after["expires_in"] == before["expires_in"] == 300
        assert jwt.get_unverified_header(after["token"]) == \
            jwt.get_unverified_header(before["token"])
        assert wire.send(asking("closed")).answer().status_code == 401
        assert wire.send(asking("new")).answer().status_code == 400


# Good ones

def changed(dockpass, **services):
    """SERVICES with other options: {name: options}."""
    dockpass.configure(services=[
        {**service, **services.get(service["name"], {})}
        for service in SERVICES])
    assert dockpass.reload().startswith("done: ")


def test_good_ones_hold_at_the_next_request_of_an_old_connection(dockpass):
    with Wire(dockpass.port) as wire:
        def ask(service="registry"):
            return wire.send(asking(service)).answer()
        old_key = jwt.get_unverified_header(ask().json()["token"])["kid"]
        assert ask().json()["expires_in"] == 300

        changed(dockpass, registry={"ttl": 61})
        assert ask().json()["expires_in"] == 61

        changed(dockpass, registry={"anonymous": False},
                closed={"anonymous": True})
        tokens.refusal(ask(), 401)
        assert tokens.access(ask("closed"), dockpass, "closed") == {}

        dockpass.configure(services=[*SERVICES, {"name": "new"}])
        tokens.refusal(ask("new"), 400)
        assert dockpass.reload().startswith("done: ")
        assert tokens.access(ask("new"), dockpass, "new") == {}
        dockpass.configure(services=SERVICES)
        assert dockpass.reload().startswith("done: ")
        tokens.refusal(ask("new"), 400)

        dockpass.configure(url="https://auth.example.com")
        assert dockpass.reload().startswith("done: ")
        assert ask("closed").headers["WWW-Authenticate"].startswith(
            'Basic realm="https://auth.example.com/token"')

        dockpass.cli("key", "new")
        new_key = next(key["kid"] for key in dockpass.json("key", "list")
                       if key["state"] == "next")
        dockpass.cli("key", "activate", new_key)
        assert jwt.get_unverified_header(ask().json()["token"])["kid"] == \
            old_key
        assert new_key in dockpass.reload()
        answer = ask()
        assert jwt.get_unverified_header(answer.json()["token"])["kid"] == \
            new_key
        assert tokens.access(answer, dockpass) == {}
        assert wire.send(request("GET /.well-known/jwks.json")).answer() \
            .text.count(new_key) == 1


def test_new_limits_hold_for_new_connections(dockpass):
    with Wire(dockpass.port) as one, Wire(dockpass.port) as two:
        for wire in one, two:
            assert wire.send(asking()).answer().status_code == 200
        dockpass.configure(limits={"connections": 2})
        assert dockpass.reload().startswith("done: ")
        with Wire(dockpass.port) as three:
            tokens.refusal(three.send(asking()).answer(), 503)
        for wire in one, two:
            assert wire.send(asking()).answer().status_code == 200


def moved(dockpass):
    dockpass.configure(listeners=[{"address": "127.0.0.1:1"}])


def with_tls(dockpass):
    dockpass.configure(listener=dockpass.certificate.listener)


def without_tls(dockpass):
    dockpass.configure(listeners=[
        {"address": f"127.0.0.1:{dockpass.port}"}])


# row: (has it TLS before, what is done, what is said)
FIXED = {
    "listeners": (False, moved, "listeners have changed: restart"),
    "tls added": (False, with_tls, "listeners have changed: restart"),
    "tls removed": (True, without_tls, "listeners have changed: restart"),
    "store": (False, lambda w: w.configure(store="elsewhere"),
              "store has changed: restart"),
    "workers": (False, lambda w: w.configure(workers=7),
                "workers has changed: restart"),
}


@pytest.mark.parametrize("row", FIXED.values(), ids=FIXED.keys())
def test_what_needs_a_restart_is_said(tmp_path, row):
    """And what is bound or open goes on as it was."""
    tls, change, words = row
    with Dockpass(tmp_path, services=SERVICES) as dockpass:
        # In a folder that the running server may look into.
        dockpass.certificate = Certificate(dockpass.folder)
        context = tls and ssl.create_default_context(
            cafile=dockpass.certificate.ca)
        if tls:
            with_tls(dockpass)
        dockpass.serve()
        change(dockpass)
        with Wire(dockpass.port, tls=context) as wire:
            assert wire.send(asking()).answer().status_code == 200
            assert dockpass.reload().startswith("done: ")
            said = [line["message"] for line in dockpass.log("reload")]
            assert sum("restart" in message for message in said) == 1
            assert any(words in message for message in said)
            assert wire.send(asking()).answer().status_code == 200
        with Wire(dockpass.port, tls=context) as wire:
            assert wire.send(asking()).answer().status_code == 200


def test_a_service_goes_while_passwords_are_hashed(tmp_path):
    """Those that wait are answered by what counts then."""
    gone = {"name": "gone", "refresh_tokens": True}
    password = secrets.remember("correct horse battery")
    with Dockpass(tmp_path, services=[*SERVICES, gone]) as dockpass:
        dockpass.user("alice", password=password)
        dockpass.serve()
        text = request("GET /token?service=gone&offline_token=true",
                       f"Authorization: {basic('alice', password)}")
        dockpass.configure(services=SERVICES)
        with ExitStack() as open_ones:
            wires = [open_ones.enter_context(Wire(dockpass.port))
                     for _ in range(30)]
            for wire in wires:
                wire.send(text)
            assert dockpass.reload().startswith("done: ")
            answers = [wire.answer() for wire in wires]
        late = [one for one in answers if one.status_code != 200]
        assert late
        for answer in late:
            assert "no registry of that name" in tokens.refusal(answer, 400)


def memory(dockpass):
    with open(f"/proc/{dockpass.daemon.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status
                    if line.startswith("VmRSS:"))


def test_a_hundred_reloads_under_load(dockpass):
    """Not one request fails; each new ttl holds at once; nothing piles up."""
    ends, counts = [], []

    def load():
        n = 0
        with Wire(dockpass.port) as wire:
            while not ends:
                answer = wire.send(asking()).answer()
                assert answer.status_code == 200
                assert answer.json()["expires_in"] in (300, 600)
                n += 1
                counts.append(n)

    configs = []
    for ttl in 300, 600:
        # Sixty more, so that a snapshot that stays is seen.
        dockpass.configure(services=[{"name": "registry", "ttl": ttl}] + [
            {"name": f"other{i}"} for i in range(60)])
        configs.append(dockpass.config_file.read_text())
    with ThreadPoolExecutor(4) as pool, Wire(dockpass.port) as wire:
        loads = [pool.submit(load) for _ in range(4)]
        try:
            wait_until(lambda: len(counts) > 100, 20 * PATIENCE, "load")
            for i in range(1000 if SOAK else 100):
                dockpass.config_file.write_text(configs[i % 2])
                assert dockpass.reload().startswith("done: ")
                progress(f"reload {i}")
                answer = wire.send(asking()).answer()
                assert answer.json()["expires_in"] == (300, 600)[i % 2]
                if i == 9:
                    before = memory(dockpass)
        finally:
            ends.append(True)
        for done in loads:
            done.result()
    if PATIENCE == 1:
        assert memory(dockpass) - before < 1024


def test_an_address_that_follows_from_a_listener_stays_as_that_does(dockpass):
    """A listener that will be another after a restart is nobody's yet."""
    realm = dockpass.ask(auth=("nobody", "wrong")).headers["WWW-Authenticate"]
    assert f"realm=\"{dockpass.url}/token\"" in realm
    dockpass.configure(listener={"address": "127.0.0.1:1"})
    dockpass.reload()
    assert dockpass.ask(auth=("nobody", "wrong")).headers[
        "WWW-Authenticate"] == realm
    dockpass.configure(url="https://auth.example.com")
    dockpass.reload()
    assert "https://auth.example.com/token" in dockpass.ask(
        auth=("nobody", "wrong")).headers["WWW-Authenticate"]


def test_an_address_that_was_said_and_is_no_more(tmp_path):
    """From then on it follows from the listener."""
    with Dockpass(tmp_path, url="https://auth.example.com") as dockpass:
        dockpass.serve()
        for url in "https://auth.example.com", dockpass.url:
            assert f'realm="{url}/token"' in dockpass.ask(
                auth=("nobody", "wrong")).headers["WWW-Authenticate"]
            dockpass.config_file.write_text("".join(
                line for line in dockpass.config_file.read_text().splitlines(
                    keepends=True) if not line.startswith("url:")))
            assert dockpass.reload().startswith("done: ")


def test_a_shorter_time_of_the_guard_frees_whom_a_longer_one_shut_out(
        tmp_path):
    """A level falls "from full to nothing in `seconds`", today's."""
    rules = {"failures": 20, "failures_per_user": 3, "seconds": 86400}
    password = secrets.remember("right horse battery")
    with Dockpass(tmp_path, guard=rules, trusted_proxies="127.0.0.1") as own:
        own.user("alice", password=password)
        own.serve()

        def ask(word, address):
            return own.ask(auth=("alice", word),
                           headers={"X-Forwarded-For": address})
        for turn in range(4):
            last = ask(f"wrong {turn}", "198.51.100.7")
        assert last.status_code == 429
        own.configure(guard={"failures": 1000, "failures_per_user": 1000,
                             "seconds": 60})
        assert own.reload().startswith("done:")
        answer = ask(password, "198.51.100.9")
        assert answer.status_code == 200 or \
            int(answer.headers["Retry-After"]) <= 60, answer.headers
        wait_until(lambda: ask(password, "198.51.100.9").status_code == 200,
                   10, "let in")
