"""dockpass doctor: whose are the files that the server uses? Only root gives
files away.
"""

import os
import shlex
import subprocess

import pytest

from support.dockpass import Dockpass
from support.doctor import doctor, line
from support.site import Certificate
from test_ownership import OWNER, own

LOOK = "look where it leads, and give what is there to the store's owner"

pytestmark = pytest.mark.skipif(os.geteuid() != 0,
                                reason="only root gives files away")


@pytest.mark.parametrize("owner, other", [
    (0, 4711), (OWNER, 0), (OWNER, 4711)])
@pytest.mark.parametrize("link", [False, True])
def test_a_file_that_is_another_s(open_path, owner, other, link):
    """A link is as good as what it leads to."""
    with Dockpass(open_path) as dockpass:
        own(dockpass.folder, owner)
        file = next((dockpass.folder / "keys").glob("*.pem"))
        if link:
            his = open_path / "his.pem"
            file.symlink_to(file.rename(his))
        os.chown(file, other, other)
        failed, checks = doctor(dockpass)
        said = line(checks["owner"])
        assert failed[0] == "owner", checks
        if owner and link:
            assert f"{file} leads to what is not the store's" in said
            assert checks["owner"]["mend"] == LOOK
        elif owner:
            assert f"{file} is not the store's owner's, so" in said
            assert "chown -R --reference=" in said
        else:
            assert f"{his if link else file} to user 4711" in said


def log_of_its_own(dockpass):
    log = dockpass.folder / "log/log"
    log.parent.mkdir()
    log.touch(0o640)
    dockpass.configure(log={"file": str(log)})
    return log


def test_a_log_that_is_another_s_is_in_what_mends_it(
        open_path):
    with Dockpass(open_path) as dockpass:
        log = log_of_its_own(dockpass)
        own(dockpass.folder, OWNER)
        os.chown(log, 0, 0)
        failed, checks = doctor(dockpass)
        assert failed[0] == "owner", checks
        mend = checks["owner"]["mend"]
        assert str(log) in mend.split()
        subprocess.run(mend, shell=True, check=True)
        assert doctor(dockpass)[1]["owner"]["status"] == "ok"


def plain(folder):
    """As it is made."""


def links(folder):
    """As of a disk of its own, and of certbot's."""
    disk = folder.parent / "disk"
    disk.mkdir()
    for path in folder / "store", *folder.parent.glob("*.key"):
        path.symlink_to(path.rename(disk / path.name))
    # What a link inside leads to is none of dockpass.
    (folder.parent / "others").touch()
    (folder / "keys/old").symlink_to(folder.parent / "others")


@pytest.mark.parametrize("name, change", [
    ("plain", plain), ("it's $HOME or", plain), ("linked", links)])
def test_all_that_another_user_than_root_must_have(open_path, name, change):
    """Who does what the warning says has a server that starts."""
    place = open_path / name
    place.mkdir(mode=0o755)
    tls = Certificate(place).listener["tls"]
    with Dockpass(place, listener={"tls": tls}) as dockpass:
        log = log_of_its_own(dockpass)
        dockpass.config_file.chmod(0o600)
        change(dockpass.folder)
        check = doctor(dockpass)[1]["owner"]
        assert check["status"] == "warn", check
        _, command, *_ = check["mend"].split(", ")
        words = shlex.split(command)
        assert words[:3] == ["chown", "-R", "dockpass"]
        for file in log, tls["key"], dockpass.config_file:
            assert os.path.realpath(file) in words
        assert tls["certificate"] not in words, "all can read it"
        assert f"make files in {log.parent}" in check["mend"]
        subprocess.run(command.replace("dockpass", str(OWNER), 1), shell=True,
                       check=True)
        own(log.parent, OWNER)
        if change is links:
            assert os.stat(place / "others").st_uid == 0
        dockpass.verify = False
        dockpass.serve()
        check = doctor(dockpass)[1]["owner"]
        assert check["status"] == "ok" or "has no use for it" in line(check)


def test_a_store_behind_a_link_is_in_no_command(open_path):
    """chown -R leaves it alone; one that does not might be led elsewhere."""
    with Dockpass(open_path) as dockpass:
        store = dockpass.folder / "store"
        disk = store.rename(open_path / "disk")
        store.symlink_to(disk)
        own(disk, OWNER)
        os.chown(disk / "data.mdb", 0, 0)
        check = doctor(dockpass)[1]["owner"]
        assert (check["status"], check["mend"]) == ("fail", LOOK), check
        assert f"{store}/data.mdb is not the store's owner's" in line(check)


@pytest.mark.parametrize("name, status", [
    ("store/lost+found/", "ok"), ("store/data.mdb.before", "warn"),
    ("keys/old.pem", "warn"), ("keys/keyring~", "warn"),
    ("store/data.mdb", "fail"), ("store/server.lock", "fail"),
    ("keys/keyring", "fail"), ("log/log", "fail")])
def test_whose_a_file_is_that_nobody_opens(
        open_path, name, status):
    """A copy that root made, or what a disk has of its own, is in nobody's
    way; nor does it hide what is."""
    with Dockpass(open_path) as dockpass:
        log_of_its_own(dockpass)
        file = dockpass.folder / name
        own(dockpass.folder, OWNER)
        if name.endswith("/"):
            file.mkdir(0o700)
        else:
            file.touch(0o600)
        os.chown(file, 0, 0)
        failed, checks = doctor(dockpass)
        check = checks["owner"]
        assert check["status"] == status, check
        assert ("owner" in failed) == (status == "fail")
        if status == "warn":
            assert check["message"].startswith(f"{file} is not the store's")
        if status != "fail":
            assert checks["store"]["status"] == "ok"


def test_a_link_of_roots_to_what_is_the_owners(open_path):
    """Whose the link is does not matter."""
    with Dockpass(open_path) as dockpass:
        file = next((dockpass.folder / "keys").glob("*.pem"))
        file.symlink_to(file.rename(dockpass.folder / "aside.pem"))
        own(dockpass.folder)
        os.lchown(file, 0, 0)
        failed, checks = doctor(dockpass)
        assert checks["owner"]["status"] == "ok" and "keys" not in failed


@pytest.mark.parametrize("what", ["the file", "its folder"])
def test_a_configuration_that_the_server_cannot_read(
        open_path, what):
    """Root could; the server cannot start with it any more."""
    with Dockpass(open_path) as dockpass:
        own(dockpass.folder, OWNER)
        folder = open_path / "etc"
        folder.mkdir(0o755)
        file = dockpass.config_file
        dockpass.configure(**{name: str(dockpass.folder / name)
                              for name in ("store", "keys", "public")})
        dockpass.config_file = file.rename(folder / file.name)
        os.chown(dockpass.config_file, 0, 0)
        dockpass.config_file.chmod(0o644)
        dockpass.serve()
        assert doctor(dockpass)[0] == []
        shut = dockpass.config_file if what == "the file" else folder
        shut.chmod(0o600 if what == "the file" else 0o700)
        assert dockpass.reload().startswith("the old ones stay: ")
        failed, checks = doctor(dockpass)
        assert failed == ["owner", "served"], checks
        assert "systemctl restart" not in line(checks["served"])
        assert checks["warnings"]["status"] == "skipped"
        assert "the store's owner cannot read it" in line(checks["owner"])
        assert checks["store"]["status"] == "ok", "the rest is looked at"
        subprocess.run(checks["owner"]["mend"], shell=True, check=True)
        assert dockpass.reload().startswith("done: ")
        assert doctor(dockpass)[0] == []


def test_what_another_user_than_root_must_have_is_listed_once(
        open_path):
    """And the folders that he could not enter; not those that he gets."""
    shut = open_path / "shut"
    shut.mkdir(0o700)
    tls = Certificate(shut).listener["tls"]
    with Dockpass(open_path, listener={"tls": {
            **tls, "certificates": [dict(tls) for _ in range(5)]}}) as dockpass:
        check = doctor(dockpass)[1]["owner"]
        assert check["status"] == "warn", check
        words = check["mend"].replace(",", "").split()
        assert words.count(tls["key"]) == 1
        assert f"let him into {shut} or move all" in check["mend"]


@pytest.mark.parametrize("name, named", [
    ("store2", True), ("store/sub", False), ("keys-of-others", True)])
def test_a_folder_beside_those_that_he_gets(open_path, name, named):
    """Or in one of them: chown -R takes it as well."""
    with Dockpass(open_path) as dockpass:
        dockpass.cli("user", "list")
        place = dockpass.folder / name
        place.mkdir(0o700)
        dockpass.configure(listener=Certificate(place).listener)
        mend = doctor(dockpass)[1]["owner"]["mend"]
        assert (f"let him into {place} or move" in mend) == named, mend


def test_a_list_that_is_too_long_is_no_command(open_path):
    """Cut off, the last name might be another folder's."""
    certificate = Certificate(open_path)
    pairs = [certificate.issue(f"{i}-{40 * 'x'}", "/CN=x") for i in range(60)]
    with Dockpass(open_path, listener={"tls": {"certificates": [
            {"certificate": str(file), "key": str(key)}
            for file, key in pairs]}}) as dockpass:
        mend = doctor(dockpass)[1]["owner"]["mend"]
        assert mend.endswith(" (and others), then restart"), mend


def test_no_link_is_in_what_mends_a_file(open_path):
    """chown -R gives the link itself away, and not what it leads to."""
    tls = Certificate(open_path).listener["tls"]
    with Dockpass(open_path, listener={"tls": tls}) as dockpass:
        for path in dockpass.folder, *dockpass.folder.rglob("*"):
            own(path, OWNER)
        key = os.path.realpath(tls["key"])
        os.rename(key, open_path / "aside")
        os.symlink(open_path / "aside", key)
        own(dockpass.folder / "store/data.mdb", 0)
        check = doctor(dockpass)[1]["owner"]
        subprocess.run(check["mend"], shell=True, check=True)
        assert os.lstat(key).st_uid == 0, check["mend"]
