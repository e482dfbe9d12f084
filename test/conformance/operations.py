"""The operations of the matrix: what a client does at a registry, and what
must come of it. Each is checked three times over: what the client says, what
dockpass has logged, what the registry has.
"""

import time
from typing import Callable, NamedTuple

from conformance.case import midnight, settled, split
from conformance.slow import Slow
from support import secrets

# A push that is slower than its first token lives: 60 s, and distribution
# forgives 60 s more. Bytes, and bytes a second.
LONG, RATE = 2_100_000, 16_000
NO_CATALOG = "zot wants a right to pull from the repository without a name; " \
    "dockpass gives no such right"


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
    case.did(case.who.pull(case.site, repository))
    case.logged("granted", user="carol")
    case.served("GET", repository, "blobs", (200, 307))


def pull_by_digest(case):
    _, repository, _ = case.there("g/priv")
    case.login("carol", "read_registry")
    case.did(case.who.pull(case.site, repository))
    case.logged("granted", user="carol")
    case.served("GET", repository, "blobs", (200, 307))


def mount(case):
    source, _, thing = case.there("base/img")
    target = case.place("team/app")
    case.site = case.site.at(case.site.host)
    case.site.source = source
    case.login("alice", "write_registry")
    case.did(case.who.pull(case.site, source))
    case.did(case.who.mount(case.site, thing, target))
    case.logged("granted", user="alice")
    case.pushed(target)
    case.mounted(target)
    if case.site.registry.version != "zot":
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
    case.did(case.who.pull(case.site, repository))


def delete_by_digest(case):
    """A token without `api` does not reach so far."""
    _, repository, _ = case.there("g/priv")
    case.login("bob", "write_registry")
    case.denied(case.who.delete(case.site, repository))
    case.logged_one_of("partial", "nothing")
    assert case.manifest(repository)
    case.login("bob", "api")
    case.did(case.who.delete(case.site, repository))
    assert case.manifest(repository) is None


def tags(case):
    repository, _, _ = case.there("g/priv")
    case.login("carol", "read_registry")
    found = case.did(case.who.tags(case.site, repository))
    assert found == ["1.0.0"], found
    case.logged("granted", user="carol")


def catalog(case):
    """Some clients ask for nothing first, and ask again."""
    case.never_at("zot", NO_CATALOG)
    case.there("g/priv")
    case.login("root", "api")
    names = case.did(case.who.catalog(case.site))
    everything = case.ask("GET", "/v2/_catalog?n=1000",
                          "registry:catalog:*")
    assert set(names) <= set(everything.json()["repositories"]), names
    case.logged("granted", user="root")


def catalog_not_admin(case):
    case.never_at("zot", NO_CATALOG)
    case.there("g/priv")
    case.login("bob", "api")
    case.denied(case.who.catalog(case.site))
    case.logged("nothing", user="bob")


def anonymous_public(case):
    repository, _, _ = case.there("g/pub")
    case.did(case.who.pull(case.site, repository))
    case.logged("granted", user="")


def anonymous_private(case):
    repository, _, _ = case.there("g/priv")
    case.denied(case.who.pull(case.site, repository))
    case.logged("nothing", user="")


def push_read_only(case):
    """zot asks for the push alone: then that is nothing, not a part."""
    repository = case.place("g/priv")
    case.login("alice", "read_registry")
    case.denied(case.who.push(case.site, case.thing(repository), repository))
    case.logged_one_of("partial", "nothing")
    assert case.manifest(repository) is None


def revoked(case):
    repository, _, _ = case.there("g/priv")
    secret = case.world.token("alice", scopes="api", name=case.name)
    case.did(case.who.login(case.site, "alice", secret))
    case.did(case.who.pull(case.site, repository))
    case.world.cli("token", "revoke", case.world.token_id(case.name))
    later = Later(case)
    case.refused(case.who.pull(case.site, repository))
    later.logged("token_revoked")


def expiring(case):
    """The token dies at midnight, and dockpass's clock comes there."""
    case = case.at("clock")
    repository, _, _ = case.there("g/priv")
    now = int(time.time())
    dies, date = midnight(now)
    secret = case.world.token("alice", scopes="api", name=case.name,
                              expires=date)
    case.site.clock.set(now)
    case.did(case.who.login(case.site, "alice", secret))
    case.did(case.who.pull(case.site, repository))
    try:
        case.site.clock.set(dies)
        later = Later(case)
        case.refused(case.who.pull(case.site, repository))
        later.logged("token_expired")
    finally:
        case.site.clock.set(int(time.time()))


def other_repository(case):
    """A project's token is nobody in another project; nor is a JWT of one
    repository good for another."""
    mine, _, _ = case.there("team/app")
    other, _, _ = case.there("base/img")
    secret = case.world.token("--project", "team/app", scopes="api",
                              name=case.name)
    case.did(case.who.login(case.site, "ci", secret))
    case.did(case.who.pull(case.site, mine))
    later = Later(case)
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
    later = Later(case)
    case.did(case.who.pull(case.site, repository))
    case.did(case.who.push(case.site, case.thing(pushed), pushed))
    later.logged("granted", user="alice")
    case.pushed(pushed)
    case.world.cli("token", "revoke", case.world.token_id(case.name))
    later = Later(case)
    case.refused(case.who.pull(case.site, repository))
    later.logged("unknown_refresh", also=["bad_credentials", "nothing"])


class Later:
    """What is logged from now on."""

    def __init__(self, case):
        self.case, self.seen = case, settled(case.world)

    def logged(self, *reasons, **kwargs):
        before, self.case.seen = self.case.seen, self.seen
        try:
            self.case.logged(*reasons, **kwargs)
        finally:
            self.case.seen = before


class Operation(NamedTuple):
    """`verbs`: what a client must have for it. `where`: "all" columns, or
    those "main" ones that show each registry once. `slow`: beside the others.
    `covered`: test/e2e/test_clients.py has it."""
    name: str
    run: Callable
    verbs: str = "pull"
    where: str = "main"
    slow: bool = False
    covered: bool = False


OPERATIONS = [
    Operation("login", login, "has_login"),
    Operation("wrong login", login_wrong, covered=True),
    Operation("push", push, "push", "all", covered=True),
    Operation("pull", pull, where="all", covered=True),
    Operation("pull by digest", pull_by_digest),
    Operation("mount", mount, "mount", covered=True),
    Operation("index", index, "index"),
    Operation("delete by digest", delete_by_digest, "delete", covered=True),
    Operation("tags", tags, "tags"),
    Operation("catalog as admin", catalog, "catalog"),
    Operation("catalog refused", catalog_not_admin, "catalog"),
    Operation("anonymous pull", anonymous_public, covered=True),
    Operation("anonymous refused", anonymous_private, covered=True),
    Operation("read-only push", push_read_only, "push", covered=True),
    Operation("revoked after login", revoked, covered=True),
    Operation("expired after login", expiring),
    Operation("other repository", other_repository),
    Operation("long push", long_push, "push", slow=True),
    Operation("two services", two_services, "push"),
    Operation("identity token", identity, "identity"),
]
