"""Programs that Go builds from a module's version: once, under build/."""

import fcntl
import os
import re
import shutil
import subprocess

import pytest

from support.dockpass import TOP

# Debian 12's own is 1.19, which can neither build these nor fetch a newer one.
WANTED = "Go 1.26 (go.dev/dl), or 1.21 and GOTOOLCHAIN=auto " \
    "(golang-go of bookworm-backports)"


def old():
    """The version of the Go that is here, if that is of no use; or None."""
    done = subprocess.run(["go", "version"], text=True, capture_output=True,
                          timeout=20, check=False)
    found = re.search(r"go1\.(\d+)\S*", done.stdout)
    return found[0] if found and int(found[1]) < 21 else None


def build(package, version, tags=(), large=False, **env):
    """(the program's path, None), or (None, why there is none).

    `large`: its building takes minutes, so it waits for BUILD_LARGE=1.
    """
    name = next(part for part in reversed(package.split("/"))
                if part[0] != "v" or not part[1:].isdigit())
    folder = TOP / "build" / f"{name}-{version}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:  # files run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _build(folder / name, package, version, tags, large, env)


def _build(path, package, version, tags, large, env):
    name = path.name
    if path.exists():
        return path, None
    if not shutil.which("go"):
        return None, (f"{name} {version} is built by Go, which is not here: "
                      f"{WANTED}")
    if large and not os.environ.get("BUILD_LARGE"):
        return None, f"{name} {version}: make conformance builds it"
    try:
        if old():
            return None, (f"{name} {version} is not built by {old()}, "
                          f"but {WANTED}")
        done = subprocess.run(
            ["go", "install", f"-tags={','.join(tags)}",
             f"{package}@{version}"],
            text=True, capture_output=True, timeout=900, check=False, cwd="/",
            env={**os.environ, "GOBIN": str(path.parent), **env})
    except subprocess.TimeoutExpired:
        return None, f"{name} {version} cannot be built: not within 15 minutes"
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["go says nothing"]
        return None, f"{name} {version} cannot be built: {lines[-1]}"
    return path, None


def program(package, version, tags=(), large=False, **env):
    """The program's path, or a skip that says why there is none."""
    path, reason = build(package, version, tags, large, **env)
    return path or pytest.skip(reason)
