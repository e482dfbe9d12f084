"""A call of libc's that a test has fail for a program."""

import subprocess

import pytest

from support.dockpass import PATIENCE

no_sanitizer = pytest.mark.skipif(
    PATIENCE > 1, reason="a sanitizer has to come first")


def spoil(folder, text):
    """The environment of a program for which `text` (C) is before libc."""
    library = folder / "spoilt.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-x", "c", "-",
                    "-o", library], input=text, text=True, check=True)
    return {"LD_PRELOAD": str(library)}
