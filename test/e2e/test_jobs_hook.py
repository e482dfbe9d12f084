"""The webhook of the daily checks: signed JSON, beside mail or instead."""

import hashlib
import hmac
import json
import time

import pytest

from support import secrets
from support.clock import Clock
from support.dockpass import Dockpass
from support.http import Server
from support.process import wait_until
from support.site import Certificate
from support.world import World
# Fixtures are found by their names here.
from test_jobs_mail import ALICE, day, mail_to, post, run, told


class Hook(Server):
    """Answers each POST with the status `answers`."""

    def __init__(self, answers=204, certificate=None):
        self.answers = answers
        super().__init__(lambda handler: handler.say(self.answers),
                         certificate=certificate)

    @property
    def posts(self):
        return [(asked.headers, asked.body) for asked in self.asked]


SECRET = "a-secret-of-the-webhook"


def hook_to(hook, folder):
    file = folder / "hook-secret"
    file.write_text(secrets.remember(SECRET) + "\n")
    file.chmod(0o600)
    return {"url": f"http://127.0.0.1:{hook.server_port}/told?key=1",
            "secret_file": str(file)}


def test_a_webhook_beside_mail(tmp_path, post):
    with Hook() as hook, World(tmp_path, mail=mail_to(post)) as world:
        world.configure(webhook=hook_to(hook, tmp_path))
        world.token("alice", scopes="api", name="one", expires=day(5))
        world.token("--project", "g/priv", scopes="api", name="ci",
                    expires=day(7))
        assert run(world, "expiring", day(0))["sent"] == 4
        assert set(told(post)) == {ALICE, "bob@example.com"}
        bodies = {}
        for headers, body in hook.posts:
            mac = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
            assert headers["X-Dockpass-Signature"] == f"sha256={mac}"
            assert headers["Content-Type"] == "application/json"
            said = json.loads(body)
            assert headers["X-Dockpass-Delivery"] == str(said.pop("id"))
            bodies[said.pop("user", said.get("project"))] = said
        common = {"event": "token_expiring", "url": world.url,
                  "date": day(0), "total": 1}
        assert bodies["alice"] == {**common, "tokens": [
            {"id": world.token_id("one"), "name": "one",
             "expires_at": day(5)}]}
        assert bodies["g/priv"] == {**common, "project": "g/priv", "tokens": [
            {"id": world.token_id("ci"), "name": "ci", "expires_at": day(7)}]}


def test_a_group_and_its_webhook(tmp_path):
    with Hook() as hook, World(tmp_path) as world:
        world.configure(webhook=hook_to(hook, tmp_path))
        world.token("--group", "g", scopes="api", name="all", expires=day(7))
        assert run(world, "expiring", day(0))["sent"] == 1
        said = json.loads(hook.posts[0][1])
        assert said["group"] == "g"
        assert not {"project", "user"} & set(said)


def test_a_hundred_names_and_how_many_in_all(tmp_path):
    with Hook() as hook, Dockpass(tmp_path) as desk:
        desk.configure(webhook=hook_to(hook, tmp_path))
        desk.user("alice")
        for n in range(102):
            desk.token("alice", scopes="api", name=f"t{n}", expires=day(5))
        run(desk, "expiring", day(0))
        (_, body), = hook.posts
        said = json.loads(body)
        assert said["total"] == 102
        assert [token["name"] for token in said["tokens"]] == [
            f"t{n}" for n in range(100)]


# A 500 is of the webhook, and the next one waits; a 404 may be of this one.
@pytest.mark.parametrize("answer, posts", [(500, 1), (429, 1), (404, 2)])
def test_whether_the_next_is_tried(tmp_path, answer, posts):
    with Hook(answer) as hook, Dockpass(tmp_path) as desk:
        desk.configure(webhook=hook_to(hook, tmp_path))
        for user in ("alice", "bob"):
            desk.user(user)
            desk.token(user, scopes="api", name="one", expires=day(5))
        desk.refused("job", "run", "expiring")
        assert len(hook.posts) == posts
        assert desk.json("job", "list")[0]["waiting"] == 2


def test_a_webhook_that_is_tried_again(tmp_path, faketime):
    """The same call, signed as before, with the same number; then no more."""
    clock = Clock(tmp_path)
    clock.set(int(time.time()) + 120)
    with Hook(503) as hook, Dockpass(tmp_path) as desk:
        desk.configure(webhook=hook_to(hook, tmp_path))
        desk.user("alice")
        desk.token("alice", scopes="api", name="one", expires=day(5))
        desk.refused("job", "run", "expiring")
        hook.answers = 200
        desk.serve(env=clock.env())
        wait_until(lambda: desk.json("job", "list")[0]["waiting"] == 0, 20,
                   "it is not tried again")
        desk.stop()
        first, second = hook.posts
        for name in ("X-Dockpass-Delivery", "X-Dockpass-Signature"):
            assert first[0][name] == second[0][name]
        assert first[1] == second[1]


def test_a_webhook_that_is_not_there(tmp_path):
    """Its address may hold a secret: nobody is shown it."""
    with Dockpass(tmp_path) as desk:
        with Hook() as hook:
            config = hook_to(hook, tmp_path)
        desk.configure(webhook=config)
        desk.user("alice")
        desk.token("alice", scopes="api", name="one", expires=day(5))
        status, said = desk.refused("job", "run", "expiring")
        assert status == 1 and "the webhook: " in said
        listed = desk.cli("job", "list")
        assert "the webhook: " in listed
        for text in (said, listed):
            assert "key=1" not in text and "/told" not in text


@pytest.mark.parametrize("answer", [500, 404, 302])
def test_a_webhook_alone_that_refuses(tmp_path, answer):
    with Hook(answer) as hook, Dockpass(tmp_path) as desk:
        desk.configure(webhook=hook_to(hook, tmp_path))
        desk.user("alice")
        desk.token("alice", scopes="api", name="one", expires=day(5))
        status, said = desk.refused("job", "run", "expiring")
        assert status == 1 and f"the webhook answered {answer}" in said
        assert ("a redirect, which is not followed" in said) == (answer == 302)
        assert "key=1" not in said and len(hook.posts) == 1
        assert desk.json("job", "list")[0]["waiting"] == 1


@pytest.mark.parametrize("ca, arrives", [("right", True), (None, False)])
def test_a_webhook_of_another_authority(tmp_path, ca, arrives):
    certificate = Certificate(tmp_path)
    with Hook(certificate=certificate) as hook, Dockpass(tmp_path) as desk:
        options = hook_to(hook, tmp_path)
        options["url"] = options["url"].replace("http://127.0.0.1",
                                                "https://localhost")
        if ca:
            options["ca"] = str(certificate.ca)
        desk.configure(webhook=options)
        desk.user("alice")
        desk.token("alice", scopes="api", name="one", expires=day(5))
        done = desk.run("job", "run", "expiring", "--config",
                        desk.config_file, check=False)
        assert (done.returncode == 0) == arrives == len(hook.posts), done
        assert arrives or "certificate" in done.stderr


@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
def test_a_proxy_of_the_environment_is_not_asked(tmp_path, variable):
    with Hook() as proxy, Hook() as hook, Dockpass(tmp_path) as desk:
        desk.configure(webhook=hook_to(hook, tmp_path))
        desk.user("alice")
        desk.token("alice", scopes="api", name="one", expires=day(5))
        desk.cli("job", "run", "expiring",
                 env={variable: f"http://127.0.0.1:{proxy.server_port}"})
        assert len(hook.posts) == 1 and not proxy.posts


def test_a_ca_without_a_webhook(tmp_path):
    with Dockpass(tmp_path) as desk:
        desk.configure(webhook={"ca": "/nowhere"})
        assert "webhook: needs both url and secret_file" in \
            desk.refused("check")[1]
