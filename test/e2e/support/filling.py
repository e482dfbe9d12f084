"""A store that is written to, until it takes no more, while it is read."""

from concurrent.futures import ThreadPoolExecutor

from support import secrets
from support.dockpass import Dockpass
from support.ways import basic
from support.wire import Wire, request

PER_PAT = 32  # refresh tokens; for more the oldest go
WRITERS = 4
SERVICE = {"name": "registry", "refresh_tokens": True}
GRANTED = {"repository:g/app": "pull"}


class Filled(Dockpass):
    """Made so that clients can fill it; `pats`: their tokens, and of as many
    as there are refresh tokens may be had."""

    def __init__(self, folder, **options):
        super().__init__(folder, services=[SERVICE], **options)
        self.user("alice")
        self.cli("project", "add", "g/app")
        self.cli("member", "add", "g", "alice", "developer")
        self.pats = []

    def make_pats(self, count):
        self.pats += [self.token("alice", scopes="api", name=f"n{i}")
                      for i in range(count)]

    def _write(self, pats):
        """Refresh tokens, until one is refused: (those that were
        acknowledged, the refusal)."""
        kept = []
        with Wire(self.port) as wire:
            for pat in pats * PER_PAT:
                answer = wire.send(asking(pat, "offline_token=1")).answer()
                if answer.status_code != 200:
                    return kept, answer
                kept.append(secrets.remember(answer.json()["refresh_token"]))
        raise AssertionError("never refused")

    def _read(self, ended):
        """How often it was given a token: each time that it asked."""
        count = 0
        with Wire(self.port) as wire:
            while not ended:
                answer = wire.send(asking(
                    self.pats[0], "scope=repository:g/app:pull")).answer()
                assert answer.status_code == 200, answer.text
                count += 1
        return count

    def fill(self, when=lambda: None):
        """All of `pats` write, the first reads too. `when` is called
        meanwhile. The acknowledged refresh tokens, and the refusals."""
        ended = []
        with ThreadPoolExecutor(WRITERS + 1) as pool:
            reader = pool.submit(self._read, ended)
            writers = [pool.submit(self._write, self.pats[i::WRITERS])
                       for i in range(WRITERS)]
            try:
                when()
                done = [writer.result() for writer in writers]
            finally:
                ended.append(True)
            assert reader.result() > 0
        return [token for kept, _ in done for token in kept], \
            [refusal for _, refusal in done]

    def keeps(self, refreshes):
        """Each of them is good."""
        with Wire(self.port) as wire:
            for token in refreshes:
                answer = wire.send(request(
                    "POST /token", body="service=registry&grant_type="
                    f"refresh_token&refresh_token={token}")).answer()
                assert answer.status_code == 200, answer.text


def asking(secret, query):
    return request(f"GET /token?service=registry&{query}",
                   f"Authorization: {basic('alice', secret)}")
