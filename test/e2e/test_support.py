"""What the tests' own helpers promise to whoever runs them."""

import gc
import os
from pathlib import Path

import pytest

from support import golang
from support.clients import Podman
from support.process import wait_until


@pytest.mark.skipif(not os.geteuid(), reason="root's podman has no namespaces")
def test_podman_of_a_user_leaves_no_process(tmp_path_factory):
    client = Podman(tmp_path_factory.mktemp("c") / "c")
    client.must("images")
    pid = (client.folder / "libpod/tmp/pause.pid").read_text().strip()
    assert Path(f"/proc/{pid}").exists()
    del client
    gc.collect()
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), 5, "it is there")


@pytest.mark.parametrize("said, reason", [
    ("", "is built by Go, which is not here: Go 1.26 (go.dev/dl), or"),
    ("go version go1.19.8 linux/amd64",
     "is not built by go1.19.8, but Go 1.26 (go.dev/dl), or"),
])
def test_which_go_is_wanted_is_said(tmp_path, monkeypatch, said, reason):
    if said:
        go = tmp_path / "go"
        go.write_text(f"#!/bin/sh\necho {said}\n")
        go.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(golang, "TOP", tmp_path)
    path, why = golang.build("example.com/cmd/app", "v1.0.0")
    assert path is None and why.startswith(f"app v1.0.0 {reason}")
