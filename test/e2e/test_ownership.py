"""Root at the command line, the store somebody else's: whatever root does,
nothing is left that the server, who is that somebody, cannot write.
"""

import os
import re
import shutil
import signal
import stat
import subprocess

import pytest

from support import secrets
from support.dockpass import ENV, PROGRAM, Dockpass
from support.doctor import doctor, line
from support.process import wait_until

OWNER = 54321
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can become another user")

PASSWORD = secrets.remember("a-password-of-nobody-at-all")
SCOPES = ("--name", "n", "--scopes", "read_registry")
# Every command, in an order in which each of them has something to do; {}: a
# folder of the owner's beside the store, {kid}: the key that is to sign.
WRITING = [
    ("user add ann --email a@b.c --password-stdin", PASSWORD),
    ("user add bob --email a@b.c",),
    ("user set ann --email b@b.c",),
    ("user password ann --password-stdin", PASSWORD),
    ("user two-factor ann on",), ("user admin ann on",),
    ("user external ann on",),
    ("user block bob",), ("user unblock bob",), ("user remove bob",),
    ("group add g",), ("project add p/q",), ("group add g/h",),
    ("project add a",),
    ("project set p/q --visibility public",),
    ("member add p/q ann developer",), ("member remove p/q ann",),
    ("token create ann --name n --scopes api --expires 5d",),
    ("token create --project p/q --name n --scopes api",),
    ("token rotate 1",), ("token revoke 2",),
    ("project remove p/q --yes",), ("group remove g --recursive --yes",),
    ("settings set default_token_days 30",),
    ("job run expired",),
    ("key new",), ("key activate {kid}",), ("key remove {old}",),
    ("backup {}/backup",), ("restore {}/backup --yes",),
    ("audit export {}/audit",), ("audit prune --before 2020-01-01 --yes",),
]
READING = [
    "check", "user list", "user show ann", "group list", "group show p",
    "project list", "project show a", "member list a",
    "token list", "token show 1", "settings list",
    "settings get default_token_days", "job list", "job waiting", "key list",
    "key export --format pem", "registry-config", "store check",
    "explain --anonymous --access repository:a:pull", "audit list",
    "audit verify",
]


def own(folder, uid=OWNER):
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, uid, uid)


@pytest.fixture
def foreign(open_path):
    """A dockpass of another user's."""
    with Dockpass(open_path) as dockpass:
        own(dockpass.folder)
        yield dockpass


def strangers(dockpass):
    """What is not the owner's, or not his alone where it must be."""
    for path in [dockpass.folder, *dockpass.folder.rglob("*")]:
        found = path.lstat()
        if (found.st_uid, found.st_gid) != (OWNER, OWNER):
            yield str(path), found.st_uid
        for place in ("store", "keys"):
            if dockpass.folder / place in [path, *path.parents] and \
                    stat.S_IMODE(found.st_mode) & 0o077:
                yield str(path), oct(found.st_mode)


def words_of(dockpass, line):
    keys = dockpass.json("key", "list")
    by_state = {key["state"]: key["kid"] for key in keys}
    return [word.format(dockpass.folder / "aside",
                        kid=by_state.get("next", ""),
                        old=by_state.get("retired", ""))
            for word in line.split()]


def test_no_command_leaves_what_the_server_cannot_write(foreign):
    """LMDB's lock goes before each, as after a restart of the machine: even a
    command that only reads makes it anew."""
    aside = foreign.folder / "aside"
    aside.mkdir(mode=0o700)
    os.chown(aside, OWNER, OWNER)
    for line, *stdin in WRITING + [(line,) for line in READING]:
        words = words_of(foreign, line)
        (foreign.folder / "store/lock.mdb").unlink(missing_ok=True)
        said = foreign.cli(*words, stdin=stdin[0] if stdin else None,
                           secret=True)
        if words[:2] in (["token", "create"], ["token", "rotate"]):
            secrets.remember(said.strip())
        assert list(strangers(foreign)) == [], line
    assert (aside / "backup").exists() and (aside / "audit").exists()
    foreign.serve()
    assert foreign.ask().status_code == 200
    foreign.run("doctor", "--config", foreign.config_file, check=False)
    assert list(strangers(foreign)) == []


def test_there_is_no_other_command(foreign):
    listed = set(re.findall(r"^  ([a-z][a-z -]*[a-z])  ",
                            foreign.run("--help").stdout, re.M))
    lines = [line for line, *_ in WRITING] + READING
    tried = {name for name in listed for line in lines
             if (line + " ").startswith(name + " ")}
    assert listed - tried == {"init", "serve", "doctor", "reload"}


def test_a_key_that_its_owner_may_only_read_is_removed(foreign):
    """It is a mode that keys may have: see modes_are_checked in test_keys."""
    kid = foreign.json("key", "new")["kid"]
    for file in (foreign.folder / "keys").glob("*.pem"):
        file.chmod(0o400)
    foreign.cli("key", "remove", kid)
    assert len(list((foreign.folder / "keys").glob("*.pem"))) == 1
    assert f"kid={kid}" in foreign.cli("audit", "list").splitlines()[-1]


def test_what_the_server_writes_is_its_own(foreign):
    """Its lock, its log, what it notes of tokens, after a rotation too."""
    logs = foreign.folder / "logs"
    logs.mkdir(mode=0o700)
    os.chown(logs, OWNER, OWNER)
    foreign.configure(log={"file": str(logs / "log")})
    own(foreign.folder)
    foreign.user("ann")
    secret = foreign.token("ann", scopes="api")
    foreign.serve()
    assert foreign.ask(auth=("ann", secret)).status_code == 200
    wait_until(lambda: foreign.json("token", "list")[0]["last_used_at"], 60,
               "the use to be noted")
    (logs / "log").rename(logs / "log.1")
    foreign.reload()
    assert {path.name for path in logs.iterdir()} == {"log", "log.1"}
    assert (foreign.folder / "store/server.lock").exists()
    assert list(strangers(foreign)) == []


def test_a_store_that_is_lost_comes_back_to_its_owner(foreign):
    """root restores it where nothing is; the server has to open it."""
    backup = foreign.folder / "backup"
    foreign.user("ann")
    foreign.cli("backup", backup)
    shutil.rmtree(foreign.folder / "store")
    foreign.cli("restore", backup)
    assert list(strangers(foreign)) == []
    assert [user["username"] for user in foreign.json("user", "list")] == [
        "ann"]
    foreign.serve()


def test_keys_that_are_lost_come_back_to_their_owner(foreign):
    shutil.rmtree(foreign.folder / "keys")
    shutil.rmtree(foreign.folder / "public")
    foreign.cli("key", "new")
    assert list(strangers(foreign)) == []
    foreign.serve()


# Where the owner may not go: root is told why it does not help to be root

ACTS = (f"Permission denied; root acts as user {OWNER} here, the store's "
        "owner: let him in, or name a place of his")

LET = (f"Permission denied; the server runs as user {OWNER}: let it write "
       "there, by chown or chmod")


@pytest.fixture
def roots(open_path):
    folder = open_path / "roots"
    folder.mkdir(mode=0o700)
    return folder


@pytest.mark.parametrize("words", [("backup",), ("audit", "export")],
                         ids="-".join)
def test_a_file_in_a_folder_of_roots(foreign, roots, words):
    status, message = foreign.refused(*words, roots / "file")
    assert status == 1 and message.endswith(
        f"{roots}/file: cannot make a file beside it: {ACTS}")
    assert list(roots.iterdir()) == []
    os.chown(roots, OWNER, OWNER)
    foreign.cli(*words, roots / "file")
    assert (roots / "file").stat().st_uid == OWNER


def test_a_backup_of_roots(foreign, roots):
    foreign.cli("backup", foreign.folder / "backup")
    shutil.move(foreign.folder / "backup", roots / "backup")
    assert foreign.refused("restore", roots / "backup", "--yes") == (
        1, f"dockpass: {roots}/backup: cannot open it: {ACTS}")


def test_a_log_in_a_folder_of_roots_alone(foreign, roots):
    foreign.configure(log={"file": str(roots / "log")})
    status, message = foreign.refused("serve")
    assert status == 1 and message.endswith(LET), message


def test_keys_of_roots(foreign):
    for path in [foreign.folder / "keys", *foreign.folder.glob("keys/*")]:
        os.chown(path, 0, 0)
    for words in ("serve",), ("key", "new"), ("check",):
        status, message = foreign.refused(*words)
        assert status == 1 and message.endswith(ACTS), message


def test_init_makes_all_for_the_owner_of_the_folder(open_path):
    """As root; then every command of root's."""
    folder = open_path / "mine"
    folder.mkdir()
    os.chown(folder, OWNER, OWNER)
    with Dockpass(folder) as dockpass:
        assert list(strangers(dockpass)) == []
    shutil.rmtree(dockpass.folder)
    dockpass.folder.mkdir()
    os.chown(dockpass.folder, OWNER, OWNER)
    dockpass.run("init", dockpass.folder)
    assert list(strangers(dockpass)) == []


def test_roots_own_store_stays_roots(open_path):
    with Dockpass(open_path) as dockpass:
        dockpass.user("ann")
        dockpass.serve()
        assert "runs as root, as root owns" in dockpass.output
        assert {path.stat().st_uid for path in
                dockpass.folder.rglob("*")} == {0}


@pytest.mark.parametrize("there", [False, True], ids=["folder", "file"])
def test_a_log_in_a_folder_of_roots(foreign, roots, there):
    """`check` says so before a restart finds it out."""
    roots.chmod(0o755)
    file = roots / "log"
    if there:
        file.touch(0o640)
    foreign.configure(log={"file": str(file)})
    want = f": log.file: {file}: cannot open it: {LET}"
    program = shutil.copy(PROGRAM, foreign.folder)
    started = [program, "serve", "--config", foreign.config_file]
    for message in (
            foreign.refused("check")[1], foreign.refused("serve")[1],
            subprocess.run(started, user=OWNER, group=OWNER, extra_groups=[],
                           env=ENV, text=True, stderr=subprocess.PIPE,
                           timeout=60, check=False).stderr.strip()):
        assert re.search(r"dockpass.yaml:\d+" + re.escape(want) + "$", message)
    failed, checks = doctor(foreign)
    if there:  # it is another's than all else
        assert failed == ["owner", "server"], checks
    else:
        assert failed == ["log", "server"] and re.search(
            re.escape(want) + "$", line(checks["log"])), checks
    os.chown(file if there else roots, OWNER, OWNER)
    foreign.cli("check")
    foreign.serve()


def test_a_configuration_that_only_root_can_read(foreign):
    """It is read before root is left; a reload comes after."""
    os.chown(foreign.config_file, 0, 0)
    foreign.config_file.chmod(0o600)
    foreign.serve()
    warned = [line["message"] for line in foreign.log("start")
              if line["level"] == "warning"]
    assert warned == [
        f"{foreign.config_file}: no reload will be able to read it: let the "
        f"owner of {foreign.folder}/store do so, by chown or chmod"]
    os.chown(foreign.config_file, OWNER, OWNER)
    foreign.reload()


def test_a_folder_above_that_is_closed(foreign, open_path):
    """The doctor says so in the words of others; and to root, whose all of it
    still is, that it takes more than a chown."""
    check = doctor(foreign)[1]["owner"]
    assert check["status"] == "ok", check
    open_path.chmod(0o700)
    failed, checks = doctor(foreign)
    store = f"{foreign.folder}/store"
    for name in "owner", "disk":
        assert name in failed and line(checks[name]) == \
            f"{store}: cannot be reached: {ACTS}", checks
    for mode, more in (0o700, f"let him into {open_path} or move all to where "
                       "he can go, "), (0o711, ""):
        open_path.chmod(mode)
        own(foreign.folder, 0)
        assert doctor(foreign)[1]["owner"]["mend"] == (
            f"make a user for it, {more}chown -R dockpass {store} "
            f"{foreign.folder}/keys {foreign.folder}/public, then restart")


def test_a_folder_above_that_was_closed_meanwhile(foreign, open_path):
    """It is no other store, and no restart would help."""
    above = open_path / "above"
    above.mkdir()
    (foreign.folder / "store").rename(above / "store")
    foreign.configure(store=str(above / "store"))
    foreign.serve()
    before = len(foreign.log("store"))
    above.chmod(0o700)
    foreign.reload()
    line, = foreign.logged(before, event="store")
    assert line["level"] == "warning" and line["message"] == (
        f"{above}/store: cannot be reached any more, and a restart would not "
        f"find it: {ACTS}")


QUARREL = "chown one of them, or run dockpass as that user"
OF_ANOTHER = {"": QUARREL, "dockpass.yaml": QUARREL, "keys": QUARREL,
              "keys/keyring": QUARREL, "public": QUARREL,
              "public/jwks.json": QUARREL, "store/data.mdb": QUARREL,
              "store": "the server runs as root: restart dockpass"}


@pytest.mark.parametrize("name", OF_ANOTHER)
def test_a_reload_of_roots_takes_nothing_of_anothers(tmp_path, name):
    """What the next start refuses; the old ones stay, within the sandbox."""
    with Dockpass(tmp_path, services=[{"name": "registry"}]) as dockpass:
        dockpass.serve()
        assert dockpass.reload().startswith("done: ")
        place = dockpass.folder / name
        os.chown(place, OWNER, OWNER)
        said = dockpass.reload()
        assert said.startswith("the old ones stay: ")
        assert f"{place}" in said and f"user {OWNER}" in said
        assert said.endswith(OF_ANOTHER[name])
        assert dockpass.ask().status_code == 200
        os.chown(place, 0, 0)
        assert dockpass.reload().startswith("done: ")


def store_apart(dockpass):
    """Where the sandbox does not list it."""
    apart = dockpass.folder.parent / "apart"
    apart.mkdir()
    store = (dockpass.folder / "store").rename(apart / "store")
    dockpass.configure(store=str(store))
    return store


@pytest.mark.parametrize("name", ["data.mdb", "lock.mdb", "server.lock"])
def test_a_reload_of_roots_sees_the_files_of_a_store_apart(tmp_path, name):
    with Dockpass(tmp_path) as dockpass:
        place = store_apart(dockpass) / name
        dockpass.serve()
        os.chown(place, OWNER, OWNER)
        said = dockpass.reload()
        assert said.startswith("the old ones stay: ")
        assert f"{place} to user {OWNER}" in said and said.endswith(QUARREL)
        status, message = dockpass.refused("check")
        assert status == 1 and f"{place} to user {OWNER}" in message
        os.chown(place, 0, 0)
        assert dockpass.reload().startswith("done: ")


def test_a_reload_of_roots_whose_store_is_apart_or_gone(tmp_path):
    """Another one is for the next start."""
    with Dockpass(tmp_path) as dockpass:
        store = store_apart(dockpass)
        dockpass.serve()
        assert dockpass.reload().startswith("done: ")
        aside = store.rename(store.with_name("aside"))
        before = len(dockpass.log("store"))
        assert dockpass.reload().startswith("done: ")
        line, = dockpass.logged(before, event="store")
        assert "is not the store that is open" in line["message"]
        aside.rename(store)


def test_a_reload_of_what_others_can_write(tmp_path):
    with Dockpass(tmp_path, services=[{"name": "registry"}]) as dockpass:
        dockpass.serve()
        dockpass.folder.chmod(0o777)
        said = dockpass.reload()
        assert said.startswith("the old ones stay: ") and \
            said.endswith(f"run: chmod go-w {dockpass.folder}")
        dockpass.folder.chmod(0o755)
        assert dockpass.reload().startswith("done: ")


def test_a_reload_of_anothers_configuration_without_a_store(tmp_path):
    """That the store it names is not there takes nothing from whose it is."""
    with Dockpass(tmp_path, services=[{"name": "registry"}]) as dockpass:
        dockpass.serve()
        dockpass.configure(store=str(dockpass.folder / "nowhere/store"),
                           issuer="his")
        os.chown(dockpass.config_file, OWNER, OWNER)
        said = dockpass.reload()
        assert said.startswith("the old ones stay: ")
        assert f"user {OWNER}" in said


def test_a_refused_reload_of_roots_follows_nobody_to_the_log(tmp_path):
    """A refused reload opens the file again, but not where others lead it."""
    his, target = tmp_path / "his", tmp_path / "target"
    (his / "logs").mkdir(parents=True)
    target.mkdir()
    with Dockpass(tmp_path, services=[{"name": "registry"}], sandbox=False,
                  log={"file": str(his / "logs/a.log")}) as dockpass:
        dockpass.serve()
        (his / "logs").rename(his / "old")
        (his / "logs").symlink_to(target)
        for path in his, his / "logs":
            os.chown(path, OWNER, OWNER, follow_symlinks=False)
        dockpass.daemon.send(signal.SIGHUP)
        wait_until(lambda: "the old ones stay" in "".join(
            path.read_text() for folder in (target, his / "old")
            for path in folder.iterdir()), 10, "no word of the reload")
        assert not list(target.iterdir())


def test_a_backup_of_roots_is_as_good_as_his_own(foreign):
    """As it comes from another machine."""
    file = foreign.folder / "backup"
    foreign.cli("backup", file)
    os.chown(file, 0, 0)
    file.chmod(0o644)
    foreign.cli("restore", file, "--yes")
