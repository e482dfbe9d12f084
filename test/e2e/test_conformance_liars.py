"""What `make conformance` must not take for a pass: clients that do less than
they say, columns that are not what they are named, run.py that is told to end,
a daemon that does not. Nor may it leave anything on the machine."""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import jwt
import pytest

from conformance import case, matrix, operations
from conformance.case import Case
from conformance.matrix import BESIDE, Column
from conformance.run import Run
from support import apart, golang
from support.clients import Buildah, Done, Podman, Skopeo
from support.dockpass import TOP
from support.process import wait_until
from support.site import Shape, Sites

RUN = TOP / "test/conformance/run.py"
NAMED = {each.name: each for each in operations.OPERATIONS}


def said(code, text=""):
    return Done(SimpleNamespace(returncode=code, stdout=text, stderr=""))


class NoLogin(Skopeo):
    """Its login keeps nothing."""
    name = "nologin"

    def login(self, site, user, secret):
        return said(0)


class AsksOnly(Podman):
    """Its pull gets a token, and asks the registry for nothing."""
    name = "asksonly"
    known = None

    def login(self, site, user, secret):
        self.known = user, secret
        return super().login(site, user, secret)

    def pull(self, site, repository):
        name = repository.partition("@")[0].rsplit(":", 1)[0]
        answer = site.world.ask(f"repository:{name}:pull", auth=self.known,
                                fields={"service": site.name,
                                        "client_id": "liar"})
        if answer.status_code != 200:
            return said(1, "invalid username/password")
        claims = jwt.decode(answer.json()["token"],
                            options={"verify_signature": False})
        return said(0) if claims["access"] else said(1, "unauthorized")

    def catalog(self, site):
        return [name for name in super().catalog(site) if "/0-" not in name]


class Uploads(Skopeo):
    """Its mount is an upload, by POST and PUT."""
    name = "uploads"

    def mount(self, site, image, repository):
        with patch("requests.utils.default_user_agent", lambda: "liar/1"):
            return said(0, Case(self, site).there("", repository)[0])


@pytest.mark.parametrize("kind, name, registry", [
    (NoLogin, "read-only push", "2.8"), (NoLogin, "read-only push", "zot"),
    (Uploads, "mount", "2.8"), (Uploads, "mount", "zot"),
    (AsksOnly, "anonymous pull", "2.8"), (AsksOnly, "catalog as admin", "2.8"),
    (AsksOnly, "revoked after login", "2.8"),
    (AsksOnly, "expired after login", "2.8"),
    (AsksOnly, "other repository", "2.8"), (AsksOnly, "index", "2.8")])
def test_liar(kind, name, registry, sites, tmp_path_factory, monkeypatch):
    monkeypatch.setattr(case, "wait_until", lambda done, _, what:
                        wait_until(done, 1, what))
    others = {each: sites.get(f"{registry}-{each}") for each in BESIDE}
    who = kind(tmp_path_factory.mktemp("c") / "c")
    with pytest.raises(AssertionError):
        NAMED[name].run(Case(who, sites.get(registry), others))


@pytest.mark.parametrize("said, is_", [
    ({"x5c": False}, {}), ({"x5c": False}, {"x5c": False, "kid": "rfc7638"}),
    ({"x5c": False, "kid": "rfc7638"}, {"x5c": False})])
def test_column_that_is_another(said, is_, tmp_path, monkeypatch):
    sites = Sites(tmp_path, {"a": Shape("2.8", said)})
    monkeypatch.setattr(sites, "_services", lambda kind: [
        {"name": "a", **is_}])
    with pytest.raises(AssertionError):
        sites.get("a")
    sites.stop()


def one_cell(tmp_path, monkeypatch, kind, name, operation):
    monkeypatch.setitem(matrix.CLIENTS, name, kind)
    run = Run(tmp_path, SimpleNamespace(clients=[], registries=[]))
    monkeypatch.setattr(run, "site", lambda name: None)
    run.cell(name, Column("2.8", ""), NAMED[operation])
    return run


def test_cannot_hides_no_other_failure(monkeypatch, tmp_path):
    """A client whose daemon is dead "keeps a JWT" just as well."""
    def dead(*_):
        raise RuntimeError("dockerd is dead")
    run = one_cell(tmp_path, monkeypatch, dead, "buildkit",
                   "revoked after login")
    assert run.cells[0].outcome == "fail", run.cells[0]
    assert list(run.verdict()) == [
        "1 of 1 cells failed: see build/conformance.md", "nothing passed"]


def test_not_run_is_said_of_versions_alone(monkeypatch, tmp_path):
    run = one_cell(tmp_path, monkeypatch, lambda *_: pytest.skip("not now"),
                   "skopeo", "login")
    assert run.cells[0].outcome == "fail", run.cells[0]


def test_debian_is_not_missed(monkeypatch, tmp_path):
    """Where Go is missing, all is well; where skopeo is, it is not."""
    def missing(*_):
        pytest.skip("it is not here")
    for name in ("skopeo", "crane"):
        monkeypatch.setitem(matrix.CLIENTS, name, missing)
    run = Run(tmp_path, SimpleNamespace(clients=["skopeo", "crane"],
                                        registries=[]))
    run.versions()
    assert run.amiss["crane"] == ("not run", "it is not here")
    assert list(run.verdict()) == [
        "nothing passed", "skopeo: not run: it is not here"]


def test_one_that_does_not_stop(tmp_path, monkeypatch):
    """It is told of, and the others are stopped."""
    run = Run(tmp_path, SimpleNamespace(clients=[], registries=[]))
    stopped = []

    def hangs(**_):
        raise subprocess.TimeoutExpired("dockerd", 60)
    for number, end in enumerate((
            lambda **_: stopped.append("containerd"), hangs)):
        run.daemons.started.append(SimpleNamespace(end=end))
        assert len(run.daemons.started) == number + 1
    monkeypatch.setattr(run.sites, "stop", lambda: stopped.append("sites"))
    assert ["dockerd" in line for line in run.stop()] == [True]
    assert stopped == ["containerd", "sites"]


def test_build_that_hangs(tmp_path, monkeypatch):
    def hangs(*_, **__):
        raise subprocess.TimeoutExpired("go", 900)
    monkeypatch.setattr(golang, "TOP", tmp_path)
    monkeypatch.setattr(golang.shutil, "which", lambda name: name)
    monkeypatch.setattr(golang.subprocess, "run", hangs)
    assert golang.build("example.com/crane", "v1.0.0") == (
        None, "crane v1.0.0 cannot be built: not within 15 minutes")


def status(pid):
    """What the kernel says of a process; of a zombie nothing."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""
    return "" if "\nState:\tZ" in text else text


def below(pid):
    """Processes that it has started, and theirs."""
    for folder in Path("/proc").glob("[0-9]*"):
        if f"\nPPid:\t{pid}\n" in status(folder.name):
            yield from (folder.name, *below(folder.name))


def another_thread(children):
    """SIGTERM for the run itself, which a thread takes that is not its first:
    the kernel chooses. Python's handlers run in the first alone."""
    inside, = [int(pid) for pid in children if b"\0--inside\0" in
               Path(f"/proc/{pid}/cmdline").read_bytes() and "python" in
               Path(f"/proc/{pid}/comm").read_text()]
    threads = sorted(map(int, os.listdir(f"/proc/{inside}/task")))
    assert threads[0] == inside and len(threads) > 1
    assert ctypes.CDLL(None).tgkill(inside, threads[-1], signal.SIGTERM) == 0


@pytest.mark.parametrize("number", [
    signal.SIGHUP, signal.SIGTERM, signal.SIGKILL, another_thread])
def test_told_to_end_it_leaves_nothing(number, tmp_path):
    """Not even slow pushes, which are under way; and it reports what it has."""
    for name in "tmp", "into":
        (tmp_path / name).mkdir()
    with subprocess.Popen(
            [sys.executable, RUN, "--clients", "skopeo", "--registries",
             "2.8", "--operations", "login,long push", "--into",
             tmp_path / "into"],
            env={**os.environ, "TMPDIR": str(tmp_path / "tmp")}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True) as run:
        said = ""
        while not said.startswith("pass"):
            said = run.stdout.readline()
            assert said, f"it has ended: {run.wait(60)}"
        children = list(below(run.pid))
        assert len(children) > 3
        if callable(number):
            number(children)
        else:
            os.kill(run.pid, number)
        text = run.stdout.read()
        assert run.wait(60)
    wait_until(lambda: not any(map(status, children)), 10, "they are there")
    if number != signal.SIGKILL:
        assert f"told to end by {signal.SIGTERM.name}" in text
        assert not list((tmp_path / "tmp").iterdir())
        assert "| login | pass |" in \
            (tmp_path / "into/conformance.md").read_text()


@pytest.mark.skipif(not apart.able(), reason="unshare needs root")
def test_the_machine_is_not_changed(tmp_path_factory):
    """In a network of its own: the machine may forward already."""
    folder = tmp_path_factory.mktemp("d")
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", """if 1:
            import sys
            from pathlib import Path
            from support.daemons import Daemons
            forward = Path("/proc/sys/net/ipv4/ip_forward")
            forward.write_text("0")
            daemons = Daemons(sys.argv[1])
            assert daemons.docker
            daemons.stop()
            assert forward.read_text() == "0\\n"
        """, folder], text=True, capture_output=True, check=False, timeout=120,
        cwd=Path(__file__).parent)
    assert not done.returncode, done.stderr
    assert (folder / "opt").is_dir()
    assert (folder / "own/run/docker/plugins").is_dir()


@pytest.mark.skipif(not apart.able(), reason="unshare needs root")
@pytest.mark.parametrize("kind, files", [
    (Skopeo, ["lib/containers/cache/blob-info-cache-v1.boltdb"]),
    (Podman, ["lib/containers/storage/storage.lock", "own/run/libpod/alive",
              "cni"]),
    (Buildah, ["lib/containers/storage/storage.lock"])])
def test_clients_write_into_their_folders(kind, files, sites, image,
                                          monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nowhere")
    who = kind(tmp_path_factory.mktemp("c") / "c")
    assert "XDG_CONFIG_HOME" not in who.env
    site = sites.get("2.8")
    assert who.login(site, *site.world.basic("alice", "write_registry"))
    assert who.push(site, image, "g/priv/here:1")
    there = [str(file.relative_to(who.folder))
             for file in who.folder.rglob("*")]
    assert all(any(file.endswith(name) for file in there) for name in files), \
        there
