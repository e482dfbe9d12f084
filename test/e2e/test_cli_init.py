"""dockpass init: what it makes and for whom, and how it leaves nothing half.

test/unit/server/test_cli.c has the modes and the refusal of a folder in use.
"""

import json
import os
import shutil
import signal
import stat
import subprocess
import time

import pytest
import yaml

from support.dockpass import ENV, PATIENCE, PROGRAM
from support.process import free_ports

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become "
                             "another user")


def init(folder, *args, check=True, **kwargs):
    """dockpass init in a process of its own; its one line if it fails."""
    done = subprocess.run(
        [PROGRAM, "init", str(folder), *args], text=True, timeout=60,
        capture_output=True, check=False, env=ENV, **kwargs)
    if check:
        assert done.returncode == 0 and not done.stderr, done
    else:
        assert not done.stdout and done.stderr.count("\n") == 1, done
    return done


def cli(folder, *args, **kwargs):
    return subprocess.run(
        [PROGRAM, *args, "--config", folder / "dockpass.yaml"], text=True,
        capture_output=True, timeout=60, check=False, env=ENV, **kwargs)


def tree(folder):
    """{path: "mode owner"} of all that is there."""
    return {str(path.relative_to(folder)):
            f"{stat.S_IMODE(path.lstat().st_mode):o} {path.lstat().st_uid}"
            for path in [folder, *folder.rglob("*")]}


def made(folder, uid):
    key = next((folder / "keys").glob("*.pem")).name
    modes = {".": 755, "dockpass.yaml": 644, "keys": 700, "public": 755,
             "keys/keyring": 600, f"keys/{key}": 600, "store": 700,
             "public/bundle.pem": 644, "public/jwks.json": 644,
             "store/data.mdb": 600, "store/lock.mdb": 600,
             "store/server.lock": 600}
    return {path: f"{mode} {uid}" for path, mode in modes.items()}


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_modes_are_the_same_under_each_umask(tmp_path, umask):
    folder = tmp_path / "a"
    init(folder, umask=umask)
    assert tree(folder) == made(folder, os.geteuid())


def test_defaults(tmp_path):
    init(tmp_path / "a")
    config = yaml.safe_load((tmp_path / "a/dockpass.yaml").read_text())
    service, = config["services"]
    assert (config["issuer"], service["name"], config["listeners"]) == (
        "dockpass", "registry", [{"address": "127.0.0.1:5001",
                                  "proxy_protocol": False}])
    assert [config[key] for key in ("store", "keys", "public")] == [
        "store", "keys", "public"]


def test_options_are_in_effect(tmp_path):
    """Also what YAML would take for something else."""
    port, = free_ports(1)
    init(tmp_path / "a", "--service", 'Docker: "my" #1', "--issuer=true",
         "--listen", f"127.0.0.1:{port}", "--url", "https://auth.example/")
    check = json.loads(cli(tmp_path / "a", "check", "--json").stdout)
    assert check["options"] | {
        "services[0].name": 'Docker: "my" #1', "issuer": "true",
        "listeners[0].address": f"127.0.0.1:{port}",
        "url": "https://auth.example"} == check["options"]


@pytest.mark.parametrize("listen, admin", [
    ("127.0.0.1:5001", "127.0.0.1:5002"), ("0.0.0.0:7000", "127.0.0.1:7001"),
    ("[::1]:65535", "127.0.0.1:65534")])
def test_two_servers_do_not_meet_where_they_are_watched(tmp_path, listen,
                                                        admin):
    """Beside the listener, and never for others but this machine."""
    init(tmp_path / "a", "--listen", listen)
    check = json.loads(cli(tmp_path / "a", "check", "--json").stdout)
    assert check["options"]["admin.address"] == admin


def test_json_says_what_was_made(tmp_path):
    done = init(tmp_path / "a", "--json")
    folder = tmp_path / "a"
    key, = json.loads(cli(folder, "key", "list", "--json").stdout)
    assert json.loads(done.stdout) == {
        "config": f"{folder}/dockpass.yaml", "keys": f"{folder}/keys",
        "public": f"{folder}/public", "store": f"{folder}/store",
        "url": "http://localhost:5001", "kid": key["kid"]}


def test_what_it_says_to_do_next_works(tmp_path):
    lines = init("a", cwd=tmp_path).stdout.split("\nnext: ")[1].splitlines()
    for line in lines[:2]:
        words = line.replace("NAME", "ann").replace(" E ", " a@x ").split()
        assert words.pop(0) == "dockpass"
        subprocess.run([PROGRAM, *words], check=True, capture_output=True,
                       timeout=60, cwd=tmp_path, env=ENV)


def test_parents_are_made_and_slashes_dropped(tmp_path):
    init(str(tmp_path / "a/b/c///"))
    assert (tmp_path / "a/b/c/dockpass.yaml").is_file()


def test_a_folder_with_other_files_is_taken(tmp_path):
    (tmp_path / "notes").write_text("mine")
    init(tmp_path)
    assert (tmp_path / "notes").read_text() == "mine"


@pytest.mark.parametrize("place", ["", "/x"])
def test_a_file_in_the_way(tmp_path, place):
    (tmp_path / "f").write_text("mine")
    done = init(f"{tmp_path}/f{place}", check=False)
    assert (done.returncode, done.stderr.split(";")[0].strip()) == (
        1, f"dockpass: {tmp_path}/f: is no folder")
    assert (tmp_path / "f").read_text() == "mine"


@pytest.mark.parametrize("args", [
    ("--service", "x" * 256), ("--issuer", "x" * 256), ("--url", "x"),
    ("--url", "http://" + "x" * 1024), ("--listen", "localhost:1")])
def test_options_are_refused_before_anything_is_made(tmp_path, args):
    done = init(tmp_path / "a", *args, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"dockpass: {args[0]}: ")
    assert "usage: dockpass init DIR" in done.stderr
    assert not (tmp_path / "a").exists()


@as_root
def test_where_it_may_not_write_it_says_so_in_one_line(open_path):
    program = shutil.copy(PROGRAM, open_path / "dockpass")
    done = subprocess.run(
        ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
         program, "init", open_path / "a"], text=True, capture_output=True,
        timeout=60, check=False, env=ENV)
    assert (done.returncode, done.stdout, done.stderr) == (
        1, "", f"dockpass: {open_path}/a: cannot make the folder: Permission "
        "denied; run as root or as its owner\n")


@as_root
def test_root_makes_it_for_the_owner_of_the_folder(open_path):
    """Every later command of root too leaves nothing that he cannot write."""
    folder = open_path / "a"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    init(folder)
    assert tree(folder) == made(folder, NOBODY)
    for args in (["user", "add", "ann", "--email", "a@x"], ["key", "new"],
                 ["check"], ["registry-config"]):
        assert cli(folder, *args).returncode == 0
    assert {what.split()[1] for what in tree(folder).values()} == {
        str(NOBODY)}


# Interrupted

THERE = "is there already; name another folder"


def follow(folder, line):
    """Does what the refusal says; false: it is about a whole one."""
    if line.endswith(f"{THERE}, or move it away\n"):
        shutil.rmtree(line.removeprefix("dockpass: ").split(": ")[0])
        return True
    if "move its store here" in line:
        init(folder.parent / "b")
        shutil.rmtree(folder / "store", ignore_errors=True)
        shutil.move(folder.parent / "b/store", folder / "store")
        key, = json.loads(cli(folder, "key", "list", "--json").stdout)
        assert not cli(folder, "key", "activate", key["kid"]).returncode
        return False
    if "neither keys nor a store" in line:
        words = line.split("remove ")[1].split(" from this one")[0]
        for name in words.replace(" and ", ", ").split(", "):
            path = folder / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        return True
    assert line == f"dockpass: {folder}/dockpass.yaml: {THERE}\n", line
    return False


STEPS = ["keys", "public", "store", "dockpass.yaml", "keys/keyring",
         "public/bundle.pem", "public/jwks.json", "store/server.lock",
         "store/lock.mdb", "store/data.mdb"]


@pytest.mark.parametrize("step", STEPS)
def test_killed_on_the_way_it_can_be_made_again(tmp_path, step):
    """Killed as soon as a part is there; then done as it says."""
    folder = tmp_path / "a"
    with subprocess.Popen([PROGRAM, "init", folder], env=ENV,
                          stdout=subprocess.DEVNULL) as process:
        end = time.monotonic() + 20 * PATIENCE
        while not (folder / step).exists():
            assert time.monotonic() < end
        process.send_signal(signal.SIGKILL)
    for _ in STEPS:
        done = subprocess.run([PROGRAM, "init", folder], env=ENV, text=True,
                              capture_output=True, timeout=60, check=False)
        if not done.returncode or not follow(folder, done.stderr):
            break
    assert cli(folder, "check").stdout.endswith("ok\n")
    for aside in [*folder.glob("*.yaml.*"), *folder.glob("public/*.*.*")]:
        aside.unlink()  # killed between writing and renaming
    assert tree(folder) == made(folder, os.geteuid())


# Lost: nobody is told to remove what is left

def lose(path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


@pytest.mark.parametrize("lost", ["store", "store/data.mdb"])
def test_a_lost_store(tmp_path, lost):
    """As it says: another folder's store goes with the keys that are left."""
    folder = tmp_path / "a"
    init(folder)
    keys = cli(folder, "key", "list").stdout
    lose(folder / lost)
    done = init(folder, check=False)
    assert (done.returncode, done.stderr) == (
        1, f"dockpass: {folder}/dockpass.yaml: is there already, but no "
        "store: restore it from a backup, or init another folder and move "
        "its store here\n")
    follow(folder, done.stderr)
    assert cli(folder, "check").stdout.endswith("ok\n")
    assert cli(folder, "key", "list").stdout == keys


@pytest.mark.parametrize("lost", ["keys", "keys/keyring"])
def test_lost_keys(tmp_path, lost):
    """`key new` makes them again, and the first one signs."""
    folder = tmp_path / "a"
    init(folder)
    lose(folder / lost)
    done = cli(folder, "check")
    assert (done.returncode, done.stderr.split("; ")[-1]) == (
        1, "name the folder of keys in dockpass.yaml, restore it from a "
        "backup, or make a first key: dockpass key new\n")
    done = cli(folder, "key", "new")
    assert done.returncode == 0 and done.stderr == (
        "the first key, so it signs: run dockpass reload, bring "
        "public/bundle.pem to the registries, restart them\n")
    done = cli(folder, "check")
    assert done.stdout.endswith("ok\n") and not done.stderr
    mode = stat.S_IMODE((folder / "keys").stat().st_mode)
    assert mode == 0o700


def test_a_lost_configuration(tmp_path):
    init(tmp_path / "a")
    (tmp_path / "a/dockpass.yaml").unlink()
    done = init(tmp_path / "a", check=False)
    assert (done.returncode, done.stderr) == (
        1, f"dockpass: {tmp_path}/a/keys: {THERE}, or move it away\n")


def test_a_whole_one_stays_as_it_is(tmp_path):
    folder = tmp_path / "a"
    init(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*")
              if path.is_file() and path.name != "lock.mdb"}
    done = init(folder, "--service", "other", check=False)
    assert (done.returncode, done.stderr) == (
        1, f"dockpass: {folder}/dockpass.yaml: {THERE}\n")
    assert all(path.read_bytes() == held for path, held in before.items())
