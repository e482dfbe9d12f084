"""The search for secrets finds them: else the rest of it proves nothing."""

import base64

from support import secrets


def test_the_search_finds_each_form(tmp_path):
    secret = "glpat-0123456789abcdefghij"
    shapes = [secret, f'{{"password":"{secret}"}}'] + [
        base64.b64encode(f"{user}:{secret}".encode()).decode()
        for user in ("a", "bo", "eve", "alice")]
    for i, shape in enumerate(shapes):
        (tmp_path / f"{i}.log").write_text(f"before {shape} after\n")
    (tmp_path / "clean.log").write_text(secret[:-1] + "x\n")
    found = {file.name for file, _ in secrets.find([tmp_path], [secret])}
    assert found == {f"{i}.log" for i in range(len(shapes))}


def test_what_was_said_is_searched(world):
    """The server's log, the answers of commands, the store: all is there."""
    secret = world.pat("alice", "read_registry")
    assert world.ask("repository:g/priv:pull",
                     auth=("alice", secret)).status_code == 200
    assert world.ask(auth=("alice", secret[:-1] + "!")).status_code == 401
    assert "alice" in world.output and "alice" in world.said.read_text()
    places, remembered = secrets.counts()
    assert places >= 4 and remembered >= 2
    assert secrets.leaks() == []
