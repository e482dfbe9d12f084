"""A registry and the dockpass that it trusts, as a client meets them."""

import copy
import os
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import jwt

from support.clock import Clock
from support.registry import PROGRAMS
from support.world import World


class Shape(NamedTuple):
    """How the tokens of a service look, and which registry reads them.
    `options`: of the service; `words`: of registry-config."""
    registry: str
    options: dict = {}
    words: list = []
    alg: str = "ES256"
    tls: bool = False
    clock: bool = False


class Certificate:
    """A CA of the test's and a certificate of it for localhost."""

    def __init__(self, folder):
        self.top = Path(folder)
        self.folder = self.top / "ca"
        self.ca = self.folder / "ca.crt"
        self.ca_key = self.top / "ca.key"
        self.folder.mkdir()
        self.run(*self.new(), "-subj", "/CN=test CA", "-addext",
                 "keyUsage=critical,keyCertSign,cRLSign", "-keyout",
                 self.ca_key, "-out", self.ca)
        self.file, self.key = self.issue(
            "tls", "/CN=localhost",
            "subjectAltName=DNS:localhost,IP:127.0.0.1")

    @staticmethod
    def new(kind="P-256", days=20):
        """How openssl makes a certificate of a new key."""
        key = {"P-256": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]}
        return ["openssl", "req", "-x509", "-newkey",
                *key.get(kind, [kind]), "-utf8", "-nodes", "-days", days]

    def issue(self, name, subject, *extensions, by=None, kind="P-256",
              days=20, env=None):
        """The files name.crt, of the CA or of `by` (certificate and key), and
        name.key."""
        ca, ca_key = by or (self.ca, self.ca_key)
        certificate = self.top / f"{name}.crt"
        key = self.top / f"{name}.key"
        if not any("basicConstraints" in line for line in extensions):
            extensions += "basicConstraints=critical,CA:FALSE",
        options = [word for line in extensions for word in ("-addext", line)]
        self.run(*self.new(kind, days), "-subj", subject, *options, "-CA",
                 ca, "-CAkey", ca_key, "-keyout", key, "-out", certificate,
                 env=env)
        key.chmod(0o600)
        return certificate, key

    @staticmethod
    def run(*command, env=None):
        subprocess.run([str(word) for word in command], check=True,
                       capture_output=True, timeout=20,
                       env=env and {**os.environ, **env})

    @property
    def listener(self):
        return {"tls": {"certificate": str(self.file), "key": str(self.key)}}


class Site:
    """`source`: the image of base/img that a mount takes its layers from.
    `clock`: the support.clock.Clock that its dockpass believes, if any."""

    source = "base/img:1"

    def __init__(self, name, world, registry, ca=None, clock=None):
        self.name, self.world, self.registry, self.ca = \
            name, world, registry, ca
        self.clock, self.host = clock, registry.host

    def ref(self, repository):
        return f"{self.host}/{repository}"

    def at(self, host):
        """The same, for a client that is told another host."""
        other = copy.copy(self)
        other.host = host
        return other


def change_key(dockpass, *options):
    """As README says; (the new key, the one before)."""
    old, = [key["kid"] for key in dockpass.json("key", "list")
            if key["state"] == "current"]
    new = dockpass.cli("key", "new", *options).strip()
    dockpass.cli("key", "activate", new)
    return new, old


def check_head(token, dockpass, options, alg):
    """Says what the options of its service ask for: which key, and how."""
    head = jwt.get_unverified_header(token)
    key, = dockpass.json("key", "list")
    assert head["alg"] == key["alg"] == alg, (head, key)
    assert head["kid"] == key[
        "rfc7638" if options.get("kid") == "rfc7638" else "kid"], (head, key)
    assert ("x5c" in head) == options.get("x5c", True), (head, options)


class Sites:
    """A server for each algorithm, with TLS or not, with a clock of its own or
    not; it has all of its registries' services."""

    def __init__(self, folder, shapes):
        self.folder, self.shapes = Path(folder), shapes
        self.worlds, self.sites = {}, {}

    def _services(self, kind):
        return [{"name": name, **shape.options} for name, shape in
                self.shapes.items() if shape[3:] == kind]

    def _world(self, shape):
        kind = alg, tls, clock = shape[3:]
        if kind not in self.worlds:
            folder = self.folder / f"{alg}{'-tls' * tls}{'-clock' * clock}"
            folder.mkdir()
            certificate = Certificate(folder) if tls else None
            world = World(folder, listener=tls and certificate.listener,
                          services=self._services(kind))
            if alg != "ES256":
                _, old = change_key(world, "--alg", alg)
                world.cli("key", "remove", old)
            if tls:
                world.verify = str(certificate.ca)
            world.clock = Clock(folder) if clock else None
            if clock:
                world.clock.set(int(time.time()))
            self.worlds[kind] = world.serve(
                env=world.clock.env() if clock else None), certificate
        return self.worlds[kind]

    def get(self, name):
        if name not in self.sites:
            shape = self.shapes[name]
            world, certificate = self._world(shape)
            given = world.ask(auth=world.basic("root", "api"),
                              fields={"service": name})
            check_head(given.json()["token"], world, shape.options, shape.alg)
            registry = PROGRAMS[shape.registry].make(
                self.folder / name, world, shape.registry, "--service", name,
                *shape.words, tls=certificate)
            self.sites[name] = Site(name, world, registry,
                                    certificate and certificate.ca,
                                    world.clock)
        return self.sites[name]

    def stop(self):
        """All of them, whatever one of them does."""
        def stopped(world):
            assert world.stop() == 0
        with ExitStack() as stack:
            for world, _ in self.worlds.values():
                stack.callback(stopped, world)
            for site in self.sites.values():
                stack.callback(site.registry.stop)
