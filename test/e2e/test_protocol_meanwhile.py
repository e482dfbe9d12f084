"""What goes wrong or changes meanwhile costs clients nothing: bad files at a
reload, certificates that change, descriptors that are used up.
"""

import contextlib
import resource
import shutil
import ssl

import pytest

from support.dockpass import PATIENCE, Dockpass
from support.load import Load, plain
from support.process import free_ports, wait_until
from support.site import Certificate
from support.ways import login, refresh, refresh_token
from support.wire import Wire, request

ASKING = request("GET /token?service=registry")


@pytest.fixture
def own(tmp_path):
    """Plain and with TLS; `use(n)` puts one of two certificates there."""
    certificates = []
    for number in range(2):
        (tmp_path / f"ca{number}").mkdir()
        certificates.append(Certificate(tmp_path / f"ca{number}"))
    with Dockpass(tmp_path, services=[{"name": "registry",
                                       "refresh_tokens": True}]) as own:
        own.tls_port = free_ports(1)[0]
        own.files = [own.folder / "tls.crt", own.folder / "tls.key"]

        def use(number):
            one = certificates[number]
            for source, file in zip((one.file, one.key), own.files):
                shutil.copy(source, file)
            own.files[1].chmod(0o600)
        own.use = use
        use(0)
        own.context = ssl.create_default_context(cafile=certificates[0].ca)
        own.context.load_verify_locations(certificates[1].ca)
        own.configure(listeners=[
            {"address": f"127.0.0.1:{own.port}"},
            {"address": f"127.0.0.1:{own.tls_port}",
             "tls": {"certificate": "tls.crt", "key": "tls.key"}}])
        own.user("alice")
        own.secret = own.token("alice", scopes="api")
        yield own.serve()


def tls(own):
    return lambda: Wire(own.tls_port, tls=own.context)


@contextlib.contextmanager
def kept(*files):
    """What is done to them is undone."""
    before = [(file, file.read_bytes(), file.stat().st_mode) for file in files]
    yield
    for file, content, mode in before:
        file.write_bytes(content)
        file.chmod(mode & 0o777)


# what is broken: in which file, how, what is said of it
BAD = {
    "config": (lambda own: own.config_file, "colour: red\n",
               "colour: is no option"),
    "key": (lambda own: next((own.folder / "keys").glob("*.pem")),
            "-----BEGIN PRIVATE KEY-----\n", ".pem: "),
    "keyring": (lambda own: own.folder / "keys/keyring", "nonsense\n",
                "keyring"),
    "certificate": (lambda own: own.files[0], "no PEM", "tls.crt"),
    "its key": (lambda own: own.files[1], "no PEM", "tls.key"),
}


def test_bad_reloads_under_load(own):
    """The old ones stay, for new connections, too; then good ones come."""
    kids = own.json("key", "list")
    with Load(ASKING, plain(own), tls(own),
              fresh=[plain(own), tls(own)]) as load:
        load.more()
        for file, text, words in BAD.values():
            with kept(file(own)):
                file(own).write_text(text)
                message = own.reload()
                assert message.startswith("the old ones stay: ")
                assert words in message
                load.more()
            assert own.reload().startswith("done: ")
            load.more()
    assert own.json("key", "list") == kids


def issuer(own):
    """Of the certificate that is shown now."""
    with tls(own)() as wire:
        return wire.socket.getpeercert()["serialNumber"]


def test_certificates_change_under_load(own):
    """By a reload, for new connections; those that are open go on."""
    with Load(ASKING, tls(own), fresh=[tls(own), tls(own)]) as load:
        load.more()
        seen = [issuer(own)]
        for number in range(1, 21):
            own.use(number % 2)
            assert own.reload().startswith("done: ")
            seen.append(issuer(own))
            load.more(3)
    assert len(set(seen)) == 2
    assert all(a != b for a, b in zip(seen, seen[1:]))


WAIT = "new connections wait: Too many open files; raise the descriptor " \
    "limit (ulimit -n, LimitNOFILE) (said once a minute)"


def test_without_descriptors(own):
    """Who is connected is served, tokens are written, and a reload does no
    harm; once there are some, all is as before."""
    pid = own.daemon.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    offline = request("GET /token?service=registry&offline_token=1",
                      f"Authorization: Bearer {own.secret}")
    with contextlib.ExitStack() as stack:
        line = stack.enter_context(Wire(own.port))
        assert line.send(ASKING).answer().status_code == 200
        with Load(ASKING, plain(own), tls(own)) as load:
            load.more()
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (30, before[1]))
            for _ in range(60):
                stack.enter_context(Wire(own.port))
            load.more(200)
            wait_until(lambda: own.output.count(WAIT) == 1, 10 * PATIENCE,
                       "nothing is said")
            written = [refresh_token(line.send(offline).answer())
                       for _ in range(20)]
            assert own.reload().startswith("the old ones stay: ")
            load.more(200)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
            assert own.reload().startswith("done: ")
        assert own.output.count("new connections wait") == 1
    for token in written:
        assert refresh(own, token).status_code == 200
    assert refresh(own, refresh_token(login(own, own.secret))).ok
