"""Real proxies in front: HAProxy by X-Forwarded-For and by the PROXY protocol in
both its versions, under TLS too; nginx by X-Forwarded-For.

Clients come from 127.0.0.2, the proxies from 127.0.0.5: the log must say where
the clients are.
"""

import socket
import ssl

import pytest

from support import secrets, ways
from support.clients import KINDS
from support.process import Daemon, free_ports, is_open, wait_until
from support.registry import PROGRAMS
from support.site import Certificate, Site
from support.ways import basic
from support.wire import Wire, request
from support.world import World

PROXY, CLIENT = "127.0.0.5", "127.0.0.2"
SPOOFED = ["X-Forwarded-For: 6.6.6.6"]

HAPROXY = """
global
    stats socket {folder}/haproxy.sock mode 600
defaults
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen http
    mode http
    bind 127.0.0.1:{http}
    option forwardfor
    server dockpass 127.0.0.1:{plain} source {proxy}
listen elsewhere
    mode http
    bind 127.0.0.1:{elsewhere}
    http-request set-header X-Forwarded-For 192.0.2.50
    server dockpass 127.0.0.1:{plain} source {proxy}
listen v1
    bind 127.0.0.1:{v1}
    option httpchk GET /healthz
    server dockpass 127.0.0.1:{proxied} source {proxy} send-proxy check check-send-proxy inter 200ms
listen v2
    bind 127.0.0.1:{v2}
    option httpchk GET /healthz
    server dockpass 127.0.0.1:{proxied} source {proxy} send-proxy-v2 proxy-v2-options crc32c,unique-id check check-send-proxy inter 200ms
listen tls
    bind 127.0.0.1:{tls}
    option httpchk GET /healthz
    server dockpass 127.0.0.1:{secure} source {proxy} send-proxy-v2 check check-ssl verify none check-send-proxy inter 200ms
"""

NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{nginx};
        location / {{
            proxy_pass http://127.0.0.1:{plain};
            proxy_bind {proxy};
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}
}}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("p")
    names = ("plain", "proxied", "secure", "http", "elsewhere", "v1", "v2",
             "tls", "nginx")
    ports = dict(zip(names, free_ports(len(names))))
    certificate = Certificate(folder)

    def listener(name, **more):
        return {"address": f"127.0.0.1:{ports[name]}", **more}
    with World(folder, trusted_proxies=PROXY,
               url=f"http://localhost:{ports['elsewhere']}", listeners=[
            listener("plain"), listener("proxied", proxy_protocol=True),
            listener("secure", proxy_protocol=True, **certificate.listener)],
            guard={"failures": 3}) as world:
        world.ports, world.port = ports, ports["plain"]
        world.socket = folder / "haproxy.sock"
        world.context = ssl.create_default_context(cafile=certificate.ca)
        world.serve()
        daemons = []
        for command, config in (
                (["haproxy", "-db", "-f"], HAPROXY),
                (["nginx", "-c"], NGINX)):
            file = folder / f"{command[0]}.conf"
            file.write_text(config.format(folder=folder, proxy=PROXY, **ports))
            daemons.append(Daemon([f"/usr/sbin/{command[0]}", *command[1:],
                                   file], folder / f"{command[0]}.out"))
        for name in names[3:]:
            wait_until(lambda port=ports[name]: is_open(port), 10, name)
        yield world
        for daemon in daemons:
            daemon.end()


def ask(world, way, secret, *headers):
    """(status, address in the log) of a client behind that proxy."""
    before = len(world.log("token"))
    with Wire(world.ports[way], source=CLIENT,
              tls=world.context if way == "tls" else None) as wire:
        answer = wire.send(request(
            "GET /token?service=registry",
            f"Authorization: {basic('x', secret)}", *headers)).answer()
    return answer.status_code, world.logged(before)[0]["addr"]


@pytest.mark.parametrize("headers", [[], SPOOFED], ids=["plain", "spoofed"])
@pytest.mark.parametrize("way", ["http", "v1", "v2", "tls", "nginx"])
def test_the_client_is_known(world, way, headers):
    secret = world.pat("alice", "api")
    for _ in range(3):
        assert ask(world, way, secret, *headers) == (200, CLIENT)


def test_a_spoofed_forwarded_hides_and_does_no_more(world):
    """These proxies let it pass: two headers that name two clients."""
    secret = world.pat("alice", "api")
    for way in ("http", "nginx"):
        assert ask(world, way, secret, "Forwarded: for=6.6.6.6") == (
            200, PROXY)
        assert ask(world, way, secret, f"Forwarded: for={CLIENT}") == (
            200, CLIENT)


@pytest.mark.parametrize("way", ["http", "nginx", "v1"])
def test_networks_of_tokens(world, way):
    right = world.token("alice", "--network", CLIENT, scopes="api", name=way)
    other = world.token("alice", "--network", "6.6.6.6", "--network", PROXY,
                        scopes="api", name=f"{way} other")
    assert ask(world, way, right, *SPOOFED) == (200, CLIENT)
    assert ask(world, way, other, *SPOOFED) == (401, CLIENT)


def test_health_checks_are_the_proxy_s_own(world):
    """By LOCAL and UNKNOWN: all of its servers are up by a whole answer."""
    def statuses():
        with socket.socket(socket.AF_UNIX) as stats:
            stats.connect(str(world.socket))
            stats.sendall(b"show stat\n")
            text = b"".join(iter(lambda: stats.recv(65536), b"")).decode()
        head, *rows = [line.split(",") for line in text.splitlines() if line]
        rows = [dict(zip(head, row)) for row in rows]
        return {row["# pxname"]: row["check_status"] for row in rows
                if row["svname"] == "dockpass"}
    wait_until(lambda: [statuses()[name] for name in ("v1", "v2", "tls")] ==
               3 * ["L7OK"], 20, statuses)


def test_every_way_through_nginx(world):
    """Bodies, too."""
    world.port = world.ports["nginx"]
    try:
        for way in ("GET-Basic", "GET-Bearer", "POST-password", "POST-Basic",
                    "POST-refresh"):
            answer = ways.WAYS[way](world, world.pat("alice", "api"))
            assert answer.status_code == 200, way
    finally:
        world.port = world.ports["plain"]


def test_a_real_containerd_counts_once(world, daemons, tmp_path):
    """It shows each secret by POST and then by GET; guard.failures is 3. Its
    requests are those of another machine, by a proxy."""
    registry = PROGRAMS["2.8"].make(tmp_path / "registry", world, "2.8",
                                    "--service", "registry")
    site, ctr = Site("registry", world, registry), \
        KINDS["containerd"](tmp_path / "ctr", daemons)
    seen = len(world.log("token"))
    try:
        for i in range(4):
            secret = secrets.remember(f"glpat-containerd-{i:09}")
            ctr.login(site, "alice", secret)
            assert not ctr.pull(site, "g/priv/img:1")
        lines = world.logged(seen, 7)
        assert {line["addr"] for line in lines} == {"192.0.2.50"}
        assert [line["us"] < 400000 for line in lines[:7]] == \
            6 * [True] + [False]
        ctr.login(site, *world.basic("alice", "api"))
        assert not ctr.pull(site, "g/priv/img:1")
        assert world.logged(seen + len(lines))[-1]["reason"] == "granted"
    finally:
        registry.stop()
