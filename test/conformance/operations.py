"""The operations of the matrix: what a client does at a registry, and what
must come of it. Each is checked three times over: what the client says, what
dockpass has logged, what the registry has.
"""

import time
from datetime import datetime
from typing import Callable, NamedTuple

from conformance.case import midnight, split
from conformance.slow import Slow
from support import secrets

# A push that is slower than its first token lives: 60 s, and distribution
# forgives 60 s more. Bytes, and bytes a second.
LONG, RATE = 2_100_000, 16_000


def login(case):
    case.login("alice", "write_registry")
    case.logged("login", user="alice")


def login_wrong(case):
    """A client whose login asks nobody finds it out at the first use."""
    repository, _, _ = case.there("g/priv")
    done = case.who.login(case.site, "alice",
                          secrets.remember("glpat-" + "x" * 20))
    if not case.who.has_login:
        done = case.who.pull(case.site, repository)
    case.refused(done)
    case.logged("unknown_token")


def push(case):
    repository = case.place("g/priv")
    case.login("alice", "write_registry")
    case.did(case.who.push(case.site, case.thing(repository), repository))
    case.logged("granted", user="alice")
    case.pushed(repository)


def pull(case):
    repository, _, _ = case.there("g/priv")
    case.login("carol", "read_registry")
    case.pulled(repository, "blobs")
    case.logged("granted", user="carol")


def pull_by_digest(case):
    _, repository, _ = case.there("g/priv")
    case.login("carol", "read_registry")
    case.pulled(repository, "blobs")
    case.logged("granted", user="carol")


def mount(case):
    source, _, thing = case.there("base/img")
    target = case.place("team/app")
    case.site = case.site.at(case.site.host)
    case.site.source = source
    case.login("alice", "write_registry")
    case.pulled(source)
    case.did(case.who.mount(case.site, thing, target))
    case.logged("granted", user="alice")
    for layer in case.pushed(target)["layers"]:
        case.mounted(target, layer)
    if not case.site.registry.finds_all:
        assert any("base/img" in line["asked"] and "team/app" in line["asked"]
                   for line in case.lines()), case.lines()


def index(case):
    """Both platforms are there by the digests that the index names."""
    repository, made = case.place("g/priv"), case.index()
    case.login("alice", "write_registry")
    case.did(case.who.index(case.site, made, repository))
    case.logged("granted", user="alice")
    found = case.manifest(repository)["manifests"]
    assert [entry["platform"]["architecture"] for entry in found] == \
        made.platforms
    for entry in found:
        case.pushed(f"{split(repository)[0]}@{entry['digest']}")
    case.pulled(repository)


def delete_by_digest(case):
    """A token without `api` does not reach so far."""
    _, repository, _ = case.there("g/priv")
    case.login("bob", "write_registry")
    case.denied(case.who.delete(case.site, repository))
    case.logged_less("bob")
    assert case.manifest(repository)
    case.login("bob", "api")
    case.did(case.who.delete(case.site, repository))
    assert case.manifest(repository) is None


def tags(case):
    repository, _, _ = case.there("g/priv")
    case.login("carol", "read_registry")
    found = case.did(case.who.tags(case.site, repository))
    assert found == ["1.0.0"], found
    case.served("GET", repository, "tags")
    case.logged("granted", user="carol")


def catalog(case):
    """Some clients ask for nothing first, and ask again. Not all list more
    than a hundred: the name must be among the first."""
    repository, _, _ = case.there("base/img", f"base/img/0-{case.name}:1.0.0")
    case.login("root", "api")
    names = case.did(case.who.catalog(case.site))
    assert split(repository)[0] in names, names
    everything = case.ask("GET", "/v2/_catalog?n=1000",
                          "registry:catalog:*")
    assert set(names) <= set(everything.json()["repositories"]), names
    case.logged("granted", user="root")


def catalog_not_admin(case):
    case.there("g/priv")
    case.login("bob", "api")
    case.denied(case.who.catalog(case.site))
    case.logged("nothing", user="bob")


def anonymous_public(case):
    repository, _, _ = case.there("g/pub")
    case.pulled(repository)
    case.logged("granted", user="")


def anonymous_private(case):
    repository, _, _ = case.there("g/priv")
    case.denied(case.who.pull(case.site, repository))
    case.logged("nothing", user="")


def push_read_only(case):
    repository = case.place("g/priv")
    case.login("alice", "read_registry")
    case.denied(case.who.push(case.site, case.thing(repository), repository))
    case.logged_less("alice")
    assert case.manifest(repository) is None


def revoked(case):
    repository, _, _ = case.there("g/priv")
    secret = case.world.token("alice", scopes="api", name=case.name)
    case.did(case.who.login(case.site, "alice", secret))
    case.pulled(repository)
    case.world.cli("token", "revoke", case.world.token_id(case.name))
    later = case.later()
    case.refused(case.who.pull(case.site, repository))
    later.logged("token_revoked")


def expiring(case):
    """The token dies at midnight, and dockpass's clock comes there; at no
    other site of that dockpass as well, for so long."""
    clock = case.others["clock"].clock
    with clock.lock:
        now = int(time.time())
        dies, date = midnight(now)
        clock.set(now)
        case = case.at("clock")
        repository, _, _ = case.there("g/priv")
        secret = case.world.token("alice", scopes="api", name=case.name,
                                  expires=date)
        case.did(case.who.login(case.site, "alice", secret))
        case.pulled(repository)
        try:
            clock.set(dies)
            later = case.later()
            case.refused(case.who.pull(case.site, repository))
            later.logged("token_expired")
        finally:
            clock.set(int(time.time()))


def other_repository(case):
    """A project's token is nobody in another project; nor is a JWT of one
    repository good for another."""
    mine, _, _ = case.there("team/app")
    other, _, _ = case.there("base/img")
    secret = case.world.token("--project", "team/app", scopes="api",
                              name=case.name)
    case.did(case.who.login(case.site, "ci", secret))
    case.pulled(mine)
    later = case.later()
    case.denied(case.who.pull(case.site, other))
    later.logged("nothing")
    given = case.world.ask(f"repository:{split(mine)[0]}:pull",
                           auth=("ci", secret),
                           fields={"service": case.site.name})
    bearer = secrets.remember(given.json()["token"])
    for repository, status in ((mine, 200), (other, 401)):
        name, tag = split(repository)
        got = case.site.registry.get(f"/v2/{name}/tags/list", bearer)
        assert got.status_code == status, (repository, got.status_code)


def long_push(case):
    """Slow enough that the registry takes the first token no more."""
    case = case.at("brief")
    case.who.patience = 420
    repository = case.place("g/priv")
    thing = case.who.thing(case.who.folder / "long", repository, size=LONG)
    with Slow(case.site.registry.port, RATE) as slow:
        case.site = case.site.at(f"localhost:{slow.port}")
        case.login("alice", "write_registry")
        begun = time.monotonic()
        case.did(case.who.push(case.site, thing, repository))
        took = time.monotonic() - begun
    assert took > 120, f"{took:.0f} s: no token has died"
    case.logged("granted", word=case.name, user="alice")
    asked = [datetime.fromisoformat(line["time"])
             for line in case.lines(case.name)]
    assert (max(asked) - min(asked)).total_seconds() > 60, \
        f"all that it needed it had at once: {case.lines(case.name)}"
    case.pushed(repository)


def two_services(case):
    """One dockpass, two registries; a JWT of one is nothing to the other."""
    other = case.at("other")
    for here in case, other:
        repository = here.place("g/priv")
        here.login("alice", "write_registry")
        here.did(here.who.push(here.site, here.thing(repository),
                               repository))
        here.logged("granted", user="alice")
        here.pushed(repository)
    given = case.world.ask(auth=case.world.basic("alice", "write_registry"),
                           fields={"service": case.site.name})
    bearer = secrets.remember(given.json()["token"])
    assert case.site.registry.ping(bearer) == 200
    assert other.site.registry.ping(bearer) == 401


def identity(case):
    """The client has no secret, but what was given for it; that dies with the
    secret. Then some come again without it."""
    case = case.at("other")
    repository, _, _ = case.there("g/priv")
    pushed = case.place("team/app")
    secret = case.world.token("alice", scopes="api", name=case.name)
    case.who.identity(case.site, secret)
    later = case.later()
    case.pulled(repository)
    case.did(case.who.push(case.site, case.thing(pushed), pushed))
    later.logged("granted", user="alice")
    case.pushed(pushed)
    case.world.cli("token", "revoke", case.world.token_id(case.name))
    later = case.later()
    case.refused(case.who.pull(case.site, repository))
    later.logged("unknown_refresh", also=["bad_credentials", "nothing"])


class Operation(NamedTuple):
    """`verbs`: what a client must have for it. `where`: "all" columns, or
    those "main" ones that show each registry once. `slow`: beside the others.
    """
    name: str
    run: Callable
    verbs: str = "pull"
    where: str = "main"
    slow: bool = False

    def of(self, client):
        """Whether a class of clients has the verbs."""
        return bool(getattr(client, self.verbs, None))


OPERATIONS = [
    Operation("login", login, "has_login"),
    Operation("wrong login", login_wrong),
    Operation("push", push, "push", "all"),
    Operation("pull", pull, where="all"),
    Operation("pull by digest", pull_by_digest),
    Operation("mount", mount, "mount"),
    Operation("index", index, "index"),
    Operation("delete by digest", delete_by_digest, "delete"),
    Operation("tags", tags, "tags"),
    Operation("catalog as admin", catalog, "catalog"),
    Operation("catalog refused", catalog_not_admin, "catalog"),
    Operation("anonymous pull", anonymous_public),
    Operation("anonymous refused", anonymous_private),
    Operation("read-only push", push_read_only, "push"),
    Operation("revoked after login", revoked),
    Operation("expired after login", expiring),
    Operation("other repository", other_repository),
    Operation("long push", long_push, "push", slow=True),
    Operation("two services", two_services, "push"),
    Operation("identity token", identity, "identity"),
]
