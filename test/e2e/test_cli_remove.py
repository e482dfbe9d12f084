"""Removing: what would go is named, and goes only with a yes; what is gone
never comes back under another's id.
"""

import pytest

from support.dockpass import Dockpass
from test_cli_rules import create, refuses


@pytest.fixture
def desk(tmp_path):
    """ann owns tokens; group g holds group g/sub and projects g/p, g/sub/q."""
    with Dockpass(tmp_path) as desk:
        desk.user("ann")
        desk.cli("project", "add", "g/p")
        desk.cli("project", "add", "g/sub/q")
        yield desk


def names(desk, kind, key):
    return [row[key] for row in desk.json(kind, "list")]


def test_a_user_without_tokens(desk):
    """Members and dead tokens do not count."""
    desk.cli("member", "add", "g", "ann", "owner")
    desk.cli("token", "revoke", create(desk, "ann")["id"])
    desk.cli("user", "remove", "ANN")
    assert desk.json("user", "list") == desk.json("member", "list", "g") == []
    refuses(desk, "user show ann",
            "no user 'ann'; dockpass user list shows all")


def test_a_user_with_tokens(desk):
    first, second = create(desk, "ann"), create(desk, "ann")
    refuses(desk, "user remove ann", 'user "ann" owns 2 active tokens (ids '
            "1, 2), which would be revoked; add --yes to do it")
    desk.cli("token", "revoke", first["id"])
    refuses(desk, "user remove ann", 'user "ann" owns 1 active token (id 2), '
            "which would be revoked; add --yes to do it")
    desk.cli("user", "remove", "ann", "--yes")
    assert desk.json("user", "list") == []
    for token in (first, second):
        line = desk.cli("token", "show", token["id"]).splitlines()[1].split()
        assert (line[1], line[6]) == ("-", "revoked")
    assert len(desk.json("token", "list")) == 2


def test_many_tokens_are_counted_not_listed(desk):
    for _ in range(12):
        create(desk, "ann")
    status, message = desk.refused("user", "remove", "ann")
    assert status == 1
    assert 'owns 12 active tokens (ids 1, 2, 3' in message
    assert message.endswith("...), which would be revoked; add --yes to "
                            "do it")


def test_an_expired_token_is_dead_too(desk, faketime):
    desk.token("ann", scopes="api", expires="2026-01-02", day="2026-01-01")
    desk.cli("user", "remove", "ann")
    assert desk.json("user", "list") == []


def test_a_project_with_tokens(desk):
    desk.cli("member", "add", "g/p", "ann", "owner")
    create(desk, "--project", "g/p")
    refuses(desk, "project remove g/p", 'project "g/p" has 1 active token '
            "(id 1), which would be revoked; add --yes to do it")
    desk.cli("project", "remove", "g/p", "--yes")
    assert names(desk, "project", "path_with_namespace") == ["g/sub/q"]
    assert names(desk, "user", "username") == ["ann"], "its bot has gone"


def test_a_project_with_members_and_dead_tokens(desk):
    desk.cli("member", "add", "g/p", "ann", "owner")
    desk.cli("token", "revoke", create(desk, "--project", "g/p")["id"])
    desk.cli("project", "remove", "g/p")
    assert names(desk, "user", "username") == ["ann"]


def test_a_group_that_holds_something(desk):
    refuses(desk, "group remove g --yes", 'group "g" holds 2 projects and 1 '
            "group (g/p, g/sub, g/sub/q), which would go too; add --recursive "
            "to do it")
    create(desk, "--project", "g/sub/q")
    create(desk, "--group", "g")
    refuses(desk, "group remove g --recursive", 'group "g" has 2 active '
            "tokens (ids 2, 1), which would be revoked; add --yes to do it")
    desk.cli("group", "remove", "g", "--recursive", "--yes")
    assert desk.json("group", "list") == desk.json("project", "list") == []
    assert names(desk, "user", "username") == ["ann"]


def test_a_group_that_holds_groups_alone(desk):
    desk.cli("group", "add", "h/a")
    refuses(desk, "group remove h", 'group "h" holds 1 group (h/a), which '
            "would go too; add --recursive to do it")
    desk.cli("group", "remove", "h", "--recursive")
    assert names(desk, "group", "full_path") == ["g", "g/sub"]


def test_neighbours_stay(desk):
    """g-x and g.x sort beside what lies below g."""
    for path in ("g-x", "g.x/p", "g0"):
        desk.cli("project", "add", path)
    desk.cli("group", "remove", "g", "--recursive")
    assert names(desk, "project", "path_with_namespace") == ["g-x", "g.x/p",
                                                             "g0"]


def test_an_empty_group(desk):
    desk.cli("group", "add", "e")
    desk.cli("member", "add", "e", "ann", "owner")
    desk.cli("group", "remove", "E")
    assert "e" not in names(desk, "group", "full_path")


@pytest.mark.parametrize("add, remove, show", [
    ("user add {} --email e@x", "user remove {}", "user show {}"),
    ("group add {}", "group remove {}", "group show {}"),
    ("project add {}", "project remove {}", "project show {}")])
def test_ids_are_never_used_again(desk, add, remove, show):
    """Nor is a right: who comes back under the old name is another one."""
    seen = set()
    for name in ("x", "x", "y", "x"):
        desk.cli(*add.format(name).split())
        seen.add(desk.json(*show.format(name).split())["id"])
        desk.cli(*remove.format(name).split())
    assert len(seen) == 4


def test_a_user_who_comes_back_has_nothing(desk):
    secret = desk.token("ann", scopes="api", name="before")
    desk.cli("member", "add", "g", "ann", "owner")
    desk.cli("user", "remove", "ann", "--yes")
    desk.user("ann")
    assert desk.json("token", "list", "ann") == []
    assert desk.json("member", "list", "g") == []
    desk.serve()
    assert desk.ask(auth=("ann", secret)).status_code == 401
    explained = desk.json("explain", "ann", "--scopes", "api", "--access",
                          "repository:g/p:pull")
    assert explained["granted"] == []
