"""dockpass key activate, where the disk fails once it is done."""

from support.dockpass import Dockpass
from support.spoilt import no_sanitizer, spoil

pytestmark = no_sanitizer
# The folder of keys is never synced.
SPOILT = """
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
int fsync(int fd)
{
	char link[64], path[4096] = "";
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, path, sizeof(path) - 1);
	if (len > 5 && !strcmp(path + len - 5, "/keys")) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_fsync, fd);
}
"""


def test_a_key_that_signs_all_the_same_is_in_the_log(tmp_path):
    dockpass = Dockpass(tmp_path)
    kid = dockpass.json("key", "new")["kid"]
    status, message = dockpass.refused("key", "activate", kid,
                                       env=spoil(tmp_path, SPOILT))
    assert status == 1 and message.endswith(
        "the keys are changed all the same; see dockpass key list")
    assert [key["kid"] for key in dockpass.json("key", "list")
            if key["state"] == "current"] == [kid]
    last = dockpass.cli("audit", "list").splitlines()[-1]
    assert "key_activate" in last and f"kid={kid}" in last
