"""`make run`, as a newcomer uses it: in a clone, on free ports."""

import json
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
import yaml

from support.dockpass import TOP
from support.process import end_pause, free_ports, is_open, wait_until
from support.site import Certificate


def copy(folder):
    """The checkout's files and its program, without its run/."""
    mine = {str(TOP): [".git", "run"], str(TOP / "build"): [
        name for name in os.listdir(TOP / "build") if name != "release"]}
    shutil.copytree(TOP, folder, ignore=lambda at, _: mine.get(at, []))


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clone") / "dockpass"
    copy(folder)
    yield folder
    kill_servers(folder)


def heed_interrupts():
    """Who began the tests with "&" in a script has had them ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def kill_servers(clone):
    """Those that a run has left: they are in sessions of their own."""
    for name in ("dockpass", "registry"):
        file = clone / f"run/{name}.pid"
        pid = file.read_text().strip() if file.exists() else ""
        if pid and name in arguments(pid)[0]:
            os.kill(int(pid), signal.SIGKILL)


class Run:
    """One `make run`, in a process group of its own, as in a terminal."""

    def __init__(self, clone, auth_port, registry_port, words=("make", "run"),
                 inside=".", **env):
        self.clone = clone
        self.log = clone.parent / f"run-{auth_port}-{time.monotonic_ns()}.log"
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(
                words, cwd=clone / inside, stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                preexec_fn=heed_interrupts,
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
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
            kill_servers(self.clone)
            raise

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
    a, r, a2, r2, own, admin = free_ports(6)
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
    config = clone / "run/dockpass/dockpass.yaml"
    plain = config.read_text()
    options = yaml.safe_load(plain)
    options["listeners"].append({"address": f"127.0.0.1:{own}"})
    options["admin"]["address"] = f"127.0.0.1:{admin}"
    config.write_text(yaml.safe_dump(options))
    with Run(clone, a2, r2) as third:
        moved = [line.replace(f":{r}", f":{r2}") for line in lines]
        assert third.ready().lines() == moved
        assert is_open(own) and is_open(admin)  # what the user chose
        login(clone, r2)
    config.write_text(plain)
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
        try:
            type_lines(clone, lines, {
                "CONTAINERS_STORAGE_CONF": str(home / "storage.conf"),
                "HOME": str(home), "XDG_RUNTIME_DIR": str(home)})
        finally:
            end_pause(home)


def test_a_dead_token_is_replaced(clone):
    a, r = free_ports(2)
    with Run(clone, a, r) as run:
        run.ready()
    secret = (clone / "run/token").read_text()
    command(clone)("token", "revoke", "1")
    with Run(clone, a, r) as run:
        assert "the token of the last run is dead" in run.ready().output
        assert (clone / "run/token").read_text() != secret
        login(clone, r)


def command(clone):
    """A command of the clone's program, on its store."""
    def run(*words):
        return subprocess.run(
            [clone / "build/release/dockpass", *words, "--config",
             "run/dockpass/dockpass.yaml"], cwd=clone, check=True, text=True,
            capture_output=True, timeout=20).stdout
    return run


def test_no_other_token_can_be_made_is_said(clone):
    """A setting that wants a date: make run's token has none."""
    a, r = free_ports(2)
    with Run(clone, a, r) as run:
        run.ready()
    dockpass = command(clone)
    last = max(token["id"] for token in json.loads(
        dockpass("token", "list", "--json")))
    dockpass("settings", "set", "max_token_lifetime", "180")
    dockpass("token", "revoke", str(last))
    try:
        with Run(clone, a, r) as run:
            assert run.process.wait(60) != 0
    finally:
        dockpass("settings", "set", "max_token_lifetime", "none")
    assert "max_token_lifetime" in run.output
    typed = re.search(r"then again: (.*) >run/token\n", run.output)[1]
    subprocess.run(["bash", "-c", f"umask 077; {typed} >run/token".replace(
        "DATE", "30d")], cwd=clone, check=True, capture_output=True,
        timeout=20)
    with Run(clone, a, r) as run:
        run.ready()
        login(clone, r)


def test_no_answer_is_no_dead_token(clone, tmp_path):
    """With TLS it does not speak to who asks without."""
    a, r = free_ports(2)
    with Run(clone, a, r) as run:
        run.ready()
    tokens = command(clone)("token", "list")
    secret = (clone / "run/token").read_text()
    config = clone / "run/dockpass/dockpass.yaml"
    plain = config.read_text()
    pair = json.dumps(Certificate(tmp_path).listener["tls"])
    config.write_text(re.sub("(?m)^(  - address: .*)", rf"\1\n    tls: {pair}",
                             plain))
    try:
        with Run(clone, a, r) as run:
            assert run.process.wait(60) != 0
        assert "dockpass answers nothing at http://localhost:" in run.output
        assert "is dead" not in run.output
    finally:
        config.write_text(plain)
    assert (clone / "run/token").read_text() == secret
    assert command(clone)("token", "list") == tokens


def test_who_ignored_interrupts_ends_it_all_the_same(clone):
    """The tests, begun with "&" in a script."""
    a, r = free_ports(2)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Run(clone, a, r) as run:
            run.ready()
    finally:
        signal.signal(signal.SIGINT, before)
    assert not is_open(a) and not is_open(r)


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
        assert f"port {port} of localhost is taken" in run.output
        other = next(name for name in ports if name != variable)
        chosen = chosen_ports(run.output)
        assert chosen[other] == ports[other] and chosen[variable] != port
        for number in ports.values():
            assert number == port or not is_open(number)
    with Run(clone, *chosen.values()) as run:
        run.ready()


def chosen_ports(said):
    found = re.search(
        r"choose others: DOCKPASS_PORT=(\d+) REGISTRY_PORT=(\d+) make run", said)
    assert found, said
    return dict(zip(("DOCKPASS_PORT", "REGISTRY_PORT"), map(int, found.groups())))


def test_both_ports_are_taken(clone):
    with socket.create_server(("127.0.0.1", 0)) as one, \
            socket.create_server(("127.0.0.1", 0)) as two:
        ports = [taken.getsockname()[1] for taken in (one, two)]
        with Run(clone, *ports) as run:
            assert run.process.wait(20) != 0
        for port in ports:
            assert f"port {port} of localhost is taken" in run.output
        chosen = chosen_ports(run.output).values()
        assert not any(map(is_open, chosen)) and len(set(chosen)) == 2


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
    dockpass = command(clone)
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
        said = re.search(r"is running in this folder already; end that one "
                         r"first: kill (\d+)", second.output)
        assert said and arguments(said[1])[1].endswith("docker/run")
        login(clone, r)


def test_the_end_of_one_server_ends_the_other(clone):
    a, r = free_ports(2)
    with Run(clone, a, r) as run:
        run.ready()
        os.kill(int((clone / "run/registry.pid").read_text()), signal.SIGKILL)
        assert run.process.wait(20) != 0
        assert "registry has ended" in run.output
    assert not is_open(a)


def test_one_that_ends_before_it_is_waited_for(clone, tmp_path):
    """While the lines are printed: docker is asked for its version then."""
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nkill -9 $(cat run/registry.pid); sleep 1\n")
    docker.chmod(0o755)
    with Run(clone, *free_ports(2),
             PATH=f"{tmp_path}:{os.environ['PATH']}") as run:
        assert run.process.wait(30) != 0
    assert "registry has ended" in run.output


def arguments(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().decode(errors="replace").split("\0")
    except OSError:
        return [""]
