"""A daily check that cannot be made, or that nobody makes: who watches and who
asks is told, even if it never ran."""

import re
from datetime import datetime, timedelta, timezone

import lmdb
import pytest

from support import metrics
from support.dockpass import PATIENCE, on
from support.process import wait_until
# Fixtures are found by their names here.
from test_protocol_disk import FULL, disk, own  # fixtures

CHECK = 'dockpass_check_last_run_timestamp_seconds{check="%s"}'


@pytest.fixture
def later(own, faketime):
    """(a dockpass whose checks have not run, in two days)"""
    day = datetime.now(timezone.utc) + timedelta(days=2)
    return own, on(day.strftime("%Y-%m-%d"))


def late(desk, env):
    return [row["failure"] for row in desk.json("job", "list", env=env)]


def said(desk):
    return [line["message"] for line in desk.log("jobs")
            if line["level"] == "error"]


def use_up(desk, disk):
    """The disk, and the pages that the store has: a reader keeps those that
    are given back."""
    disk.fill()
    for turn in range(200):
        done = desk.run("settings", "set", "default_token_days", 10 + turn,
                        "--config", desk.config_file, check=False)
        if done.returncode:
            break
    assert FULL in done.stderr


def test_without_a_server(later):
    desk, env = later
    assert late(desk, {}) == [None] * 3
    for said in late(desk, env)[:2]:
        assert said.startswith("it is late, and ran last: never; ")
    assert late(desk, env)[2] is None
    assert "it is late" in desk.cli("job", "list", env=env)


def test_on_a_full_disk(later, disk):
    """Which check, and where: the store cannot keep it."""
    desk, env = later
    made = metrics.scrape(desk.serve())[CHECK % "expiring"]
    now = datetime.now(timezone.utc).timestamp()
    assert now - 600 < made <= now
    desk.stop()
    with lmdb.open(str(disk.path / "store"), readonly=True, max_dbs=64,
                   map_size=64 << 30) as reader, reader.begin():
        use_up(desk, disk)
        desk.serve(env=env)
        wait_until(lambda: said(desk), 20 * PATIENCE, "why it is not made")
        # The first may just have fitted.
        check, = re.fullmatch(
            r"to be tried again in a minute: (expiring|expired): the store "
            + re.escape(f"{disk.folder}/store: {FULL}"), said(desk)[0]).groups()
        scrape = metrics.scrape(desk)
        assert scrape[CHECK % check] == made
        assert scrape["dockpass_store_commits_failed_total"] > 0
        assert late(desk, env)[check == "expired"].startswith("it is late")
