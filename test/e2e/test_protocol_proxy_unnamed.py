"""A proxy in front that nobody has named: it is told by what it sends, and by
what the configuration says.
"""

import pytest

from support.doctor import doctor, line
from support.ways import basic
from support.wire import Wire, request
from support.world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("unnamed")) as world:
        yield world.serve()


@pytest.fixture(scope="module")
def here(world):
    """A token of this machine's alone."""
    return world.token("alice", "--network", "127.0.0.0/8", scopes="api",
                       name="here")


# a header, whether only a proxy sends it
PROXYS = {header: True for header in (
    "X-Forwarded-For: 9.9.9.9", "X-Forwarded-Proto: https",
    "X-Forwarded-Host: a", "x-forwarded-port: 1", "FORWARDED: proto=https",
    "Forwarded-For: 9.9.9.9", "X-Real-IP: 9.9.9.9", "x-real-ip: 9.9.9.9", "Via: 1.1 nginx",
    "X-Client-IP: 9.9.9.9", "True-Client-IP: 9.9.9.9",
    "CF-Connecting-IP: 9.9.9.9", "X-Original-Forwarded-For: 9.9.9.9",
    "X-Original-URI: /token", "X-Cluster-Client-IP: 9.9.9.9",
    "Fastly-Client-IP: 9.9.9.9", "X-Envoy-External-Address: 9.9.9.9")} | {
        header: False for header in (
            "X-Real: 1", "X-Real-IP-Not: 1", "Viable: 1", "Vi: 1", "X: 1",
            "Forward: 1", "X-Requested-With: 1", "Cookie: a=b",
            "Accept: via")}


@pytest.mark.parametrize("header", PROXYS)
def test_what_tells_a_proxy_of_this_machine(world, here, header):
    """It need not say for whom it asks. The next request is another's."""
    with Wire(world.port) as wire:
        for more, is_proxy in (([header], PROXYS[header]), ([], False)):
            answer = wire.send(request(
                "GET /token?service=registry",
                f"Authorization: {basic('x', here)}", *more,
                "Accept: */*")).answer()
            assert answer.status_code == (401 if is_proxy else 200)


HTTPS = "https://auth.example.com"
UNNAMED = "url is https, and no listener has TLS or is reached from " \
    "elsewhere: all clients of the proxy in front count as this machine, " \
    "whose guesses are not counted"


def test_a_proxy_that_the_configuration_tells_of(own_world):
    """nginx's bare proxy_pass sends no header that does."""
    own_world.configure(url=HTTPS)
    own_world.serve()
    warning, = own_world.log("proxy")
    assert warning["message"] == f"{UNNAMED}; name it under trusted_proxies"
    own_world.reload()
    assert own_world.log("proxy")[1:] == [
        {**warning, "time": own_world.log("proxy")[1]["time"]}]
    checked = own_world.run("check", "--config", own_world.config_file)
    assert f"{UNNAMED}; name it" in checked.stderr
    warnings = doctor(own_world)[1]["warnings"]
    assert warnings["status"] == "warn"
    assert line(warnings) == f"{UNNAMED}; name it under trusted_proxies"


# what is configured, of which there is no doubt
CLEAR = {"plain": {}, "http": {"url": "http://auth.example.com"},
         "named": {"url": HTTPS, "trusted_proxies": "127.0.0.1"},
         "from elsewhere": {"url": HTTPS, "listener": {"address": "0.0.0.0"}},
         "from elsewhere, too": {"url": HTTPS, "listener": {"address": "[::]"}},
         "PROXY": {"url": HTTPS, "listener": {"proxy_protocol": True},
                   "trusted_proxies": "127.0.0.1"}}


@pytest.mark.parametrize("host", ["127.1.2.3", "[::1]"])
def test_whoever_is_reached_from_here_alone(own_world, host):
    own_world.configure(url=HTTPS,
                        listener={"address": f"{host}:{own_world.port}"})
    checked = own_world.run("check", "--config", own_world.config_file)
    assert f"{UNNAMED}; name it" in checked.stderr


def test_a_proxy_that_says_whose_a_connection_is(own_world):
    """That it is not named is another line's, the only one."""
    own_world.configure(url=HTTPS, listener={"proxy_protocol": True})
    checked = own_world.run("check", "--config", own_world.config_file)
    assert checked.stderr.count("dockpass: warning: ") == 1
    assert "proxy_protocol without trusted_proxies" in checked.stderr


@pytest.mark.parametrize("options", CLEAR.values(), ids=CLEAR)
def test_no_doubt(own_world, options):
    address = options.get("listener", {}).get("address")
    if address:
        options = {**options,
                   "listener": {"address": f"{address}:{own_world.port}"}}
    own_world.configure(**options)
    checked = own_world.run("check", "--config", own_world.config_file)
    assert checked.stderr == ""
