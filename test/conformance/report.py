"""What came of the matrix: build/conformance.md and .json."""

import json
import time
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


def table(corner, heads, rows):
    """Markdown; `rows`: lists, the name first."""
    lines = [[corner, *heads], ["---"] * (len(heads) + 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def known(names, order):
    return [name for name in order if name in names]


class Report:
    def __init__(self, cells, here):
        self.cells, self.here = cells, here
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
        outcomes = {cell.outcome for cell in cells}
        if len(outcomes) == 1:
            return outcomes.pop()
        return "; ".join(
            f"{text} " + ", ".join(cell.column.name for cell in cells
                                   if cell.outcome == outcome)
            for outcome, text in ODD.items() if outcome in outcomes) or "pass"

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
        return "\n".join(f"- {ODD[outcome]}: {met(cells)}: {note}"
                         for (outcome, note), cells in causes.items())

    def text(self, took):
        parts = [
            "# Conformance",
            time.strftime("%Y-%m-%d, ", time.gmtime()) +
            f"{took / 60:.0f} minutes:",
            self.by_registry(), self.by_operation(), self.by_look(),
            self.notes()]
        for column in self.columns:
            if not column.look:
                parts += [f"## {self.titled(column.registry)}",
                          self.one(column)]
        return "\n\n".join(part for part in parts if part) + "\n"


def met(cells):
    """What these have in common; otherwise all that they have."""
    return "; ".join(
        ", ".join(dict.fromkeys(values)) for values in (
            [cell.client for cell in cells],
            [cell.column.name for cell in cells],
            [cell.operation for cell in cells])
        if len(set(values)) < 6)


def write(folder, cells, here, amiss, took):
    """Both files; a line if cells have failed."""
    report = Report(cells, here)
    (folder / "conformance.md").write_text(report.text(took))
    (folder / "conformance.json").write_text(json.dumps({
        "seconds": round(took), "versions": here,
        "amiss": {name: ": ".join(why) for name, why in amiss.items()},
        "cells": [{"client": cell.client, "registry": cell.column.registry,
                   "look": cell.column.look or "default",
                   "operation": cell.operation, "outcome": cell.outcome,
                   "note": cell.note, "seconds": round(cell.seconds, 1)}
                  for cell in cells]}, indent=1) + "\n")
    failed = sum(cell.outcome == "fail" for cell in cells)
    return [f"{failed} of {len(cells)} cells failed: see "
            f"{folder.name}/conformance.md"] if failed else []
