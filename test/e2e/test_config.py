"""dockpass.yaml and DOCKPASS_*: what is wrong is refused by every command,
with file, line, key and remedy; what is right is what `check` prints.

test/unit/server/test_config.c has every row of the form and of the values;
here are those that an operator meets, in whole, and `serve` with `check`.
"""

import os
import subprocess

import pytest

from support.dockpass import ENV, PATIENCE, PROGRAM, Dockpass

LISTS = "`dockpass check --table` lists them, look at spelling and indentation"
YAML = "look at quotes and indentation (spaces, no tabs)"
NO_SERVICE = ("services: no service; name your registry: `services: [{name: "
              "registry}]`")
ADDRESS = "write ADDRESS:PORT, as 127.0.0.1:5001"
ONE = "services: [{name: r}]\n"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with Dockpass(tmp_path_factory.mktemp("desk")) as desk:
        yield desk


def run(*args, **env):
    return subprocess.run(
        [PROGRAM, *args], text=True, capture_output=True, check=False,
        stdin=subprocess.DEVNULL, timeout=60 * PATIENCE, env={**ENV, **env})


EVERY = [["check"], ["check", "--json"], ["serve"],
         ["serve", "--log-format", "text"], ["user", "list"],
         ["key", "list", "--json"], ["registry-config"],
         ["token", "revoke", "1"],
         ["explain", "--anonymous", "--access", "repository:a:pull"]]


def refused(file, want, commands=EVERY, **env):
    """By each command with the same line, and by nothing else."""
    for command in commands:
        done = run(*command, "--config", file, **env)
        assert (done.returncode, done.stdout, done.stderr) == (
            1, "", f"dockpass: {want}\n"), command


def write(desk, text):
    file = desk.folder / "other.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


# text, then what is said behind the file's name
MISTAKES = {
    # keys
    "an unknown key": (ONE + "mial: {url: x}\n",
                       f":2: mial: is no option; {LISTS}"),
    "an unknown key inside": (
        "services:\n  - name: r\n    tll: 70\n",
        f":3: services[0].tll: is no option; {LISTS}"),
    "a key in another's place": (
        ONE + "issuer: x\nttl: 300\n", f":3: ttl: is no option; {LISTS}"),
    "a key in capitals": (ONE + "Issuer: x\n",
                          f":2: Issuer: is no option; {LISTS}"),
    "a key twice": (
        ONE + "issuer: a\nurl: http://h\nissuer: b\n",
        ":4: issuer: is set a second time; the first is in line 2, keep one "
        "of them"),
    "a service's key twice": (
        "services:\n  - name: r\n    ttl: 60\n    ttl: 70\n",
        ":4: services[0].ttl: is set a second time; the first is in line 3, "
        "keep one of them"),
    # values
    "a word for a number": (
        "services:\n  - name: r\n    ttl: 5m\n",
        ":3: services[0].ttl: '5m' is no number; write 60 to 86400"),
    "a life under a minute": (
        "services:\n  - name: r\n    ttl: 59\n",
        ":3: services[0].ttl: 59 is under 60; write 60 to 86400"),
    "a life over a day": (
        "services:\n  - name: r\n    ttl: 86401\n",
        ":3: services[0].ttl: 86401 is over 86400; write 60 to 86400"),
    "a number that C would take for 192": (
        "services:\n  - name: r\n    ttl: 0300\n",
        ":3: services[0].ttl: '0300' is no number; write 60 to 86400"),
    "a flag that YAML would take": (
        "services:\n  - name: r\n    x5c: yes\n",
        ":3: services[0].x5c: 'yes' is no flag; write true or false"),
    "a word outside a closed list": (
        "services:\n  - name: r\n    kid: thumbprint\n",
        ":3: services[0].kid: 'thumbprint' is no kind of key id; write "
        "libtrust or rfc7638"),
    "a list for a value": (ONE + "issuer: [a]\n",
                           ":2: issuer: must hold a single value, as `key: value`"),
    "a value for a list": (
        "services: r\n", ":1: services: must hold a list, each entry behind "
        "a dash"),
    "a value for a map": (
        ONE + "pat: true\n", ":2: pat: must hold options of its own, `key: "
        "value` below it"),
    "nothing behind a key": (
        ONE + "issuer:\n", ":2: issuer: is empty; write a value or remove the "
        "key"),
    "null": (
        ONE + "issuer: null\n", ":2: issuer: is null; write a value or remove "
        "the key; a text is quoted: \"null\""),
    "a tilde": (
        "services: [{name: ~}]\n", ":1: services[0].name: is null; write a "
        "value or remove the key; a text is quoted: \"~\""),
    "null for a map": (
        ONE + "mail: Null\n", ":2: mail: is null; write a value or remove the "
        "key; a text is quoted: \"Null\""),
    "nothing behind a key that must be": (
        "services: [{name: }]\n", ":1: services[0].name: is empty; write a "
        "value"),
    "a name of 256 bytes": (
        f"services: [{{name: {'x' * 256}}}]\n",
        ":1: services[0].name: is longer than 255 bytes"),
    "a control character": (
        ONE + 'issuer: "a\\tb"\n', ":2: issuer: holds a control character, or "
        "is not UTF-8; write one line of text"),
    # the form of the file
    "an empty file": ("", f": {NO_SERVICE}"),
    "a comment alone": ("# later\n", f": {NO_SERVICE}"),
    "a key without its colon": (
        "services:\n  - name: r\n    ttl 300\n    kid: libtrust\n",
        f":3: no YAML: could not find expected ':'; {YAML}"),
    "a tab": (ONE + "pat:\n\tusername_must_match: true\n",
              ":3: no YAML: found character that cannot start any token; "
              + YAML),
    "a bracket that is open": (
        "services: [{name: r}\nissuer: x\n",
        f":2: no YAML: did not find expected ',' or ']'; {YAML}"),
    "an anchor": (
        "services:\n  - &a {name: r}\n", ":2: anchors (&) and aliases (*) are "
        "not allowed; write the value out, quoted if it begins so"),
    "an alias": (
        ONE + "issuer: *a\n", ":2: anchors (&) and aliases (*) are not "
        "allowed; write the value out, quoted if it begins so"),
    "a merged map": (ONE + "<<: {issuer: x}\n",
                     f":2: <<: is no option; {LISTS}"),
    "two documents": (ONE + "---\nissuer: x\n",
                      ":2: a second document begins; keep one"),
    "a list": ("- a\n", ":1: the file must hold options of its own, `key: "
               "value` below it"),
    "Latin-1": (ONE.encode() + b"\n# M\xe4rz\n",
                ":3: no text: invalid trailing UTF-8 octet; write it as "
                "UTF-8"),
    "an escape": (ONE + "\nissuer: \x1b[2J\n", ":3: no text: control "
                  "characters are not allowed; write it as UTF-8"),
    "a NUL": (ONE + 'issuer: "a\\0b"\n',
              ":2: a NUL byte; write plain text"),
    "more than a megabyte": ("#" * 1048577, ": is larger than 1048576 bytes"),
    "nested like a bomb": ("a: " + "[" * 100, ":1: nested too deep; no option "
                           "lies there"),
    # services, listeners, the URL
    "no service": ("issuer: a\n", f": {NO_SERVICE}"),
    "an empty list of services": ("issuer: a\nservices: []\n",
                                  f":2: {NO_SERVICE}"),
    "a service without a name": (
        "services:\n  - ttl: 70\n", ":2: services[0]: has no name; add "
        "`name:`, the registry's auth.token.service"),
    "two services of one name": (
        "services:\n  - name: r\n  - name: r\n",
        ":3: services[1].name: another service has this name; names must "
        "differ"),
    "an address without a port": (
        ONE + "listeners: [{address: 127.0.0.1}]\n",
        ":2: listeners[0].address: '127.0.0.1' has no port from 1 to 65535; "
        + ADDRESS),
    "a port that is none": (
        ONE + "listeners:\n  - address: 127.0.0.1:99999\n",
        ":3: listeners[0].address: '127.0.0.1:99999' has no port from 1 to "
        "65535; " + ADDRESS),
    "a host name for an address": (
        ONE + "listeners:\n  - address: localhost:5001\n",
        ":3: listeners[0].address: 'localhost:5001' is no IP address and "
        "port; write 127.0.0.1:5001, 0.0.0.0:5001 or [::1]:5001"),
    "one address twice": (
        ONE + "listeners:\n  - address: 127.0.0.1:1\n  - address: "
        "127.0.0.1:1\n", ":4: listeners[1].address: another listener has this "
        "address; remove one"),
    "a URL without a scheme": (
        ONE + "url: auth.example.com\n",
        ":2: url: must begin with https:// or http://"),
    "a URL with a path": (
        ONE + "url: https://a.example/token\n", ":2: url: must end with the "
        "host or port; the realm adds /token by itself"),
    "a URL with a query": (
        ONE + "url: https://a.example?x=y\n", ":2: url: must end with the "
        "host or port; the realm adds /token by itself"),
    "a URL with two slashes": (
        ONE + "url: https://a.example//\n", ":2: url: must end with the host "
        "or port; the realm adds /token by itself"),
    "a URL with a user": (
        ONE + "url: https://me@a.example\n", ":2: url: has no valid host; "
        "write as https://auth.example.com"),
    # files and folders that are named
    "a file for a folder": (
        ONE + "store: dockpass.yaml\n", ":2: store: {folder}/dockpass.yaml: "
        "is no folder; name a folder"),
    "the keys where the store is": (
        ONE + "keys: store\n", ":2: keys: {folder}/store: is the folder of "
        "`store`; name another"),
    "the bundle where the keys are": (
        ONE + "public: ./keys/\n", ":2: public: {folder}/./keys/: is the "
        "folder of `keys`; name another"),
    "half of a certificate": (
        ONE + "listeners:\n  - tls: {certificate: a.crt}\n",
        ":3: listeners[0].tls.certificate: one of the two files alone; tls "
        "needs certificate and key"),
}
# Files that the server opens: those who do not, do not care.
FILES = {
    "a certificate that is not there": (
        ONE + "listeners:\n  - tls:\n      certificate: a.crt\n      key: "
        "a.key\n", ":4: listeners[0].tls.certificate: {folder}/a.crt: No such "
        "file or directory; put the file there"),
    "a key that others can read": (
        ONE + "listeners:\n  - tls: {certificate: public/bundle.pem, key: "
        "public/bundle.pem}\n", ":3: listeners[0].tls.key: "
        "{folder}/public/bundle.pem: group or others can read or write it; "
        "run: chmod 600 {folder}/public/bundle.pem"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake(desk, mistake):
    text, want = MISTAKES[mistake]
    file = write(desk, text)
    refused(file, f"{file}{want.replace('{folder}', str(desk.folder))}")


@pytest.mark.parametrize("mistake", FILES)
def test_a_mistake_that_is_the_servers(desk, mistake):
    text, want = FILES[mistake]
    file = write(desk, text)
    refused(file, f"{file}{want.replace('{folder}', str(desk.folder))}",
            [words for words in EVERY if words[0] in ("check", "serve")])


def test_a_file_that_is_not_there(desk):
    want = "{}: not found; name the file with --config or DOCKPASS_CONFIG, " \
        "or make one: dockpass init DIR"
    refused("/no/where.yaml", want.format("/no/where.yaml"))
    for command in EVERY:
        done = run(*command, DOCKPASS_CONFIG="/no/where.yaml")
        assert (done.returncode, done.stderr) == (
            1, f"dockpass: {want.format('/no/where.yaml')}\n")


def test_a_file_that_others_can_write(desk):
    file = write(desk, ONE)
    for mode in (0o646, 0o666):
        file.chmod(mode)
        refused(file, f"{file}: others can write it; run: chmod o-w {file}")
    file.chmod(0o664)
    if os.geteuid():
        assert run("check", "--config", file).returncode == 0
    else:  # who is in root's group need not be root
        refused(file, f"{file}: others can write it, who could make root write "
                f"what is not theirs; run: chmod go-w {file}")
    file.chmod(0o644)


def test_a_folder_for_a_file(desk):
    refused(desk.folder,
            f"{desk.folder}: is a folder; name the file in it")


# The same by a variable, which is named then

VARIABLES = {
    "SERVICES_0_TTL=59": "59 is under 60; write 60 to 86400",
    "SERVICES_0_TTL=1e3": "'1e3' is no number; write 60 to 86400",
    "SERVICES_0_X5C=1": "'1' is no flag; write true or false",
    "SERVICES_0_KID=none": "'none' is no kind of key id; write libtrust or "
                           "rfc7638",
    "ISSUER=": "is empty; write a value or remove the key",
    "ISSUER=a\nb": "holds a control character, or is not UTF-8; write one "
                   "line of text",
    "ISSUER=\udcff": "holds a control character, or is not UTF-8; write one "
                     "line of text",
    "URL=auth": "must begin with https:// or http://",
    "LISTENERS_0_ADDRESS=here": "'here' has no port from 1 to 65535; "
                                + ADDRESS,
    "LIMITS_CONNECTIONS=0": "0 is under 1; write 1 to 1000000",
    "WORKERS=1025": "1025 is over 1024; write 0 to 1024",
    "PUBLIC=store": "{folder}/store: is the folder of `store`; name another",
    "SERVICES_1_NAME=registry": "another service has this name; names must "
                                "differ",
}
NO_VARIABLE = ("is no option; unset it, or see README for the names (list "
               "entries are counted from 0)")
UNKNOWN = ["ISSUERS=x", "SERVICE_0_TTL=99", "SERVICES_2_TTL=99",
           "SERVICES_00_TTL=99", "services_0_ttl=99", "TTL=99", "=x"]


@pytest.mark.parametrize("variable, want", [
    *VARIABLES.items(), *((name, NO_VARIABLE) for name in UNKNOWN)],
    ids=ascii)
def test_a_mistake_in_a_variable(desk, variable, want):
    name, _, value = ("DOCKPASS_" + variable).partition("=")
    want = want.replace("{folder}", str(desk.folder))
    refused(desk.config_file, f"{name}: {want}", **{name: value})


def test_a_mistake_changes_nothing(desk):
    """Not even where the command would have had something to do."""
    before = {path: path.read_bytes() for path in desk.folder.rglob("*")
              if path.is_file()}
    for command in (["user", "add", "x", "--email", "e"], ["key", "new"]):
        done = run(*command, "--config", desk.config_file, DOCKPASS_TTL="99")
        assert done.returncode == 1
    assert all(path.read_bytes() == held for path, held in before.items())
