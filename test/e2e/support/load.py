"""Clients that ask all the time, while a test does something else."""

import threading

from support.dockpass import PATIENCE
from support.process import wait_until
from support.wire import Wire


class Load:
    """`clients`: of each the Wires that it opens, as a function. It asks with
    `data` and is to be answered 200, each time. One that is `fresh` opens one
    for each request. What went wrong is raised at the end of the block."""

    def __init__(self, data, *clients, fresh=()):
        self.data, self.ended, self.failures = data, False, []
        every = [(client, False) for client in clients] + \
            [(client, True) for client in fresh]
        self.counts = [0] * len(every)
        self.threads = [
            threading.Thread(target=self._client, args=(number, *client))
            for number, client in enumerate(every)]

    def _ask(self, number, wire):
        answer = wire.send(self.data).answer()
        assert answer.status_code == 200, answer.text
        self.counts[number] += 1

    def _client(self, number, wire, fresh):
        try:
            while not self.ended:
                with wire() as line:
                    self._ask(number, line)
                    while not self.ended and not fresh:
                        self._ask(number, line)
        except Exception as bad:
            self.failures.append(bad)

    def more(self, count=20):
        """Until each client was answered so many times more."""
        goals = [now + count for now in self.counts]
        wait_until(lambda: self.failures or all(
            now >= goal for now, goal in zip(self.counts, goals)),
            30 * PATIENCE, lambda: f"{self.counts} of {goals}")
        assert not self.failures, self.failures

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended = True
        for thread in self.threads:
            thread.join()
        assert not self.failures, self.failures


def plain(dockpass, port=None):
    return lambda: Wire(port or dockpass.port)
