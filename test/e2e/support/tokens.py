"""JWTs, read and verified by a library that is not ours (PyJWT)."""

import json
import re
import time

import jwt

from support import secrets

ALGORITHMS = ["ES256", "RS256", "ES384", "EdDSA"]


def keys_of(jwks):
    """{kid: public key} of a JWK set's text."""
    return {key.key_id: key.key for key in jwt.PyJWKSet.from_json(jwks).keys}


def verify(token, dockpass, service=None):
    """The claims; an AssertionError or a jwt error unless all is right."""
    secrets.remember(token)
    head = jwt.get_unverified_header(token)
    assert head["typ"] == "JWT" and head["alg"] in ALGORITHMS
    jwks = (dockpass.folder / "public/jwks.json").read_text()
    claims = jwt.decode(
        token, keys_of(jwks)[head["kid"]], algorithms=[head["alg"]],
        audience=service or dockpass.service, issuer="dockpass",
        options={"require": ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"]})
    assert isinstance(claims["aud"], str) and isinstance(claims["jti"], str)
    assert all(type(claims[name]) is int for name in ("exp", "nbf", "iat"))
    assert claims["nbf"] == claims["iat"] <= time.time() - 9
    assert set(claims) == {"iss", "sub", "aud", "exp", "nbf", "iat", "jti",
                           "access"}
    return claims


def access(answer, dockpass, service=None):
    """What a 200 grants: {"repository:a/b": "pull,push"}; all else checked."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    body = json.loads(answer.text)
    assert body["token"] == body["access_token"]
    assert type(body["expires_in"]) is int
    claims = verify(body["token"], dockpass, service)
    assert abs(claims["exp"] - time.time() - body["expires_in"]) < 30
    rows = [(row["type"], row["name"], row["actions"])
            for row in claims["access"]]
    assert rows == sorted(rows)
    for row in claims["access"]:
        assert set(row) == {"type", "name", "actions"} and row["actions"]
        assert row["actions"] == sorted(set(row["actions"]))
    return {f"{kind}:{name}": ",".join(actions) for kind, name, actions in rows}


def claims(answer):
    """As they stand in a 200, not verified."""
    return jwt.decode(answer.json()["token"],
                      options={"verify_signature": False})


def subject(answer):
    return claims(answer)["sub"]


def refusal(answer, status, code=None):
    """The message of an error, which has the form that docker reads."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["Content-Type"] == "application/json"
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    error, = answer.json()["errors"]
    assert set(error) == {"code", "message", "detail"}
    assert code in (None, error["code"])
    assert error["message"]
    if status == 401:
        assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    return error["message"]


def grant_refusal(answer, status, error):
    """The same for a POST, which has what RFC 6749 5.2 wants besides."""
    message = refusal(answer, status)
    body = answer.json()
    assert set(body) == {"errors", "error", "error_description"}
    assert (body["error"], body["error_description"]) == (error, message)
    assert re.fullmatch(r"[ !#-\[\]-~]+", message)
    return message
