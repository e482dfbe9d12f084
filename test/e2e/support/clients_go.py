"""Clients that Go builds from a module's version: the verbs of clients.py."""

import shutil

from support import golang
from support.clients import WRONG, Client
from support.images import Chart


class GoClient(Client):
    """`module`: package and version."""

    def __init__(self, folder, _=None):
        self.command = [str(golang.program(*self.module))]
        super().__init__(folder)

    def version(self):
        return self.module[1].removeprefix("v")

    def lines(self, *args):
        """What it lists; how it failed, if it did."""
        done = self.run(*args)
        return done.text.split() if done else done


class Crane(GoClient):
    """localhost is plain HTTP to it. Its login asks nobody."""
    name = "crane"
    module = "github.com/google/go-containerregistry/cmd/crane", "v0.22.1"
    has_login = False
    refused = WRONG

    def login(self, site, user, secret):
        return self.run("auth", "login", "-u", user, "--password-stdin",
                        site.host, stdin=secret)

    def logout(self, site):
        return self.run("auth", "logout", site.host)

    def push(self, site, image, repository):
        return self.run("push", image.layout, site.ref(repository))

    def pull(self, site, repository):
        return self.run("pull", site.ref(repository), self.folder / "got.tar")

    def index(self, site, index, repository):
        return self.run("push", "--index", index.flat, site.ref(repository))

    def mount(self, site, image, repository):
        return self.run("copy", site.ref(site.source), site.ref(repository))

    def tags(self, site, repository):
        return self.lines("ls", site.ref(repository.split(":")[0]))

    def catalog(self, site):
        return self.lines("catalog", site.host)

    def delete(self, site, repository):
        return self.run("delete", site.ref(repository))


class Oras(GoClient):
    name = "oras"
    module = "oras.land/oras/cmd/oras", "v1.3.6"
    refused = WRONG
    plain = "--plain-http"

    def login(self, site, user, secret):
        return self.run("login", self.plain, "-u", user, "--password-stdin",
                        site.host, stdin=secret)

    def push(self, site, image, repository):
        """A file, as it is used most; the others copy images."""
        shutil.copy(image.archive, self.folder / "file.tar")
        return self.run("push", self.plain, site.ref(repository), "file.tar")

    def pull(self, site, repository):
        return self.run("pull", self.plain, "-o", "got", site.ref(repository))

    def index(self, site, index, repository):
        return self.run("cp", "--to-plain-http", "--from-oci-layout",
                        f"{index.layout}:1", site.ref(repository))

    def mount(self, site, image, repository):
        return self.run("cp", "--from-plain-http", "--to-plain-http",
                        site.ref(site.source), site.ref(repository))

    def tags(self, site, repository):
        return self.lines("repo", "tags", self.plain,
                          site.ref(repository.split(":")[0]))

    def catalog(self, site):
        return self.lines("repo", "ls", self.plain, site.host)

    def delete(self, site, repository):
        return self.run("manifest", "delete", "--force", self.plain,
                        site.ref(repository))


class Regctl(GoClient):
    name = "regctl"
    module = "github.com/regclient/regclient/cmd/regctl", "v0.11.7"

    def __init__(self, folder, _=None):
        super().__init__(folder)
        self.env["REGCTL_CONFIG"] = str(self.folder / "regctl.json")

    def run(self, *args, stdin=None, site=None):
        """It is told of plain HTTP before it is told anything else."""
        if site:
            self.must("registry", "set", "--skip-check", "--tls", "disabled",
                      site.host)
        return super().run(*args, stdin=stdin)

    def login(self, site, user, secret):
        return self.run("registry", "login", "-u", user, "--pass-stdin",
                        site.host, stdin=secret, site=site)

    def logout(self, site):
        return self.run("registry", "logout", site.host)

    def push(self, site, image, repository):
        return self.run("image", "copy", f"ocidir://{image.layout}:1",
                        site.ref(repository), site=site)

    index = push

    def pull(self, site, repository):
        return self.run("image", "export", site.ref(repository),
                        self.folder / "got.tar", site=site)

    def mount(self, site, image, repository):
        return self.run("image", "copy", site.ref(site.source),
                        site.ref(repository), site=site)

    def tags(self, site, repository):
        done = self.run("tag", "ls", site.ref(repository.split(":")[0]),
                        site=site)
        return done.text.split() if done else done

    def catalog(self, site):
        done = self.run("repo", "ls", site.host, site=site)
        return done.text.split() if done else done

    def delete(self, site, repository):
        return self.run("manifest", "delete", site.ref(repository), site=site)


class Helm(GoClient):
    name = "helm"
    module = "helm.sh/helm/v3/cmd/helm", "v3.22.0"
    refused = WRONG
    plain = "--plain-http"

    def thing(self, folder, repository, **size):
        return Chart(folder, repository, **size)

    def login(self, site, user, secret):
        return self.run("registry", "login", self.plain, "-u", user,
                        "--password-stdin", site.host, stdin=secret)

    def logout(self, site):
        return self.run("registry", "logout", site.host)

    def push(self, site, chart, repository):
        return self.run("push", self.plain, chart.archive,
                        f"oci://{site.ref(repository.rpartition('/')[0])}")

    def pull(self, site, repository):
        name, at, tag = site.ref(repository).rpartition("@")
        if at:
            return self.run("pull", self.plain, f"oci://{name}@{tag}")
        name, _, tag = tag.rpartition(":")
        return self.run("pull", self.plain, f"oci://{name}", "--version", tag)


GO = Crane, Oras, Regctl, Helm
