"""`make run`, as a newcomer uses it: in a clone, on free ports."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import time

import pytest
import requests

from support.dockpass import TOP
from support.process import free_ports, is_open, wait_until


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """The checkout's files and its program, without its run/."""
    folder = tmp_path_factory.mktemp("clone") / "dockpass"
    mine = {str(TOP): [".git", "run"], str(TOP / "build"): [
        name for name in os.listdir(TOP / "build") if name != "release"]}
    shutil.copytree(TOP, folder, ignore=lambda at, _: mine.get(at, []))
    return folder


class Run:
    """One `make run`, in a process group of its own, as in a terminal."""

    def __init__(self, clone, auth_port, registry_port, **env):
        self.log = clone.parent / f"run-{auth_port}-{time.monotonic_ns()}.log"
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(
                ["make", "run"], cwd=clone, stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                env={**os.environ, "DOCKPASS_PORT": str(auth_port),
                     "REGISTRY_PORT": str(registry_port), **env})

    @property
    def output(self):
        return self.log.read_text()

    def ready(self):
        wait_until(lambda: "Ctrl-C ends" in self.output or
                   self.process.poll() is not None, 240, lambda: self.output)
        assert self.process.poll() is None, self.output
        return self

    def lines(self):
        return [line for line in self.output.splitlines()
                if line.startswith("  ")]

    def end(self, number=signal.SIGINT):
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
        self.process.wait(20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def login(clone, registry_port):
    """What docker login does: ask the registry, then whom it names."""
    base = f"http://localhost:{registry_port}/v2/"
    asked = requests.get(base, timeout=5)
    assert asked.status_code == 401
    fields = dict(part.split("=", 1) for part in
                  asked.headers["WWW-Authenticate"].split(" ", 1)[1].split(","))
    secret = (clone / "run/token").read_text().strip()
    answer = requests.get(fields["realm"].strip('"'), timeout=5,
                          params={"service": fields["service"].strip('"'),
                                  "scope": "repository:demo/hello:pull,push"},
                          auth=("demo", secret))
    assert answer.status_code == 200, answer.text
    bearer = {"Authorization": "Bearer " + answer.json()["token"]}
    assert requests.get(base, timeout=5, headers=bearer).status_code == 200
    push = requests.post(base + "demo/hello/blobs/uploads/", timeout=5,
                         headers=bearer)
    assert push.status_code == 202
    other = requests.post(base + "demo/other/blobs/uploads/", timeout=5,
                          headers=bearer)
    assert other.status_code == 401


def test_first_run_then_again_then_other_ports(clone):
    a, r, a2, r2 = free_ports(4)
    with Run(clone, a, r) as first:
        first.ready()
        lines = first.lines()
        assert any("login" in line and f"localhost:{r} -u demo "
                   "--password-stdin < run/token" in line for line in lines)
        assert any("push" in line or "copy" in line for line in lines)
        assert stat.S_IMODE((clone / "run/token").stat().st_mode) == 0o600
        login(clone, r)
        secret = (clone / "run/token").read_text()
        first.end(signal.SIGINT)
    assert not is_open(a) and not is_open(r)
    with Run(clone, a, r) as second:
        assert second.ready().lines() == lines
        assert (clone / "run/token").read_text() == secret
        login(clone, r)
        second.end(signal.SIGTERM)
        wait_until(lambda: not is_open(a) and not is_open(r), 15,
                   lambda: second.output)
    with Run(clone, a2, r2) as third:
        moved = [line.replace(f":{r}", f":{r2}") for line in lines]
        assert third.ready().lines() == moved
        login(clone, r2)
    everything = first.output + second.output + third.output
    everything += (clone / "run/dockpass.log").read_text()
    everything += (clone / "run/registry.log").read_text()
    assert secret.strip() not in everything


def type_lines(clone, lines, env):
    """The printed lines, word for word, in a shell of the same folder."""
    assert len(lines) == 5, lines
    done = subprocess.run(["bash", "-e"], input="\n".join(lines), cwd=clone,
                          env={**os.environ, **env}, text=True, timeout=120,
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_is_printed_is_typed_with_docker(clone, daemons, tmp_path):
    a, r = free_ports(2)
    env = {"DOCKER_HOST": daemons.docker, "DOCKER_CONFIG": str(tmp_path)}
    with Run(clone, a, r, **env) as run:
        lines = [line for line in run.ready().lines() if f":{r}" in line]
        said = type_lines(clone, lines, env)
    assert "Login Succeeded" in said and "digest: sha256:" in said


def test_what_is_printed_is_typed_without_a_daemon(clone, tmp_path_factory):
    a, r = free_ports(2)
    home = tmp_path_factory.mktemp("p")  # podman takes short paths alone
    (home / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{home}/g"\n'
        f'runroot = "{home}/r"\n')
    with Run(clone, a, r, DOCKER_HOST=f"unix://{home}/none") as run:
        lines = [line for line in run.ready().lines() if "podman " in line]
        type_lines(clone, lines, {
            "CONTAINERS_STORAGE_CONF": str(home / "storage.conf"),
            "HOME": str(home), "XDG_RUNTIME_DIR": str(home)})


def test_a_dead_token_is_replaced(clone):
    a, r = free_ports(2)
    with Run(clone, a, r) as run:
        run.ready()
    secret = (clone / "run/token").read_text()
    dockpass = [clone / "build/release/dockpass"]
    config = ["--config", str(clone / "run/dockpass/dockpass.yaml")]
    subprocess.run(dockpass + ["token", "revoke", "1"] + config, check=True,
                   stdout=subprocess.DEVNULL, timeout=20)
    with Run(clone, a, r) as run:
        assert "the token of the last run is dead" in run.ready().output
        assert (clone / "run/token").read_text() != secret
        login(clone, r)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("variable", ["DOCKPASS_PORT", "REGISTRY_PORT"])
def test_a_taken_port_is_said_before_anything_starts(clone, variable, address):
    """What is on ::1 would get the token: clients try that first."""
    ports = dict(zip(("DOCKPASS_PORT", "REGISTRY_PORT"), free_ports(2)))
    try:
        taken = socket.create_server(
            (address, 0), family=socket.AF_INET6 if ":" in address
            else socket.AF_INET)
    except OSError as error:
        pytest.skip(f"{address}: {error}")
    with taken:
        ports[variable] = port = taken.getsockname()[1]
        with Run(clone, *ports.values()) as run:
            assert run.process.wait(20) != 0
        other = next(name for name in ports if name != variable)
        said = re.search(rf"port {port} of localhost is taken .*; choose "
                         rf"another: ({variable}=\d+ {other}=\d+) make run",
                         run.output)
        assert said and f"{other}={ports[other]}" in said[1]
        for number in ports.values():
            assert number == port or not is_open(number)
    chosen = dict(word.split("=") for word in said[1].split())
    with Run(clone, *(chosen[name] for name in ports)) as run:
        run.ready()


def test_a_server_that_was_left_is_named(clone):
    a, r, a2, r2 = free_ports(4)
    with Run(clone, a, r) as first:
        first.ready()
        left = int((clone / "run/dockpass.pid").read_text())
        os.killpg(first.process.pid, signal.SIGKILL)
        first.process.wait(20)
    with Run(clone, a2, r2) as second:
        assert second.process.wait(20) != 0
    assert f"dockpass of an earlier run has not ended: kill {left}" in \
        second.output
    for name in ("dockpass", "registry"):
        os.kill(int((clone / f"run/{name}.pid").read_text()), signal.SIGTERM)
    wait_until(lambda: not is_open(a) and not is_open(r), 15, "the end")


def test_a_blocked_owner_is_said(clone):
    a, r = free_ports(2)
    config = ["--config", str(clone / "run/dockpass/dockpass.yaml")]

    def dockpass(*args):
        return subprocess.run([clone / "build/release/dockpass", *args,
                               *config], check=True, text=True, timeout=20,
                              capture_output=True).stdout
    with Run(clone, a, r) as run:
        run.ready()
    count = dockpass("token", "list").count("\n")
    dockpass("user", "block", "demo")
    with Run(clone, a, r) as run:
        assert run.process.wait(30) != 0
    assert "user demo is blocked; first: build/release/dockpass user unblock " \
        "demo --config run/dockpass/dockpass.yaml" in run.output
    assert dockpass("token", "list").count("\n") == count
    dockpass("user", "unblock", "demo")


@pytest.mark.parametrize("ports, words", [
    (("0", "5005"), "DOCKPASS_PORT=0 is no port"),
    (("65536", "5005"), "DOCKPASS_PORT=65536 is no port"),
    (("5001x", "5005"), "DOCKPASS_PORT=5001x is no port"),
])
def test_what_is_no_port_is_refused(clone, ports, words):
    with Run(clone, *ports) as run:
        assert run.process.wait(20) != 0
    assert words in run.output


def test_a_second_one_in_the_same_folder_is_refused(clone):
    a, r, a2, r2 = free_ports(4)
    with Run(clone, a, r) as first:
        first.ready()
        with Run(clone, a2, r2) as second:
            assert second.process.wait(60) != 0
        assert "is running in this folder already" in second.output
        login(clone, r)


def test_the_end_of_one_server_ends_the_other(clone):
    a, r = free_ports(2)
    with Run(clone, a, r) as run:
        run.ready()
        found = [pid for pid in os.listdir("/proc") if pid.isdigit()
                 and arguments(pid)[:2] == ["docker-registry", "serve"]
                 and os.readlink(f"/proc/{pid}/cwd") == str(clone)]
        assert len(found) == 1
        os.kill(int(found[0]), signal.SIGKILL)
        assert run.process.wait(20) != 0
        assert "registry has ended" in run.output
    assert not is_open(a)


def arguments(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().decode(errors="replace").split("\0")
    except OSError:
        return []
