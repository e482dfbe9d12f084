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
ENTER = """set -e
for place in $1; do
	mkdir -p "$0$place"
	mount --bind "$0$place" "$place"
done
shift
exec "$@"
"""


@cache
def able():
    """Not everybody may, nor root everywhere."""
    return not subprocess.run(["unshare", "--mount", "true"], check=False,
                              capture_output=True, timeout=20).returncode


def words(folder, places=PLACES):
    """What stands before the words of a command."""
    return ["unshare", "--mount", "sh", "-c", ENTER, f"{folder}/own",
            places] if able() else []


def beside(pid):
    """The same, to share the places of a program that has some."""
    return ["nsenter", f"--mount=/proc/{pid}/ns/mnt"] if able() else []


def environment(folder):
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8",
            **dict.fromkeys(("HOME", "XDG_RUNTIME_DIR", "TMPDIR"),
                            str(folder))}
