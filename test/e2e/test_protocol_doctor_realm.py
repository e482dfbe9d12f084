"""dockpass doctor: whose service a registry claims to be, and where it sends its
clients. Each registry here takes any token, as none is wrong with those.
"""

import time

import jwt
import pytest

from support.dockpass import Dockpass, on
from support.doctor import doctor, line
from support.http import Server
from support.process import free_ports
from support.site import Certificate


@pytest.fixture(scope="module")
def dockpass(tmp_path_factory):
    with Dockpass(tmp_path_factory.mktemp("doctor")) as dockpass:
        yield dockpass.serve()


SEVERAL = [{"name": "registry"}, {"name": "other"}, {"name": "localhost"}]


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """A server of three services."""
    with Dockpass(tmp_path_factory.mktemp("several"),
                  services=SEVERAL) as dockpass:
        yield dockpass.serve()


def takes_all(realm, service):
    """A registry that takes each token."""
    return lambda handler: handler.say(
        200 if "Authorization" in handler.headers else 401,
        {"WWW-Authenticate": f'Bearer realm="{realm}",service="{service}"'})


# what it claims, what --service says, status, parts of the line, what is shown
CLAIMS = {
    "another, and it is said": (
        "other", "registry", "fail",
        ["calls itself 'other', which is another service (",
         "services[1].name), and takes that one's tokens, it ought to be "
         "'registry' (", "services[0].name)",
         "write auth.token.service: registry in the registry's config.yml"]),
    "nobody's, and it is said": (
        "REGISTRY", "other", "fail",
        ["calls itself 'REGISTRY', it ought to be 'other' (",
         "write auth.token.service: other"]),
    "what is said": ("other", "other", "ok", ["'other' is configured"]),
    "another than it is addressed as": (
        "other", None, "warn",
        ["calls itself 'other' (", "services[1].name) and takes that one's "
         "tokens; 'localhost' (", "services[2].name) is called as it is "
         "addressed", "write auth.token.service: localhost",
         "or say --service other, if it is right"]),
    "as it is addressed": (
        "localhost", None, "ok",
        ["one of 3: add --service NAME to see whether it is the right one"]),
    "none, which is to be another": (
        "", "other", "fail", ["names no service",
                              "write auth.token.service: other"]),
    "none, and none is said": (
        "", None, "fail", ["names no service",
                           "write auth.token.service: localhost"]),
    "nobody's, and nearly one's": (
        "REGISTRY", None, "fail",
        ["'registry' differs in case, blanks or hyphens",
         "write auth.token.service: registry in"]),
    "nobody's": ("nix", None, "fail", ["write auth.token.service: localhost"]),
    "one that is said and not here": (
        "other", "nix", "fail", ["--service nix: no service has that name",
                                 "it has registry, other, localhost"]),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_whose_service_it_is(several, name):
    """A token for one service is none for another: it is not shown where
    --service says that it is wrong."""
    claim, meant, status, says = CLAIMS[name]
    words = ["--service", meant] if meant else []
    with Server(takes_all(several.url + "/token", claim)) as registry:
        failed, checks = doctor(several, registry.url, *words)
    assert checks["service"]["status"] == status, checks["service"]
    assert failed[:1] == (["service"] if status == "fail" else [])
    for part in says:
        assert part in line(checks["service"]), checks["service"]
    keys = [jwt.decode(headers["Authorization"].removeprefix("Bearer "),
                       options={"verify_signature": False})
            for _, headers, _ in registry.asked if "Authorization" in headers]
    assert (checks["key"]["status"] == "skipped") == (status == "fail")
    if status != "fail":
        assert keys and {claims["aud"] for claims in keys} == {claim}


def test_the_only_service_is_the_right_one(dockpass):
    with Server(takes_all(dockpass.url + "/token", "registry")) as registry:
        check = doctor(dockpass, registry.url)[1]["service"]
    assert check["status"] == "ok"
    assert line(check) == "'registry' is configured"


def test_a_service_that_is_called_after_host_and_port(tmp_path):
    port, = free_ports(1)
    name = f"localhost:{port}"
    with Dockpass(tmp_path, services=[{"name": "registry"},
                                      {"name": name}]).serve() as dockpass:
        with Server(takes_all(dockpass.url + "/token", "registry"),
                    port) as registry:
            check = doctor(dockpass, registry.url)[1]["service"]
    assert check["status"] == "warn" and f"'{name}' (" in line(check), check


def test_x5c_beside_the_other_id(tmp_path):
    """Such tokens of the realm are signed by a key of ours, too."""
    with Dockpass(tmp_path, services=[
            {"name": "registry", "kid": "rfc7638"}]).serve() as dockpass:
        with Server(takes_all(dockpass.url + "/token",
                              "registry")) as registry:
            failed, checks = doctor(dockpass, registry.url)
    assert failed == [] and checks["signer"]["status"] == "ok", checks


@pytest.mark.usefixtures("faketime")
def test_a_certificate_that_has_ended(tmp_path):
    """Tokens go without x5c then, and that is what must be taken."""
    def answer(handler):
        """Takes what names its key by x5c alone."""
        _, _, token = handler.headers.get("Authorization", "").partition(" ")
        x5c = token.count(".") == 2 and token != "a.b.c" and \
            "x5c" in jwt.get_unverified_header(token)
        handler.say(200 if x5c else 401, {
            "WWW-Authenticate": f'Bearer realm="{dockpass.url}/token",'
                                'service="registry"'})
    dockpass = Dockpass(tmp_path)
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 3660 * 86400))
    with Server(answer) as registry:
        failed, checks = doctor(dockpass, registry.url, env=on(day))
    assert "form" in failed, checks
    assert "names its key by kid: libtrust, the registry finds it only by " \
        "x5c" in line(checks["form"])


@pytest.mark.parametrize("url, realm", [
    ("http://localhost:80", "http://localhost/token"),
    ("https://localhost:443", "https://localhost/token"),
    ("http://localhost", "http://localhost:80/token"),
    ("https://localhost", "https://someone:x@localhost/token")])
def test_the_same_realm_in_other_words(tmp_path, url, realm):
    dockpass = Dockpass(tmp_path)
    dockpass.configure(url=url)
    with Server(takes_all(realm, "registry")) as registry:
        checks = doctor(dockpass, registry.url)[1]
    assert checks["realm"]["status"] == "ok", checks["realm"]
    assert "is this dockpass" in checks["realm"]["message"]


@pytest.mark.parametrize("end", ["#x", "?a b"])
def test_a_realm_that_is_not_asked(dockpass, end):
    with Server(takes_all(dockpass.url + "/token" + end,
                          "registry")) as registry:
        check = doctor(dockpass, registry.url)[1]["endpoint"]
    assert check["status"] == "fail" and "is no address" in line(check)


def test_a_realm_for_those_with_a_certificate(tmp_path):
    """It cannot be asked from here, and that is no failure."""
    own = Certificate(tmp_path)
    with Dockpass(tmp_path, listener={"tls": {
            **own.listener["tls"], "client_ca": str(own.ca)}}) as dockpass:
        dockpass.configure(url=f"https://localhost:{dockpass.port}")
        dockpass.serve()
        with Server(takes_all(dockpass.url + "/token", "registry"),
                    certificate=own) as registry:
            failed, checks = doctor(dockpass, registry.url, "--cacert",
                                    own.ca)
    assert failed == [] and checks["endpoint"]["status"] == "warn", checks
    assert "a listener here has client_ca" in line(checks["endpoint"])


def test_a_secret_that_a_registry_says_is_not_shown(tmp_path):
    """A realm that somebody has pasted his token into."""
    with Dockpass(tmp_path) as dockpass:
        dockpass.user("alice")
        secret = dockpass.token("alice", scopes="api")
        with Server(takes_all(f"http://localhost/{secret}",
                              "registry")) as registry:
            done = dockpass.run("doctor", registry.url, "--config",
                                dockpass.config_file, check=False)
    assert "FAIL  realm" in done.stdout
    assert secret not in done.stdout + done.stderr


def test_a_service_is_of_a_registry(several):
    assert several.refused("doctor", "--service", "other")[0] == 2


# the realm's end, parts of the line of the check that fails first
REALMS = {
    "?service=other": (
        "realm", ["asks for the service 'other', the registry itself for "
                  "'registry', which it ought to be alone",
                  "write auth.token.realm: http"]),
    "?service=registry": (None, []),
    "?account=service": (None, []),
    "?x=1&service=%6fther": ("realm", ["the service 'other'"]),
}


@pytest.mark.parametrize("end", REALMS)
def test_a_realm_that_names_a_service(several, end):
    """docker sends both, which is a 400 for every client."""
    first, says = REALMS[end]
    realm = several.url + "/token" + end
    with Server(takes_all(realm, "registry")) as registry:
        failed, checks = doctor(several, registry.url)
    assert failed[:1] == ([first] if first else []), checks
    if first:
        assert checks["endpoint"]["status"] == "fail"
        assert "refuses the service 'registry', which is configured here" in \
            line(checks["endpoint"])
    for part in says:
        assert part in line(checks[first]), checks[first]


def test_a_service_that_the_server_was_not_told_of(tmp_path):
    with Dockpass(tmp_path).serve() as dockpass:
        dockpass.configure(services=[*dockpass.config["services"],
                                     {"name": "new"}])
        with Server(takes_all(dockpass.url + "/token", "new")) as registry:
            failed, checks = doctor(dockpass, registry.url)
            assert failed == ["endpoint"], checks
            assert "refuses the service 'new'" in line(checks["endpoint"])
            assert "dockpass reload" in checks["endpoint"]["mend"]
            dockpass.reload()
            assert doctor(dockpass, registry.url)[0] == []


def test_a_realm_that_is_another_listener_of_ours(tmp_path):
    """Its admin listener gives no tokens, one for proxies none to clients."""
    proxies, = free_ports(1)
    with Dockpass(tmp_path, trusted_proxies="127.0.0.1") as dockpass:
        dockpass.configure(listeners=[
            *dockpass.config["listeners"],
            {"address": f"127.0.0.1:{proxies}", "proxy_protocol": True}])
        dockpass.serve()
        for port, says in [
                (dockpass.admin_port, "; that is admin.address, 127.0.0.1:"
                 f"{dockpass.admin_port}, which gives no tokens"),
                (proxies, f"; that is listeners[1], 127.0.0.1:{proxies}, "
                 "which waits for a PROXY header")]:
            realm = f"http://localhost:{port}/token"
            with Server(takes_all(realm, "registry")) as registry:
                failed, checks = doctor(dockpass, registry.url)
            assert failed[0] == "realm", checks
            assert says in line(checks["realm"]), checks["realm"]
            assert "another name" not in line(checks["realm"])


def test_a_realm_at_the_very_address_of_a_listener(tmp_path):
    """Which need not be a name of this machine, nor be asked now."""
    port, = free_ports(1)
    dockpass = Dockpass(tmp_path)
    dockpass.configure(listeners=[*dockpass.config["listeners"],
                                  {"address": f"0.0.0.0:{port}"}])
    with Server(takes_all(f"http://0.0.0.0:{port}/token",
                          "registry")) as registry:
        check = doctor(dockpass, registry.url)[1]["realm"]
    assert f"; that is listeners[1], 0.0.0.0:{port}" in check["message"]
    with Server(takes_all(f"http://0.0.0.0:{port + 1}/token",
                          "registry")) as registry:
        check = doctor(dockpass, registry.url)[1]["realm"]
    assert "that is" not in check["message"]


def test_a_realm_where_no_tokens_are(dockpass):
    realm = dockpass.url + "/.well-known/jwks.json"
    with Server(takes_all(realm, "registry")) as registry:
        failed, checks = doctor(dockpass, registry.url)
    assert failed[0] == "realm"
    assert "which gives no tokens at '/.well-known/jwks.json'" in \
        line(checks["realm"])
