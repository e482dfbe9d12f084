"""One cell of the matrix while it is tried: a client at a registry."""

import hashlib
import itertools
import json
import re
import time

import pytest

from support.images import INDEX, MANIFEST, Index
from support.process import wait_until

SERIAL = itertools.count(1)
ACCEPT = {"Accept": ", ".join([
    MANIFEST, INDEX, "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json"])}


class Case:
    """`who`: a client of its own; `site`: where it goes; `others`: the sites
    beside, by what is odd about them. What a case makes has its name, so
    that cases may run beside each other on different sites."""

    def __init__(self, who, site, others=None, seen=None):
        self.who, self.site, self.others = who, site, others or {}
        self.world = site.world
        self.name = f"{who.name}-{next(SERIAL)}"
        self.seen = seen or settled(self.world)

    def at(self, kind):
        """The same client at another site."""
        site = self.others[kind]
        other = Case(self.who, site, self.others,
                     self.seen if site.world is self.world else None)
        other.name = self.name
        return other

    def place(self, project):
        """Nobody else's repository in a project."""
        return f"{project}/{self.name}:1.0.0"

    def thing(self, repository):
        return self.who.thing(self.who.folder / f"thing-{next(SERIAL)}",
                              repository)

    def index(self):
        return Index(self.who.folder / f"index-{next(SERIAL)}")

    def login(self, user, scopes):
        self.did(self.who.login(self.site, *self.world.basic(user, scopes)))

    def never_at(self, registry, why):
        """Ends a case that this registry makes impossible."""
        if self.site.registry.version == registry:
            pytest.skip(why)

    # What the registry has, by its own word to an administrator

    def ask(self, method, path, scope, **kwargs):
        answer = self.world.ask(scope, auth=self.world.basic("root", "api"),
                                fields={"service": self.site.name})
        assert answer.status_code == 200, answer.text
        return self.site.registry.get(path, answer.json()["token"], method,
                                      **kwargs)

    def manifest(self, repository):
        """The object, or None."""
        name, tag = split(repository)
        answer = self.ask("GET", f"/v2/{name}/manifests/{tag}",
                          f"repository:{name}:pull", headers=ACCEPT)
        assert answer.status_code in (200, 404), answer.text
        return answer.json() if answer.status_code == 200 else None

    def there(self, project, place=None):
        """Puts a thing into a project's repository; (its name, by digest,
        the thing)."""
        repository = place or self.place(project)
        thing = self.thing(repository)
        name, tag = split(repository)
        scope = f"repository:{name}:pull,push"
        entry = json.loads((thing.layout / "index.json").read_text())
        entry = entry["manifests"][0]
        for blob in (thing.layout / "blobs/sha256").iterdir():
            if blob.name != entry["digest"][7:]:
                self._upload(name, scope, blob.read_bytes())
        data = (thing.layout / "blobs/sha256" / entry["digest"][7:])
        done = self.ask("PUT", f"/v2/{name}/manifests/{tag}", scope,
                        data=data.read_bytes(),
                        headers={"Content-Type": entry["mediaType"]})
        assert done.status_code == 201, done.text
        return repository, f"{name}@{entry['digest']}", thing

    def _upload(self, name, scope, data):
        begun = self.ask("POST", f"/v2/{name}/blobs/uploads/", scope)
        where = begun.headers["Location"].removeprefix(self.site.registry.url)
        mark = "&" if "?" in where else "?"
        digest = hashlib.sha256(data).hexdigest()
        done = self.ask("PUT", f"{where}{mark}digest=sha256:{digest}", scope,
                        data=data)
        assert done.status_code == 201, done.text

    # What must have happened

    def lines(self, word=""):
        """What dockpass has logged of the client's requests at this site,
        `word` in what was asked; ours are left out."""
        return [line for line in self.world.log("token")[self.seen:]
                if line["service"] == self.site.name and
                not (line["client"] or "").startswith("test-") and
                word in line["asked"]]

    def logged(self, *reasons, also=(), word="", user=None):
        """These reasons and no others, but for logging in and `also`."""
        def got():
            return {line["reason"] for line in self.lines(word)}
        wait_until(lambda: set(reasons) <= got(), 10,
                   lambda: f"{reasons} in the log: {self.lines(word)}")
        assert got() <= {*reasons, *also, "login"}, self.lines(word)
        if user is not None:
            assert {line["user"] for line in self.lines(word)} == {user}, \
                self.lines(word)

    def logged_one_of(self, *reasons):
        wait_until(lambda: any(line["reason"] in reasons
                               for line in self.lines()), 10,
                   lambda: f"one of {reasons} in the log: {self.lines()}")

    def served(self, method, repository, what="manifests", status=(200,)):
        """By its own log the registry has answered a request so."""
        start = f"/v2/{split(repository)[0]}/{what}/"
        wait_until(lambda: any(
            request[0] == method and request[1].startswith(start) and
            request[2] in status for request in self.site.registry.requests()),
            10, f"{method} {start}* was never {status}")

    def mounted(self, repository):
        """Its layers came from another repository. zot lets a HEAD find what
        any repository has: there nobody has to ask."""
        if self.site.registry.version != "zot":
            self.served("POST", repository, "blobs/uploads", (201,))
            return
        uploads = f"/v2/{split(repository)[0]}/blobs/uploads/"
        assert not any(method == "PATCH" and target.startswith(uploads)
                       for method, target, _ in self.site.registry.requests())

    def pushed(self, repository):
        """It is there, with all of its layers."""
        made = self.manifest(repository)
        assert made and made.get("layers"), made
        name, _ = split(repository)
        for layer in made["layers"]:
            found = self.ask("HEAD", f"/v2/{name}/blobs/{layer['digest']}",
                             f"repository:{name}:pull")
            assert found.status_code == 200, (layer, found.status_code)
        return made

    @staticmethod
    def did(done):
        assert done, done
        return done

    def denied(self, done):
        """It failed, and said that it was because it is not allowed."""
        assert not done, done
        assert re.search(self.who.denied, done.text), done

    def refused(self, done):
        """It failed, and said that the credentials are no good."""
        assert not done, done
        assert re.search(self.who.refused, done.text), done


def settled(world):
    """How many requests dockpass has logged, when none is on its way: lines
    come a little after the answers, each worker's in its own time."""
    for _ in range(2):
        world.reason(world.ask())
    return len(world.log("token"))


def split(repository):
    """The name, and the tag or the digest."""
    name, _, digest = repository.partition("@")
    return (name, digest) if digest else tuple(repository.rsplit(":", 1))


def midnight(clock_start):
    """The next 00:00 UTC after a time, and its date."""
    day = int(clock_start) // 86400 + 1
    return day * 86400, time.strftime("%Y-%m-%d", time.gmtime(day * 86400))
