"""The rows and the columns: clients, and registries by the look of their
tokens. A client more is a class with the verbs of support/clients.py, and a
row here.
"""

from typing import Callable, NamedTuple

from support import modern
from support.clients import KINDS, Containerd, Docker
from support.clients_go import GO
from support.clients_python import PythonDocker
from support.site import Shape


class Row(NamedTuple):
    """`make`: a client from its folder and the daemons; `modern`: those of
    support/modern.py."""
    kind: type
    make: Callable
    modern: bool = False

    def has(self, operation):
        return bool(getattr(self.kind, operation.verbs, None))


def _row(kind):
    if issubclass(kind, (Docker, Containerd)):
        return Row(kind, kind)
    return Row(kind, lambda folder, _: kind(folder))


CLIENTS = {kind.name: _row(kind)
           for kind in (*KINDS.values(), PythonDocker, *GO)} | {
    name: Row(kind, kind, True) for name, kind in modern.CLIENTS.items()}
# Those that `make test` has, too.
DEBIAN = [*KINDS, PythonDocker.name]

REGISTRIES = ["2.8", "3.0", "3.1", "zot"]
REFRESH = {"refresh_tokens": True}
KID, RFC = {"x5c": False}, {"x5c": False, "kid": "rfc7638"}
TWO, THREE = ["--registry", "2"], ["--registry", "3"]

# registry: {look: (options of the service, of registry-config, algorithm)};
# "": the default, with every operation.
LOOKS = {
    "2": {
        "": ({}, [], "ES256"),
        "kid ES256": (KID, TWO, "ES256"),
        "x5c RS256": ({}, [], "RS256"),
        "kid RS256": (KID, TWO, "RS256"),
    },
    "3": {
        "": ({}, [], "ES256"),
        "jwks ES256": (KID, THREE, "ES256"),
        "rfc7638 ES256": (RFC, THREE, "ES256"),
        "x5c RS256": ({}, [], "RS256"),
        "rfc7638 RS256": (RFC, THREE, "RS256"),
        "x5c EdDSA": ({}, THREE, "EdDSA"),
        "jwks EdDSA": (KID, THREE, "EdDSA"),
    },
    # It looks at the signature alone, by the one key that it has.
    "z": {
        "": ({}, [], "ES256"),
        "RS256": ({}, [], "RS256"),
        "EdDSA": ({}, THREE, "EdDSA"),
    },
}


class Column(NamedTuple):
    registry: str
    look: str

    @property
    def name(self):
        """The service's; also the folder's."""
        return f"{self.registry} {self.look}".strip().replace(" ", "-")


COLUMNS = [Column(registry, look) for registry in REGISTRIES
           for look in LOOKS[registry[0]]]
DEAD = "zot answers a dead token without a challenge: nothing tells the " \
    "client to ask for another"
# (client, column, operation): why it must fail. Once it does not, it fails.
CANNOT = {(client, "zot", "long push"): DEAD
          for client in ("containerd", "crane", "oras", "helm")}

CANNOT |= {("buildkit", registry, operation):
           "it keeps a JWT as long as that lives, across a login"
           for registry in REGISTRIES for operation in (
               "revoked after login", "expired after login", "identity token")}

# What stands beside each registry's first column, for some operations. zot
# reads no service: the other one is distribution.
BESIDE = {
    "other": lambda registry: Shape(
        "3.1" if registry == "zot" else registry, REFRESH),
    "brief": lambda registry: Shape(registry, {"ttl": 60}),
    "clock": lambda registry: Shape(registry, clock=True),
}


def shapes():
    """{service: Shape} of all, for support.site.Sites."""
    made = {column.name: Shape(column.registry,
                               *LOOKS[column.registry[0]][column.look])
            for column in COLUMNS}
    for registry in REGISTRIES:
        for name, shape in BESIDE.items():
            made[f"{registry}-{name}"] = shape(registry)
    return made
