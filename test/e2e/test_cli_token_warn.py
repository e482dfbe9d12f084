"""What `token create` and `token revoke --unused` say of what has no effect."""

import pytest

from support import secrets
from support.dockpass import Dockpass

NOTHING = "it may do nothing in "


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with Dockpass(tmp_path_factory.mktemp("desk")) as desk:
        desk.user("alice")
        for path, *flags in (("group/app",), ("group/open", "public"),
                             ("group/off", "public", "disabled")):
            desk.cli("project", "add", path, *(
                word for pair in zip(("--visibility", "--registry"), flags)
                for word in pair))
        yield desk


def create(desk, *words):
    """What it says beside the secret."""
    done = desk.run("token", "create", *words, "--name", "t", "--config",
                    desk.config_file, secret=True)
    secrets.remember(done.stdout.strip())
    return done.stderr


@pytest.mark.parametrize("project, role, scopes, warned", [
    ("group/app", "guest", "read_registry", True),
    ("group/app", "planner", "api", True),
    ("group/app", "reporter", "read_registry", False),
    ("group/app", "maintainer", "read_repository", True),
    ("group/open", "guest", "read_registry", False),
    ("group/off", "owner", "api", True),
])
def test_a_token_that_may_do_nothing(desk, project, role, scopes, warned):
    said = create(desk, "--project", project, "--role", role, "--scopes",
                  scopes)
    assert (f"dockpass: warning: with role {role} and scopes {scopes} "
            f"{NOTHING}{project} (" in said) == warned, said
    if warned:  # what it tells to type is so
        command = said.partition("dockpass explain ")[2].split(" says")[0]
        assert "nothing" in desk.cli("explain", *command.split())


@pytest.mark.parametrize("owner, pattern, fits", [
    ("--project group/app", "other/*", False),
    ("--project group/app", "Group/App", True),
    ("--project group/app", "group/*", True),
    ("--project group/app", "group/*/web/**", True),
    ("--project group/app", "**", True),
    ("--project group/app", "**/web", True),
    ("--project group/app", "group", False),
    ("--project group/app", "group/app2", False),
    ("--project group/app", "*/*/*", True),
    ("--group group", "group", False), ("--group group", "*", False),
    ("--group group", "group/**", True), ("--group group", "group/x", True),
    ("--group group", "groups/x", False),
    ("alice", "other/*", True),
])
def test_a_pattern_that_fits_nothing(desk, owner, pattern, fits):
    said = create(desk, *owner.split(), "--scopes", "read_registry",
                  "--repository", "group/app/**", "--repository", pattern)
    kind, _, path = owner.removeprefix("--").partition(" ")
    assert said.count("fits nothing") == (not fits), said
    assert fits or (f"dockpass: warning: --repository {pattern} fits nothing "
                    f"in {kind} {path}\n" in said)


def test_nothing_to_revoke_is_said(desk):
    for more in (), ("--yes",):
        assert desk.cli("token", "revoke", "--unused", "900d", *more) == \
            "no token is unused for 900d\n"
    assert desk.json("token", "revoke", "--unused", "900d") == []


def test_a_grace_says_how_long_it_may_be(desk):
    create(desk, "alice", "--scopes", "api")
    status, said = desk.refused("token", "rotate", "1", "--grace", "1day")
    assert status == 2 and "up to 30 days" in said
