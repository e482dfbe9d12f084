"""Where a client or a daemon leaves nothing on the machine of whoever tests.

Its environment is made from nothing. Some write to places that no option of
theirs leads elsewhere: skopeo notes where layers are, podman its events,
dockerd its plug-ins. So it has those places to itself, below its folder, in a
mount namespace that ends with it. That takes root; for others all of it is in
the home, which is below the folder, too.
"""

import os
import subprocess
from functools import cache

PLACES = "/run /var/lib /var/cache"
ENTER = r"""set -e
for place in $1; do
	mkdir -p "$0$place"
	mount --bind "$0$place" "$place"
done
if [ "$2" ]; then
	mkdir -p "$0.etc"
	mount -t tmpfs tmpfs "$0.etc"
	mkdir "$0.etc/up" "$0.etc/work"
	mount -t overlay overlay \
		-o "lowerdir=/etc,upperdir=$0.etc/up,workdir=$0.etc/work" /etc
fi
shift 2
exec "$@"
"""


@cache
def able():
    """Not everybody may, nor root everywhere."""
    return not subprocess.run(["unshare", "--mount", "true"], check=False,
                              capture_output=True, timeout=20).returncode


def words(folder, places=PLACES, etc=False):
    """What stands before the words of a command. `etc`: what is written to
    /etc there nobody else sees."""
    return ["unshare", "--mount", "sh", "-c", ENTER, f"{folder}/own",
            places, "etc" if etc else ""] if able() else []


def beside(pid):
    """The same, to share the places of a program that has some."""
    return ["nsenter", f"--mount=/proc/{pid}/ns/mnt"] if able() else []


def environment(folder):
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8",
            **dict.fromkeys(("HOME", "XDG_RUNTIME_DIR", "TMPDIR"),
                            str(folder))}
