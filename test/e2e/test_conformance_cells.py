"""The matrix can say no: what a cell, the report and the status make of it."""

import os
import socket
import subprocess
import time
from types import SimpleNamespace

import pytest

from conformance import case as case_module
from conformance.case import Case
from conformance.matrix import CANNOT, COLUMNS, Column
from conformance.report import Cell, Report, Suite
from conformance.run import Run, chosen, left_behind
from conformance.slow import Slow
from support import oci, secrets
from support.clients import Done
from support.process import Daemon, wait_until

MAIN = COLUMNS[0]


# The checks of a cell

def line(reason, user="alice", client="crane", service="2.8",
         asked="repository:g/priv:pull"):
    return {"reason": reason, "user": user, "client": client,
            "service": service, "asked": asked}


@pytest.fixture
def case(monkeypatch):
    """A case whose log and registry are what a test says."""
    wait = case_module.wait_until
    monkeypatch.setattr(case_module, "wait_until",
                        lambda done, _, what: wait(done, 0, what))
    monkeypatch.setattr(case_module, "settled", lambda _: 1)
    lines, requests = [], []
    world = SimpleNamespace(log=lambda _: [None, *lines])
    registry = SimpleNamespace(requests=lambda _=0: requests, finds_all=False)
    who = SimpleNamespace(name="crane", denied="is denied", refused="is wrong")
    made = Case(who, SimpleNamespace(name="2.8", world=world,
                                     registry=registry))
    made.log, made.requests = lines, requests
    return made


@pytest.mark.parametrize("lines", [
    [],
    [line("partial")],
    [line("granted"), line("partial")],
    [line("granted"), line("granted", user="bob")],
    [line("granted", service="other")],
    [line("granted", client="test-7")],
    [line("granted", asked="repository:g/pub:pull")],
])
def test_the_log_says_something_else(case, lines):
    case.log += [line("login"), *lines]
    with pytest.raises(AssertionError):
        case.logged("granted", word="g/priv", user="alice")


def test_the_log_says_so(case):
    case.log += [line("login"), line("granted"),
                 line("nothing", client="test-7"),
                 line("failure", service="other")]
    case.logged("granted", user="alice")
    with pytest.raises(AssertionError):
        case.logged_less("alice")
    case.log.append(line("partial"))
    case.logged_less("alice")
    for odd in line("nothing", user=""), line("failure"):
        case.log.append(odd)
        with pytest.raises(AssertionError):
            case.logged_less("alice")
        case.log.pop()


@pytest.mark.parametrize("check, text, passes", [
    ("denied", "is denied", True), ("denied", "is wrong", False),
    ("refused", "is wrong", True), ("refused", "is denied", False),
    ("refused", "connection reset", False),
])
def test_a_failure_has_its_words(case, check, text, passes):
    def ended(code):
        return Done(SimpleNamespace(returncode=code, stdout="", stderr=text))
    if passes:
        getattr(case, check)(ended(1))
    for done in [ended(0)] + [] if passes else [ended(1)]:
        with pytest.raises(AssertionError):
            getattr(case, check)(done)


MOUNT = "POST", "/v2/team/app/blobs/uploads/?mount=sha256:12&from=x", 201


@pytest.mark.parametrize("requests", [
    [],
    [("GET", *MOUNT[1:])],
    [(*MOUNT[:2], 202)],
    [(MOUNT[0], MOUNT[1].replace("app", "other"), 201)],
    [(MOUNT[0], MOUNT[1].replace("12", "34"), 201)],
    [MOUNT, ("PUT", "/v2/team/app/blobs/uploads/1?digest=sha256%3A12", 201)],
])
def test_nothing_was_mounted(case, requests):
    case.requests += requests
    with pytest.raises(AssertionError):
        case.mounted("team/app:1", {"digest": "sha256:12"})
    case.requests[:] = [MOUNT]
    case.mounted("team/app:1", {"digest": "sha256:12"})


@pytest.mark.parametrize("manifest, status", [
    (None, 200), ({}, 200), ({"layers": []}, 200),
    ({"layers": [{"digest": "sha256:0"}]}, 404),
])
def test_it_was_not_pushed(case, manifest, status):
    case.manifest = lambda _: manifest
    case.ask = lambda *_: SimpleNamespace(status_code=status)
    with pytest.raises(AssertionError):
        case.pushed("g/priv/img:1")


# The run

@pytest.fixture
def run(tmp_path, monkeypatch):
    """One that has its sites in name only."""
    made = Run(tmp_path, chosen([]))
    made.make = lambda name: SimpleNamespace(name=name, folder=tmp_path / "c")
    world = SimpleNamespace(log=lambda _: [])
    made.site = lambda name: SimpleNamespace(name=name, world=world)
    monkeypatch.setattr(case_module, "settled", lambda _: 0)
    return made


def ends(how):
    def operation(_):
        if how:
            raise how
    return SimpleNamespace(name="login", run=operation, where="main")


@pytest.mark.parametrize("how, outcome, note", [
    (None, "pass", ""),
    (AssertionError("it said no"), "fail", "it said no"),
    (subprocess.TimeoutExpired("crane", 120), "fail", "timed out"),
    (pytest.skip.Exception("no Go here"), "fail", "no Go here"),
])
def test_a_cell_says_what_came_of_it(run, how, outcome, note):
    run.cell("crane", MAIN, ends(how))
    cell, = run.cells
    assert cell.outcome == outcome and note in cell.note


@pytest.mark.parametrize("how, outcome", [
    (None, "fail"), (AssertionError("no"), "cannot"),
    (AssertionError("it is dead"), "fail"),
    (pytest.skip.Exception("it is not here"), "fail")])
def test_what_cannot_be_is_looked_at_too(run, monkeypatch, how, outcome):
    monkeypatch.setitem(CANNOT, ("crane", MAIN.name, "login"),
                        ("it is so", ": no$"))
    run.cell("crane", MAIN, ends(how))
    assert run.cells[0].outcome == outcome


def test_a_secret_of_a_failure_is_not_told(run):
    secret = secrets.remember("glpat-" + "y" * 20)
    run.cell("crane", MAIN, ends(AssertionError(f"said {secret}")))
    assert "said ***" in run.cells[0].note


def test_what_is_left_behind_is_found(tmp_path):
    assert not list(left_behind(str(tmp_path)))
    daemon = Daemon(["tail", "-f", tmp_path / "log"], tmp_path / "log")
    found = []
    try:
        # A program that has just begun has no words yet in /proc.
        wait_until(lambda: found.extend(left_behind(str(tmp_path))) or found,
                   10, "nothing is found")
    finally:
        daemon.end()
    assert [text.split()[:2] for text in found] == \
        [["process", str(daemon.process.pid)]]


@pytest.mark.skipif(os.geteuid(), reason="mounting needs root")
def test_a_mount_that_is_left_is_found(tmp_path):
    where = tmp_path / "mounted"
    where.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", where], check=True,
                   timeout=20)
    try:
        assert list(left_behind(str(tmp_path))) == [f"mount {where}"]
    finally:
        subprocess.run(["umount", where], check=True, timeout=20)


@pytest.mark.parametrize("outcome, verdict", [
    ("pass", []), ("not run", ["nothing passed"]),
    ("cannot", ["nothing passed"]),
    ("fail", ["1 of 1 cells failed: see build/conformance.md",
              "nothing passed"])])
def test_verdict(run, outcome, verdict):
    run.cells.append(Cell("crane", MAIN, "login", outcome, "why", 1))
    assert list(run.verdict()) == verdict


def test_suite_that_differs(run, monkeypatch):
    states = iter([{"a": "passed", "b": "passed"},
                   {"a": "passed", "b": "failure"}])
    monkeypatch.setattr(oci, "program", lambda: None)
    monkeypatch.setattr(oci, "without_tokens", lambda *_: next(states))
    monkeypatch.setattr(oci, "with_tokens", lambda *_: (next(states), set()))
    run.cells.append(Cell("crane", MAIN, "login", "pass", "", 1))
    run.suite("3.1")
    assert list(run.verdict()) == ["OCI suite, 3.1: b: passed, failure"]


@pytest.mark.parametrize("words", [["--clients", "cranes"],
                                   ["--operations", "login,logins"]])
def test_what_there_is_not_is_refused(words, capsys):
    with pytest.raises(SystemExit):
        chosen(words)
    assert words[1].rpartition(",")[2] in capsys.readouterr().err


# The report

def test_each_outcome_is_in_the_report(tmp_path):
    push = [column for column in COLUMNS if column.registry == "2.8"][:3]
    cells = [Cell("crane", MAIN, "login", "-", "", 0),
             Cell("skopeo", MAIN, "login", "pass", "", 1),
             Cell("crane", MAIN, "push", "fail", "line 9: no", 1),
             Cell("crane", push[1], "push", "not run", "no Go", 0),
             Cell("skopeo", MAIN, "push", "cannot", "it is so", 1),
             Cell("skopeo", push[2], "push", "pass", "", 1)]
    report = Report(cells, [Suite("2.8", "not run", "no Go", {}, {})],
                    {"crane": "0.22.1", "2.8": "2.8.2"})
    assert report.by_registry().splitlines()[2:] == [
        "| skopeo missing | 2 of 3 |", "| crane 0.22.1 | 0 of 2 **!** |"]
    assert report.by_operation().splitlines()[2:] == [
        "| login | pass | - |", "| push | cannot | **fail** |"]
    assert report.by_suite().splitlines()[2:] == [
        "| registry 2.8.2 | - | - | not run |"]
    assert report.notes().splitlines() == [
        "- **fail**: crane; 2.8; push: line 9: no",
        "- not run: crane; 2.8-kid-ES256; push: no Go",
        "- cannot: skopeo; 2.8; push: it is so",
        "- not run: OCI suite, 2.8: no Go"]


@pytest.mark.parametrize("outcomes, text", [
    (["pass", "pass"], "pass"), (["-", "-"], "-"),
    (["pass", "-"], "pass"), (["pass", "cannot"], "pass; cannot zot"),
    (["fail", "pass"], "pass; **fail** 2.8"), (["cannot"] * 2, "cannot"),
    (["not run", "fail"], "not run 2.8; **fail** zot")])
def test_a_sum_hides_nothing(outcomes, text):
    assert Report.sum([Cell("crane", Column(registry, ""), "pull", outcome,
                            "", 1) for registry, outcome
                       in zip(("2.8", "zot"), outcomes)]) == text


# The slow way

def test_slow():
    with socket.create_server(("127.0.0.1", 0)) as server, \
            Slow(server.getsockname()[1], 20_000) as slow, \
            socket.create_connection(("127.0.0.1", slow.port)) as client:
        begun = time.monotonic()
        client.sendall(b"x" * 10_000)
        client.shutdown(socket.SHUT_WR)
        inside, _ = server.accept()
        with inside:
            inside.settimeout(20)
            got = b"".join(iter(lambda: inside.recv(4096), b""))
        assert len(got) == 10_000 and time.monotonic() - begun > 0.4
