"""Where the log's file may be: in a folder that the server may write all of,
and no link. The sandbox lets that folder be written, as logrotate needs it.
"""

import os
import re
import signal

import pytest

from support import metrics
from support.dockpass import PATIENCE, Dockpass
from support.process import wait_until
from test_protocol_log_file import ask, own  # fixtures


def is_refused(own, reason):
    """By who starts it, with the line of the option."""
    for command in "check", "serve":
        status, line = own.refused(command)
        assert status == 1 and re.search(
            r"dockpass\.yaml:\d+: log\.file: .*" + reason, line), line


PLACES = ["dockpass.log", "../dockpass.log", "../../dockpass.log",
          "store/log", "keys/log", "public/log", "store/data.mdb",
          "store/lock.mdb", "keys/keyring", "public/jwks.json",
          "keys/below/log"]


@pytest.mark.parametrize("place", PLACES)
def test_a_folder_that_holds_what_else_is_dockpasss(own, place):
    """The sandbox would let it be written with the log."""
    (own.folder / "keys/below").mkdir()
    file = own.folder / place
    if "jwks" in place:
        file.chmod(0o600)
    before = file.read_bytes() if file.exists() else None
    own.configure(log={"file": place})
    is_refused(own, "is dockpass's own, and the server can write the log's "
                    "whole folder; name a file in a folder of its own")
    if file.name == "lock.mdb":  # each command notes in it that it reads
        assert b'"event"' not in file.read_bytes()
    else:
        assert (file.read_bytes() if file.exists() else None) == before


def test_the_folder_of_a_configuration_that_is_a_link(own, tmp_path):
    (tmp_path / "etc").mkdir()
    link = tmp_path / "etc/dockpass.yaml"
    link.symlink_to(own.config_file)
    own.configure(log={"file": "../etc/log"}, **{
        name: str(own.folder / name) for name in ("store", "keys", "public")})
    own.cli("check")
    own.config_file, real = link, own.config_file
    own.configure(log={"file": str(link.with_name("log"))})
    is_refused(own, "dockpass's own")
    own.configure(log={"file": str(real.with_name("log"))})
    is_refused(own, "dockpass's own")


@pytest.mark.parametrize("leads", ["keys/keyring", "store/data.mdb", "none"])
def test_a_file_that_is_a_link(own, leads):
    target = own.folder / leads
    before = target.read_bytes() if target.exists() else None
    own.to.symlink_to(target)
    is_refused(own, "is a link, and may lead anywhere; name the file itself")
    assert (target.read_bytes() if target.exists() else None) == before


def test_a_link_that_comes_later(own):
    """After check, and between rotations: it is not followed either."""
    own.serve()
    keyring = own.folder / "keys/keyring"
    before = keyring.read_bytes()
    own.to.rename(own.to.with_name("old"))
    own.to.symlink_to(keyring)
    failed = "the old ones stay: .*log.file: .*is a link"
    own.daemon.send(signal.SIGHUP)
    wait_until(lambda: re.search(failed, own.output), 10 * PATIENCE,
               "the reload to fail")
    ask(own)
    assert own.stop() == 0
    assert keyring.read_bytes() == before


def test_nobody_who_reads_standard_error(tmp_path):
    """A pipe whose reader has gone: its lines are lost, nothing else."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    dockpass = Dockpass(tmp_path)
    dockpass.inside = ["sh", "-c", 'exec "$@" 2>"$0"', fifo]
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    with dockpass:
        with open(reader, "rb", buffering=0) as pipe:
            dockpass.launch()
            said = []
            dockpass.daemon.wait_ready(lambda: said.append(
                pipe.read() or b"") or b"ready: " in b"".join(said))
        wait_until(lambda: dockpass.ask().status_code == 200 and
                   metrics.scrape(dockpass)["dockpass_log_lines_lost_total"],
                   20 * PATIENCE, "a loss")
        assert dockpass.ask().status_code == 200
