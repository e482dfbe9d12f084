"""One cell of the matrix while it is tried: a client at a registry."""

import copy
import itertools
import json
import re
import time

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

    def __init__(self, who, site, others=None):
        self.who, self.site, self.others = who, site, others or {}
        self.world = site.world
        self.name = f"{who.name}-{next(SERIAL)}"
        self.seen = settled(self.world)

    def at(self, kind):
        """The same client at another site."""
        other = copy.copy(self)
        other.site = self.others[kind]
        if other.site.world is not self.world:
            other.world = other.site.world
            other.seen = settled(other.world)
        return other

    def later(self):
        """The same from now on."""
        other = copy.copy(self)
        other.seen = settled(self.world)
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

    # What the registry has, by its own word to an administrator

    def bearer(self, scope):
        answer = self.world.ask(scope, auth=self.world.basic("root", "api"),
                                fields={"service": self.site.name})
        assert answer.status_code == 200, answer.text
        return answer.json()["token"]

    def ask(self, method, path, scope, **kwargs):
        return self.site.registry.get(path, self.bearer(scope), method,
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
        bearer = self.bearer(f"repository:{name}:pull,push")
        entry = json.loads((thing.layout / "index.json").read_text())
        entry = entry["manifests"][0]
        for blob in (thing.layout / "blobs/sha256").iterdir():
            if blob.name != entry["digest"][7:]:
                self.site.registry.upload(bearer, name, blob.read_bytes())
        data = (thing.layout / "blobs/sha256" / entry["digest"][7:])
        done = self.site.registry.get(
            f"/v2/{name}/manifests/{tag}", bearer, "PUT",
            data=data.read_bytes(),
            headers={"Content-Type": entry["mediaType"]})
        assert done.status_code == 201, done.text
        return repository, f"{name}@{entry['digest']}", thing

    # What must have happened

    def lines(self, word=""):
        """What dockpass has logged of the client's requests at this site,
        `word` in what was asked; ours are left out."""
        return [line for line in self.world.log("token")[self.seen:]
                if line["service"] == self.site.name and
                not (line["client"] or "").startswith("test-") and
                word in line["asked"]]

    def logged(self, *reasons, also=(), word="", user=None, enough=all):
        """These reasons and no others, but for logging in and `also`; `enough`
        any: one of them is."""
        def lines():
            return self.lines(word)

        def got():
            return {line["reason"] for line in lines()}
        wait_until(lambda: enough(reason in got() for reason in reasons), 10,
                   lambda: f"{reasons} in the log: {lines()}")
        assert got() <= {*reasons, *also, "login"}, lines()
        if user is not None:
            assert {line["user"] for line in lines()} == {user}, lines()

    def logged_less(self, user):
        """Got a part of what it asked for, or nothing: zot asks for a push
        alone, and others for a pull with it, or before it."""
        self.logged("partial", "nothing", also=["granted"], user=user,
                    enough=any)

    def served(self, methods, repository, what="manifests", status=(200,),
               since=0, word=""):
        """By its own log the registry has answered a request so."""
        start = f"/v2/{split(repository)[0]}/{what}/"
        wait_until(lambda: any(
            method in methods.split() and target.startswith(start) and
            word in target and code in status
            for method, target, code in self.site.registry.requests(since)),
            10, f"{methods} {start}*{word} was never {status}")

    def pulled(self, repository, *what):
        """It pulls, and has been at the registry for that; `what`: "blobs"
        that it cannot have had before."""
        since = self.site.registry.mark()
        self.did(self.who.pull(self.site, repository))
        self.served("GET HEAD", repository, since=since)
        for each in what:
            self.served("GET", repository, each, (200, 307), since)

    def mounted(self, repository, layer):
        """It came from another repository, with no upload of it."""
        uploads = f"/v2/{split(repository)[0]}/blobs/uploads/"
        word = layer["digest"].partition(":")[2]
        if not self.site.registry.finds_all:  # else nobody has to ask
            self.served("POST", repository, "blobs/uploads", (201,),
                        word=word)
        sent = [target for _, target, _ in self.site.registry.requests()
                if target.startswith(uploads) and word in target and
                "digest=" in target]
        assert not sent, sent

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
