#!/usr/bin/python3
"""test/conformance/run.py - `make conformance`: every client against every
registry, each in the ways that people use it. Writes build/conformance.md and
.json; the status is 1 if anything failed. What cannot be run says why.

Words choose less: run.py --clients crane,oras --registries 2.8 --operations
login,mount.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "test"), str(TOP / "test/e2e")]

# pylint: disable=wrong-import-position
import pytest  # noqa: E402

from conformance.case import Case  # noqa: E402
from conformance.matrix import (BESIDE, CANNOT, CLIENTS,  # noqa: E402
                                COLUMNS, REGISTRIES, shapes)
from conformance.operations import OPERATIONS  # noqa: E402
from conformance.report import Cell, write  # noqa: E402
from support import modern, secrets  # noqa: E402
from support.clients import Daemons  # noqa: E402
from support.registry import version_of  # noqa: E402
from support.site import Sites  # noqa: E402

SKIPPED = pytest.skip.Exception
BESIDE_EACH_OTHER = 12  # pushes that do little but wait


class Run:
    """`chosen`: the clients, registries and operations that were asked for."""

    def __init__(self, folder, chosen):
        self.folder, self.chosen = folder, chosen
        self.lock, self.ending = threading.Lock(), threading.Event()
        self.sites = Sites(folder, shapes())
        (folder / "d").mkdir()
        self.daemons = Daemons(folder / "d")
        (folder / "m").mkdir()
        self.modern = modern.Daemons(folder / "m")
        self.cells = []
        self.count = 0

    def make(self, name):
        with self.lock:
            self.count += 1
            folder = self.folder / f"c{self.count}"
        row = CLIENTS[name]
        return row.make(folder, self.modern if row.modern else self.daemons)

    def site(self, name):
        with self.lock:
            return self.sites.get(name)

    def versions(self):
        """{name: version}, and {name: (outcome, why)} of what there is not;
        what Go has to build is built here."""
        here, amiss = {}, {}
        for names, find in (
                (self.chosen.clients, lambda name: self.make(name).version()),
                (self.chosen.registries, version_of)):
            for name in names:
                try:
                    here[name] = find(name)
                except SKIPPED as why:
                    amiss[name] = "not run", str(why)
                except Exception as bad:  # pylint: disable=broad-except
                    amiss[name] = "fail", explain(bad)
                print(name, here.get(name) or ": ".join(amiss[name]),
                      flush=True)
        return here, amiss

    def done(self, cell):
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
        why = CANNOT.get((name, column.name, operation.name))
        if why and outcome == "fail":
            outcome, note = "cannot", why
        elif why and outcome == "pass":
            outcome, note = "fail", "it can: take it out of CANNOT"
        self.done(Cell(name, column, operation.name, outcome, note,
                       time.monotonic() - begun))

    def outcome(self, name, column, operation):
        try:
            others = {kind: self.site(f"{column.registry}-{kind}")
                      for kind in BESIDE} if operation.where == "main" else {}
            who = self.make(name)
            operation.run(Case(who, self.site(column.name), others))
            shutil.rmtree(who.folder, ignore_errors=True)
        except SKIPPED as why:
            return "not run", str(why)
        except Exception as bad:  # pylint: disable=broad-except
            return "fail", explain(bad)
        return "pass", ""

    def column(self, column, amiss, aside):
        """All of its cells, one after the other; the slow ones `aside`."""
        for operation in sorted(self.chosen.operations,
                                key=lambda operation: not operation.slow):
            if operation.where == "main" and column.look:
                continue
            for name in self.chosen.clients:
                if not CLIENTS[name].has(operation):
                    self.done(Cell(name, column, operation.name, "-", "", 0))
                elif amiss.get(name) or amiss.get(column.registry):
                    self.done(Cell(name, column, operation.name, *(
                        amiss.get(name) or amiss[column.registry]), 0))
                elif operation.slow:
                    aside.submit(self.cell, name, column, operation)
                else:
                    self.cell(name, column, operation)

    def all(self, amiss):
        with ThreadPoolExecutor(BESIDE_EACH_OTHER) as aside, \
                ThreadPoolExecutor(2) as pool:
            try:
                for done in [pool.submit(self.column, column, amiss, aside)
                             for column in COLUMNS
                             if column.registry in self.chosen.registries]:
                    done.result()
            except BaseException:
                self.ending.set()
                raise

    def stop(self):
        self.modern.stop()
        self.daemons.stop()
        self.sites.stop()


def plain(text):
    """In one line, without secrets."""
    for secret in secrets.known():
        text = text.replace(secret, "***")
    return " ".join(text.split())


def explain(bad):
    text = plain(str(bad)) or repr(bad)
    where = bad.__traceback__
    while where.tb_next and "conformance" in \
            where.tb_next.tb_frame.f_code.co_filename:
        where = where.tb_next
    return f"line {where.tb_lineno}: {text[-600:]}"


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
        if folder in command:
            yield plain(f"process {file.parent.name} {command}")


def chosen(arguments):
    """What was asked for, by names or what is all."""
    parser = argparse.ArgumentParser()
    tables = {"clients": list(CLIENTS), "registries": REGISTRIES,
              "operations": [operation.name for operation in OPERATIONS]}
    for name, table in tables.items():
        parser.add_argument(f"--{name}", type=lambda text: text.split(","),
                            default=table)
    said = parser.parse_args(arguments)
    for name, table in tables.items():
        odd = set(getattr(said, name)) - set(table)
        if odd:
            parser.error(f"no {name} {', '.join(odd)}; there are "
                         f"{', '.join(table)}")
    said.operations = [operation for operation in OPERATIONS
                       if operation.name in said.operations]
    return said


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    os.environ["BUILD_LARGE"] = "1"
    begun = time.monotonic()
    what = chosen(sys.argv[1:])
    # A socket's path has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="conform-",
                                     ignore_cleanup_errors=True) as folder:
        run = Run(Path(folder), what)
        try:
            here, amiss = run.versions()
            run.all(amiss)
        finally:
            run.stop()
        wrong = list(left_behind(folder)) + [
            f"a secret is in {file}" for file, _ in secrets.leaks()]
    wrong += write(TOP / "build", run.cells, here, amiss,
                   time.monotonic() - begun)
    for line in wrong:
        print(f"conformance: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
