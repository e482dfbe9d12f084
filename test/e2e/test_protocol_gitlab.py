"""What GitLab's token endpoint answers, row by row, and where this differs.

Each row is one of GitLab's (G02 to G88), asked with the token of a user as
password and "anyname" as user name. G64 to G68 need another clock: they are in
test_protocol_expiry.py. A row says in a few words where another answer than
GitLab's was chosen.
"""

import pytest

from support import secrets, tokens

PRIV = "repository:g/priv:"
EMPTY = {}

# row, who: user[scopes], scope or scopes, what it grants; a number: refused
ROWS = [
    ("G02 anonymous, public; sub is there, and empty", None,
     "repository:g/pub:pull", {"repository:g/pub": "pull"}),
    # Anonymous and granted nothing: 200, not 403.
    ("G04 anonymous push", None, "repository:g/pub:push", EMPTY),
    ("G06 anonymous, private", None, PRIV + "pull", EMPTY),
    ("G08 anonymous, nowhere", None, "repository:nope/none:pull", EMPTY),
    ("G10 read_registry pulls", "alice[read_registry]", PRIV + "pull",
     {"repository:g/priv": "pull"}),
    ("G12 read_registry does not push", "alice[read_registry]", PRIV + "push",
     EMPTY),
    ("G14 read and write", "alice[read_registry,write_registry]",
     PRIV + "pull,push", {"repository:g/priv": "pull,push"}),
    ("G14 write alone: pulls, too", "alice[write_registry]",
     PRIV + "pull,push", {"repository:g/priv": "pull,push"}),
    ("G16 a developer deletes nothing", "alice[api]", PRIV + "delete", EMPTY),
    ("G18 a maintainer's star: spelled out", "bob[api]", PRIV + "*",
     {"repository:g/priv": "delete,pull,push"}),
    ("G18 a developer's star: what is held", "alice[api]", PRIV + "*",
     {"repository:g/priv": "pull,push"}),
    ("G20 read_api pulls", "alice[read_api]", PRIV + "pull,push",
     {"repository:g/priv": "pull"}),
    ("G22 read_user, no scope", "alice[read_user]", [], 403),
    ("G22 read_user, a scope", "alice[read_user]", PRIV + "pull", 403),
    ("G22 read_user, public", "alice[read_user]", "repository:g/pub:pull",
     403),
    ("G22 scopes of git", "alice[read_repository,write_repository]",
     PRIV + "pull", 403),
    ("G24 sudo", "root[sudo]", PRIV + "pull", 403),
    ("G26 a guest, private", "gus[api]", PRIV + "pull", EMPTY),
    ("G28 a guest, members only", "gus[read_registry]",
     "repository:g/memb:pull", EMPTY),
    ("G30 no member, internal", "eve[read_registry]", "repository:g/int:pull",
     {"repository:g/int": "pull"}),
    ("G30 external, internal", "ext[read_registry]", "repository:g/int:pull",
     EMPTY),
    ("G32 no member, private", "eve[api]", PRIV + "pull", EMPTY),
    ("G34 archived", "bob[api]", "repository:g/arch:pull,push,delete",
     {"repository:g/arch": "pull"}),
    ("G36 the catalog", "root[api]", "registry:catalog:*",
     {"registry:catalog": "*"}),
    # GitLab does not look at the token's scopes; here api or read_api.
    ("G36 the catalog, read_api", "root[read_api]", "registry:catalog:*",
     {"registry:catalog": "*"}),
    ("G36 the catalog, read_registry", "root[read_registry]",
     "registry:catalog:*", EMPTY),
    ("G36 the catalog, no admin", "bob[api]", "registry:catalog:*", EMPTY),
    ("G38 pull of the catalog", "root[api]", "registry:catalog:pull", EMPTY),
    ("G40 names are lower-cased", "alice[read_registry]",
     "repository:G/Priv:pull", {"repository:g/priv": "pull"}),
    # Any depth; GitLab stops at two below the project.
    ("G42 deep below a project", "alice[api]",
     "repository:g/priv/a/b/c:pull", {"repository:g/priv/a/b/c": "pull"}),
    ("G44 no name", "alice[api]", "repository:g/priv!:pull", EMPTY),
    ("G44 a way up", "alice[api]", "repository:g/priv/../x:pull", EMPTY),
    ("G44 a way up alone", "alice[api]", "repository:../x:pull", EMPTY),
    ("G46 two scopes", "alice[api]",
     [PRIV + "pull", "repository:g/int:pull,push"],
     {"repository:g/int": "pull,push", "repository:g/priv": "pull"}),
    ("G46 the same in one value", "alice[api]",
     PRIV + "pull repository:g/int:pull,push",
     {"repository:g/int": "pull,push", "repository:g/priv": "pull"}),
    ("G46 one twice: merged", "alice[api]", [PRIV + "pull", PRIV + "push"],
     {"repository:g/priv": "pull,push"}),
    ("G48 no action", "alice[api]", PRIV, EMPTY),
    ("G48 no third part", "alice[api]", "repository:g/priv", EMPTY),
    ("G50 an unknown action", "alice[api]", PRIV + "pull,fly",
     {"repository:g/priv": "pull"}),
    ("G60 two-factor, with a token", "bob[read_registry]", PRIV + "pull",
     {"repository:g/priv": "pull"}),
    ("disabled", "root[api]", "repository:g/off:pull", EMPTY),
    ("blocked", "blk[api]", PRIV + "pull", 401),
]


def split(who):
    user, _, scopes = who.rstrip("]").partition("[")
    return user, scopes


@pytest.mark.parametrize("row, who, scope, want", ROWS,
                         ids=[row[0] for row in ROWS])
def test_row(world, row, who, scope, want):
    user, scopes = split(who) if who else ("", "")
    auth = ("anyname", world.pat(user, scopes)) if who else None
    answer = world.ask(scope, auth=auth)
    if want == 403:
        message = tokens.refusal(answer, 403, "DENIED")
        assert message == f"token has scopes {scopes.replace(',', ', ')}; " \
            "a registry needs read_registry, write_registry, read_api or api"
    elif want == 401:
        tokens.refusal(answer, 401, "UNAUTHORIZED")
    else:
        assert tokens.access(answer, world) == want
        assert tokens.subject(answer) == user


LOGIN = "wrong user name or password, or two-factor is on: use a personal " \
    "access token as password"

# row, user name, password, status. {}: alice's token; {right}: a password
NAMES = [
    ("G52 oauth2", "oauth2", "{}", 200),
    ("G52 gitlab-ci-token", "gitlab-ci-token", "{}", 200),
    ("G52 another user's name", "eve", "{}", 200),
    ("G52 a deploy token's name", "gitlab+deploy-token-1", "{}", 200),
    ("G54 no password", "alice", "", 401),
    ("G54 no user name", "", "{}", 401),
    ("G58 two-factor", "bob", "{right}", LOGIN),
    ("G58 the same text for a wrong one", "carol", "wrong-wrong", LOGIN),
    ("G58 and for nobody", "nobody", "wrong-wrong", LOGIN),
    # Deploy tokens and tokens of CI jobs do not exist here.
    ("G72 a deploy token", "gitlab+deploy-token-1",
     "gldt-Zq7Jm2Xw9Lr4Tb6Vn8Kd", 401),
    ("G74 the same, custom name", "ci", "gldt-Zq7Jm2Xw9Lr4Tb6Vn8Kd", 401),
    ("G76 the same by its number", "gitlab+deploy-token-3", "3", 401),
    ("G78 a job's token", "gitlab-ci-token", "glcbt-64_Zq7Jm2Xw9Lr4Tb6Vn8Kd",
     401),
    ("G80 a finished job's", "gitlab-ci-token", "Zq7Jm2Xw9Lr4Tb6Vn8Kd", 401),
]


@pytest.mark.parametrize("row, user, secret, want", NAMES,
                         ids=[row[0] for row in NAMES])
def test_user_names_and_secrets(world, row, user, secret, want):
    secret = secret.format(world.pat("alice", "api"), right=world.PASSWORD)
    if len(secret) >= 8:
        secrets.remember(secret)  # a wrong one is somebody's, too
    answer = world.ask("repository:g/pub:pull",
                       auth=(user.encode(), secret.encode()))
    if want == 200:
        assert tokens.access(answer, world) == {"repository:g/pub": "pull"}
        assert tokens.subject(answer) == "alice"
        return
    message = tokens.refusal(answer, 401, "UNAUTHORIZED")
    assert want == 401 or message == want


def test_g56_bearer_is_as_basic(world):
    """GitLab takes it for anonymous."""
    secret = world.pat("alice", "read_registry")
    answer = world.ask(PRIV + "pull,push",
                       headers={"Authorization": f"Bearer {secret}"})
    assert tokens.access(answer, world) == {"repository:g/priv": "pull"}
    assert tokens.subject(answer) == "alice"
    wrong = world.ask("repository:g/pub:pull",
                      headers={"Authorization": f"Bearer {secret[:-1]}"})
    tokens.refusal(wrong, 401, "UNAUTHORIZED")


def test_g62_revoked(world):
    secret = world.token("alice", scopes="api", name="G62")
    assert world.ask(auth=("alice", secret)).status_code == 200
    world.cli("token", "revoke", world.token_id("G62"))
    tokens.refusal(world.ask("repository:g/pub:pull", auth=("alice", secret)),
                   401, "UNAUTHORIZED")


@pytest.mark.parametrize("space", [["--project", "g/priv"], ["--group", "g"]],
                         ids=["project", "group"])
def test_g70_bot(world, space):
    name = f"G70 {space[0]}"
    secret = world.token(*space, scopes="read_registry,write_registry",
                         name=name)
    user_id = world.json("token", "show", world.token_id(name))["user_id"]
    bot, = [user["username"] for user in world.json("user", "list")
            if user["id"] == user_id]
    kind = space[0].removeprefix("--")
    path_id = world.json(kind, "show", space[1])["id"]
    prefix = f"{kind}_{path_id}_bot_"
    assert bot.startswith(prefix) and int(bot.removeprefix(prefix), 16)
    answer = world.ask([PRIV + "pull,push,delete",
                        "repository:team/app:pull"], auth=("any", secret))
    assert tokens.access(answer, world) == {"repository:g/priv": "pull,push"}
    assert tokens.subject(answer) == bot


def test_g82_the_service_before_the_credentials(world):
    """GitLab looks at the credentials first."""
    answer = world.ask(auth=("alice", "glpat-aaaaaaaaaaaaaaaaaaaa"),
                       fields={"service": "foo"})
    tokens.refusal(answer, 400)


def test_g84_post_works(world):
    """GitLab has no POST."""
    answer = world.ask(PRIV + "pull", method="POST", path="/jwt/auth",
                       fields={"grant_type": "password", "username": "any",
                               "password": world.pat("alice", "api")})
    assert tokens.access(answer, world) == {"repository:g/priv": "pull"}


def test_g86_failures_shut_nobody_out(world):
    """GitLab would refuse the address for an hour."""
    for i in range(12):
        wrong = f"glpat-wrong{i:015}"
        tokens.refusal(world.ask(auth=("alice", wrong)), 401)
    answer = world.ask(auth=world.basic("alice", "api"))
    assert tokens.access(answer, world) == {}


def test_g88_account_decides_nothing(world):
    answer = world.ask(PRIV + "pull", auth=world.basic("alice", "api"),
                       fields={"account": "eve"})
    assert tokens.subject(answer) == "alice"
    assert tokens.access(answer, world) == {"repository:g/priv": "pull"}
