"""What is secret, typed or pasted at a terminal: it is not shown, is whole or
refused, and the terminal shows again what is typed however the command ends.
"""

import json
import os
import pty
import signal
import subprocess
import termios
from contextlib import contextmanager
from pathlib import Path
from select import select

import pytest

from support import secrets
from support.dockpass import ENV, PATIENCE, PROGRAM, Dockpass
from support.process import wait_until

PASSWORD = ["user", "password", "alice", "--password-stdin"]
REVOKE = ["token", "revoke", "--stdin"]
ASKED = {"password": "password, then Enter (it is not shown): ",
         "revoke": "text, then Enter and Ctrl-D (it is not shown): "}
LONGEST = 4094  # of a line, at a terminal


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    with Dockpass(tmp_path_factory.mktemp("live")) as live:
        live.user("alice", password="first password")
        yield live.serve()


class Terminal:
    """A command with one of its own, and what that shows. `job`: a shell's,
    which can be stopped."""

    def __init__(self, live, *args, before=(), job=False):
        self.master, self.slave = pty.openpty()
        assert self.echoes
        begin = [] if job else ["setsid", "--ctty"]
        self.process = subprocess.Popen(
            [*begin, *before, PROGRAM, *args, "--config", live.config_file],
            env=ENV, stdin=self.slave, stdout=self.slave, stderr=self.slave,
            process_group=0 if job else None)
        self.shown = ""

    @property
    def echoes(self):
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def wait_for(self, text):
        while text not in self.shown:
            assert select([self.master], [], [], 20 * PATIENCE)[0], self.shown
            self.shown += os.read(self.master, 1000).decode()
        before, _, self.shown = self.shown.partition(text)
        return before

    def type(self, text):
        for at in range(0, len(text), 512):
            assert select([], [self.master], [], 20 * PATIENCE)[1]
            os.write(self.master, text[at:at + 512].encode())

    def end(self):
        """Its status, and what else was shown."""
        status = self.process.wait(30 * PATIENCE)
        os.set_blocking(self.master, False)
        try:
            while more := os.read(self.master, 1000):
                self.shown += more.decode()
        except BlockingIOError:
            pass
        return status, self.shown.replace("\r\n", "\n")

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@contextmanager
def terminal(live, *args, **how):
    it = Terminal(live, *args, **how)
    try:
        yield it
    finally:
        it.close()


def still_works(live):
    return live.ask(auth=("alice", "first password")).status_code == 200


def made(live, name):
    secret = live.token("alice", scopes="api", name=name)
    return secret, lambda: live.ask(auth=("x", secret)).status_code == 200


# However it ends

@pytest.mark.parametrize("args", [PASSWORD, REVOKE], ids=ASKED)
@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM", "SIGHUP", "SIGQUIT"])
def test_a_signal_leaves_the_terminal_as_it_was(live, args, how):
    with terminal(live, *args) as it:
        it.wait_for(ASKED[args[1]])
        assert not it.echoes
        it.type(secrets.remember("half a passw"))
        number = getattr(signal, how, signal.SIGINT)
        if how == "Ctrl-C":
            it.type("\3")
        else:
            it.process.send_signal(number)
        status, shown = it.end()
        assert status == -number and it.echoes
        assert shown == "\n"
    assert still_works(live)


def test_a_signal_that_is_ignored_stays_so(live):
    """nohup(1), and it is typed on."""
    with terminal(live, *PASSWORD,
                  before=["env", "--ignore-signal=HUP"]) as it:
        it.wait_for(ASKED["password"])
        it.process.send_signal(signal.SIGHUP)
        it.type("first password\n")
        assert it.end() == (0, "\n")


def state(process):
    stat = Path(f"/proc/{process.pid}/stat").read_text()
    return stat.rpartition(") ")[2][0]


def test_whoever_stops_it_is_asked_again(live):
    """As by Ctrl-Z and then fg; what was typed before counts."""
    secret, works = made(live, "stopped")
    with terminal(live, *REVOKE, job=True) as it:
        it.wait_for(ASKED["revoke"])
        it.type(f"{secret}\n")
        for _ in range(2):
            it.process.send_signal(signal.SIGTSTP)
            wait_until(lambda: state(it.process) == "T", 20 * PATIENCE,
                       "its stop")
            assert it.echoes
            it.process.send_signal(signal.SIGCONT)
            it.wait_for(ASKED["revoke"])
            assert not it.echoes
        it.type("\4")
        status, shown = it.end()
        assert status == 0 and shown.startswith("\nrevoked: token ")
        assert it.echoes and secret not in shown
    assert not works()


# All of it, or nothing

def lines(length, *secrets):
    """One line of JSON, with the last secret at its end."""
    text = json.dumps(secrets)
    return " " * (length - len(text)) + text


@pytest.mark.parametrize("ends", ["\n\4", "\4\4"], ids=["Enter", "Ctrl-D"])
@pytest.mark.parametrize("longer", [0, 1, 2, 2000])
def test_a_line_is_whole_or_refused(live, longer, ends):
    """A terminal drops what is beyond, but for the last byte (termios(3))."""
    first, first_works = made(live, f"first-{longer}-{ends[0]!r}")
    last, last_works = made(live, f"last-{longer}-{ends[0]!r}")
    with terminal(live, *REVOKE) as it:
        it.wait_for(ASKED["revoke"])
        it.type(f"{first}\n")
        it.type(lines(LONGEST + longer, first, last) + ends)
        status, shown = it.end()
        assert it.echoes
    if longer:
        assert (status, shown) == (1, "\ndockpass: a terminal cuts lines at "
                                   "4095 bytes, and one is as long; give the "
                                   "text by a file: < FILE\n")
    else:
        assert status == 0, shown
    assert (first_works(), last_works()) == (bool(longer), bool(longer))


def test_many_lines_are_all_read(live):
    secret, works = made(live, "many lines")
    with terminal(live, *REVOKE) as it:
        it.wait_for(ASKED["revoke"])
        for _ in range(20):
            it.type(lines(3000) + "\n")
        it.type(f"{secret}\n\4")
        assert it.end()[0] == 0
    assert not works()


def test_too_many_are_read_as_well_and_refused(live):
    """None of them is left for the shell."""
    secret, works = made(live, "too many lines")
    with terminal(live, *REVOKE) as it:
        it.wait_for(ASKED["revoke"])
        it.type(f"{secret}\n")
        for _ in range(40):
            it.type(lines(3000) + "\n")
        it.type("\4")
        assert it.end() == (
            1, "\ndockpass: the text on standard input is longer than 65536 "
            "bytes; give a shorter one\n")
    assert works()


def test_a_password_that_is_too_long(live):
    with terminal(live, *PASSWORD) as it:
        it.wait_for(ASKED["password"])
        it.type("x" * 9999 + "\n")
        assert it.end() == (
            1, "\ndockpass: the password on standard input is longer than 511 "
            "bytes; give a shorter one\n")
    assert still_works(live)


def test_what_was_typed_before_or_pasted_behind_is_nobodys(live):
    """Not the password, nor the shell's."""
    secrets.remember("typed before")
    with terminal(live, *PASSWORD, before=[
            "sh", "-c", 'read -r go; exec "$@"', "sh"]) as it:
        it.type("go\ntyped before\n")
        it.wait_for(ASKED["password"])
        it.type("first password\nmore of it\n")
        assert it.end() == (0, "\n")
        assert not select([it.slave], [], [], 0)[0]
    assert still_works(live)
