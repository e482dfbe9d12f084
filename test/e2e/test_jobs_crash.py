"""kill -9 at every step of a daily check and of its mail: each mail arrives
once. Killed between the mail server's 250 and our note of it, which nobody can
know, it is sent once more, with the same Message-ID.
"""

import os
import shutil
import signal

import pytest

from support.process import wait_until
# Fixtures are found by their names here.
from test_jobs_life import (ALICE, FAR, HOUR, MINUTE, STEPS, desk, post,
                            queued, revoked, set_limit, told)


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_each_step_of_a_mail(queued, post, step):
    """Once each; only who was killed after the mail was kept sends it again,
    and it is the same one."""
    post.keeper.stall = step
    queued.start(queued.due)
    assert post.keeper.reached.wait(20)
    assert queued.stop(signal.SIGKILL) == -signal.SIGKILL
    post.keeper.stall = None
    post.keeper.go.set()
    queued.start(queued.due + 15 * MINUTE)
    queued.wait_sent()
    ids = [mail["Message-ID"] for mail in post.mails]
    twice = len(ids) - len(set(ids))
    assert twice == (step in ("KEPT", "QUIT"))
    got = told(post)
    assert set(got) == {ALICE, "bob@example.com"}
    assert sum(map(len, got.values())) == 2 + twice


WRITES = "pwrite64,pwritev,fdatasync"


@pytest.fixture
def strace(tmp_path):
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    return ["strace", "-f", "-qq", "-o", tmp_path / "trace", "-e",
            f"trace={WRITES}"]


def over(desk, last):
    """Has the job that comes last run, and is all sent?"""
    rows = {row["name"]: row for row in desk.json("job", "list")}
    return rows[last]["last_run_at"] and not any(
        row["waiting"] for row in rows.values())


def kill_at(desk, strace, n, last):
    """A server that dies at its n-th write; False: it did not get there."""
    desk.inside = [*strace, "-e", f"inject={WRITES}:signal=KILL:when={n}"]
    desk.launch(env=desk.clock.env(FAR))
    desk.inside = ()
    process = desk.daemon.process
    wait_until(lambda: process.poll() is not None or over(desk, last), 30,
               "neither killed nor done")
    died = process.poll() is not None
    if not died:
        trace = desk.log_file.with_name("trace").read_text()
        os.kill(int(trace.split()[0]), signal.SIGKILL)
    process.wait(20)
    desk.daemon = None
    return died


def waiting(desk):
    return sum(row["waiting"] for row in desk.json("job", "list"))


# what is done last: (mails in all, how many writes at least)
CHECKS = {"expired": (2, 15), "lifetime": (4, 20)}


@pytest.mark.parametrize("last", CHECKS)
def test_killed_at_each_write(queued, post, strace, tmp_path, last):
    """Of the store, from the start of a check to the last mail's end."""
    mails, least = CHECKS[last]
    now = queued.due + 5 * HOUR
    if last == "lifetime":
        for user in ("alice", "bob"):
            queued.token(user, scopes="api", name="endless")
        set_limit(queued, now - 4 * HOUR, "30")
    store, saved = queued.folder / "store", tmp_path / "saved"
    shutil.copytree(store, saved)
    for n in range(1, 200):
        shutil.rmtree(store)
        shutil.copytree(saved, store)
        post.mails.clear()
        queued.clock.set(now)
        died = kill_at(queued, strace, n, last)
        # Kept by the mail server, and still queued here: nobody can know.
        queue = waiting(queued)
        unknown = max(0, len(post.mails) + queue - mails) if queue else 0
        queued.start(now + 15 * MINUTE)
        wait_until(lambda: over(queued, last), 30, "not made up for")
        queued.stop()
        ids = [mail["Message-ID"] for mail in post.mails]
        assert len(set(ids)) == mails, (n, ids)
        assert len(ids) <= mails + min(unknown, 1), (n, ids)
        assert set(told(post)) == {ALICE, "bob@example.com"}, n
        if last == "lifetime":
            assert revoked(queued) == ["endless", "endless"]
        if not died:
            break
    assert least < n < 199
