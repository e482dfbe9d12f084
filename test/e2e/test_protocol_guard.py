"""Who tries secrets is slowed down, and nobody who has one is locked out.

The guard counts by address, so each test comes from addresses of its own; of
127.0.0.1 it sees nothing.
"""

import itertools
import re
import signal
import time
from pathlib import Path

import pytest

from support import metrics, secrets, tokens, ways
from support.dockpass import PATIENCE, hurried
from support.process import wait_until
from support.wire import Wire, request
from support.ways import basic
from support.world import World

FEW, PER_USER = 5, 12
GUARD = {"failures": FEW, "failures_per_user": PER_USER, "seconds": 600}
LATE_MAX = 256  # of a worker
ADDRESSES = (f"127.0.{a}.{b}" for a in range(1, 255) for b in range(1, 255))
NUMBERS = itertools.count(1)
TOKEN = "/token?service=registry"
UNKNOWN = secrets.remember("glpat-" + 20 * "m")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("guard"), guard=GUARD) as world:
        yield world.serve()


@pytest.fixture
def there():
    """An address that nothing is known of."""
    return next(ADDRESSES)


def wrong():
    """A token that nobody has: another one each time."""
    return secrets.remember(f"glpat-{next(NUMBERS):020}")


def get(user, secret):
    return request(f"GET {TOKEN}&client_id=guard-{next(NUMBERS)}",
                   f"Authorization: {basic(user, secret)}")


def post(user, secret):
    return request("POST /token", body=f"service=registry&username={user}&"
                   f"password={secret}&grant_type=password&"
                   f"client_id=guard-{next(NUMBERS)}")


class Asked:
    """A request of its own connection, and how long its answer took."""

    def __init__(self, world, data, source):
        self.world = world
        self.client = re.search(rb"client_id=([\w-]+)", data)[1].decode()
        self.wire = Wire(world.port, source=source)
        self.wire.send(data)

    def answer(self):
        answer = self.wire.answer()
        self.wire.close()
        answer.client = self.client
        answer.took = self.world.took(answer)
        return answer


def ask(world, data, source):
    """Nor has it waited unread, for an answer to somebody else."""
    begun = time.monotonic()
    answer = Asked(world, data, source).answer()
    assert time.monotonic() - begun < answer.took + 3 * PATIENCE
    return answer


def fill(world, source):
    for _ in range(FEW):
        answer = ask(world, get("x", wrong()), source)
        tokens.refusal(answer, 401)
        assert answer.took < 0.4 * PATIENCE


def refused(answer):
    """Unseen: the seconds after which it may be tried again."""
    message = tokens.refusal(answer, 429, "TOOMANYREQUESTS")
    seconds = int(answer.headers["Retry-After"])
    assert f"try again in {seconds} s" in message
    assert "personal access token" in message
    assert "WWW-Authenticate" not in answer.headers
    assert answer.took < 0.4 * PATIENCE
    return seconds


HELD_BACK = "dockpass_answers_held_back_total"


def test_wrong_tokens_are_answered_later_and_later(world, there):
    fill(world, there)
    before = metrics.scrape(world)[HELD_BACK]
    for i in range(1, 3):
        answer = ask(world, get("x", wrong()), there)
        tokens.refusal(answer, 401, "UNAUTHORIZED")
        assert i * 0.5 - 0.01 < answer.took < i * 0.5 + 0.4 * PATIENCE
        assert world.logged(0)[-1]["reason"] == "unknown_token"
    assert metrics.scrape(world)[HELD_BACK] == before + 2


def test_never_over_five_seconds_and_right_ones_at_once(world, there):
    """Many at a time; in the midst of it the owner, and another address."""
    fill(world, there)
    asked = [Asked(world, get("x", wrong()), there) for _ in range(30)]
    for source in (there, next(ADDRESSES)):
        for _ in range(5):
            answer = ask(world, get("x", world.pat("alice", "api")), source)
            assert tokens.access(answer, world) == {}
            assert answer.took < 0.4 * PATIENCE
    answers = [one.answer() for one in asked]
    assert {answer.status_code for answer in answers} == {401}
    times = [answer.took for answer in answers]
    assert 4.4 < max(times) < 4.5 + 0.5 * PATIENCE
    assert 0.4 < min(times)


def cpu(world):
    tasks = Path(f"/proc/{world.daemon.process.pid}/task")
    return sum(int(file.read_text().split()[0])
               for file in tasks.glob("*/schedstat")) / 1e9


@pytest.mark.parametrize("password", ["right", "wrong"])
@pytest.mark.parametrize("user", ["carol", "nobody-at-all"])
def test_passwords_are_refused_unseen(world, there, user, password):
    secret = world.PASSWORD if password == "right" else "no-such-password"
    fill(world, there)
    before, seen = cpu(world), len(world.log("token"))
    for _ in range(50):
        wait = refused(ask(world, get(user, secret), there))
        assert 600 // FEW - 20 * PATIENCE < wait <= 600 // FEW
    assert cpu(world) - before < 50 * 0.004 * PATIENCE, "hashes take 0.02 s"
    line = world.logged(seen, 50)[-1]
    assert (line["reason"], line["status"], line["addr"]) == (
        "too_many_failures", 429, there)
    answer = ask(world, post(user, "no-such-password"), there)
    refused(answer)
    assert tokens.grant_refusal(answer, 429, "temporarily_unavailable")


def test_wrong_passwords_count_like_wrong_tokens(world, there):
    for i in range(FEW):
        answer = ask(world, get("bob" if i % 2 else "nobody", f"wrong{i}"),
                     there)
        tokens.refusal(answer, 401)
    refused(ask(world, get("carol", "wrong"), there))
    assert ask(world, get("x", wrong()), there).took > 0.49


def test_right_passwords_are_not_counted(world, there):
    for _ in range(2 * FEW):
        answer = ask(world, get("carol", world.PASSWORD), there)
        assert tokens.subject(answer) == "carol"
    fill(world, there)


def test_a_token_that_is_dead_counts_as_a_wrong_one(world, there):
    """Whether it is known or not is not told by the time it takes."""
    secret = world.token("gus", scopes="api", name="dead")
    world.cli("token", "revoke", world.token_id("dead"))
    for i in range(1, FEW + 3):
        answer = ask(world, get("x", secret), there)
        tokens.refusal(answer, 401)
        late = max(0, i - FEW) * 0.5
        assert late - 0.01 < answer.took < late + 0.4 * PATIENCE


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    """After the first wrong secret it is full; 127.0.0.1 is a proxy."""
    with World(tmp_path_factory.mktemp("strict"), trusted_proxies="127.0.0.1",
               guard={"failures": 1, "failures_per_user": 1}) as strict:
        yield strict.serve()


@pytest.mark.parametrize("way", ways.WAYS)
def test_a_right_token_passes_by_every_way(strict, there, way):
    """Whatever was counted of where it comes from, and of its owner."""
    headers = {"X-Forwarded-For": there}
    secret = strict.pat("alice", "api")
    token = ways.refresh_token(ways.login(strict, secret))
    for _ in range(2):
        tokens.refusal(strict.ask(auth=("alice", wrong()), headers=headers),
                       401)
    tokens.refusal(strict.ask(auth=("alice", "wrong-password"),
                              headers=headers), 429)
    if way == "POST-refresh":
        answer = strict.ask(method="POST", headers=headers, fields={
            "grant_type": "refresh_token", "refresh_token": token})
    elif way == "GET-Bearer":
        answer = strict.ask(headers=headers | {
            "Authorization": f"Bearer {secret}"})
    else:
        answer = ways.WAYS[way](strict, secret, headers=headers)
    assert strict.took(answer) < 0.4 * PATIENCE
    assert tokens.access(answer, strict) == {}
    assert tokens.subject(answer) == "alice"
    assert strict.logged(0)[-1]["addr"] == there


def test_a_wrong_refresh_token_counts_too(strict, there):
    headers = {"X-Forwarded-For": there}
    for least in (0, 0.5):
        answer = strict.ask(method="POST", headers=headers, fields={
            "grant_type": "refresh_token", "refresh_token": wrong()})
        tokens.refusal(answer, 401)
        assert least - 0.01 < strict.took(answer) < least + 0.4 * PATIENCE


# What is no guess: there is no secret, or it is right.
NO_GUESS = {
    "unreadable": {"headers": {"Authorization": "Basic !"}},
    "no user name": {"auth": ("", "x")},
    "another scheme": {"headers": {"Authorization": "Digest x"}},
    "anonymous": {"fields": {"service": "closed"}},
    "no such service": {"fields": {"service": "none"}},
    "no scope for a registry": {"auth": ("x", "read_user")},
}


@pytest.mark.parametrize("kwargs", NO_GUESS.values(), ids=NO_GUESS.keys())
def test_what_is_no_guess_is_not_counted(strict, there, kwargs):
    kwargs = dict(kwargs)
    if kwargs.get("auth") == ("x", "read_user"):
        kwargs["auth"] = ("x", strict.pat("alice", "read_user"))
    kwargs["headers"] = {"X-Forwarded-For": there, **kwargs.get("headers", {})}
    for _ in range(5):
        answer = strict.ask(**kwargs)
        assert answer.status_code in (400, 401, 403)
        assert strict.took(answer) < 0.4 * PATIENCE
    answer = strict.ask(auth=("x", wrong()),
                        headers={"X-Forwarded-For": there})
    assert strict.took(answer) < 0.4 * PATIENCE


def test_a_name_is_counted_from_anywhere(world):
    """Known or not, in capitals or not; and its owner's token passes."""
    for user in ("carol", "nobody-of-that-name"):
        for i in range(PER_USER):
            name = user.upper() if i % 2 else user
            tokens.refusal(ask(world, get(name, f"wrong{i}"),
                               next(ADDRESSES)), 401)
        wait = refused(ask(world, get(user, "wrong"), next(ADDRESSES)))
        assert 1 <= wait <= 600 // PER_USER
    seen = len(world.log("token"))
    refused(ask(world, get("carol", world.PASSWORD), next(ADDRESSES)))
    # Not the fault of him who is refused.
    assert world.logged(seen)[-1]["reason"] == "too_many_for_user"
    answer = ask(world, get("carol", world.pat("carol", "api")),
                 next(ADDRESSES))
    assert tokens.subject(answer) == "carol"
    # Who is not counted is not refused either.
    answer = ask(world, get("carol", world.PASSWORD), "127.0.0.1")
    assert tokens.subject(answer) == "carol"
    # Another name is as before.
    tokens.refusal(ask(world, get("gus", "wrong"), next(ADDRESSES)), 401)


@pytest.mark.parametrize("first, second", [(post, get), (get, post)],
                         ids=["containerd", "buildkitd"])
@pytest.mark.parametrize("kind", ["token", "password"])
def test_the_same_secret_by_both_methods_counts_once(world, there, first,
                                                     second, kind):
    for i in range(FEW):
        secret = wrong() if kind == "token" else f"wrong-{i}"
        for data in (first("gus", secret), second("gus", secret)):
            answer = ask(world, data, there)
            tokens.refusal(answer, 401)
            assert answer.took < 0.4 * PATIENCE
    refused(ask(world, get("gus", "another"), there))
    assert ask(world, get("x", wrong()), there).took > 0.49


def test_this_machine_is_not_counted(world):
    for _ in range(3 * FEW):
        answer = ask(world, get("x", wrong()), "127.0.0.1")
        tokens.refusal(answer, 401)
        assert answer.took < 0.4 * PATIENCE
    tokens.refusal(ask(world, get("gus", "wrong"), "127.0.0.1"), 401)


def test_exempt_networks_by_reload(own_world):
    own_world.configure(guard=GUARD)
    own_world.serve()
    fill(own_world, "127.0.9.1")
    refused(ask(own_world, get("alice", "wrong"), "127.0.9.1"))
    own_world.configure(guard={**GUARD, "exempt": "10.0.0.0/8, 127.0.9.0/24"})
    assert own_world.reload().startswith("done:")
    for _ in range(2 * FEW):
        answer = ask(own_world, get("x", wrong()), "127.0.9.1")
        assert answer.took < 0.4 * PATIENCE
    tokens.refusal(ask(own_world, get("alice", "wrong"), "127.0.9.1"), 401)
    fill(own_world, "127.0.8.1")
    refused(ask(own_world, get("alice", "wrong"), "127.0.8.1"))


def test_harbor_21224_failures_lock_nobody_out(world):
    """A thousand wrong tries for alice from four addresses: her token passes
    from anywhere, there too, meanwhile and after."""
    sources = [next(ADDRESSES) for _ in range(4)]
    secret, times = world.pat("alice", "api"), []

    def owner():
        for source in (next(ADDRESSES), *sources):
            answer = ask(world, get("alice", secret), source)
            assert tokens.subject(answer) == "alice"
            times.append(answer.took)
    asked = []
    for i in range(1000):
        data = get("alice", wrong() if i % 4 else f"wrong-{i}")
        asked.append(Asked(world, data, sources[i // 4 % 4]))
        if i % 100 == 99:
            owner()
    answers = [one.answer() for one in asked]
    owner()
    assert {answer.status_code for answer in answers} == {401, 429}
    assert max(times) < 0.5 * PATIENCE
    assert max(answer.took for answer in answers) < 5 + 2 * PATIENCE


@pytest.fixture
def one_worker(own_world):
    own_world.configure(guard={**GUARD, "failures": 1}, workers=1)
    return own_world.serve()


def test_not_all_are_held_back(one_worker):
    """Beyond the bound it is 429 at once, and right tokens pass."""
    ask(one_worker, get("x", wrong()), "127.0.9.2")
    asked = [Asked(one_worker, get("x", wrong()), "127.0.9.2")
             for _ in range(LATE_MAX + 50)]
    answer = ask(one_worker, get("x", wrong()), "127.0.9.2")
    assert 1 <= refused(answer) <= 5
    # Whoever is not late has nothing to do with it.
    tokens.refusal(ask(one_worker, get("x", wrong()), "127.0.9.3"), 401)
    answer = ask(one_worker, get("x", one_worker.pat("alice", "api")),
                 "127.0.9.2")
    assert tokens.subject(answer) == "alice" and answer.took < 0.4 * PATIENCE
    got = [one.answer().status_code for one in asked]
    # The first of them come back while the last are asked.
    assert LATE_MAX <= got.count(401) <= LATE_MAX + 30
    assert got.count(401) + got.count(429) == len(got)
    answer = ask(one_worker, get("x", wrong()), "127.0.9.2")
    tokens.refusal(answer, 401)


def test_who_leaves_meanwhile_leaves_nothing(one_worker):
    ask(one_worker, get("x", wrong()), "127.0.9.2")
    for i in range(2 * LATE_MAX):
        wire = Wire(one_worker.port, source="127.0.9.2")
        wire.send(get("x", wrong()))
        wire.close()

    def room():
        return ask(one_worker, get("x", wrong()),
                   "127.0.9.2").status_code == 401
    wait_until(room, 10 * PATIENCE, "held back again")


def test_the_end_waits_for_what_is_held_back(one_worker):
    ask(one_worker, get("x", wrong()), "127.0.9.2")
    asked = [Asked(one_worker, get("x", wrong()), "127.0.9.2")
             for _ in range(20)]
    with Wire(one_worker.port) as last:
        last.send(get("x", one_worker.pat("alice", "api")))
        assert last.answer().status_code == 200
    assert one_worker.stop(signal.SIGTERM) == 0
    assert {one.answer().status_code for one in asked} == {401}


def test_it_is_forgotten(own_world, faketime):
    """On a clock that runs twenty times as fast."""
    if PATIENCE > 1:
        pytest.skip("libfaketime and a sanitizer cannot both come first")
    own_world.configure(guard={**GUARD, "seconds": 100})
    own_world.serve(env=hurried(20))
    own_world.pace = 20
    fill(own_world, "127.0.9.2")
    begun = time.monotonic()
    seconds = refused(ask(own_world, get("alice", "wrong"), "127.0.9.2"))
    assert 100 // FEW - 5 <= seconds <= 100 // FEW

    def looked_at():
        return ask(own_world, get("alice", "wrong"),
                   "127.0.9.2").status_code == 401
    wait_until(looked_at, 5, "looked at again")
    assert (time.monotonic() - begun) * 20 > seconds - 2


def test_the_memory_is_fixed(own_world):
    """However many addresses there are, as a proxy tells them."""
    if PATIENCE > 1:
        pytest.skip("a sanitizer keeps what has been freed")
    own_world.configure(guard=GUARD, trusted_proxies="127.0.0.1")
    own_world.serve()

    def memory():
        status = Path(f"/proc/{own_world.daemon.process.pid}/status")
        return int(status.read_text().partition("RssAnon:")[2].split()[0])

    def failures(numbers):
        with ways.Line(own_world) as line:
            for i in numbers:
                answer = line.send(TOKEN, [
                    ("X-Forwarded-For", f"10.0.{i >> 8}.{i & 255}"),
                    ("Authorization", basic("x", UNKNOWN))])
                assert answer.status == 401
    failures(range(2000))
    seen = [memory()]
    for begin in (2000, 12000, 22000):
        failures(range(begin, begin + 10000))
        seen.append(memory())
    # What is taken once, by whichever thread, is no growth.
    assert min(b - a for a, b in zip(seen, seen[1:])) < 32, seen


@pytest.mark.parametrize("header", [
    "X-Forwarded-For: 203.0.113.9", "X-Real-IP: 203.0.113.9", "Via: 1.1 x"])
def test_a_proxy_on_this_machine_that_is_not_named(own_world, header):
    """As the log says of it, its clients are one to the guard: not none."""
    own_world.configure(guard=GUARD)
    own_world.serve()
    asked = request(f"GET {TOKEN}&client_id=unnamed",
                    header, f"Authorization: {basic('alice', 'wrong')}")
    statuses = [ask(own_world, asked, "127.0.0.1").status_code
                for _ in range(FEW + 2)]
    said, = own_world.log("proxy")
    assert "its clients are one to limits and guard" in said["message"]
    assert statuses[-1] == 429, statuses


@pytest.mark.parametrize("headers", [
    ["X-Forwarded-For: 127.0.0.1"], ["Forwarded: for=\"[::1]\""],
    # The client, in a network that is trusted, wrote the first.
    ["X-Forwarded-For: 127.0.0.1, 10.1.1.1"]])
def test_nobody_is_here_because_a_header_says_so(own_world, headers):
    """It is a proxy elsewhere that asks: 127.0.0.1 is not this machine."""
    own_world.configure(guard=GUARD, trusted_proxies="127.0.0.9, 10.0.0.0/8")
    own_world.serve()
    asked = request(f"GET {TOKEN}&client_id=header", *headers,
                    f"Authorization: {basic('alice', 'wrong')}")
    statuses = [ask(own_world, asked, "127.0.0.9").status_code
                for _ in range(FEW + 2)]
    assert statuses[-1] == 429, statuses


@pytest.mark.parametrize("trusted", ["", "127.0.0.9"])
@pytest.mark.parametrize("client", ["TCP4 127.0.0.1 127.0.0.1",
                                    "TCP6 ::1 ::1"])
def test_nor_because_a_PROXY_line_says_so(own_world, client, trusted):
    own_world.configure(guard=GUARD, listener={"proxy_protocol": True},
                        **({"trusted_proxies": trusted} if trusted else {}))
    own_world.serve()
    asked = f"PROXY {client} 56324 443\r\n".encode() + request(
        f"GET {TOKEN}&client_id=named",
        f"Authorization: {basic('alice', 'wrong')}")
    statuses = [ask(own_world, asked, "127.0.0.9").status_code
                for _ in range(FEW + 2)]
    assert statuses[-1] == 429, statuses


def test_a_trusted_proxy_of_this_machine_that_says_nothing(own_world):
    """It asks for somebody: its address is not that of who sits here."""
    own_world.configure(guard=GUARD, trusted_proxies="127.0.0.1")
    own_world.serve()
    asked = request(f"GET {TOKEN}&client_id=silent",
                    f"Authorization: {basic('alice', 'wrong')}")
    statuses = [ask(own_world, asked, "127.0.0.1").status_code
                for _ in range(FEW + 2)]
    assert statuses[-1] == 429, statuses


def test_exempt_is_whom_a_header_names(own_world):
    own_world.configure(guard={**GUARD, "exempt": "192.0.2.0/24"},
                        trusted_proxies="127.0.0.1")
    own_world.serve()
    asked = request(f"GET {TOKEN}&client_id=office",
                    "X-Forwarded-For: 192.0.2.7",
                    f"Authorization: {basic('alice', 'wrong')}")
    statuses = {ask(own_world, asked, "127.0.0.1").status_code
                for _ in range(FEW + 2)}
    assert statuses == {401}
