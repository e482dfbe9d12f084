"""What came of the matrix: build/conformance.md and .json. README has the
first of them down to the registries' own tables."""

import json
import os
import re
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from conformance.matrix import CLIENTS, COLUMNS, Column
from conformance.operations import OPERATIONS


# What is told of a cell that has not passed.
ODD = {"fail": "**fail**", "cannot": "cannot", "not run": "not run"}


class Cell(NamedTuple):
    """`outcome`: pass, fail, "-" for what the client has no verb for; "not
    run" and "cannot", of which `note` says why."""
    client: str
    column: Column
    operation: str
    outcome: str
    note: str
    seconds: float


class Suite(NamedTuple):
    """The OCI's own tests of a registry; {test: state} `without` tokens, and
    with ours."""
    registry: str
    outcome: str
    note: str
    without: dict
    states: dict


def table(corner, heads, rows):
    """Markdown, or nothing; `rows`: lists, the name first."""
    if not rows:
        return ""
    lines = [[corner, *heads], ["---"] * (len(heads) + 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def known(names, order):
    return [name for name in order if name in names]


def machine():
    """Which dockpass, and what it ran on."""
    done = subprocess.run(["sh", "-c", "git describe --always --dirty"],
                          text=True, capture_output=True, check=False,
                          timeout=20, cwd=Path(__file__).parent)
    model = re.search(r"^model name\s*: (.*)",
                      Path("/proc/cpuinfo").read_text(), re.M)
    return f"dockpass {done.stdout.strip() or 'of no commit'}, " \
        f"Linux {os.uname().release}, {os.cpu_count()} cores " \
        f"({model[1] if model else os.uname().machine})"


class Report:
    def __init__(self, cells, suites, here):
        self.cells, self.here = cells, here
        self.suites = sorted(suites)
        self.clients = known({cell.client for cell in cells}, CLIENTS)
        self.columns = known({cell.column for cell in cells}, COLUMNS)
        self.registries = list(dict.fromkeys(
            column.registry for column in self.columns))
        self.operations = known({cell.operation for cell in cells},
                                [operation.name for operation in OPERATIONS])

    def titled(self, name):
        """With its version."""
        kind = "registry" if name[0].isdigit() else name
        return f"{kind} {self.here[name]}" if name in self.here else \
            f"{name} missing"

    def of(self, **wanted):
        """The cells that have these members."""
        return [cell for cell in self.cells
                if all(getattr(cell, key) == value
                       for key, value in wanted.items())]

    @staticmethod
    def sum(cells):
        """Of cells that are alike: pass, -, or what is amiss and where."""
        met = {}
        for cell in cells:
            if cell.outcome != "-":
                met.setdefault(cell.outcome, []).append(cell.column.name)
        return "; ".join(
            ODD.get(outcome, outcome) +
            (" " + ", ".join(names)
             if len(met) > 1 and outcome != "pass" else "")
            for outcome, names in sorted(met.items(), reverse=True)) or "-"

    def by_registry(self):
        """How many of a client's cells at a registry have passed."""
        def count(client, registry):
            cells = [cell for cell in self.of(client=client)
                     if cell.column.registry == registry and
                     cell.outcome != "-"]
            passed = sum(cell.outcome == "pass" for cell in cells)
            if {cell.outcome for cell in cells} == {"not run"}:
                return "not run"
            failed = any(cell.outcome == "fail" for cell in cells)
            return f"{passed} of {len(cells)}" + " **!**" * failed
        return table("", list(map(self.titled, self.registries)), [
            [self.titled(client),
             *(count(client, registry) for registry in self.registries)]
            for client in self.clients])

    def by_operation(self):
        return table("", self.clients, [
            [operation, *(self.sum([
                cell for cell in self.of(client=client, operation=operation)
                if not cell.column.look]) for client in self.clients)]
            for operation in self.operations])

    def by_look(self):
        return table("push and pull", self.clients, [
            [f"{column.registry}, {column.look}",
             *(self.sum(self.of(client=client, column=column))
               for client in self.clients)]
            for column in self.columns if column.look])

    def by_suite(self):
        """The OCI's own tests."""
        def states(found):
            return ", ".join(f"{count} {state}" for state, count in
                             Counter(found.values()).most_common()) or "-"
        return table("OCI suite", ["without tokens", "with ours", ""], [
            [self.titled(suite.registry), states(suite.without),
             states(suite.states), {"pass": "the same tests"}.get(
                 suite.outcome, ODD.get(suite.outcome))]
            for suite in self.suites])

    def one(self, column):
        """A registry's own table: each cell by itself."""
        def text(client, operation):
            cells = self.of(client=client, operation=operation, column=column)
            return cells[0].outcome if cells else ""
        return table("", self.operations, [
            [client, *(text(client, operation)
                       for operation in self.operations)]
            for client in self.clients])

    def notes(self):
        """A line for each cause, with whom it has met."""
        causes = {}
        for cell in self.cells:
            if cell.outcome in ODD:
                causes.setdefault((cell.outcome, cell.note), []).append(cell)
        return "\n".join([
            *(f"- {ODD[outcome]}: {met(cells)}: {note}"
              for (outcome, note), cells in causes.items()),
            *(f"- {ODD[suite.outcome]}: OCI suite, {suite.registry}: "
              f"{suite.note}" for suite in self.suites
              if suite.outcome in ODD)])

    def summary(self, took):
        """What README has."""
        parts = [
            time.strftime("On %Y-%m-%d, ", time.gmtime()) +
            f"{took / 60:.0f} minutes, {machine()} (passed of what a client "
            'has a verb for; "-": it has none):',
            self.by_registry(), self.by_operation(), self.by_look(),
            self.by_suite(), self.notes()]
        return "\n\n".join(part for part in parts if part) + "\n"

    def text(self, took):
        parts = ["# Conformance", self.summary(took).rstrip()]
        for column in self.columns:
            if not column.look:
                parts += [f"## {self.titled(column.registry)}",
                          self.one(column)]
        return "\n\n".join(parts) + "\n"


def met(cells):
    """What these have in common; otherwise all that they have."""
    return "; ".join(
        ", ".join(dict.fromkeys(values)) for values in (
            [cell.client for cell in cells],
            [cell.column.name for cell in cells],
            [cell.operation for cell in cells])
        if len(set(values)) < 6)


def write(folder, run, took):
    """Both files."""
    report = Report(list(run.cells), list(run.suites), run.here)
    (folder / "conformance.md").write_text(report.text(took))
    (folder / "conformance.json").write_text(json.dumps({
        "seconds": round(took), "versions": run.here,
        "amiss": {name: ": ".join(why) for name, why in run.amiss.items()},
        "cells": [{"client": cell.client, "registry": cell.column.registry,
                   "look": cell.column.look or "default",
                   "operation": cell.operation, "outcome": cell.outcome,
                   "note": cell.note, "seconds": round(cell.seconds, 1)}
                  for cell in report.cells],
        "suites": [suite._asdict() for suite in report.suites]},
        indent=1) + "\n")
