"""docker/Dockerfile, really built, run as strictly as it promises.

No registry is asked for the base image: debootstrap makes it, once
(build/base.tar). The daemon is the test's own, in a temporary folder.
"""

import json
import os
import shutil
import subprocess

import pytest
import requests

from support.dockpass import TOP
from support.process import free_ports, wait_until

BASE = TOP / "build/base.tar"

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("debootstrap", path="/usr/sbin"),
    reason="dockerd and debootstrap are root's")


@pytest.fixture(scope="module")
def docker(daemons, tmp_path_factory):
    """A function that runs docker against a daemon of our own."""
    folder = tmp_path_factory.mktemp("i")
    env = {**os.environ, "DOCKER_HOST": daemons.docker,
           "DOCKER_CONFIG": str(folder), "DOCKER_BUILDKIT": "0"}

    def run(*args, **kwargs):
        done = subprocess.run(["docker", *args], env=env, text=True,
                              capture_output=True, timeout=400, check=False,
                              **kwargs)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
    unpack(run, folder)
    return run


def unpack(docker, folder):
    """A daemon cannot work everywhere: in a bare chroot, for one."""
    tar = folder / "one.tar"
    subprocess.run(["tar", "-C", TOP, "-cf", tar, "LICENSE"], check=True,
                   timeout=10)
    try:
        docker("import", str(tar), "probe")
    except AssertionError as error:
        pytest.skip(f"no images can be unpacked here: {error}")


def base_image(tmp_path):
    """Debian by debootstrap as a tar file, whole or not at all."""
    if not BASE.exists():
        root = tmp_path / "root"
        made = subprocess.run(["/usr/sbin/debootstrap", "--variant=minbase",
                               "bookworm", root], check=False, timeout=500,
                              stdout=subprocess.DEVNULL)
        if made.returncode:
            pytest.skip("debootstrap reaches no Debian archive")
        subprocess.run(["tar", "-C", root, "-cf", f"{BASE}.new", "."],
                       check=True, timeout=100)
        os.rename(f"{BASE}.new", BASE)
    return BASE


@pytest.fixture(scope="module")
def image(docker, tmp_path_factory):
    docker("import", str(base_image(tmp_path_factory.mktemp("base"))),
           "debian:bookworm-slim")
    docker("build", "--network=host", "-q", "-t", "dockpass",
           "-f", "docker/Dockerfile", ".", cwd=TOP)
    return "dockpass"


STRICT = ["--network=host", "--read-only", "--cap-drop=ALL",
          "--security-opt=no-new-privileges:true", "-v", "state:/data"]


def test_image_runs_read_only_healthy_and_ends(docker, image):
    port, = free_ports(1)
    docker("run", "--rm", *STRICT, image, "init", "/data",
           "--listen", f"127.0.0.1:{port}", "--url", f"http://localhost:{port}")
    docker("run", "-d", "--name=it", "--health-interval=1s",
           "-e", f"HEALTH_PORT={port}", "-e", "DOCKPASS_ADMIN_ADDRESS=",
           *STRICT, image)

    def state():
        return json.loads(docker("inspect", "it"))[0]["State"]

    wait_until(lambda: state()["Health"]["Status"] == "healthy", 30,
               "the health check of the image")
    answer = requests.get(f"http://127.0.0.1:{port}/token?service=registry",
                          timeout=5)
    assert answer.status_code == 200
    docker("exec", "it", "dockpass", "user", "add", "alice", "--email",
           "alice@example.com")
    assert "alice" in docker("exec", "it", "dockpass", "user", "list")
    assert docker("exec", "it", "id", "-u").strip() != "0"
    docker("stop", "it")
    assert state()["ExitCode"] == 0
    docker("rm", "it")
