"""docker/Dockerfile, really built, run as strictly as it promises.

No registry is asked for the base image: debootstrap makes it, once
(build/base.tar). The daemon is the test's own, in a temporary folder.
"""

import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
import requests

TOP = Path(__file__).resolve().parents[2]
BASE = TOP / "build/base.tar"

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("debootstrap", path="/usr/sbin"),
    reason="dockerd and debootstrap are root's")


def wait_until(done, seconds, what):
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def unpack(docker, folder):
    """A daemon cannot work everywhere: in a bare chroot, for one."""
    tar = folder / "one.tar"
    subprocess.run(["tar", "-C", TOP, "-cf", tar, "LICENSE"], check=True,
                   timeout=10)
    try:
        docker("import", str(tar), "probe")
    except AssertionError as error:
        pytest.skip(f"no images can be unpacked here: {error}")


@pytest.fixture(scope="module")
def docker(tmp_path_factory):
    """A function that runs docker against a daemon of our own."""
    folder = tmp_path_factory.mktemp("d")
    env = {**os.environ, "DOCKER_HOST": f"unix://{folder}/sock",
           "DOCKER_CONFIG": str(folder / "config"), "DOCKER_BUILDKIT": "0"}
    with open(folder / "log", "wb") as log:
        daemon = subprocess.Popen(
            ["/usr/sbin/dockerd", "-H", env["DOCKER_HOST"], "--bridge=none",
             "--iptables=false", f"--data-root={folder}/data",
             f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"],
            stdout=log, stderr=log, start_new_session=True)

    def run(*args, **kwargs):
        done = subprocess.run(["docker", *args], env=env, text=True,
                              capture_output=True, timeout=400, **kwargs)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    try:
        wait_until(lambda: (folder / "sock").exists(), 60,
                   (folder / "log").read_text())
        unpack(run, folder)
        yield run
    finally:
        daemon.terminate()
        daemon.wait(60)
        subprocess.run(["umount", "-q", folder / "exec/netns/default"],
                       check=False, timeout=10)


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
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    docker("run", "--rm", *STRICT, image, "init", "/data",
           "--listen", f"127.0.0.1:{port}", "--url", f"http://localhost:{port}")
    docker("run", "-d", "--name=it", "--health-interval=1s",
           "-e", f"HEALTH_PORT={port}", *STRICT, image)

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
