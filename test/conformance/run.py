#!/usr/bin/python3
"""test/conformance/run.py - `make conformance`: every client against every
registry, each in the ways that people use it, and the OCI's own suite. Writes
build/conformance.md and .json; the status is 1 if anything failed, nothing
passed or Debian's part could not be run. What cannot be run says why.

Words choose less: run.py --clients crane,oras --registries 2.8 --operations
login,mount.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "test"), str(TOP / "test/e2e")]

import pytest

from conformance.case import Case
from conformance.matrix import (BESIDE, CANNOT, CLIENTS,
                                COLUMNS, DEBIAN, REGISTRIES, shapes)
from conformance.operations import OPERATIONS
from conformance.report import Cell, Suite, write
from support import apart, modern, oci, secrets
from support.daemons import Daemons
from support.registry import version_of
from support.site import Sites

SKIPPED = pytest.skip.Exception
SUITE = "OCI suite"
BESIDE_EACH_OTHER = 12  # pushes that do little but wait
ENDS = signal.SIGHUP, signal.SIGINT, signal.SIGTERM
PATIENCE = 120  # for the end of what was told to end
HEED = 0.5  # s: Python's handlers run between two of its waits


class Run:
    """`chosen`: the clients, registries and operations that were asked for.
    `here`: {name: version}; `amiss`: {name: (outcome, why)} of what there is
    not."""

    def __init__(self, folder, chosen):
        self.folder, self.chosen = folder, chosen
        self.lock, self.ending = threading.Lock(), threading.Event()
        self.sites = Sites(folder, shapes())
        for name in "dm":
            (folder / name).mkdir()
        self.daemons = Daemons(folder / "d")
        self.modern = modern.Daemons(folder / "m")
        self.here, self.amiss, self.cells, self.suites = {}, {}, [], []
        self.slow = []
        self.count = 0

    def place(self):
        """A folder for somebody; short, as sockets and podman want it."""
        with self.lock:
            self.count += 1
            return self.folder / f"c{self.count}"

    def make(self, name):
        return CLIENTS[name](self.place(), self.modern
                             if name in modern.CLIENTS else self.daemons)

    def site(self, name):
        with self.lock:
            return self.sites.get(name)

    def versions(self):
        """What Go has to build is built here; only here a thing is missing."""
        for names, find in (
                (self.chosen.clients, lambda name: self.make(name).version()),
                (self.chosen.registries, version_of)):
            for name in names:
                try:
                    self.here[name] = find(name)
                except SKIPPED as why:
                    self.amiss[name] = "not run", str(why)
                except Exception as bad:
                    self.amiss[name] = "fail", explain(bad)
                print(name, self.here.get(name) or
                      ": ".join(self.amiss[name]), flush=True)

    def done(self, cell):
        if self.ending.is_set():
            return
        with self.lock:
            self.cells.append(cell)
        if cell.outcome != "-":
            print(f"{cell.outcome:8} {cell.client}, {cell.column.name}, "
                  f"{cell.operation}: {cell.seconds:.1f} s {cell.note}",
                  flush=True)

    def cell(self, name, column, operation):
        """Tries one, and never raises."""
        if self.ending.is_set():
            return
        begun = time.monotonic()
        outcome, note = self.outcome(name, column, operation)
        why, words = CANNOT.get((name, column.name, operation.name), ("", ""))
        if why and outcome == "pass":
            outcome, note = "fail", "it can: take it out of CANNOT"
        elif why and re.search(words, note):
            outcome, note = "cannot", why
        self.done(Cell(name, column, operation.name, outcome, note,
                       time.monotonic() - begun))

    def outcome(self, name, column, operation):
        try:
            others = {kind: self.site(f"{column.registry}-{kind}")
                      for kind in BESIDE} if operation.where == "main" else {}
            who = self.make(name)
            operation.run(Case(who, self.site(column.name), others))
            shutil.rmtree(who.folder, ignore_errors=True)
        except (Exception, SKIPPED) as bad:
            return "fail", explain(bad)
        return "pass", ""

    def column(self, column, aside):
        """All of its cells, one after the other; the slow ones `aside`."""
        for operation in sorted(self.chosen.operations,
                                key=lambda operation: not operation.slow):
            if operation.where == "main" and column.look:
                continue
            for name in self.chosen.clients:
                amiss = self.amiss.get(name) or self.amiss.get(column.registry)
                if not operation.of(CLIENTS[name]):
                    self.done(Cell(name, column, operation.name, "-", "", 0))
                elif amiss:
                    self.done(Cell(name, column, operation.name, *amiss, 0))
                elif operation.slow:
                    self.slow.append(aside.submit(
                        self.cell, name, column, operation))
                else:
                    self.cell(name, column, operation)

    def suite(self, registry):
        """The OCI's own, with our tokens and without any."""
        states = [{}, {}]
        try:
            outcome, note = self.amiss.get(registry) or \
                self.compared(registry, states)
        except SKIPPED as why:
            outcome, note = "not run", str(why)
        except Exception as bad:
            outcome, note = "fail", explain(bad)
        with self.lock:
            self.suites.append(Suite(registry, outcome, note, *states))
        print(f"{outcome:8} OCI suite, {registry} {note}", flush=True)

    def compared(self, registry, states):
        """What came of it; fills in both states."""
        oci.program()
        folders = [self.place(), self.place()]
        for folder in folders:
            folder.mkdir()
        states[0] = oci.without_tokens(folders[0], registry)
        states[1], _ = oci.with_tokens(
            folders[1], self.site(f"{registry}-oci"), "bob", "api")
        odd = [f"{name}: {states[0].get(name)}, {states[1].get(name)}"
               for name in sorted({*states[0], *states[1]})
               if states[0].get(name) != states[1].get(name)]
        return ("fail", "; ".join(odd[:9])) if odd else ("pass", "")

    def all(self):
        """Slow ones beside the others; who is told to end waits for none."""
        aside = ThreadPoolExecutor(BESIDE_EACH_OTHER)
        pool = ThreadPoolExecutor(2)
        tries = [pool.submit(self.column, column, aside) for column in COLUMNS
                 if column.registry in self.chosen.registries]
        if self.chosen.suite:
            tries += [pool.submit(self.suite, registry)
                      for registry in self.chosen.registries]
        for these in tries, self.slow:
            heeding(these)
        for done in tries:
            done.result()

    def verdict(self):
        """Why the status is not 0."""
        failed = sum(cell.outcome == "fail" for cell in self.cells)
        if failed:
            yield f"{failed} of {len(self.cells)} cells failed: see " \
                "build/conformance.md"
        if not any(each.outcome == "pass"
                   for each in [*self.cells, *self.suites]):
            yield "nothing passed"
        for name in (*DEBIAN, "2.8"):
            if self.amiss.get(name, ("",))[0] == "not run":
                yield f"{name}: {': '.join(self.amiss[name])}"
        for suite in self.suites:
            if suite.outcome == "fail":
                yield f"OCI suite, {suite.registry}: {suite.note}"

    def stop(self):
        """All of them, whatever one of them does; what they did."""
        for each in self.modern, self.daemons, self.sites:
            try:
                each.stop()
            except Exception as bad:
                yield explain(bad)


def plain(text):
    """In one line, without secrets."""
    for secret in secrets.known():
        text = text.replace(secret, "***")
    return " ".join(text.split())


def explain(bad):
    """Where in the tests, and what."""
    text = plain(str(bad)) or repr(bad)
    if len(text) > 600:
        text = f"{text[:200]} ... {text[-400:]}"
    where = [f"{Path(frame.filename).name}:{frame.lineno}"
             for frame in traceback.extract_tb(bad.__traceback__)
             if frame.filename.startswith(str(TOP / "test"))]
    return f"{', '.join(where[1:] or where)}: {text}"


def left_behind(folder):
    """Processes and mounts that speak of the folder."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        if folder in line:
            yield "mount " + line.split()[1]
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = file.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if folder in command and int(file.parent.name) != os.getpid():
            yield plain(f"process {file.parent.name} {command}")


def chosen(arguments):
    """What was asked for, by names or what is all."""
    parser = argparse.ArgumentParser()
    tables = {"clients": list(CLIENTS), "registries": REGISTRIES,
              "operations": [*(each.name for each in OPERATIONS), SUITE]}
    for name, table in tables.items():
        parser.add_argument(f"--{name}", type=lambda text: text.split(","),
                            default=table)
    parser.add_argument("--into", type=Path, default=TOP / "build",
                        help="the folder of conformance.md and .json")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    said = parser.parse_args(arguments)
    for name, table in tables.items():
        odd = set(getattr(said, name)) - set(table)
        if odd:
            parser.error(f"no {name} {', '.join(odd)}; there are "
                         f"{', '.join(table)}")
    # It is no client's: who chooses clients has to ask for it by name.
    said.suite = SUITE in said.operations and (
        tables["clients"] == said.clients or
        tables["operations"] != said.operations)
    said.operations = [operation for operation in OPERATIONS
                       if operation.name in said.operations]
    return said


def on_end(handler):
    for number in ENDS:
        signal.signal(number, handler)


def told(number, _):
    on_end(signal.SIG_IGN)
    sys.exit(f"told to end by {signal.Signals(number).name}")


def heeding(tries):
    """Waits for them, but never for long: a signal that another thread took,
    or that came just before the wait, would not be heeded until its end."""
    while wait(tries, HEED).not_done:
        pass


def say(line):
    print(f"conformance: {line}", file=sys.stderr, flush=True)


def inside(what):
    """The run itself; what it has not ended ends with its process."""
    on_end(told)
    begun, wrong = time.monotonic(), []
    run = Run(Path(what.inside), what)
    try:
        run.versions()
        run.all()
    except (Exception, SystemExit) as bad:
        run.ending.set()
        wrong.append(explain(bad))
        say(wrong[0])
    on_end(signal.SIG_IGN)
    write(what.into, run, time.monotonic() - begun)
    more = [*run.verdict(), *run.stop()]
    if not run.ending.is_set():
        more += left_behind(what.inside)
    more += [f"a secret is in {file}" for file, _ in secrets.leaks()]
    for line in more:
        say(line)
    wrong += more
    os._exit(1 if wrong else 0)  # no slow push is waited for


def main():
    """As root the run is the first process of a namespace: with it the kernel
    ends all that it has started, and what that has mounted."""
    what = chosen(sys.argv[1:])
    if what.inside:
        inside(what)
    # A socket's path has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="conform-",
                                     ignore_cleanup_errors=True) as folder:
        return 1 if guarded(folder) else 0


def guarded(folder):
    """The status of the run, which is told to end if this is."""
    alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child",
             "--mount-proc"] if apart.able() else []
    with subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *alone, sys.executable,
             __file__, *sys.argv[1:], "--inside", folder],
            start_new_session=True,
            env={**os.environ, "BUILD_LARGE": "1"}) as process:
        def end(*_):
            os.killpg(process.pid, signal.SIGTERM)
            signal.alarm(PATIENCE)
        on_end(end)
        signal.signal(signal.SIGALRM, lambda *_: os.killpg(
            process.pid, signal.SIGKILL))
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(HEED)


if __name__ == "__main__":
    sys.exit(main())
