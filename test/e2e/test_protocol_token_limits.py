"""What a single token is limited to: networks, services, repositories, and how
long it may be idle; as clients meet it, and as explain tells it.
"""

import pytest

from support import secrets, tokens, ways
from support.clock import Clock
from support.world import World

PULL = "repository:g/priv/img:pull"


@pytest.fixture(scope="module")
def world(live):
    return live


def token(world, *limits, user="alice", scopes="api", name="limited"):
    return world.token(user, *limits, scopes=scopes, name=name)


def shown_from(world, secret, address):
    """The status, and the reason that the log has, of a client there."""
    seen = len(world.log("token"))
    with ways.Line(world, source=address) as line:
        answer = line.ask(ways.basic("x", secret))
    return answer.status, world.logged(seen)[-1]["reason"]


FITS, NOT = (200, "login"), (401, "token_network")


@pytest.mark.parametrize("networks, address, want", [
    (["127.0.0.2"], "127.0.0.2", FITS), (["127.0.0.2"], "127.0.0.3", NOT),
    (["127.0.0.2/31"], "127.0.0.3", FITS),
    (["127.0.0.2/31"], "127.0.0.4", NOT),
    (["10.0.0.0/8", "127.1.0.0/16"], "127.1.9.9", FITS),
    (["10.0.0.0/8", "::1"], "127.0.0.1", NOT),
    (["::ffff:127.0.0.0/104"], "127.0.0.1", FITS),
    (["::/0"], "127.0.0.1", NOT), (["::/0", "0.0.0.0/0"], "127.0.0.1", FITS),
])
def test_networks(world, networks, address, want):
    secret = token(world, *(word for network in networks
                            for word in ("--network", network)))
    assert shown_from(world, secret, address) == want


def test_a_stranger_is_not_told_that_the_secret_is_right(world):
    right = token(world, "--network", "127.0.0.2")
    wrong = secrets.remember(right[:-4] + "wrng")
    with ways.Line(world) as line:
        texts = {line.ask(ways.basic("x", secret)).text
                 for secret in (right, wrong)}
    assert len(texts) == 1


@pytest.mark.parametrize("way", ways.WAYS)
def test_services(world, way):
    """Whichever way it is shown; a service that is left out is the only one."""
    secret = token(world, "--service", "registry", "--service", "plain")
    ask = ways.WAYS[way]
    assert ask(world, secret, PULL).status_code == 200
    if way == "POST-refresh":
        return  # bound to its service already
    for service, want in (("registry", 200), ("plain", 200), ("other", 401),
                          ("closed", 401)):
        answer = world.ask(PULL, auth=("x", secret),
                           fields={"service": service})
        assert answer.status_code == want
        if want == 401:
            assert world.reason(answer) == "token_service"


@pytest.mark.parametrize("patterns, scopes, want, reason", [
    ([], [PULL], {"repository:g/priv/img": "pull"}, "granted"),
    (["g/priv/img"], [PULL], {"repository:g/priv/img": "pull"}, "granted"),
    (["G/Priv/*"], [PULL], {"repository:g/priv/img": "pull"}, "granted"),
    (["g/priv"], [PULL], {}, "token_repository"),
    (["g/priv/*"], ["repository:g/priv/a/b:pull"], {}, "token_repository"),
    (["g/priv/**"], ["repository:g/priv/a/b:pull"],
     {"repository:g/priv/a/b": "pull"}, "granted"),
    (["g/int/**", "*/pub"], ["repository:g/int:pull", "repository:g/pub:pull",
                             PULL],
     {"repository:g/int": "pull", "repository:g/pub": "pull"}, "partial"),
    # What is public, too: the token is not anonymous.
    (["g/priv/*"], ["repository:g/pub:pull"], {}, "token_repository"),
    # A limit gives nothing that the role does not.
    (["**"], ["repository:g/priv/img:delete"], {}, "nothing"),
])
def test_repositories(world, patterns, scopes, want, reason):
    secret = token(world, *(word for pattern in patterns
                            for word in ("--repository", pattern)))
    answer = world.ask(scopes, auth=("x", secret))
    assert tokens.access(answer, world) == want
    assert world.reason(answer) == reason


@pytest.mark.parametrize("way", ways.WAYS)
def test_repositories_on_every_way(world, way):
    """By a refresh token too, which knows no list of its own."""
    secret = token(world, "--repository", "g/int/*")
    for asked in PULL, "repository:g/pub:pull", "repository:g/int:pull":
        assert tokens.access(ways.WAYS[way](world, secret, asked),
                             world) == {}
    answer = ways.WAYS[way](world, secret, [PULL, "repository:g/int/a:pull"])
    assert tokens.access(answer, world) == {"repository:g/int/a": "pull"}


def test_no_catalog(world):
    ask = {"scope": "registry:catalog:*"}
    secret = token(world, user="root")
    assert tokens.access(world.ask(**ask, auth=("x", secret)), world) == {
        "registry:catalog": "*"}
    secret = token(world, "--repository", "**", user="root")
    answer = world.ask(**ask, auth=("x", secret))
    assert tokens.access(answer, world) == {}
    assert world.reason(answer) == "token_repository"


@pytest.mark.parametrize("owner", [["--project", "g/priv"], ["--group", "g"]])
def test_bots_have_limits_too(world, owner):
    secret = world.token(*owner, "--repository", "g/priv/a", scopes="api")
    answer = world.ask(["repository:g/priv/a:pull", PULL],
                       auth=("x", secret))
    assert tokens.access(answer, world) == {"repository:g/priv/a": "pull"}


SAID = ["--address", "10.9.9.9", "--service", "registry"]


def test_explain_tells_each_limit(world):
    token(world, "--repository", "g/priv/*", "--network", "10.0.0.0/8",
          "--service", "registry", name="told")
    number = world.token_id("told")

    def explain(*args, scope=PULL):
        told = world.json("explain", "--token-id", number, "--access", scope,
                          *args)
        return told["reason"], [step for step in told["steps"]
                                if "limit" in step]
    network, service = "limit: network 10.0.0.0/8", "limit: service registry"
    repository = "limit: repository g/priv/*"
    unsaid = ", not looked at: the question does not say"
    assert explain() == ("not_said", [network + unsaid, service + unsaid])
    assert explain(*SAID) == (
        "granted", [f"{network}, which fits 10.9.9.9",
                    f"{service}, which fits registry", repository])
    assert explain("--address", "10.9.9.9") == (
        "not_said", [f"{network}, which fits 10.9.9.9", service + unsaid])
    assert explain("--address", "192.0.2.1", "--service", "other") == (
        "token_network", [f"{network}, not 192.0.2.1",
                          f"{service}, not other"])
    assert explain("--service", "other") == (
        "token_service", [network + unsaid, f"{service}, not other"])
    assert explain(*SAID, scope="repository:g/priv/a/b:push") == (
        "token_repository", [f"{network}, which fits 10.9.9.9",
                             f"{service}, which fits registry", repository,
                             "refused: push, the token is limited to other "
                             "repositories"])
    told = world.cli("explain", "--token-id", number, "--access", PULL)
    assert told.endswith("--address IP, --service NAME\n")


def test_idle(faketime, tmp_path):
    """Counted from its creation, while it was never used."""
    clock = Clock(tmp_path)
    noon = 1803211200  # 12:00 UTC on 2027-02-21
    clock.set(noon)
    with World(tmp_path, services=[{"name": "registry"}]) as world:
        secret = secrets.remember(world.cli(
            "token", "create", "alice", "--name", "idle", "--scopes", "api",
            "--idle", "30d", env=clock.env(), secret=True).strip())
        clock.set(noon + 30 * 86400)
        world.serve(env=clock.env())
        answer = world.ask(auth=("x", secret))
        tokens.refusal(answer, 401, "UNAUTHORIZED")
        assert world.reason(answer) == "token_idle"
        shown = world.json("token", "show", world.token_id("idle"),
                           env=clock.env())
        assert (shown["active"], shown["revoked"]) == (False, False)
        clock.set(noon + 30 * 86400 - 1)
        assert world.ask(auth=("x", secret)).status_code == 200
        assert world.json("token", "show", world.token_id("idle"),
                          env=clock.env())["active"]
        told = world.json("explain", "--token-id", world.token_id("idle"),
                          "--access", PULL, env=clock.env())
        assert "limit: idle 30d, dead at 2027-03-23T12:00:00.000Z unless it is used" in \
            told["steps"]
