"""No name is taken for another: repositories, types, actions, the catalog.

oscar owns the project p/priv alone, nina those whose names are near it.
"""

import pytest

from support import tokens
from support.ways import get_basic, post_password

NEAR = ["p/pri", "p/privx", "p/priv-x", "p/priv.x", "p/priv_x", "p/priv__x",
        "priv", "localhost/p", "evil.com/p", "docker.io/p", "oscar2/app"]
ALL = "delete,pull,push"


@pytest.fixture(scope="module")
def street(live):
    live.cli("project", "add", "p/priv")
    for name in ("oscar", "nina"):
        live.user(name)
    live.cli("member", "add", "p/priv", "oscar", "owner")
    for path in NEAR:
        live.cli("project", "add", path)
        live.cli("member", "add", path, "nina", "owner")
    live.cli("group", "add", "oscar")
    return live


SAME = object()  # as it was asked
# what is asked: what oscar gets, what nina gets
NAMES = {
    "p/priv": (SAME, None),
    "p/priv/sub": (SAME, None),
    "p/priv/a--b": (SAME, None),
    "p/priv" + 30 * "/a": (SAME, None),
    "p/priv/" + 248 * "a": (SAME, None),
    "p/privx": (None, SAME),
    "p/priv-x": (None, SAME),
    "p/priv.x/y": (None, SAME),
    "p/priv_x": (None, SAME),
    "p/priv__x": (None, SAME),
    "p/pri": (None, SAME),
    "p/pri/v": (None, SAME),
    "priv": (None, SAME),
    "evil.com/p/priv": (None, SAME),
    "localhost/p/priv": (None, SAME),
    "docker.io/p/priv": (None, SAME),
    # Upper case is the same name.
    "P/PRIV": ("p/priv", None),
    "P/Priv/Sub": ("p/priv/sub", None),
    # Dots, slashes and escapes lead nowhere.
    **dict.fromkeys([
        "p/priv/../pri", "p/pri/../priv", "p/pri/..", "p/./priv", "./p/priv",
        "../p/priv", "/p/priv", "p//priv", "p/priv/", "p/priv//x", "p/priv/.",
        "p/priv/..", "p\\priv", "p/priv\\..\\pri", "p%2fpriv", "p%2Fpriv",
        "%70/priv", "p/priv%00", "p/priv/%2e%2e/pri", "p/priv;x", "p/priv#x",
        "p/priv?x", "p/priv@sha256", "p/priv\tx", "p/priv\n", "p/priv\r\nx",
        "p/priv/\x7f", "p/priv-", "p/-priv", "p/priv--x", "p/priv.-x",
        "p/priv..x", "p/priv___x", "p/priv:latest", "p/priv,p/pri"],
        (None, None)),
    # Nor does what looks alike, or what another alphabet's case would make.
    **dict.fromkeys([
        "p/pr\u0131v", "P/PR\u0130V", "p/priv\u200b", "\uff50/priv",
        "p/\u0440riv", "p\u2215priv", "p\u2044priv", "p\uff0fpriv",
        "p/priv\u0301", "p/pr\u00efv", "p/\u202evirp", "p/priv\ufeff"],
        (None, None)),
    # The registry's address is no part of a name here.
    **dict.fromkeys([
        "localhost:5000/p/priv", "evil.com:443/p/priv", "127.0.0.1:5000/p/priv",
        "[::1]:5000/p/priv", "oscar@host/p/priv", "http://x/p/priv", "p:5/priv",
        "127.0.0.1/p/priv", "x.com/p/priv"], (None, None)),
    # A group, a user, a pattern is no repository.
    **dict.fromkeys([
        "p", "p/", "", "oscar", "oscar/app", "nina", "*", "p/*", "**",
        "p/priv*", "p/priv/*", ".*", "p/pr?v", "p/(priv)"], (None, None)),
}


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:40])
def test_whose_repository_is_that(street, name):
    for who, granted in zip(("oscar", "nina"), NAMES[name]):
        want = {} if granted is None else {
            f"repository:{name if granted is SAME else granted}": ALL}
        for way in (get_basic, post_password):
            answer = way(street, street.pat(who, "api"),
                         f"repository:{name}:pull,push,delete,*")
            assert tokens.access(answer, street) == want, who
    answer = street.ask(f"repository:{name}:pull")
    assert tokens.access(answer, street) == {}


@pytest.mark.parametrize("scope, words", [
    ("repository:p/priv/" + 249 * "a" + ":pull", "longer than 255 bytes"),
    ("repository:p/priv/" + 300 * "\u00e9" + ":pull", "longer than 255 bytes"),
    ("repository:p/priv/" + 8000 * "a" + ":pull", "longer than 255 bytes"),
    ("repository:p/priv:" + 33 * "a", "longer than 32 bytes"),
    ("repository:p/priv:pull," + 5000 * "*", "longer than 32 bytes"),
    ("repository:p/priv\0:pull", "zero byte"),
    ("repository:p/priv:pull\0", "zero byte"),
    (257 * ["repository:p/priv:pull"], "more than 256 scopes"),
    (" ".join(257 * ["x"]), "more than 256 scopes"),
])
def test_over_a_limit_nothing_is_granted(street, scope, words):
    for way in (get_basic, post_password):
        answer = way(street, street.pat("oscar", "api"), scope)
        assert words in tokens.refusal(answer, 400, "BAD_REQUEST")


NOTHING, PULL = {}, {"repository:p/priv": "pull"}
SCOPES = {
    "repository(plugin):p/priv:pull": PULL,
    "repository(image):p/priv:pull": PULL,
    " repository:p/priv:pull ": PULL,
    "repository:p/priv:pull,": PULL,
    "repository:p/priv:,pull": PULL,
    "repository:p/priv:,,pull,,evil": PULL,
    "repository:p/priv:pull,PUSH,Delete": PULL,
    "repository:p/priv:pull,*": {"repository:p/priv": ALL},
    "repository:p/priv:*,*": {"repository:p/priv": ALL},
    "repository:p/priv:pull repository:P/PRIV:push":
        {"repository:p/priv": "pull,push"},
    "repository:p/priv:pull repository(plugin):p/priv:delete":
        {"repository:p/priv": "delete,pull"},
    **dict.fromkeys([
        "repository():p/priv:pull", "repository(:p/priv:pull",
        "repository):p/priv:pull", "repository(a)(b):p/priv:pull",
        "repository(PLUGIN):p/priv:pull", "repository(a b):p/priv:pull",
        "repository(plugin)x:p/priv:pull", "(plugin)repository:p/priv:pull",
        "Repository:p/priv:pull", "REPOSITORY:p/priv:pull",
        "repositories:p/priv:pull", "repo:p/priv:pull", ":p/priv:pull",
        "repository :p/priv:pull", "!!repository:p/priv:pull",
        "repository\u200b:p/priv:pull", "repository\t:p/priv:pull",
        "repository:p/priv:PULL", "repository:p/priv:Pull",
        "repository:p/priv: pull", "repository:p/priv:pull:push",
        "repository:p/priv:**", "repository:p/priv:*pull",
        "repository:p/priv:pull*", "repository:p/priv:pull;push",
        "repository:p/priv:pull|push", "repository:p/priv:pull\tpush",
        "repository:p/priv:pull\n", "repository:p/priv:pul",
        "repository:p/priv:pulll", "repository:p/priv:%2A",
        "repository:p/priv:\uff0a", "repository:p/priv:",
        "repository:p/priv", "repository", "registry:p/priv:pull",
        "registry:p/priv:*", "*:*:*", "repository:p/priv:pull\u200b"],
        NOTHING),
}


@pytest.mark.parametrize("scope", SCOPES, ids=lambda scope: ascii(scope)[:48])
def test_what_a_scope_asks(street, scope):
    for way in (get_basic, post_password):
        answer = way(street, street.pat("oscar", "api"), scope)
        assert tokens.access(answer, street) == SCOPES[scope]


CATALOG = {"registry:catalog": "*"}
CATALOGS = {
    "registry:catalog:*": CATALOG,
    "registry(x):catalog:*": CATALOG,
    "registry:catalog:pull,*": CATALOG,
    "registry:catalog:* registry:catalog:*": CATALOG,
    **dict.fromkeys([
        "registry:Catalog:*", "registry:CATALOG:*", "Registry:catalog:*",
        "registry:catalog:pull", "registry:catalog:**", "registry:catalog2:*",
        "registry:catalog/:*", "registry::*", "registry:*:*", "catalog:*",
        "registry:p:catalog:*", "registry:catalog:", "registry:catalog",
        "repository:catalog:*", "repository:registry:catalog:*",
        "registry:catalog:delete,push"], NOTHING),
}


@pytest.mark.parametrize("scope", CATALOGS)
def test_what_the_catalog_is(street, scope):
    answer = get_basic(street, street.pat("root", "api"), scope)
    assert tokens.access(answer, street) == CATALOGS[scope]
    answer = get_basic(street, street.pat("oscar", "api"), scope)
    assert tokens.access(answer, street) == {}


PLACES = [
    ("project", "p/priv/sub", "is a project, and nothing can lie under"),
    ("group", "p/priv/sub/deep", "is a project, and nothing can lie under"),
    ("project", "P/PRIV", 'project "p/priv" exists already'),
    ("group", "p/priv", 'project "p/priv" exists already'),
    ("project", "p", 'group "p" exists already'),
    ("project", "p/priv/", "not a path"),
    ("project", "p//priv2", "not a path"),
    ("project", "p/../priv2", "not a path"),
    ("project", "/p/priv2", "not a path"),
    ("project", "p/priv--x", "not a path"),
    ("project", "p/pr\u0131v", "not a path"),
    ("project", "localhost:5000/p", "not a path"),
    ("project", "/".join(21 * "a"), "not a path"),
    ("project", 256 * "a", "not a path"),
]


@pytest.mark.parametrize("kind, path, words", PLACES, ids=lambda text:
                         ascii(text)[1:30])
def test_no_place_is_made_in_another_s(street, kind, path, words):
    assert words in street.refused(kind, "add", path)[1]


def test_a_user_s_name_gives_nothing_in_a_place_of_that_name(street):
    """oscar and the group oscar; alice and a project alice."""
    street.cli("project", "add", "oscar/mine")
    street.cli("project", "add", "alice", "--visibility", "private")
    for who, name in (("oscar", "oscar/mine"), ("alice", "alice"),
                      ("alice", "alice/x")):
        answer = get_basic(street, street.pat(who, "api"),
                           f"repository:{name}:pull,push,delete")
        assert tokens.access(answer, street) == {}


def test_two_users_differ_by_more_than_case(street):
    for name in ("OSCAR", "Oscar", "oscaR"):
        status, message = street.refused("user", "add", name, "--email", "a@b")
        assert status == 1 and "exists already" in message
