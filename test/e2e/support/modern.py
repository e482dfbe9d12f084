"""The newest clients: moby with its containerd image store, containerd 2 by
ctr and as a kubelet asks it (CRI), BuildKit by buildx.

All of them POST to the token endpoint first. They have the verbs of
support/clients.py, and daemons of their own; Go builds their programs.
`denied`, `refused`: what each says of what is not allowed to whoever is logged
in, and of credentials that are no good.
"""

import base64
import os
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path

from support import clients, daemons, golang

# name: (package, version, tags of the build)
CONTAINERD = "github.com/containerd/containerd/v2/cmd/"
PROGRAMS = {
    "dockerd": ("github.com/moby/moby/v2/cmd/dockerd", "v2.0.0-beta.24",
                ["no_systemd", "no_libnftables", "exclude_graphdriver_btrfs"]),
    "buildx": ("github.com/docker/buildx/cmd/buildx", "v0.38.2", []),
    "crictl": ("sigs.k8s.io/cri-tools/cmd/crictl", "v1.37.0", []),
    **{name: (CONTAINERD + name, "v2.4.2", ["no_btrfs"])
       for name in ("containerd", "ctr", "containerd-shim-runc-v2")},
}
# The second: by a registry that adds no challenge to its 401.
DENIED = r"(pull|push) access denied|request to \S+/v2/\S+: 401 Unauthorized"


def program(name):
    """Its path, or a skip that says why there is none."""
    return str(golang.program(*PROGRAMS[name], large=True))


def version(name):
    return PROGRAMS[name][1].removeprefix("v")


class Moby(clients.Docker):
    """By the docker command that is here: it only passes on what to do."""
    name = "moby"
    denied = DENIED
    refused = "the token is wrong, expired or revoked|[lL]ogin prior to pull"

    def run(self, *args, stdin="\n"):
        """If the daemon says 401, docker asks for a login; at the end of its
        input, docker 28 waits for ever."""
        return super().run(*args, stdin=stdin)

    def version(self):
        return version("dockerd")


class Containerd(clients.Containerd):
    name = "containerd-2"
    denied = DENIED
    refused = "401 Unauthorized"

    def __init__(self, folder, daemons):
        super().__init__(folder, daemons)
        self.command[0] = program("ctr")

    def version(self):
        return version("containerd")


class Kubelet(clients.Client):
    """It pulls, by containerd's CRI, with a pull secret for each time."""
    name = "kubelet"
    has_login = False
    identity = None  # a pull secret cannot be one
    denied = DENIED
    refused = "401 Unauthorized"

    def __init__(self, folder, daemons):
        self.command = [program("crictl"), "--config", f"{folder}/crictl.yaml"]
        self.secret = []
        super().__init__(folder)
        (self.folder / "crictl.yaml").write_text(
            f"runtime-endpoint: unix://{daemons.containerd}\ntimeout: 60\n")

    def login(self, site, user, secret):
        self.secret = ["--creds", f"{user}:{secret}"]
        return self.run("version")

    def login_by_auth(self, site, user, secret):
        """As config.json has it, which `docker login` has written."""
        both = base64.b64encode(f"{user}:{secret}".encode()).decode()
        self.secret = ["--auth", both]
        return self.run("version")

    keep = login

    def logout(self, site):
        self.secret = []

    def pull(self, site, repository):
        self.run("rmi", site.ref(repository))
        return self.run("pull", *self.secret, site.ref(repository))

    def version(self):
        return version("containerd")


class BuildKit(Moby):
    """The builder inside moby. buildx has the credentials: it asks for the
    tokens itself, and gives them to the builder."""
    name = "buildkit"
    refused = "the token is wrong, expired or revoked"

    def __init__(self, folder, daemons):
        super().__init__(folder, daemons)
        plugins = self.folder / "docker/cli-plugins"
        plugins.mkdir(parents=True)
        (plugins / "docker-buildx").symlink_to(program("buildx"))

    def build(self, site, lines, *options):
        """`lines`: of the Dockerfile."""
        if site.ca:
            self.env["SSL_CERT_FILE"] = str(site.ca)  # to reach the realm
        context = self.folder / "context"
        context.mkdir(exist_ok=True)
        (context / "Dockerfile").write_text(lines)
        return self.run("buildx", "build", "--no-cache", "--pull",
                        "--provenance=false", *options, context)

    def push(self, site, image, repository):
        return self.build(site, "FROM local", "--build-context",
                          f"local=oci-layout://{image.layout}:1", "--push",
                          "--tag", site.ref(repository))

    def pull(self, site, repository):
        return self.build(site, f"FROM {site.ref(repository)}", "--output",
                          f"type=oci,dest={self.folder}/got.tar")

    def mount(self, site, image, repository):
        """It mounts what docker's own pull or push has left a note on."""
        assert super().pull(site, site.source)
        return self.build(site, f"FROM {site.ref(site.source)}", "--push",
                          "--tag", site.ref(repository))

    def inspect(self, site, repository):
        return self.run("buildx", "imagetools", "inspect",
                        site.ref(repository))

    def copy(self, site, source, target):
        """From one repository to another, without the builder."""
        return self.run("buildx", "imagetools", "create", "--tag",
                        site.ref(target), site.ref(source))

    def version(self):
        return version("buildx")


CLIENTS = {kind.name: kind for kind in (Moby, Containerd, Kubelet, BuildKit)}
# With Debian's.
EVERY = [*clients.KINDS.values(), *CLIENTS.values()]


class Daemons(daemons.Daemons):
    """containerd with CRI, and a dockerd on it, of the test's own."""

    @cached_property
    def programs(self):
        return {name: program(name) for name in ("containerd", "dockerd")}

    @property
    def env(self):
        shim = Path(program("containerd-shim-runc-v2")).parent
        return {**super().env, "PATH": f"{shim}:{os.environ['PATH']}"}

    @property
    def settings(self):
        path = '[plugins."io.containerd.cri.v1.images".registry]\n' \
            '  config_path = "/etc/docker/certs.d"\n' if self.etc else ""
        return f"""version = 3
disabled_plugins = ["io.containerd.nri.v1.nri"]
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "native"
[[plugins."io.containerd.transfer.v1.local".unpack_config]]
  platform = "linux/amd64"
  snapshotter = "native"
[plugins."io.containerd.cri.v1.runtime".cni]
  conf_dir = "{self.folder}/cni"
{path}"""

    def docker_settings(self):
        return {"storage-driver": "native"}


@contextmanager
def daemons_of_every(mktemp, **options):
    """{a client's kind: the daemons that it needs}"""
    debian = daemons.Daemons(mktemp("d"), **options)
    ours = Daemons(mktemp("m"), **options)
    with ExitStack() as stack:
        stack.callback(debian.stop)
        stack.callback(ours.stop)
        yield {kind: ours if kind in CLIENTS.values() else debian
               for kind in EVERY}
