"""Programs that Go builds from a module's version: once, under build/."""

import os
import shutil
import subprocess

import pytest

from support.dockpass import TOP


def why_not(package, version, folder, tags=(), **env):
    """Builds package@version into `folder`; what is amiss, or None."""
    if not shutil.which("go"):
        return "it is built by Go, which is not here"
    done = subprocess.run(
        ["go", "install", f"-tags={','.join(tags)}", f"{package}@{version}"],
        text=True, capture_output=True, timeout=900, check=False, cwd="/",
        env={**os.environ, "GOBIN": str(folder), **env})
    if done.returncode:
        return f"it cannot be built: {done.stderr.strip().splitlines()[-1:]}"
    return None


def program(package, version, tags=(), **env):
    """The program's path, or a skip that says why there is none."""
    name = next(part for part in reversed(package.split("/"))
                if part[0] != "v" or not part[1:].isdigit())
    folder = TOP / "build" / f"{name}-{version}"
    if not (folder / name).exists():
        reason = why_not(package, version, folder, tags, **env)
        if reason:
            pytest.skip(f"{name} {version}: {reason}")
    return folder / name
