"""Registries 2.8 and 3.1 take our tokens: each algorithm, each style of key id.

What `dockpass registry-config` prints is used unchanged. The registry is asked
what clients ask of it (K02, K03, K04, K08), so that it is the registry's own
code that says yes; and no, one step beside.
"""

import jwt
import pytest

from support import tokens
from support.dockpass import Dockpass
from support.registry import Registry
from support.site import change_key, check_head

# By these names: how a service's tokens say which key has signed them.
STYLES = {"x5c": {}, "kid": {"x5c": False},
          "rfc7638": {"x5c": False, "kid": "rfc7638"},
          "both": {"kid": "rfc7638"}}
SERVICES = [{"name": name, **options} for name, options in STYLES.items()]
VERSIONS = ["2.8", "3.1"]


def make(folder, **options):
    """A dockpass with an administrator and projects, not started."""
    folder.mkdir()
    dockpass = Dockpass(folder, **{"services": SERVICES, **options})
    dockpass.user("root", "--admin")
    for path in ("team/app", "team/plug", "base/img"):
        dockpass.cli("project", "add", path)
    dockpass.secret = dockpass.token("root", scopes="api")
    return dockpass


@pytest.fixture(scope="module")
def signers(tmp_path_factory):
    """A serving dockpass for each algorithm."""
    folder = tmp_path_factory.mktemp("signers")
    made = {}

    def get(alg):
        if alg not in made:
            dockpass = make(folder / alg)
            if alg != "ES256":
                _, old = change_key(dockpass, "--alg", alg)
                dockpass.cli("key", "remove", old)
            made[alg] = dockpass.serve()
        return made[alg]
    yield get
    for dockpass in made.values():
        assert dockpass.stop() == 0


def token(dockpass, service, *scopes):
    """A token that grants all of `scopes`, verified by PyJWT."""
    answer = dockpass.ask(scopes, auth=("root", dockpass.secret),
                          fields={"service": service})
    granted = tokens.access(answer, dockpass, service)
    assert len(granted) == len(scopes)
    return answer.json()["token"]


def kid_of(text):
    return jwt.get_unverified_header(text)["kid"]


def check_registry(registry, dockpass, service):
    """Each access: with the token for it, and with one for another."""
    push = token(dockpass, service, "repository:base/img:pull,push")
    digest = registry.upload(push, "base/img",
                             b"layer of " + service.encode())
    app = "repository:team/app:pull,push"
    mount = f"/v2/team/app/blobs/uploads/?mount={digest}&from=base/img"
    blob = f"/v2/base/img/blobs/{digest}"
    other = token(dockpass, service, app)
    rows = [
        ("GET", "/v2/", (), 200),
        ("POST", mount, (app, "repository:base/img:pull"), 201),
        ("GET", "/v2/_catalog", ("registry:catalog:*",), 200),
        ("GET", "/v2/team/plug/tags/list",
         ("repository(plugin):team/plug:pull",), 404),
        ("GET", blob, ("repository:base/img:pull",), 200),
        ("DELETE", blob, ("repository:base/img:*",), 202),
    ]
    for method, path, scopes, status in rows:
        if scopes:
            assert registry.get(path, other, method).status_code == 401
        answer = registry.get(path, token(dockpass, service, *scopes), method)
        assert answer.status_code == status, (path, answer.text)


# registry, algorithm, style, options of registry-config
TWO, THREE = ["--registry", "2"], ["--registry", "3"]
ACCEPTED = [
    ("2.8", "ES256", "x5c", []),
    ("2.8", "ES256", "x5c", TWO),
    ("2.8", "ES256", "x5c", ["--format", "env"]),
    ("2.8", "ES256", "kid", TWO),
    ("2.8", "ES256", "both", []),
    ("2.8", "RS256", "x5c", []),
    ("2.8", "RS256", "kid", TWO),
    ("2.8", "ES384", "x5c", []),
    ("2.8", "ES384", "kid", TWO),
    ("3.1", "ES256", "x5c", []),
    ("3.1", "ES256", "x5c", THREE),
    ("3.1", "ES256", "x5c", ["--format", "env"]),
    ("3.1", "ES256", "kid", THREE),
    ("3.1", "ES256", "rfc7638", THREE),
    ("3.1", "ES256", "rfc7638", THREE + ["--format", "env"]),
    ("3.1", "ES256", "both", []),
    ("3.1", "RS256", "x5c", []),
    ("3.1", "RS256", "kid", THREE),
    ("3.1", "RS256", "rfc7638", THREE),
    ("3.1", "ES384", "x5c", []),
    ("3.1", "ES384", "kid", THREE),
    ("3.1", "ES384", "rfc7638", THREE),
    ("3.1", "EdDSA", "x5c", THREE),
    ("3.1", "EdDSA", "kid", THREE),
    ("3.1", "EdDSA", "rfc7638", THREE),
]


@pytest.mark.parametrize("version, alg, style, options", ACCEPTED, ids=[
    " ".join([*row[:3], *row[3]]) for row in ACCEPTED])
def test_accepted(signers, tmp_path, version, alg, style, options):
    dockpass = signers(alg)
    check_head(token(dockpass, style), dockpass, STYLES[style], alg)
    with Registry(tmp_path / "registry", dockpass, version, "--service", style,
                  *options) as registry:
        check_registry(registry, dockpass, style)


# style, options, what is missing and what to do
REFUSED = [
    ("EdDSA", "x5c", TWO, "registry 2 does not start with an Ed25519 key in "
     "its bundle; say --registry 3, or dockpass key remove it"),
    ("EdDSA", "x5c", [], "registry 2 does not start with an Ed25519 key in "
     "its bundle; say --registry 3, or dockpass key remove it"),
    ("ES256", "rfc7638", TWO, "registry 2 finds no key by kid: rfc7638 "
     "without x5c; set kid: libtrust or x5c: true, or say --registry 3"),
    ("ES256", "kid", [], "x5c: false: registry 2 needs the bundle, registry 3 "
     "the jwks; say --registry 2 or --registry 3"),
]


@pytest.mark.parametrize("alg, style, options, message", REFUSED, ids=[
    " ".join([*row[:2], *row[2]]) for row in REFUSED])
def test_what_cannot_work_is_not_printed(signers, alg, style, options,
                                         message):
    assert signers(alg).refused("registry-config", "--service", style,
                                *options) == (1, "dockpass: " + message)


@pytest.mark.parametrize("alg", ["RS256", "ES256", "ES384"])
def test_k03_rfc7638_ids_of_the_bundle(signers, tmp_path, alg):
    """3.1 finds the key without x5c and jwks, as it computes our ids."""
    dockpass = signers(alg)
    with Registry(tmp_path / "registry", dockpass, "3.1", "--service",
                  "rfc7638", env={"DOCKPASS_SERVICES_2_X5C": "true"}) \
            as registry:
        assert "jwks" not in (registry.folder / "config.yml").read_text()
        check_registry(registry, dockpass, "rfc7638")


# What a registry writes to its log: what operators look for.
AUDIENCE = "token intended for another audience"
ISSUER = "token from untrusted issuer"
CHAIN = "certificate signed by unknown authority"
KEY = "token signed by untrusted key"


def refuses(registry, bearer, words):
    before = len(registry.output)
    assert registry.ping(bearer) == 401
    assert words in registry.output[before:]


@pytest.mark.parametrize("version", VERSIONS)
def test_tokens_that_are_not_for_it(signers, tmp_path, version):
    mine = signers("ES256")
    other = make(tmp_path / "other").serve()
    with other:
        for style, words in (("x5c", CHAIN), ("kid", KEY)):
            options = [] if style == "x5c" else ["--registry", version[0]]
            with Registry(tmp_path / style, mine, version, "--service", style,
                          *options) as registry:
                assert registry.ping(token(mine, style)) == 200
                refuses(registry, token(other, style), words)
                if style == "x5c":
                    refuses(registry, token(mine, "both"), AUDIENCE)


@pytest.mark.parametrize("version", VERSIONS)
def test_another_issuer(tmp_path, version):
    dockpass = make(tmp_path / "signer")
    with dockpass, Registry(tmp_path / "registry", dockpass, version,
                            "--service", "x5c") as registry:
        dockpass.configure(issuer="somebody")
        dockpass.serve()
        answer = dockpass.ask(auth=("root", dockpass.secret))
        refuses(registry, answer.json()["token"], ISSUER)


def count(dockpass):
    """Of certificates and keys that are published."""
    bundle = (dockpass.folder / "public/bundle.pem").read_text()
    jwks = (dockpass.folder / "public/jwks.json").read_text()
    return bundle.count("BEGIN CERTIFICATE"), jwks.count('"kid"') // 2


@pytest.mark.parametrize("style", ["x5c", "kid"])
@pytest.mark.parametrize("version", VERSIONS)
def test_rotation(tmp_path, version, style):
    """No token is refused while the registry is brought each key in time."""
    options = [] if style == "x5c" else ["--registry", version[0]]
    dockpass = make(tmp_path / "signer").serve()
    with dockpass, Registry(tmp_path / "registry", dockpass, version,
                            "--service", style, *options) as registry:
        old = token(dockpass, style)
        kid = dockpass.cli("key", "new").strip()
        assert count(dockpass) == (2, 2)
        assert dockpass.reload().startswith("done:")
        assert kid_of(token(dockpass, style)) == kid_of(old) != kid
        registry.restart()
        dockpass.cli("key", "activate", kid)
        assert kid_of(token(dockpass, style)) == kid_of(old)  # no SIGHUP yet
        assert dockpass.reload() == f"done: key {kid} signs"
        new = token(dockpass, style)
        assert kid_of(new) == kid and count(dockpass) == (2, 2)
        check_registry(registry, dockpass, style)
        assert [registry.ping(t) for t in (old, new)] == [200, 200]
        dockpass.cli("key", "remove", kid_of(old))
        assert count(dockpass) == (1, 1)
        registry.restart()
        assert [registry.ping(t) for t in (old, new)] == [401, 200]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_key_that_the_registry_has_not_seen(tmp_path, version):
    """Registries read their files when they start; then all is well."""
    dockpass = make(tmp_path / "signer").serve()
    with dockpass, Registry(tmp_path / "registry", dockpass, version,
                            "--service", "x5c") as registry:
        change_key(dockpass, "--alg", "ES384")
        assert dockpass.reload().startswith("done:")
        new = token(dockpass, "x5c")
        refuses(registry, new, CHAIN)
        registry.restart()
        assert registry.ping(new) == 200


@pytest.mark.parametrize("current", [[], ["--current"]],
                         ids=["all", "current"])
@pytest.mark.parametrize("version, style", [("2.8", "x5c"), ("3.1", "x5c"),
                                            ("2.8", "kid"), ("3.1", "kid")])
def test_exported_files(tmp_path, version, style, current):
    """`key export` beside `registry-config --bundle`: another machine's."""
    dockpass = make(tmp_path / "signer").serve()
    with dockpass:
        old = token(dockpass, style)
        change_key(dockpass)
        assert dockpass.reload().startswith("done:")
        new = token(dockpass, style)
        for name, form in (("bundle.pem", "pem"), ("jwks.json", "jwks")):
            (tmp_path / name).write_text(dockpass.cli(
                "key", "export", *current, "--format", form))
        with Registry(tmp_path / "registry", dockpass, version, "--service",
                      style, "--registry", version[0], "--bundle",
                      tmp_path / "bundle.pem") as registry:
            assert registry.ping(new) == 200
            assert registry.ping(old) == (401 if current else 200)
