"""Who and what the tests ask about.

All of the users are made once for a server; a test that changes one makes
another of its own.
"""

from support.dockpass import Dockpass

USERS = {
    "alice": [], "bob": [], "carol": [], "gus": [], "eve": [],
    "ext": ["--external"], "root": ["--admin"], "blk": [],
}
# path: what `project add` is given, {user: role}
EVERYBODY = {"alice": "developer", "bob": "maintainer", "carol": "reporter",
             "gus": "guest", "blk": "developer"}
PROJECTS = {
    "g/priv": ["--visibility", "private"],
    "g/int": ["--visibility", "internal"],
    "g/pub": ["--visibility", "public"],
    "g/memb": ["--visibility", "public", "--registry", "private"],
    "g/off": ["--visibility", "private", "--registry", "disabled"],
    "g/arch": ["--visibility", "private"],
    "team/app": ["--visibility", "private"],
    "base/img": ["--visibility", "private"],
}
SERVICES = [
    {"name": "registry", "refresh_tokens": True},
    {"name": "other", "refresh_tokens": True},
    {"name": "plain"},
    {"name": "closed", "anonymous": False},
]


class World(Dockpass):
    """Roles: EVERYBODY in group g; alice is a maintainer of team/app and a
    reporter of base/img. bob has a password, and two-factor is on."""

    PASSWORD = "p&ä:+ %correct horse"

    def __init__(self, folder, **kwargs):
        super().__init__(folder, **{"services": SERVICES, **kwargs})
        self._pats = {}
        for name, flags in USERS.items():
            self.user(name, *flags, password=self.PASSWORD
                      if name in ("bob", "carol") else None)
        for path, options in PROJECTS.items():
            self.cli("project", "add", path, *options)
        for name, role in EVERYBODY.items():
            self.cli("member", "add", "g", name, role)
        self.cli("member", "add", "team/app", "alice", "maintainer")
        self.cli("member", "add", "base/img", "alice", "reporter")
        self.cli("project", "set", "g/arch", "--archived", "true")
        self.cli("user", "two-factor", "bob", "on")
        self.pat("blk", "api")
        self.cli("user", "block", "blk")

    def pat(self, user, scopes):
        """A living token of a user with these scopes, made once."""
        key = user, scopes
        if key not in self._pats:
            self._pats[key] = self.token(user, scopes=scopes,
                                         name=f"{user} {scopes}")
        return self._pats[key]

    def basic(self, user, scopes):
        return user, self.pat(user, scopes)
