"""A request names its host once (RFC 9112 3.2), whichever way it comes: each
row of what is a host is test_gate.c's and test_protocol_http.py's.
"""

import ssl

import pytest

from support import metrics, tokens
from support.dockpass import Dockpass
from support.process import free_ports
from support.site import Certificate
from support.wire import Wire

WAYS = ["plain", "tls", "proxied", "admin"]
LINE = b"GET /healthz HTTP/1.1\r\n"
BAD = {"none": b"", "two": b"Host: a\r\nHost: a\r\n", "no host": b"Host: a/\r\n"}


class Site:
    """A dockpass with a listener of each kind."""

    def __init__(self, folder):
        certificate = Certificate(folder)
        plain, tls, proxied = free_ports(3)
        self.context = ssl.create_default_context(cafile=certificate.ca)
        self.dockpass = Dockpass(folder, listeners=[
            {"address": f"127.0.0.1:{plain}"},
            {"address": f"127.0.0.1:{tls}", **certificate.listener},
            {"address": f"127.0.0.1:{proxied}", "proxy_protocol": True}]
        ).serve()
        self.ports = dict(zip(WAYS, (plain, tls, proxied,
                                     self.dockpass.admin_port)))

    def wire(self, way):
        wire = Wire(self.ports[way], self.context if way == "tls" else None)
        if way == "proxied":
            wire.send(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")
        return wire


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("host"))
    yield site
    assert site.dockpass.stop() == 0


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("hosts", BAD.values(), ids=BAD.keys())
def test_without_one_host_it_is_refused(site, way, hosts):
    before = metrics.scrape(site.dockpass)
    with site.wire(way) as wire:
        answer = wire.send(LINE + hosts + b"\r\n").answer()
        assert tokens.refusal(answer, 400, "BAD_REQUEST") == \
            "a request names its host once, as `Host: auth.example.com`"
        assert answer.headers["Connection"] == "close" and wire.rest() == b""
    rise = metrics.rise(before, metrics.scrape(site.dockpass))
    assert rise.get('dockpass_http_responses_total{code="400"}', 0) == \
        (way != "admin")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("data", [
    LINE + b"Host: a\r\n\r\n", LINE + b"Host:\r\n\r\n",
    b"GET /healthz HTTP/1.0\r\n\r\n", b"GET /healthz HTTP/1.0\r\nHost: a\r\n\r\n"])
def test_with_one_it_is_answered(site, way, data):
    with site.wire(way) as wire:
        assert wire.send(data).answer().status_code == 200
