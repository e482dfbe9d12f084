"""The rows and the columns: clients, and registries by the look of their
tokens. A client more is a class with the verbs of support/clients.py, in the
list of its file.
"""

from typing import NamedTuple

from support import modern
from support.clients import KINDS
from support.clients_go import GO
from support.clients_python import PythonDocker
from support.registry import PROGRAMS
from support.site import Shape

# name: class, made from its folder and the daemons: those of
# support/modern.py for what is there.
DEBIAN = {**KINDS, PythonDocker.name: PythonDocker}
CLIENTS = {**DEBIAN, **{kind.name: kind for kind in GO}, **modern.CLIENTS}

REFRESH = {"refresh_tokens": True}
KID, RFC = {"x5c": False}, {"x5c": False, "kid": "rfc7638"}
TWO, THREE = ["--registry", "2"], ["--registry", "3"]

_THREE = {
    "": ({}, [], "ES256"),
    "jwks ES256": (KID, THREE, "ES256"),
    "rfc7638 ES256": (RFC, THREE, "ES256"),
    "x5c RS256": ({}, [], "RS256"),
    "rfc7638 RS256": (RFC, THREE, "RS256"),
    "x5c EdDSA": ({}, THREE, "EdDSA"),
    "jwks EdDSA": (KID, THREE, "EdDSA"),
}
# registry: {look: (options of the service, of registry-config, algorithm)};
# "": the default, with every operation.
LOOKS = {
    "2.8": {
        "": ({}, [], "ES256"),
        "kid ES256": (KID, TWO, "ES256"),
        "x5c RS256": ({}, [], "RS256"),
        "kid RS256": (KID, TWO, "RS256"),
    },
    "3.0": _THREE,
    "3.1": _THREE,
    # It looks at the signature alone, by the one key that it has.
    "zot": {
        "": ({}, [], "ES256"),
        "RS256": ({}, [], "RS256"),
        "EdDSA": ({}, THREE, "EdDSA"),
    },
}
REGISTRIES = list(LOOKS)


class Column(NamedTuple):
    registry: str
    look: str

    @property
    def name(self):
        """The service's; also the folder's."""
        return f"{self.registry} {self.look}".strip().replace(" ", "-")


COLUMNS = [Column(registry, look) for registry, looks in LOOKS.items()
           for look in looks]
# (client, column, operation): why it must fail, and what that looks like. If
# it does not fail so, the cell has failed.
DEAD = "zot answers a dead token without a challenge: nothing tells the " \
    "client to ask for another", "401:? Unauthorized"
KEEPS = "it keeps a JWT as long as that lives, across a login", "<done: "
NO_CATALOG = "zot wants a right to pull from the repository without a name; " \
    "dockpass gives no such right", "(?i:unauthorized)"
UNASKED = "zot refuses it by itself: the client asks dockpass for no right", \
    r"\('nothing',\) in the log"
CANNOT = {
    **{(client, "zot", "long push"): DEAD
       for client in ("containerd", "crane", "oras", "helm")},
    **{("buildkit", registry, operation): KEEPS
       for registry in REGISTRIES for operation in (
           "revoked after login", "expired after login", "identity token")},
    **{(client, "zot", "catalog as admin"): NO_CATALOG
       for client in ("podman", "crane", "oras", "regctl")},
    **{(client, "zot", "catalog refused"): UNASKED
       for client in ("podman", "regctl")},
}

# What stands beside each registry's first column, for some operations. The
# other one has to tell one service from another.
BESIDE = {
    "other": lambda registry: Shape(
        registry if PROGRAMS[registry].make.reads_service
        else "3.1", REFRESH),
    "brief": lambda registry: Shape(registry, {"ttl": 60}),
    "clock": lambda registry: Shape(registry, clock=True),
}


def shapes():
    """{service: Shape} of all, for support.site.Sites."""
    made = {column.name: Shape(column.registry,
                               *LOOKS[column.registry][column.look])
            for column in COLUMNS}
    for registry in REGISTRIES:
        # Where nobody else has put anything.
        made[f"{registry}-oci"] = Shape(registry)
        for name, shape in BESIDE.items():
            made[f"{registry}-{name}"] = shape(registry)
    return made
