"""The clients that people use, each behind the same few verbs.

A client keeps all that it has in a folder of the test's: no configuration,
storage or daemon of whoever runs the tests is looked at or changed. `site` is a
support.site.Site; a repository is "g/priv/img:1". A verb that a client does
not have is a method that its class has not.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import weakref
from pathlib import Path

import pytest

from support import apart, secrets, ways
from support.images import Image
from support.process import end_pause


# What dockpass says of bad credentials, where a client passes it on.
WRONG = "the (refresh )?token is (wrong|unknown), expired or revoked"


class Done:
    """How a client's command has ended; it is true if that was well."""

    def __init__(self, process):
        self.ok = process.returncode == 0
        self.text = process.stdout + process.stderr

    def __bool__(self):
        return self.ok

    def __repr__(self):
        return f"<{'done' if self.ok else 'failed'}: {self.text}>"


class Client:
    """`denied`, `refused`: what it prints when whoever is logged in may not,
    in a registry's words or its own, and when the credentials are no good."""
    has_login = True
    denied = "(?i:unauthorized)|is denied|authorization failed"
    refused = "unauthorized"
    auths = "docker/config.json"  # where it looks for identity tokens
    patience = 120

    def __init__(self, folder, _=None):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        self.env = {**apart.environment(self.folder),
                    "DOCKER_CONFIG": str(self.folder / "docker")}
        if not shutil.which(self.command[0], path=self.env["PATH"]):
            pytest.skip(f"{self.command[0]} is not installed")

    def run(self, *args, stdin=""):
        """Nothing that it asks is asked of the tester; it ends with who waits
        for it."""
        return Done(subprocess.run(
            ["setpriv", "--pdeathsig", "KILL", *apart.words(self.folder),
             *self.command, *map(str, args)], input=stdin, text=True,
            capture_output=True, env=self.env, timeout=self.patience,
            check=False, cwd=self.folder))

    def must(self, *args):
        done = self.run(*args)
        assert done, (args, done)
        return done

    def login(self, site, user, secret):
        return self.run("login", *self.trust(site), "-u", user,
                        "--password-stdin", site.host, stdin=secret)

    def keep(self, site, user, secret):
        """As it is after a login, whether they were right or not."""
        both = base64.b64encode(f"{user}:{secret}".encode()).decode()
        self._keep(site, {"auth": both})

    def _keep(self, site, entry):
        file = self.folder / self.auths
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"auths": {site.host: entry}}))

    def logout(self, site):
        return self.run("logout", site.host)

    def trust(self, site):
        """How it is told to speak plain HTTP, or with which CA."""
        return [f"--cert-dir={site.ca.parent}" if site.ca else
                "--tls-verify=false"]

    def thing(self, folder, repository, **size):
        """What it pushes to a repository, and pulls from it."""
        return Image(folder, **size)

    def version(self):
        return self.number(self.must("--version").text)

    @staticmethod
    def number(text):
        return re.search(r"\d+\.\d[^\s\",]*", text)[0]

    def identity(self, site, secret):
        """Gives it an identity token alone, as `docker login` leaves it."""
        given = ways.login(site.world, secret, service=site.name)
        self._keep(site, {"auth": base64.b64encode(b"whoever:").decode(),
                          "identitytoken": ways.refresh_token(given)})


class Docker(Client):
    name = "docker"
    command = ["docker"]
    refused = WRONG

    def __init__(self, folder, daemons):
        super().__init__(folder)
        self.env["DOCKER_HOST"] = daemons.docker

    def trust(self, site):
        return []  # to a daemon all of 127.0.0.0/8 is insecure

    def push(self, site, image, repository):
        self.must("load", "-i", image.archive)
        self.must("tag", image.name, site.ref(repository))
        return self.run("push", site.ref(repository))

    def pull(self, site, repository):
        self.run("rmi", "-f", site.ref(repository))
        return self.run("pull", site.ref(repository))

    mount = push

    def index(self, site, index, repository):
        parts = [f"{repository}-{name}" for name in index.platforms]
        for image, part in zip(index.images, parts):
            done = self.push(site, image, part)
            if not done:
                return done
        self.must("manifest", "create", "--insecure", site.ref(repository),
                  *map(site.ref, parts))
        return self.run("manifest", "push", "--insecure",
                        site.ref(repository))

    def identity(self, site, secret):
        """Its own login gets one, and forgets the secret."""
        done = self.login(site, "whoever", secret)
        assert done, done
        text = (self.folder / self.auths).read_text()
        entry = json.loads(text)["auths"][site.host]
        secrets.remember(entry["identitytoken"])
        assert not any(form in text.encode() for form in secrets.forms(secret))

    def version(self):
        return self.must("version", "--format", "{{.Server.Version}}").text \
            .strip()


class Containerd(Client):
    """ctr has no login: it is given the credentials each time."""
    name = "containerd"
    has_login = False
    refused = "401 Unauthorized"

    def __init__(self, folder, daemons):
        self.command = ["ctr", "-a", daemons.containerd, "-n", "test"]
        self.user = []
        super().__init__(folder)

    def login(self, site, user, secret):
        self.user = ["--user", f"{user}:{secret}"]
        return self.run("version")

    keep = login

    def identity(self, site, secret):
        given = ways.login(site.world, secret, service=site.name)
        self.user = ["--refresh", ways.refresh_token(given)]

    def version(self):
        return self.number(
            self.must("version").text.partition("Server:")[2])

    def logout(self, site):
        self.user = []

    def trust(self, site):
        if not site.ca:
            return ["--plain-http"]
        hosts = self.folder / "hosts" / site.host
        hosts.mkdir(parents=True, exist_ok=True)
        pair = [str(site.ca.parent / f"client.{end}") for end in ("cert", "key")]
        (hosts / "hosts.toml").write_text(
            f'[host."https://{site.host}"]\nca = "{site.ca}"\n' +
            f"client = [{json.dumps(pair)}]\n" * Path(pair[0]).exists())
        return ["--hosts-dir", hosts.parent]

    def push(self, site, image, repository):
        self.must("images", "import", "--snapshotter", "native",
                  image.archive)
        return self.push_as(site, f"docker.io/{image.name}", repository)

    def index(self, site, index, repository):
        name = f"docker.io/{index.name}"
        self.must("images", "import", "--no-unpack", "--all-platforms",
                  "--index-name", name, index.archive)
        return self.push_as(site, name, repository)

    def push_as(self, site, name, repository):
        self.must("images", "tag", "--force", name, site.ref(repository))
        return self.run("images", "push", *self.trust(site), *self.user,
                        site.ref(repository))

    def pull(self, site, repository):
        self.run("images", "rm", "--sync", site.ref(repository))
        return self.run("images", "pull", "--snapshotter", "native",
                        *self.trust(site), *self.user, site.ref(repository))

    def mount(self, site, image, repository):
        return self.push_as(site, site.ref(site.source), repository)


class Containers(Client):
    """What those have in common that are made of containers/image."""
    auths = "auth.json"
    refused = "invalid username/password"

    def __init__(self, folder, _=None):
        super().__init__(folder)
        auths, conf = self.folder / self.auths, self.folder / "containers.conf"
        auths.write_text("{}")
        conf.write_text(
            f'[network]\nnetwork_config_dir = "{self.folder}/cni"\n'
            '[engine]\nlock_type = "file"\nevents_logger = "file"\n')
        self.env |= {"REGISTRY_AUTH_FILE": str(auths),
                     "CONTAINERS_CONF": str(conf)}


class Skopeo(Containers):
    name = "skopeo"
    command = ["skopeo"]

    def side(self, which, site):
        return [f"--{which}-" + word[2:] for word in self.trust(site)]

    def push(self, site, image, repository, *options):
        return self.run("copy", *options, *self.side("dest", site),
                        f"oci:{image.layout}:1",
                        f"docker://{site.ref(repository)}")

    def pull(self, site, repository):
        shutil.rmtree(self.folder / "got", ignore_errors=True)
        return self.run("copy", *self.side("src", site),
                        f"docker://{site.ref(repository)}",
                        f"dir:{self.folder}/got")

    def index(self, site, index, repository):
        return self.push(site, index, repository, "--all")

    def mount(self, site, image, repository):
        return self.run("copy", *self.side("src", site),
                        *self.side("dest", site),
                        f"docker://{site.ref(site.source)}",
                        f"docker://{site.ref(repository)}")

    def inspect(self, site, repository):
        return self.run("inspect", *self.trust(site),
                        f"docker://{site.ref(repository)}")

    def tags(self, site, repository):
        done = self.run("list-tags", *self.trust(site),
                        f"docker://{site.ref(repository.split(':')[0])}")
        return json.loads(done.text)["Tags"] if done else done

    def delete(self, site, repository):
        return self.run("delete", *self.trust(site),
                        f"docker://{site.ref(repository)}")


class Podman(Containers):
    name = "podman"
    command = ["podman", "--storage-driver", "vfs"]

    def __init__(self, folder, _=None):
        super().__init__(folder)
        if not os.geteuid() and not apart.able():
            pytest.skip(f"{self.name} would use the machine's own storage: "
                        "no mount namespace can be made")
        weakref.finalize(self, end_pause, self.folder)

    def load(self, image):
        self.must("load", "-q", "-i", image.archive)
        return image.name

    def push(self, site, image, repository):
        return self.run("push", *self.trust(site), self.load(image),
                        f"docker://{site.ref(repository)}")

    def pull(self, site, repository):
        self.run("rmi", "-f", site.ref(repository))
        return self.run("pull", *self.trust(site), site.ref(repository))

    def mount(self, site, image, repository):
        assert self.pull(site, site.source)
        return self.run("push", *self.trust(site), site.ref(site.source),
                        f"docker://{site.ref(repository)}")

    def index(self, site, index, repository):
        self.must("manifest", "create", index.name)
        for image in index.images:
            self.must("manifest", "add", index.name, f"oci:{image.layout}:1")
        return self.run("manifest", "push", "--all", *self.trust(site),
                        index.name, f"docker://{site.ref(repository)}")

    def tags(self, site, repository):
        done = self.run("search", *self.trust(site), "--list-tags",
                        site.ref(repository.split(":")[0]))
        return [line.split()[1] for line in done.text.splitlines()[1:]] \
            if done else done

    def catalog(self, site):
        done = self.run("search", *self.trust(site), "--limit", "100",
                        "--format", "{{.Name}}", f"{site.host}/")
        return [name.removeprefix(f"{site.host}/")
                for name in done.text.split()] if done else done


class Buildah(Podman):
    name = "buildah"
    command = ["buildah", *Podman.command[1:]]
    tags = catalog = None

    def load(self, image):
        """It makes a name of the path, and not every path is a name."""
        shutil.copytree(image.layout, self.folder / "in", dirs_exist_ok=True)
        return self.must("pull", "-q", "oci:in:1").text.strip()


KINDS = {kind.name: kind for kind in
         (Docker, Containerd, Skopeo, Podman, Buildah)}
