"""Every way in which a client shows a token to the token endpoint.

Each takes a dockpass, the secret and a scope, and gives the answer. What one
way grants every other one must grant, and nothing more.
"""

import base64
import http.client

from support import secrets
from support.dockpass import PATIENCE


def get_basic(dockpass, secret, scope="", **kwargs):
    return dockpass.ask(scope, auth=("whoever", secret), **kwargs)


def get_bearer(dockpass, secret, scope="", **kwargs):
    return dockpass.ask(scope, headers={"Authorization": f"Bearer {secret}"},
                        **kwargs)


def post_password(dockpass, secret, scope="", **kwargs):
    return dockpass.ask(scope, method="POST", fields={
        "grant_type": "password", "username": "whoever", "password": secret},
        **kwargs)


def post_basic(dockpass, secret, scope="", **kwargs):
    return dockpass.ask(scope, method="POST", auth=("whoever", secret),
                        fields={"grant_type": "password"}, **kwargs)


def post_refresh(dockpass, secret, scope="", **kwargs):
    """With a fresh refresh token; the refusal if none is given."""
    given = login(dockpass, secret)
    if given.status_code != 200:
        return given
    return refresh(dockpass, refresh_token(given), scope, **kwargs)


WAYS = {"GET-Basic": get_basic, "GET-Bearer": get_bearer,
        "POST-password": post_password, "POST-Basic": post_basic,
        "POST-refresh": post_refresh}


def login(dockpass, secret, **fields):
    """What docker login asks: no scope, and a refresh token."""
    return dockpass.ask(auth=("whoever", secret),
                        fields={"offline_token": "true", **fields})


def refresh_token(answer):
    assert answer.status_code == 200, answer.text
    return secrets.remember(answer.json()["refresh_token"])


def refresh(dockpass, token, scope="", **fields):
    return dockpass.ask(scope, method="POST", fields={
        "grant_type": "refresh_token", "refresh_token": token, **fields})


def basic(user, secret):
    """The value of a header."""
    both = f"{user}:{secret}".encode()
    return "Basic " + base64.b64encode(both).decode()


class Line:
    """One kept connection, for many requests or for odd ones.

    `headers` is a list of pairs, so that a header may come twice.
    """

    def __init__(self, dockpass, source="127.0.0.1"):
        self.http = http.client.HTTPConnection(
            "127.0.0.1", dockpass.port, timeout=20 * PATIENCE,
            source_address=(source, 0))
        self.service = dockpass.service

    def send(self, path, headers=(), method="GET", body=None):
        self.http.putrequest(method, path)
        for name, value in headers:
            self.http.putheader(name, value)
        if body is not None:
            self.http.putheader("Content-Length", str(len(body)))
            self.http.putheader("Content-Type",
                                "application/x-www-form-urlencoded")
        self.http.endheaders(body)
        answer = self.http.getresponse()
        answer.text = answer.read().decode()
        return answer

    def ask(self, *headers, query=""):
        """A GET of a token, its Authorization headers in full."""
        return self.send(f"/token?service={self.service}{query}",
                         [("Authorization", value) for value in headers])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.close()
