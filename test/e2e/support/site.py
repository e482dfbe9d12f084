"""A registry and the dockpass that it trusts, as a client meets them."""

import subprocess
from pathlib import Path

from support.registry import Registry
from support.world import World

# name: (registry, options of the service, options of registry-config)
SHAPES = {
    "2.8": ("2.8", {}, []),
    "2.8-kid": ("2.8", {"x5c": False}, ["--registry", "2"]),
    "3.1": ("3.1", {}, []),
    "3.1-jwks": ("3.1", {"x5c": False}, ["--registry", "3"]),
    "2.8-tls": ("2.8", {}, []),
    "3.1-tls": ("3.1", {}, []),
}


class Certificate:
    """A CA of the test's and a certificate of it for localhost."""

    def __init__(self, folder):
        self.folder = Path(folder) / "ca"
        self.folder.mkdir()
        self.ca = self.folder / "ca.crt"
        self.file, self.key = folder / "tls.crt", folder / "tls.key"
        new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
               "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
        self.run(*new, "-subj", "/CN=test CA", "-keyout", folder / "ca.key",
                 "-out", self.ca)
        self.run(*new, "-subj", "/CN=localhost", "-addext",
                 "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext",
                 "basicConstraints=critical,CA:FALSE", "-CA", self.ca,
                 "-CAkey", folder / "ca.key", "-keyout", self.key, "-out",
                 self.file)
        self.key.chmod(0o600)

    @staticmethod
    def run(*command):
        subprocess.run([str(word) for word in command], check=True,
                       capture_output=True, timeout=20)

    @property
    def listener(self):
        return {"tls": {"certificate": str(self.file), "key": str(self.key)}}


class Site:
    """`source`: the image of base/img that a mount takes its layers from."""

    source = "base/img:1"

    def __init__(self, name, world, registry, ca=None):
        self.name, self.world, self.registry, self.ca = \
            name, world, registry, ca
        self.host = registry.host

    def ref(self, repository):
        return f"{self.host}/{repository}"


class Sites:
    """Two servers, one with TLS; each has all of its registries' services."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.worlds, self.sites = {}, {}

    def _world(self, tls):
        if tls not in self.worlds:
            folder = self.folder / ("tls" if tls else "plain")
            folder.mkdir()
            self.certificate = Certificate(folder) if tls else None
            world = World(folder, listener=tls and self.certificate.listener,
                          services=[{"name": name, **options} for
                                    name, (_, options, _) in SHAPES.items()])
            if tls:
                world.verify = str(self.certificate.ca)
            self.worlds[tls] = world.serve()
        return self.worlds[tls]

    def get(self, name):
        if name not in self.sites:
            tls = name.endswith("-tls")
            version, _, options = SHAPES[name]
            world = self._world(tls)
            certificate = self.certificate if tls else None
            registry = Registry(self.folder / name, world, version,
                                "--service", name, *options, tls=certificate)
            self.sites[name] = Site(name, world, registry,
                                    tls and certificate.ca)
        return self.sites[name]

    def stop(self):
        for site in self.sites.values():
            site.registry.stop()
        for world in self.worlds.values():
            assert world.stop() == 0
