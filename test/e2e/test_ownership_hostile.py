"""Root at the command line, and somebody hostile where the store or what leads
to it is his: he must not make root write what is not his, by links, by renames
meanwhile, or by a configuration. What an administrator links works.
"""

import contextlib
import ctypes
import os
import re
import shutil
import struct

import pytest
import yaml

from support.dockpass import Dockpass
from test_ownership import (  # fixtures
    OWNER, own, pytestmark, strangers)

ALICE = 4444
AT_CWD, EXCHANGE = -100, 2
LIBC = ctypes.CDLL(None)


@pytest.fixture
def packaged(open_path):
    """As the package has it: the configuration is root's, in /etc; all else is
    in a folder of the owner's."""
    with Dockpass(open_path) as dockpass:
        (open_path / "etc").mkdir()
        config = dockpass.config
        for name in "store", "keys", "public":
            config[name] = str(dockpass.folder / name)
        dockpass.config_file.unlink()
        dockpass.config_file = open_path / "etc/dockpass.yaml"
        dockpass.config_file.write_text(yaml.safe_dump(config))
        own(dockpass.folder)
        yield dockpass


def become(uid):
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def as_owner(*calls):
    """What the owner does, with his rights alone."""
    pid = os.fork()
    if not pid:
        status = 1
        with contextlib.suppress(BaseException):
            become(OWNER)
            for call, *args in calls:
                call(*args)
            status = 0
        os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


def linked(path, target):
    """The owner puts a link into the place of what is his."""
    as_owner((os.rename, path, path.with_name(path.name + ".aside")),
             (os.symlink, target, path))


def folder_of(open_path, name, uid=0):
    folder = open_path / name
    folder.mkdir(mode=0o700)
    os.chown(folder, uid, uid)
    return folder


def is_quarrel(message, *uids):
    """One line that says who and what, and what to do."""
    named = {int(uid) for uid in re.findall(r"user (\d+)", message)}
    return named == set(uids) and \
        message.endswith("chown one of them, or run dockpass as that user")


# Every command that acts as the owner
COMMANDS = ["check", "key new", "user list", "backup {}", "restore {} --yes",
            "store check", "serve", "audit verify"]


@pytest.mark.parametrize("uid", [0, ALICE], ids=["roots", "alices"])
def test_a_store_that_is_a_link(packaged, open_path, uid):
    """To a folder of whom root would then act as; and public beside it."""
    target = folder_of(open_path, "target", uid)
    ssl = folder_of(open_path, "ssl", uid)
    keys = folder_of(open_path, "keys", uid)
    (ssl / "bundle.pem").write_text("what he trusts\n")
    backup = packaged.folder / "backup"
    packaged.cli("backup", backup)
    for name, to in ("store", target), ("public", ssl), ("keys", keys):
        linked(packaged.folder / name, to)
    for command in COMMANDS:
        status, message = packaged.refused(*command.format(backup).split())
        assert status == 1 and is_quarrel(
            message, OWNER, *([uid] if uid else [])), message
    assert [*target.iterdir(), *keys.iterdir()] == []
    assert [path.name for path in ssl.iterdir()] == ["bundle.pem"]
    assert (ssl / "bundle.pem").read_text() == "what he trusts\n"


def test_a_store_of_roots_in_a_folder_of_anothers(packaged):
    """He can put another there, such as one of root's from beside it."""
    for path in packaged.folder / "store", *packaged.folder.glob("store/*"):
        os.chown(path, 0, 0)
    status, message = packaged.refused("user", "list")
    assert status == 1 and is_quarrel(message, OWNER)
    own(packaged.folder, 0)
    packaged.cli("user", "list")


def test_a_store_of_alices_in_a_folder_of_anothers(packaged):
    own(packaged.folder / "store", ALICE)
    status, message = packaged.refused("user", "list")
    assert status == 1 and is_quarrel(message, OWNER, ALICE)


def test_a_configuration_of_anothers(packaged, open_path):
    """As init and chown leave it: it could name what root owns."""
    target = folder_of(open_path, "target")
    ssl = folder_of(open_path, "ssl")
    packaged.configure(store=str(target), public=str(ssl))
    for path in packaged.config_file, packaged.config_file.parent:
        os.chown(path, OWNER, OWNER)
        status, message = packaged.refused("key", "new")
        assert status == 1 and is_quarrel(message, OWNER)
        os.chown(path, 0, 0)
    assert [*target.iterdir(), *ssl.iterdir()] == []


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o664])
def test_what_others_can_write(packaged, mode):
    """A file, or a folder above; the group is not its owner's."""
    path = packaged.config_file if mode < 0o700 else packaged.folder
    os.chown(path, path.stat().st_uid, ALICE)
    path.chmod(mode)
    assert packaged.refused("user", "list") == (
        1, f"dockpass: {path}: others can write it, who could make root write "
        f"what is not theirs; run: chmod go-w {path}")
    path.chmod(mode & ~0o022)
    packaged.cli("user", "list")


@pytest.mark.parametrize("mode", [0o775, 0o664])
def test_what_roots_group_can_write(packaged, mode):
    """Who is in it need not be root."""
    path = packaged.config_file if mode < 0o700 else packaged.folder.parent
    path.chmod(mode)
    status, message = packaged.refused("user", "list")
    assert status == 1 and message.startswith(
        f"dockpass: {path}: others can write it,"), message
    path.chmod(mode & ~0o022)
    packaged.cli("user", "list")


def let_write(path, uid):
    """An ACL, as setfacl -m u:UID:rwx makes it (linux/posix_acl_xattr.h)."""
    entries = [(1, 7, -1), (2, 7, uid), (4, 5, -1), (16, 7, -1), (32, 5, -1)]
    try:
        os.setxattr(path, "system.posix_acl_access", struct.pack(
            "<I", 2) + b"".join(struct.pack("<HHi", *entry)
                                for entry in entries))
    except OSError as error:
        pytest.skip(f"no ACLs on the disk of {path}: {error}")


def test_what_an_acl_lets_another_write(packaged):
    """In a folder of root's; chmod, as it is told, closes the mask."""
    path = packaged.folder.parent
    path.chmod(0o755)
    packaged.cli("user", "list")
    let_write(path, ALICE)
    status, message = packaged.refused("user", "list")
    assert status == 1 and message.endswith(f"run: chmod go-w {path}")
    path.chmod(path.stat().st_mode & ~0o022)
    packaged.cli("user", "list")


def test_a_group_of_his_own(packaged):
    packaged.folder.chmod(0o775)
    packaged.cli("user", "list")


@pytest.mark.parametrize("name", ["keys", "public", "keys/keyring",
                                  "public/bundle.pem", "store/data.mdb"])
def test_what_root_uses_is_nobody_elses(packaged, name):
    """Where it stays root: he would choose keys, or what registries trust."""
    own(packaged.folder, 0)
    path = packaged.folder / name
    os.chown(path, ALICE, ALICE)
    for command in COMMANDS:
        words = command.format(packaged.folder / "backup").split()
        status, message = packaged.refused(*words)
        assert status == 1 and is_quarrel(message, ALICE), message
        assert f"{path} to user" in message
    os.chown(path, 0, 0)
    packaged.serve()
    packaged.cli("key", "new")
    assert packaged.ask().status_code == 200


@pytest.mark.parametrize("link", [False, True])
def test_a_key_that_root_signs_by_is_nobody_elses(packaged, link, tmp_path):
    """Whose file it is reads it, and signs what he likes."""
    own(packaged.folder, 0)
    path, = (packaged.folder / "keys").glob("*.pem")
    if link:
        his = tmp_path / "his.pem"
        path.rename(his)
        path.symlink_to(his)
        path = his
    os.chown(path, ALICE, ALICE)
    for command in COMMANDS:
        words = command.format(packaged.folder / "backup").split()
        status, message = packaged.refused(*words)
        assert status == 1 and is_quarrel(message, ALICE), message


def test_root_that_stays_root_writes_no_log_where_another_leads_it(
        packaged, tmp_path):
    own(packaged.folder, 0)
    his, target = tmp_path / "his", tmp_path / "target"
    his.mkdir()
    target.mkdir()
    (his / "logs").symlink_to(target)
    for path in (his, his / "logs"):
        os.chown(path, ALICE, ALICE, follow_symlinks=False)
    packaged.configure(log={"file": str(his / "logs/a.log")})
    for command in ("check", "serve"):
        status, message = packaged.refused(command)
        assert status == 1 and is_quarrel(message, ALICE), message
    assert not list(target.iterdir())


@pytest.mark.parametrize("name", ["keys", "log"])
def test_root_that_stays_root_goes_through_no_folder_of_all(
        packaged, open_path, name):
    """Above the last: others could put another in its place."""
    own(packaged.folder, 0)
    shared = folder_of(open_path, "shared")
    if name == "keys":
        (packaged.folder / "keys").rename(shared / "keys")
        packaged.configure(keys=str(shared / "keys"))
    else:
        (shared / "logs").mkdir()
        packaged.configure(log={"file": str(shared / "logs/a.log")})
    shared.chmod(0o777)
    for command in ("check", "serve"):
        status, message = packaged.refused(command)
        assert status == 1 and f"{shared}: others can write it" in message
    shared.chmod(0o755)
    packaged.cli("check")


def test_a_log_in_a_folder_that_a_group_writes(
        packaged, open_path):
    """As /var/log is syslog's."""
    own(packaged.folder, 0)
    logs = folder_of(open_path, "logs")
    os.chown(logs, 0, ALICE)
    logs.chmod(0o775)
    packaged.configure(log={"file": str(logs / "a.log")})
    packaged.serve()
    assert packaged.reload().startswith("done:")
    assert (logs / "a.log").read_text()


@contextlib.contextmanager
def exchanging(one, other):
    """The owner renames them into each other's place, all the time."""
    one, other = os.fsencode(one), os.fsencode(other)
    pid = os.fork()
    if not pid:
        become(OWNER)
        while os.getppid() != 1:
            LIBC.renameat2(AT_CWD, one, AT_CWD, other, EXCHANGE)
        os._exit(0)
    try:
        yield
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


@pytest.mark.parametrize("command", ["check", "user list"])
@pytest.mark.parametrize("there", [False, True], ids=["new", "file"])
def test_a_store_that_is_exchanged_meanwhile(
        packaged, open_path, command, there):
    """Its lock is a link to what root would make, or write."""
    victim = folder_of(open_path, "cron.d") / "victim"
    if there:
        victim.touch(0o600)
    folder = packaged.folder
    as_owner((os.symlink, folder_of(open_path, "target"), folder / "link"),
             (os.unlink, folder / "store/lock.mdb"),
             (os.symlink, victim, folder / "store/lock.mdb"))
    with exchanging(folder / "store", folder / "link"):
        said = {packaged.run(*command.split(), "--config",
                             packaged.config_file, check=False).stderr
                for _ in range(60)}
    assert victim.stat().st_size == 0 if there else not victim.exists()
    assert any(is_quarrel(line.strip(), OWNER) for line in said), said
    assert any("victim" not in line and "chown one" not in line
               for line in said), said


# What goes on to work

def test_a_link_of_the_administrators(packaged, open_path):
    """A folder of root's in which /srv/dockpass/store leads to a disk; the
    configuration is one, too, and relative."""
    disk, srv = open_path / "disk", open_path / "srv"
    disk.mkdir()
    srv.mkdir()
    shutil.move(packaged.folder / "store", disk / "store")
    (srv / "store").symlink_to("../disk/store")
    packaged.configure(store=str(srv / "store"))
    (srv / "dockpass.yaml").symlink_to(packaged.config_file)
    packaged.config_file = srv / "dockpass.yaml"
    packaged.user("ann")
    packaged.serve()
    assert packaged.ask().status_code == 200
    assert {path.stat().st_uid for path in disk.rglob("*")} == {OWNER}
    os.lchown(srv / "store", ALICE, ALICE)
    status, message = packaged.refused("user", "list")
    assert status == 1 and is_quarrel(message, OWNER, ALICE)


def test_a_link_of_the_owners_to_what_is_his(packaged):
    """It leads him nowhere but to himself."""
    linked(packaged.folder / "store", packaged.folder / "store.aside")
    packaged.user("ann")
    assert {path for path, _ in strangers(packaged)} == {
        str(packaged.folder / "store")}  # a link has no mode


def test_links_without_end(packaged):
    linked(packaged.folder / "store", packaged.folder / "store")
    status, message = packaged.refused("user", "list")
    assert status == 1 and "Too many levels of symbolic links" in message


def test_a_folder_in_which_all_make_names(packaged, open_path):
    """As /tmp: what is there is its owner's, but links are anybody's."""
    shared = open_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    packaged.folder.rename(shared / "dockpass")
    packaged.configure(**{name: str(shared / "dockpass" / name)
                          for name in ("store", "keys", "public")})
    packaged.cli("user", "list")
    (shared / "link").symlink_to(shared / "dockpass")
    packaged.configure(store=str(shared / "link/store"))
    status, message = packaged.refused("user", "list")
    assert status == 1 and message.endswith(
        f"{shared}/link: is a link in a folder that others can write: name "
        "what it leads to")


# init

def test_init_in_a_folder_of_anothers(open_path):
    """It is he who makes it, so what he links is his to write."""
    his, target = folder_of(open_path, "his", OWNER), folder_of(open_path, "to")
    his.chmod(0o755)
    as_owner((os.symlink, target, his / "link"))
    with Dockpass(his) as dockpass:
        assert list(strangers(dockpass)) == []
        done = dockpass.run("init", his / "link", check=False)
        assert done.returncode == 1 and is_quarrel(done.stderr.strip(), OWNER)
        assert dockpass.run("init", his / "link/a/b", check=False).returncode
        assert list(target.iterdir()) == []


def test_init_where_all_make_names(open_path):
    shared = open_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with Dockpass(shared) as dockpass:
        assert dockpass.folder.stat().st_uid == 0
        done = dockpass.run("init", shared, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert f"{shared}: others can write it" in done.stderr
