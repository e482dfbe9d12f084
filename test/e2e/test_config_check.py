"""What is in effect: dockpass.yaml, DOCKPASS_* over it, defaults below; and
`check`, which finds in keys, store and certificates what `serve` would find.
"""

import os
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from support.dockpass import ENV, PATIENCE, PROGRAM, Dockpass
from support.site import Certificate
from test_config import refused, run

# Those that depend on something, or have none
DEFAULTS = {"url": "http://localhost:5001", "services[0].name": "r"}


def folders(desk):
    """What is each dockpass's own."""
    return {"admin.address": desk.env["DOCKPASS_ADMIN_ADDRESS"],
            **{name: str(desk.folder / name)
               for name in ("store", "keys", "public")}}


def defaults(desk):
    """README's table, for one listener and one service."""
    rows = re.findall(r"^\| `([^`]+)` \|[^|]*\|(?: `(.*?)`)? +\|",
                      desk.run("check", "--table").stdout, re.M)
    return {path.replace("[]", "[0]"): yaml.safe_load(value)
            for path, value in rows if "certificates[]" not in path} | \
        DEFAULTS | folders(desk)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with Dockpass(tmp_path_factory.mktemp("desk")) as desk:
        yield desk


def options(desk, text, **env):
    """What `check --json` says of a file in the same folder."""
    file = desk.folder / "other.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    desk.config_file, saved = file, desk.config_file
    try:
        told = desk.json("check", env={f"DOCKPASS_{name}": value
                                       for name, value in env.items()})
    finally:
        desk.config_file = saved
    assert set(told) == {"ok", "config", "options"}
    assert (told["ok"], told["config"]) == (True, str(file))
    return told["options"]


# The file, the environment, the defaults

ONE = "services: [{name: r}]\n"


def test_defaults(desk):
    assert options(desk, ONE) == defaults(desk)


FORMS = {
    "lines that end as in DOS": ONE.replace("\n", "\r\n") + "workers: 7\r\n",
    "a byte order mark": b"\xef\xbb\xbf" + ONE.encode() + b"workers: 7",
    "no line feed at the end": ONE + "workers: 7",
    "a head": "%YAML 1.1\n---\n" + ONE + "workers: 7\n...\n",
    "quotes": ONE + "\"workers\": '7'\n", "JSON":
    '{"services": [{"name": "r"}], "workers": 7}',
    "another order, blank lines, comments":
        "# a\n\nworkers: 7   # b\n\nservices:\n\n  -\n    name: r\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_the_file(desk, form):
    assert options(desk, FORMS[form]) == defaults(desk) | {
        "workers": 7}


BY_VARIABLE = {  # each type, and entries of lists
    "ISSUER": ("me", "issuer", "me"), "WORKERS": ("7", "workers", 7),
    "URL": ("https://a.example/", "url", "https://a.example"),
    "LISTENERS_0_ADDRESS": ("[::1]:7", "listeners[0].address", "[::1]:7"),
    "SERVICES_0_NAME": ("Ärger: #1", "services[0].name", "Ärger: #1"),
    "SERVICES_0_TTL": ("60", "services[0].ttl", 60),
    "SERVICES_0_KID": ("rfc7638", "services[0].kid", "rfc7638"),
    "SERVICES_0_X5C": ("false", "services[0].x5c", False),
    "SERVICES_0_REFRESH_TOKENS": ("true", "services[0].refresh_tokens", True),
    "PAT_USERNAME_MUST_MATCH": ("true", "pat.username_must_match", True),
    "LIMITS_CONNECTIONS_PER_ADDRESS":
        ("1", "limits.connections_per_address", 1),
}
FILE = ONE.replace("r}", "r, ttl: 99, kid: libtrust, x5c: true}") + \
    "issuer: file\nworkers: 3\nurl: http://f\nlimits: {connections: 5}\n"


@pytest.mark.parametrize("name", BY_VARIABLE)
def test_a_variable_is_over_the_file_and_the_default(desk, name):
    value, path, want = BY_VARIABLE[name]
    for text in (ONE, FILE):
        before = options(desk, text)
        after = options(desk, text, **{name: value})
        assert after[path] == want != before[path]
        changed = {key for key in after if after[key] != before.get(key)}
        assert changed <= {path, "url"}  # the default follows the listener


def test_lists_are_longer_in_the_environment(desk):
    got = options(desk, ONE, SERVICES_1_NAME="two", SERVICES_2_NAME="three",
                  SERVICES_1_TTL="77", LISTENERS_1_ADDRESS="127.0.0.1:7")
    assert [got[f"services[{i}].name"] for i in range(3)] == [
        "r", "two", "three"]
    assert [got[f"services[{i}].ttl"] for i in range(3)] == [300, 77, 300]
    assert [got[f"listeners[{i}].address"] for i in range(2)] == [
        "127.0.0.1:5001", "127.0.0.1:7"]


def test_all_by_variables(desk):
    """As in a container: the file holds nothing."""
    assert options(desk, "", SERVICES_0_NAME="r") == defaults(desk)


def test_variables_of_others_do_not_count(desk):
    done = run("check", "--config", desk.config_file, DOCKPAS_X="1",
               XDOCKPASS_ISSUER="x", dockpass_issuer="x")
    assert done.returncode == 0 and "issuer: dockpass " in done.stdout


# What `check` prints is the file that would have the same effect

def test_check_prints_what_is_in_effect(desk):
    env = {"DOCKPASS_SERVICES_0_TTL": "77", "DOCKPASS_ISSUER": 'a "b": #c'}
    *lines, ok = desk.cli("check", env=env).splitlines()
    assert ok == "ok"
    assert lines[0] == f"# {desk.config_file} and DOCKPASS_* variables"
    table = desk.cli("check", "--table")
    whole = re.sub(r"\n +# ", " ", "\n".join(lines[1:]))
    for line in whole.splitlines():
        key, help_ = re.fullmatch(r" *(?:- )?(\w+):(?: .*?)?(?: +# (.*))?",
                                  line).groups()
        assert help_ is None or f"| {help_} |" in table, key
    told = desk.json("check", env=env)["options"]
    assert (told["issuer"], told["services[0].ttl"]) == ('a "b": #c', 77)
    again = options(desk, "\n".join(lines))
    assert again == told


@pytest.mark.parametrize("way", ["--config", "DOCKPASS_CONFIG"])
def test_from_another_folder(desk, tmp_path, way):
    """Relative paths in the file start at the file's folder."""
    given = os.path.relpath(desk.config_file, tmp_path)
    args = ["--config", given] if way == "--config" else []
    env = {} if args else {way: given}
    done = subprocess.run(
        [PROGRAM, "check", "--json", *args], cwd=tmp_path, text=True,
        capture_output=True, check=True, timeout=60, env={**desk.env, **env})
    told = yaml.safe_load(done.stdout)  # JSON is YAML
    assert told["options"].items() >= folders(desk).items()


def test_config_is_over_dockpass_config(desk):
    done = run("check", "--config", desk.config_file,
               DOCKPASS_CONFIG="/no/where.yaml")
    assert done.returncode == 0
    bare = {"PATH": os.environ["PATH"]}  # no HOME either
    for env, path in ((bare, "/etc/dockpass/dockpass.yaml"),
                      (bare | {"DOCKPASS_CONFIG": "/x.yaml"}, "/x.yaml")):
        done = subprocess.run([PROGRAM, "user", "list"], env=env, text=True,
                              capture_output=True, check=False, timeout=60)
        assert done.stderr.startswith(f"dockpass: {path}: not found; ")
    done = subprocess.run(
        [PROGRAM, "user", "list", "--config", desk.config_file], env=bare,
        text=True, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


# Keys, store, certificates: `check` and `serve` find the same

BOTH = [["check"], ["serve"]]
KEYS = [*BOTH, ["key", "list"], ["registry-config"]]
STORE = [*BOTH, ["user", "list"]]


def broken(own, want, commands):
    refused(own.config_file, want.format(folder=own.folder), commands)


def test_keys_that_others_can_read(own):
    key = next((own.folder / "keys").glob("*.pem"))
    for path, mode, right in ((own.folder / "keys", 0o750, 0o700),
                              (own.folder / "keys/keyring", 0o644, 0o600),
                              (key, 0o640, 0o600)):
        path.chmod(mode)
        what = "enter or read it" if path.is_dir() else "read or write it"
        broken(own, f"{path}: group or others can {what}; run: chmod "
               f"{right:o} {path}", KEYS)
        path.chmod(right)


def test_a_keyring_that_is_damaged(own):
    keyring = own.folder / "keys/keyring"
    good = keyring.read_text()
    bad = f"{keyring}:2: not 'STATE NAME': STATE is next, current or " \
        "retired, NAME a file without .pem"
    name = "A" * 43
    for text, want in (
            (good + "nonsense\n", bad), (good + f"old {name}\n", bad),
            (good + "next ../../etc/passwd\n", bad),
            (good + f"next {name}\n", f"{{folder}}/keys/{name}.pem: not "
             "found, but {folder}/keys/keyring names it; restore the file, "
             "or remove the line")):
        keyring.write_text(text)
        broken(own, want, KEYS)
    keyring.write_text(good.replace("current", "next"))
    broken(own, "{folder}/keys: no key is current: make one with 'dockpass "
           "key new' and 'dockpass key activate'", BOTH)


def test_folders_that_are_not_there(own):
    shutil.move(own.folder / "keys", own.folder / "k")
    keys = f"{{folder}}/dockpass.yaml:{own.line_of('keys')}: keys: "
    broken(own, keys + "{folder}/keys: not found; name the folder of keys in "
           "dockpass.yaml, restore it from a backup, or make a first key: "
           "dockpass key new", KEYS)
    shutil.move(own.folder / "k", own.folder / "keys")
    (own.folder / "store/data.mdb").unlink()
    missing = f"{{folder}}/dockpass.yaml:{own.line_of('store')}: store: " \
        "{folder}/store: no store there; name another folder in " \
        "dockpass.yaml, restore it from a backup, or init another folder " \
        "and move its store here"
    broken(own, missing, STORE)
    shutil.rmtree(own.folder / "store")
    broken(own, missing, STORE)
    refused(own.config_file, "DOCKPASS_KEYS: /nowhere: not found; name the "
            "folder of keys in dockpass.yaml, restore it from a backup, or "
            "make a first key: dockpass key new", [["registry-config"]],
            DOCKPASS_KEYS="/nowhere", DOCKPASS_STORE=str(own.folder))


def test_a_store_that_others_can_read(own):
    for path, mode, right in (("store", 0o755, 0o700),
                              ("store/data.mdb", 0o644, 0o600)):
        (own.folder / path).chmod(mode)
        broken(own, f"{{folder}}/{path}: group or others can read or write "
               f"it; run: chmod {right:o} {{folder}}/{path}", STORE)
        (own.folder / path).chmod(right)


def test_certificates(own, tmp_path):
    """Of another key, or none at all; the line says which file."""
    first = Certificate(tmp_path)
    (tmp_path / "b").mkdir()
    second = Certificate(tmp_path / "b")
    own.configure(listener={"tls": {"certificate": str(first.file),
                                    "key": str(second.key)}})
    line = own.config_file.read_text().split("key: ")[0].count("\n") + 1
    where = f"{own.config_file}:{line}: listeners[0].tls.key: "
    broken(own, f"{where}{second.key}: does not belong to the certificate "
           f"{first.file}: name the key that it was made for", BOTH)
    second.key.write_text("")
    broken(own, f"{where}{second.key}: holds no private key in PEM without a "
           "passphrase; name the key's file, or write one without: openssl "
           f"pkey -in {second.key} -out NEW", BOTH)
    own.configure(listener=first.listener)
    done = own.run("check", "--config", own.config_file)
    end = x509.load_pem_x509_certificate(
        first.file.read_bytes()).not_valid_after
    assert done.stdout.endswith("ok\n") and done.stderr == (
        f"dockpass: warning: {first.file}: the certificate of 127.0.0.1:"
        f"{own.port} ends at {end:%Y-%m-%dT%H:%M:%S}.000Z: renew it, then "
        "reload\n")


def test_a_port_that_is_taken_is_for_serve_alone(own):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        own.configure(listener={"address": address})
        assert own.cli("check").endswith("ok\n")
        refused(own.config_file, f"{address} is taken by another process: "
                "end it, or choose another address under listeners",
                [["serve"]])
    own.configure(listener={"address": "192.0.2.1:5001"})
    refused(own.config_file, "192.0.2.1:5001 cannot be bound: Cannot assign "
            "requested address; choose an address of this machine under "
            "listeners", [["serve"]])


def test_check_beside_a_server(own):
    own.serve()
    assert own.cli("check").endswith("ok\n")
    refused(own.config_file, f"127.0.0.1:{own.port} is taken by another "
            "process: end it, or choose another address under listeners",
            [["serve"]])


# Another user than the one it is for

@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_as_a_user_without_rights():
    """The line says who may; what anybody may read is read."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        program = shutil.copy(PROGRAM, Path(folder) / "program")
        with Dockpass(folder) as own:
            rights = "Permission denied; run as root or as its owner"
            wants = {"user list": f"{own.folder}/store/data.mdb: cannot open "
                                  f"the store: {rights}",
                     "key list": f"{own.folder}/keys: cannot open the folder "
                                 f"of keys: {rights}"}
            wants["user add x --email e"] = wants["user list"]
            wants["check"] = wants["user list"]
            wants["serve"] = wants["key new"] = wants["key list"]
            hidden = f"{own.config_file}: cannot open it: {rights}"
            for mode in (0o644, 0o600):
                own.config_file.chmod(mode)
                for command, want in wants.items():
                    done = subprocess.run(
                        ["setpriv", "--reuid=65534", "--regid=65534",
                         "--clear-groups", program, *command.split(),
                         "--config", own.config_file], text=True, timeout=60,
                        capture_output=True, check=False, env=ENV, cwd="/")
                    want = want if mode == 0o644 else hidden
                    assert (done.returncode, done.stdout, done.stderr) == (
                        1, "", f"dockpass: {want}\n"), command


# What a server opens, and a command does not
MISSING = {
    "tls": {"listener": {"tls": {"certificate": "none.crt",
                                 "key": "none.key"}}},
    "mail": {"mail": {"url": "smtp://127.0.0.1:9", "from": "a@example.com",
                      "user": "a", "password_file": "none"}},
    "webhook": {"webhook": {"url": "http://127.0.0.1:9/",
                            "secret_file": "none"}},
    "log": {"log": {"file": "nowhere/log"}},
}


@pytest.mark.parametrize("options", MISSING.values(), ids=MISSING)
def test_a_file_that_is_missing_does_not_disarm_the_commands(tmp_path,
                                                             options):
    """A token has leaked, and a certificate is not there: which first?"""
    desk = Dockpass(tmp_path)
    desk.user("ann")
    desk.token("ann", scopes="api")
    desk.configure(**options)
    for command in "check", "serve":
        assert re.search(r"dockpass.yaml:\d+: .*(none|nowhere)",
                         desk.refused(command)[1])
    desk.cli("token", "revoke", "1")
    desk.cli("user", "block", "ann")
    desk.cli("store", "check")
    desk.cli("backup", tmp_path / "backup")
    assert desk.json("token", "list")[0]["revoked"] is True
    assert desk.json("key", "list")[0]["state"] == "current"
    desk.cli("registry-config")
