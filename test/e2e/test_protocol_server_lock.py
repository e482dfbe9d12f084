"""server.lock is a file of the store's owner, who may have put anything in its
place: no command waits for it.
"""

import os
import socket

import pytest

from support.dockpass import Dockpass, Failed
from support.doctor import doctor


def fifo(place):
    os.mkfifo(place, 0o600)


def link_to_fifo(place):
    os.mkfifo(place.with_name("elsewhere"), 0o600)
    place.symlink_to("elsewhere")


def link_to_file(place):
    place.with_name("elsewhere").touch(0o600)
    place.symlink_to("elsewhere")


def bound(place):
    here = os.getcwd()
    os.chdir(place.parent)  # its whole name may be too long
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(place.name)
    finally:
        os.chdir(here)


@pytest.mark.parametrize("make", [fifo, link_to_fifo, link_to_file, bound,
                                  os.mkdir])
def test_what_is_no_file_holds_nobody_up(tmp_path, make):
    """Each of them ends (Dockpass.run has a timeout), and serve says why."""
    with Dockpass(tmp_path) as dockpass:
        dockpass.cli("user", "list")  # makes what is missing
        place = dockpass.folder / "store/server.lock"
        place.unlink(missing_ok=True)
        make(place)
        with pytest.raises(Failed, match="is no regular file"):
            dockpass.cli("reload")
        failed, checks = doctor(dockpass)
        assert "server" in failed, checks
        done = dockpass.run("serve", "--config", dockpass.config_file,
                            check=False)
        assert done.returncode == 1
        assert f"{place}: is no regular file; remove it" in done.stderr


@pytest.mark.parametrize("make", [fifo, link_to_fifo, bound])
def test_nor_does_what_lies_in_data_mdbs_place(tmp_path, make):
    with Dockpass(tmp_path) as dockpass:
        place = dockpass.folder / "store/data.mdb"
        place.unlink()
        make(place)
        for command in ("reload",), ("user", "list"), ("serve",):
            assert dockpass.refused(*command)[0] == 1
        assert "store" in doctor(dockpass)[0]
