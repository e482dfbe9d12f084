"""lock.mdb is removed or replaced under a running server (rm, rsync): by it
LMDB knows which commit is the newest, so nobody may go on with another. Or
data.mdb is, and two that are written share one lock.mdb.
Commands refuse, the server says so, and nothing that was acknowledged is lost.
"""

import fcntl
import shutil
import signal

import pytest

from support.doctor import doctor
from support.dockpass import Dockpass
from support.process import wait_until
from support.spoilt import no_sanitizer, spoil

ASKED = "repository:g/app:pull"


def removed(store):
    (store / "lock.mdb").unlink()


def replaced(store):
    """As rsync does."""
    other = shutil.copy2(store / "lock.mdb", store.parent / "lock.mdb")
    other.rename(store / "lock.mdb")


def removed_with_the_other(store):
    removed(store)
    (store / "server.lock").unlink()


def data_replaced(store):
    other = shutil.copy2(store / "data.mdb", store / "other")
    other.rename(store / "data.mdb")


WAYS = [removed, replaced, removed_with_the_other, data_replaced]


@pytest.fixture
def dockpass(tmp_path):
    with Dockpass(tmp_path) as dockpass:
        dockpass.user("alice")
        dockpass.cli("project", "add", "g/app")
        dockpass.cli("member", "add", "g", "alice", "developer")
        dockpass.secrets = {
            dockpass.token_id(name): secret for name, secret in (
                (name, dockpass.token("alice", scopes="api", name=name))
                for name in ("one", "two", "three", "four"))}
        yield dockpass.serve()


def line_of(dockpass, way=removed):
    name = "data.mdb" if way is data_replaced else "lock.mdb"
    return (f"{dockpass.folder}/store/{name} was removed or replaced while "
            "a server has the store: restart the server (systemctl restart "
            "dockpass)")


def granted(dockpass):
    """The ids of the tokens that are good."""
    return {number for number, secret in dockpass.secrets.items()
            if dockpass.ask(ASKED, ("alice", secret)).status_code == 200}


COMMANDS = [
    ("token", "revoke", "1"), ("user", "block", "alice"), ("user", "list"),
    ("project", "add", "g/more"), ("store", "check"), ("audit", "list"),
    ("check",), ("job", "list"), ("token", "show", "1"),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_no_command_uses_another(dockpass, way, tmp_path):
    """Nor makes one; and the server goes on."""
    store = dockpass.folder / "store"
    dockpass.cli("backup", saved := tmp_path / "saved")
    way(store)
    left = {path.name for path in store.iterdir()}
    copy = tmp_path / "copy"
    for command in (*COMMANDS, ("backup", copy), ("restore", saved, "--yes")):
        assert dockpass.refused(*command) == (
            1, f"dockpass: {line_of(dockpass, way)}"), command
    assert not copy.exists()
    assert {path.name for path in store.iterdir()} == left
    assert granted(dockpass) == set(dockpass.secrets)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_no_second_server(dockpass, tmp_path, way):
    way(dockpass.folder / "store")
    (tmp_path / "second").mkdir()
    second = Dockpass(tmp_path / "second")
    second.configure(store=str(dockpass.folder / "store"))
    status, message = second.refused("serve")
    assert status == 1
    assert "another server uses this store; stop it first" in message


def test_the_server_says_so(dockpass):
    """At a reload (each day as well: test_doctor_untold.py); doctor, too."""
    removed(dockpass.folder / "store")
    before = len(dockpass.log("store"))
    assert dockpass.reload().startswith("done: ")
    line, = dockpass.logged(before, event="store")
    assert (line["level"], line["message"]) == ("warning", line_of(dockpass))
    failed, checks = doctor(dockpass)
    assert failed == ["store"]
    assert checks["store"]["message"] == line_of(dockpass)
    assert dockpass.stop() == 0
    before = len(dockpass.log("store"))
    dockpass.serve()
    assert len(dockpass.log("store")) == before
    assert doctor(dockpass)[0] == []


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_was_acknowledged_is_not_lost(dockpass, way):
    """The server wrote a last use, and with it revocations were undone."""
    one, two, *_ = alive = set(dockpass.secrets)
    dockpass.cli("token", "revoke", one)
    assert granted(dockpass) == alive - {one}
    way(dockpass.folder / "store")
    done = dockpass.run("token", "revoke", two, "--config",
                        dockpass.config_file, check=False)
    left = alive - {one} - ({two} if done.returncode == 0 else set())
    assert granted(dockpass) == left
    assert dockpass.stop() == 0  # it writes what was used
    dockpass.serve()
    assert granted(dockpass) == left
    # But for what it wrote to the file that is gone.
    assert way is data_replaced or \
        dockpass.json("token", "show", min(left))["last_used_at"]


# As gVisor's, which has no locks of an open file.
NO_OFD = """
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>
int fcntl64(int fd, int how, ...)
{
	va_list args;
	va_start(args, how);
	long arg = va_arg(args, long);
	va_end(args);
	if (how == F_OFD_SETLK) {
		errno = EINVAL;
		return -1;
	}
	return syscall(SYS_fcntl, fd, how, arg);
}
int fcntl(int, int, ...) __attribute__((alias("fcntl64")));
"""


@no_sanitizer
def test_a_kernel_without_locks_of_a_file(dockpass, tmp_path):
    assert dockpass.stop() == 0
    dockpass.serve(env=spoil(tmp_path, NO_OFD))
    dockpass.cli("user", "list")
    assert dockpass.reload().startswith("done: ")
    dockpass.cli("token", "revoke", "1")
    data_replaced(dockpass.folder / "store")
    assert dockpass.refused("user", "list") == (
        1, f"dockpass: {line_of(dockpass, data_replaced)}")


# Between its looks at server.lock and at data.mdb the server ends.
ENDS_MEANWHILE = """
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
int fcntl64(int fd, int how, ...)
{
	static int asked;
	va_list args;
	va_start(args, how);
	struct flock *lock = va_arg(args, struct flock *);
	va_end(args);
	if (how == F_GETLK && lock->l_start == 1 && !asked++) {
		struct flock other;
		kill(atoi(getenv("SERVER")), SIGTERM);
		do {
			other = *lock;
			syscall(SYS_fcntl, fd, F_GETLK, &other);
		} while (other.l_type != F_UNLCK);
	}
	return (int)syscall(SYS_fcntl, fd, how, lock);
}
int fcntl(int, int, ...) __attribute__((alias("fcntl64")));
"""


@no_sanitizer
def test_a_server_that_ends_meanwhile_has_no_other(dockpass, tmp_path):
    done = dockpass.run(
        "user", "list", "--config", dockpass.config_file, check=False,
        env={**spoil(tmp_path, ENDS_MEANWHILE),
             "SERVER": str(dockpass.daemon.process.pid)})
    assert (done.returncode, done.stderr) == (0, "")


# A dockpass from before this one says no more; a program that is none has a
# lock of its own.
OTHERS = {"older": (1, 1), "stranger": (9, 0)}


@pytest.mark.parametrize("other", OTHERS)
def test_a_lock_that_says_nothing_of_lock_mdb(dockpass, other):
    assert dockpass.stop() == 0
    with (dockpass.folder / "store/data.mdb").open("rb") as data:
        fcntl.lockf(data, fcntl.LOCK_SH, *OTHERS[other])
        dockpass.cli("user", "list")
        dockpass.cli("token", "revoke", "1")


# Waits where data.mdb is said to be its own, and where it is no more.
SLOW = """
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
static void stay(const char *step)
{
	char *at = getenv(step);
	close(syscall(SYS_open, at, O_CREAT | O_WRONLY, 0600));
	while (!access(at, F_OK))
		usleep(10000);
}
int fcntl64(int fd, int how, ...)
{
	va_list args;
	va_start(args, how);
	long arg = va_arg(args, long);
	va_end(args);
	if (how == F_OFD_SETLK)
		stay("BEGINS");
	return syscall(SYS_fcntl, fd, how, arg);
}
int fcntl(int, int, ...) __attribute__((alias("fcntl64")));
int close(int fd)
{
	static int done;
	struct flock lock = { .l_type = F_WRLCK, .l_start = 1, .l_len = 1 };
	int code = syscall(SYS_close, fd);
	if (!done && !access(getenv("ENDING"), F_OK)) {
		int data = syscall(SYS_open, getenv("DATA"), O_RDWR);
		syscall(SYS_fcntl, data, F_GETLK, &lock);
		syscall(SYS_close, data);
		if (lock.l_type == F_UNLCK) {
			done = 1;
			stay("ENDS");
		}
	}
	return code;
}
"""


@no_sanitizer
def test_who_looks_while_a_server_begins_or_ends(dockpass, tmp_path):
    assert dockpass.stop() == 0
    begins, ends, ending = (tmp_path / name for name in "bex")
    dockpass.launch(env={
        **spoil(tmp_path, SLOW), "DOCKPASS_SANDBOX": "false",
        "DATA": str(dockpass.folder / "store/data.mdb"),
        "BEGINS": str(begins), "ENDS": str(ends), "ENDING": str(ending)})
    wait_until(begins.exists, 20, "it does not begin")
    dockpass.cli("user", "list")
    begins.unlink()
    wait_until(lambda: dockpass.output.count("ready: ") == 2, 20, "no start")
    ending.touch()
    dockpass.daemon.send(signal.SIGTERM)
    wait_until(ends.exists, 20, "it does not end")
    dockpass.cli("user", "list")
    ends.unlink()
