"""Every secret that a test used, and every place where none may be.

Tests remember() what they make; conftest.py looks at the end of the session
for each of them in all that dockpass has printed, logged and stored.
"""

import base64

from pathlib import Path

_secrets = set()
_places = set()


def remember(secret):
    """A secret; also as Basic would carry it, behind any user name."""
    assert len(secret) >= 8, "too short: it would be found by chance"
    _secrets.add(secret)
    return secret


def watch(path):
    """A file, or a folder with all that is below it."""
    _places.add(Path(path))
    return path


def forms(secret):
    """As text, and as base64 has it at each of the three offsets."""
    raw = secret.encode()
    yield raw
    for skip in range(3):
        text = base64.b64encode(b"x" * skip + raw).rstrip(b"=")
        # The ends depend on what stands beside them.
        yield text[(0, 2, 3)[skip]:-1]


def find(places, secrets):
    """(file, secret) for each secret that a file below `places` holds.

    Thousands of tokens begin alike: where their beginning is not, they are
    not, and one look tells.
    """
    alike = {}
    for secret in secrets:
        for shape in forms(secret):
            alike.setdefault(shape[:5], []).append((shape, secret))
    for place in places:
        files = [place] if place.is_file() else place.rglob("*")
        for file in files:
            if not file.is_file():
                continue
            data = file.read_bytes()
            for start, shapes in alike.items():
                if start not in data:
                    continue
                for shape, secret in shapes:
                    if shape in data:
                        yield file, secret


def leaks():
    return sorted({(str(file), secret)
                   for file, secret in find(_places, _secrets)})


def counts():
    return len(_places), len(_secrets)


def known():
    return frozenset(_secrets)
