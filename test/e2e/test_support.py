"""What the tests' own helpers promise to whoever runs them."""

import gc
import os
from pathlib import Path

import pytest

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
