"""`make run` by root, in another user's folder."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from support.process import free_ports
from test_ownership import OWNER
from test_run import Run, copy, kill_servers, login

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture(scope="module")
def another_s():
    """A clone of his; he has no name on this machine."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        folder = Path(place) / "dockpass"
        copy(folder)
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, OWNER, OWNER)
        yield folder
        kill_servers(folder)


@pytest.mark.parametrize("words, inside", [(["make", "run"], "."),
                                           (["./run"], "docker")])
@pytest.mark.parametrize("sudo_uid", ["", str(OWNER)])
def test_root_in_another_s_folder(another_s, words, inside, sudo_uid):
    """All is that one's, but the lines are for who called: root has no need
    of sudo, which need not be there; whoever used it has."""
    a, r = free_ports(2)
    with Run(another_s, a, r, words, inside, DOCKER_HOST="",
             SUDO_UID=sudo_uid) as run:
        lines = run.ready().lines()
        login(another_s, r)
    owners = {path.stat().st_uid for path in (another_s / "run").rglob("*")}
    assert owners == {OWNER}
    asked = [line for line in lines if "sudo " in line]
    assert bool(asked) == bool(sudo_uid and shutil.which("docker")), lines
