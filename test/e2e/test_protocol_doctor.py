"""dockpass doctor before what is no registry, or a hostile one: it ends in time,
says what it met, and neither tells nor obeys anything.
"""

import email.utils
import threading
import time

import jwt
import pytest

from support.dockpass import PATIENCE, SOAK, Dockpass
from support.doctor import doctor, line
from support.http import Server, always
from support.world import World

JSON = {"Content-Type": "application/json"}


def raw(data):
    return lambda handler: handler.wfile.write(data)


def flood(handler):
    handler.send_response_only(200)
    handler.end_headers()
    for _ in range(1000):
        handler.wfile.write(b"x" * 65536)


def endless_head(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for i in range(100000):
        handler.wfile.write(b"X-%d: %s\r\n" % (i, b"y" * 1000))


def challenge(text):
    return always(401, {"WWW-Authenticate": text})


def behind(handler):
    """An hour, though a proxy in front writes the right Date."""
    _, _, token = handler.headers.get("Authorization", "").partition(" ")
    if token.count(".") == 2 and token != "a.b.c" and jwt.decode(
            token, options={"verify_signature": False}
            )["nbf"] < time.time() - 3600:
        handler.say(200)
        return
    handler.say(401, {
        "Date": email.utils.formatdate(usegmt=True),
        "WWW-Authenticate": 'Bearer realm="{ours}",service="registry"' +
                            (',error="invalid_token"' if token else "")})


@pytest.fixture(scope="module")
def dockpass(tmp_path_factory):
    with Dockpass(tmp_path_factory.mktemp("doctor")) as dockpass:
        yield dockpass.serve()


# what answers, the check that fails first, parts of its line
ROWS = {
    "a page": (always(404, {"Content-Type": "text/html"}, b"<html>"),
               "registry", ["is no registry: it answers 404, text/html",
                            "under which images are pulled"]),
    "a page of login": (always(200, {"Content-Type": "text/html"}, b"<html>"),
                        "registry", ["is no registry: it answers 200"]),
    "a failure": (always(503), "registry", ["answers 503", "its log"]),
    "a redirect": (always(301, {"Location": "/v2"}), "registry",
                   ["/v2/ is redirected to /v2: clients lose their token",
                    "the proxy in front"]),
    "no HTTP": (raw(b"220 smtp.example.com ESMTP\r\n"), "registry", []),
    "a body without end": (flood, "registry", ["more than 64 KiB"]),
    "a head without end": (endless_head, "registry", []),
    "hung up": (lambda handler: None, "registry", []),
    "no challenge": (always(401), "challenge",
                     ["no WWW-Authenticate", "let the proxy in front"]),
    "an empty challenge": (challenge(""), "challenge",
                           ["no WWW-Authenticate"]),
    "one that cannot be read": (challenge('Bearer realm="x'), "challenge",
                                ["WWW-Authenticate cannot be read"]),
    "one without a realm": (challenge("Bearer service=registry"),
                            "challenge", ["names no realm"]),
    "one of another kind": (challenge("Negotiate"), "challenge",
                            ["something else than tokens"]),
    "a password": (challenge('Basic realm="x"'), "challenge",
                   ["a password of its own (Basic)"]),
    "no service": (challenge('Bearer realm="{ours}"'), "service",
                   ["names no service", "auth.token.service: registry"]),
    "a realm of another kind": (
        challenge('Bearer realm="file:///etc/passwd",service="registry"'),
        "realm", ["file:///etc/passwd is no http(s) address"]),
    "a realm that a terminal obeys": (
        challenge('Bearer realm="http://x/\x1b[2J\x07",service="registry"'),
        "realm", ["http://x/?[2J?"]),
    "a very long realm": (
        challenge(f'Bearer realm="http://localhost/{"x" * 60000}",'
                  'service="registry"'), "realm", []),
    "all tokens are good": (
        lambda handler: handler.say(
            200 if "Authorization" in handler.headers else 401,
            {"WWW-Authenticate": 'Bearer realm="{ours}",service="registry"'}),
        None, []),
    "no token is good": (
        challenge('Bearer realm="{ours}",service="registry"'), "key",
        ["another certificate, or another issuer than dockpass"]),
    "no token is good, it says": (
        challenge('Bearer realm="{ours}",service="registry",'
                  'error="invalid_token"'), "key",
        ["the registry trusts another certificate"]),
    "a clock behind its Date": (behind, "token", [
        "its clock is not what its Date says", "NTP"]),
    "no token is good, it says nothing": (
        lambda handler: handler.say(401, {} if "Authorization" in
                                    handler.headers else {
            "WWW-Authenticate": 'Bearer realm="{ours}",service="registry"'}),
        "key", ["the registry trusts another certificate: it knows none"]),
    "no long token": (
        lambda handler: handler.say(
            431 if len(handler.headers.get("Authorization", "")) > 900 else
            200 if "Authorization" in handler.headers else 401,
            {"WWW-Authenticate": 'Bearer realm="{ours}",service="registry"'}),
        "form", ["x5c: false and kid: libtrust"]),
}


def with_realm(answer, ours):
    """The same, with our own realm where it says {ours}."""
    def say(handler):
        send = handler.send_header
        handler.send_header = lambda name, value: send(
            name, value.replace("{ours}", ours))
        answer(handler)
    return say


@pytest.mark.parametrize("name", ROWS)
def test_what_answers(dockpass, name):
    answer, first, says = ROWS[name]
    begun = time.monotonic()
    with Server(with_realm(answer, dockpass.url + "/token")) as liar:
        failed, checks = doctor(dockpass, liar.url)
        shown = dockpass.run("doctor", liar.url, "--config",
                             dockpass.config_file, check=False)
    assert failed[:1] == ([first] if first else []), checks
    for part in says:
        assert part in line(checks[first]), checks[first]
    for text in (shown.stdout, shown.stderr):
        assert "\x1b" not in text and "\x07" not in text
        assert len(text) < 20000
    assert time.monotonic() - begun < 10 * PATIENCE


def dated(seconds, realm=None):
    """A registry whose clock is ahead, and a realm: `realm` seconds ahead, or
    ours."""
    def answer(handler):
        ahead = realm if handler.path.startswith("/token") else seconds
        date = email.utils.formatdate(time.time() + ahead, usegmt=True)
        if handler.path.startswith("/token"):
            handler.say(200, {"Date": date}, b'{"token":"a.b.c"}')
            return
        place = "{ours}" if realm is None else handler.server.url + "/token"
        handler.say(401, {"Date": date, "WWW-Authenticate":
                          f'Bearer realm="{place}",service="registry"'})
    return answer


@pytest.mark.parametrize("seconds, status, says", [
    (0, "ok", "agree"), (45, "warn", "s ahead"), (300 + 50, "warn", "s ahead"),
    (300 + 75, "fail", "dead when they come there"),
    (-60, "warn", "s behind"), (-80, "fail", "not valid yet there")])
def test_clocks(dockpass, seconds, status, says):
    """Tokens live 300 s, begin 10 s back, and a minute is allowed."""
    answer = with_realm(dated(seconds), dockpass.url + "/token")
    with Server(answer) as liar:
        check = doctor(dockpass, liar.url)[1]["clock"]
    assert check["status"] == status and says in line(check), check


def test_this_machines_clock_is_wrong(dockpass):
    """Those two agree, which is what counts."""
    with Server(dated(3600, 3600)) as liar:
        check = doctor(dockpass, liar.url)[1]["clock"]
    assert check["status"] == "warn", check
    assert "the registry's too" in line(check)


def test_a_realm_that_fails(dockpass):
    def answer(handler):
        if handler.path.startswith("/token"):
            handler.say(503)
        else:
            handler.say(401, {"WWW-Authenticate": 'Bearer realm="' +
                              liar.url + '/token",service="registry"'})
    with Server(answer) as liar:
        check = doctor(dockpass, liar.url)[1]["endpoint"]
    assert "answers 503: dockpass doctor there says why" in line(check)


def test_one_that_says_nothing(dockpass):
    """Each request has its time, and no more."""
    end = threading.Event()
    begun = time.monotonic()
    with Server(lambda handler: end.wait(60)) as liar:
        failed, checks = doctor(dockpass, liar.url)
        end.set()
    assert failed == ["registry"]
    assert "no answer within 10 s" in line(checks["registry"])
    assert 9 < time.monotonic() - begun < 10 + 10 * PATIENCE


@pytest.mark.skipif(not SOAK, reason="takes a minute: SOAK=1")
def test_one_that_is_always_late(dockpass):
    """All requests together have a minute."""
    ours = 'Bearer realm="{ours}",service="registry",error="invalid"'
    say = with_realm(challenge(ours), dockpass.url + "/token")
    end = threading.Event()

    def late(handler):
        if "Authorization" in handler.headers:
            end.wait(9)
        say(handler)
    begun = time.monotonic()
    with Server(late) as liar:
        failed, checks = doctor(dockpass, liar.url)
        assert 55 < time.monotonic() - begun < 65
        end.set()
    assert failed[0] == "key" and "60 s" in line(checks["key"]), checks


def test_what_it_is_shown(tmp_path):
    """Tokens for nothing that live a minute; nothing of anybody's."""
    with World(tmp_path).serve() as world:
        secret = world.pat("root", "api")
        ours = 'Bearer realm="{ours}",service="registry",error="invalid"'
        with Server(with_realm(challenge(ours), world.url + "/token")) as liar:
            doctor(world, liar.url)
        shown = [headers["Authorization"].removeprefix("Bearer ")
                 for _, headers, _ in liar.asked if "Authorization" in headers]
        assert secret not in str(liar.asked)
        assert {path for path, *_ in liar.asked} == {"/v2/"}
        read = [jwt.decode(token, options={"verify_signature": False})
                for token in shown if token != "a.b.c"]
        # Three forms, spoilt and not; and what the realm gives to anybody.
        assert len(read) > 6
        for claims in read:
            assert claims["access"] == [] and claims["sub"] == ""
            assert claims["aud"] == "registry"
        assert sum(claims["exp"] <= time.time() + 60
                   for claims in read) == 6


# what of ours a registry claims to be, how far ahead it says it is; is it shown
# tokens? (That one claims another's service cannot be known.)
SHOWN = {"now": ("registry", 0, True), "a little": ("registry", 40, True),
         "behind": ("registry", -86400, True),
         "two minutes": ("registry", 120, False),
         "a day": ("registry", 82800, False),
         "ten years": ("registry", 10 * 365 * 86400, False),
         "nobody's": ("someone.else.example", 0, False),
         "no service": ("", 0, False)}


@pytest.mark.parametrize("name", SHOWN)
def test_no_date_and_no_name_makes_a_token_worth_more(tmp_path, name):
    """None lives past a minute of ours, or is for a service not of ours."""
    service, ahead, shown = SHOWN[name]
    with Dockpass(tmp_path, services=[
            {"name": "registry", "anonymous": False}]).serve() as dockpass:
        with Server(lambda handler: handler.say(401, {
                "Date": email.utils.formatdate(time.time() + ahead,
                                               usegmt=True),
                "WWW-Authenticate": f'Bearer realm="{dockpass.url}/token",'
                                    f'service="{service}"'})) as liar:
            checks = doctor(dockpass, liar.url)[1]
    read = [jwt.decode(headers["Authorization"].removeprefix("Bearer "),
                       options={"verify_signature": False})
            for _, headers, _ in liar.asked
            if "." in headers.get("Authorization", "").replace("a.b.c", "")]
    assert bool(read) == shown
    assert {claims["aud"] for claims in read} <= {"registry"}
    assert all(claims["exp"] <= time.time() + 60 for claims in read)
    for check in () if shown else ("key", "token"):
        assert checks[check]["status"] == "skipped"
        assert "no token is shown to it" in line(checks[check])


def test_a_registry_that_is_open_to_all_is_first(dockpass, tmp_path):
    """Whatever else is wrong."""
    (tmp_path / "dockpass.yaml").write_text("nix: 1\n")
    with Server(always(200)) as registry:
        done = dockpass.run("doctor", registry.url, "--config",
                            tmp_path / "dockpass.yaml", check=False)
    rows = done.stdout.splitlines()
    assert rows[0].startswith("FAIL  config")
    assert rows[-1].startswith("first to mend: challenge: the registry asks "
                               "nobody for a token"), rows
    assert done.stderr.startswith("dockpass: challenge: ")


def test_no_token_follows_a_redirect(dockpass):
    """Neither from the registry nor from the realm."""
    with Server(always(200)) as thief:
        away = {"Location": thief.url + "/v2/"}

        def answer(handler):
            if "Authorization" in handler.headers:
                handler.say(307, away)
            elif handler.path == "/v2/":
                handler.say(401, {"WWW-Authenticate":
                                  f'Bearer realm="{liar.url}/token",'
                                  'service="registry"'})
            else:
                handler.say(302, away)
        with Server(answer) as liar:
            failed, checks = doctor(dockpass, liar.url)
        assert failed[:2] == ["realm", "endpoint"], checks
        assert "the realm is a redirect to " in line(checks["endpoint"])
    assert thief.asked == []


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY",
                                      "ALL_PROXY"])
def test_a_proxy_of_the_environment(dockpass, variable):
    """It is named, its password is not, and it is not asked."""
    proxy = {variable: "http://user:secret-of-the-proxy@localhost:1"}
    with Server(challenge("Negotiate")) as liar:
        checks = doctor(dockpass, liar.url, env=proxy)[1]
        assert checks["registry"]["status"] == "ok"
        assert checks["proxy"]["status"] == "warn"
        assert line(checks["proxy"]).startswith(f"{variable} is set")
        assert "secret-of-the-proxy" not in str(checks)
        checks = doctor(dockpass, liar.url,
                        env={**proxy, "no_proxy": "x,localhost"})[1]
        assert checks["proxy"]["status"] == "ok"
        checks = doctor(dockpass, liar.url, env={**proxy, "no_proxy": "*"})[1]
        assert checks["proxy"]["status"] == "ok"


@pytest.mark.parametrize("word", ["", "ftp://registry", "http://", "http://a b",
                                  "https://user:word@host", "host/path",
                                  "https://host/v2/x"])
def test_what_is_no_address(dockpass, word):
    status, message = dockpass.refused("doctor", word)
    assert status == 2, message


@pytest.mark.parametrize("host", ["registry.invalid", "localhost.invalid",
                                  "127.0.0.1.invalid"])
def test_a_host_that_nobody_knows(dockpass, host):
    """By TLS, whatever its name begins with."""
    failed, checks = doctor(dockpass, host)
    assert failed == ["registry"]
    assert line(checks["registry"]).startswith(
        f"the registry, https://{host}/v2/: its name is not known here: ")


def test_a_private_address(dockpass):
    """Which crane refuses as a realm; docker does not."""
    realm = dockpass.url.replace("localhost", "127.0.0.1") + "/token"
    with Server(challenge(f'Bearer realm="{realm}",service="registry"')) as liar:
        checks = doctor(dockpass, liar.url)[1]
    assert checks["scheme"]["status"] == "warn"
    assert "crane and others refuse a realm at a loopback or private " \
        "address, 127.0.0.1" in line(checks["scheme"])


def test_an_authority_that_is_not_there(dockpass):
    failed, checks = doctor(dockpass, dockpass.url.replace("http", "https"),
                            "--cacert", "/no/such/file")
    assert failed == ["registry"]
    assert "/no/such/file" in line(checks["registry"])


def test_a_registry_without_tls(dockpass):
    """On this machine it is fine; 0 is this machine by another name."""
    answer = challenge('Bearer realm="{ours}",service="registry"')
    with Server(with_realm(answer, dockpass.url + "/token")) as liar:
        assert doctor(dockpass, liar.url)[1]["scheme"]["status"] == "ok"
        check = doctor(dockpass,
                       liar.url.replace("localhost", "0"))[1]["scheme"]
    assert check["status"] == "warn" and "insecure-registries" in line(check)


def test_without_a_configuration(dockpass, tmp_path):
    """What a registry says is told all the same."""
    empty = tmp_path / "dockpass.yaml"
    empty.write_text("nix: 1\n")
    with Server(challenge('Basic realm="x"')) as liar:
        done = dockpass.run("doctor", liar.url, "--config", empty,
                            check=False)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith("FAIL  config") and "yaml:1: nix" in lines[0]
    assert any(row.startswith("FAIL  challenge") for row in lines)
    assert lines[-1].startswith("first to mend: config: ")
