"""A real OpenSMTPD: TLS and a login are required, what comes ends in maildirs.

Its queue, its socket and its users' mail have fixed places, and it asks the
name servers of the machine who its clients are. So it has those places to
itself (support.apart), and an /etc in which there is no name server. That, and
being somebody else for each of its processes, takes root.
"""

import email
import email.policy
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support import apart
from support.process import Daemon, free_ports, is_open, wait_until

PLACES = "/run /var/spool /var/mail /etc"
PATH = os.environ["PATH"] + ":/usr/local/sbin:/usr/sbin:/sbin"
OWNER = "nobody"  # of the maildirs: none are delivered as root
ENGINE = Path(__file__).parent / "old_keys.c"

CONFIG = """
pki localhost cert "{tls.file}"
pki localhost key "{tls.key}"
table logins file:{folder}/logins
table everybody {{ "@example.com" = {owner} }}
listen on 127.0.0.1 port {ports[smtp]} hostname localhost \\
    tls-require pki localhost auth <logins>
listen on 127.0.0.1 port {ports[smtps]} hostname localhost \\
    smtps pki localhost auth <logins>
action keep maildir "/var/mail/%{{rcpt.user}}" virtual <everybody>
match from any auth for any action keep
"""

OPENSSL = """
openssl_conf = all
[all]
engines = engines
[engines]
old_keys = old_keys
[old_keys]
engine_id = old_keys
dynamic_path = {folder}/old_keys.so
default_algorithms = PKEY
"""


def require():
    """What it takes, or a skip that says why not."""
    if not shutil.which("smtpd", path=PATH):
        pytest.skip("opensmtpd is not installed (docker/deps test leaves "
                    "another mail server in its place)")
    if os.geteuid() or not apart.able():
        pytest.skip("opensmtpd needs root and a mount namespace")


class OpenSMTPD:
    """`ports`: {"smtp": with STARTTLS, "smtps": TLS from the start}. `login`:
    the (name, password) that it wants."""

    def __init__(self, folder, certificate, login):
        require()
        self.folder = Path(folder)
        self.folder.mkdir()
        self.ports = dict(zip(("smtp", "smtps"), free_ports(2)))
        self.log_file = self.folder / "smtpd.log"
        self.own = self.folder / "own"
        self.furnish()
        self.run("gcc", "-shared", "-fPIC", "-o", self.folder / "old_keys.so",
                 ENGINE, "-lcrypto")
        name, password = login
        hashed = self.run("smtpctl", "encrypt", stdin=password + "\n")
        self.write("logins", f"{name} {hashed}")
        self.write("openssl.cnf", OPENSSL.format(folder=self.folder))
        self.write("smtpd.conf", CONFIG.format(
            tls=certificate, folder=self.folder, ports=self.ports,
            owner=OWNER))
        self.daemon = Daemon(
            ["setpriv", "--pdeathsig", "KILL",
             *apart.words(self.folder, PLACES), "smtpd", "-d", "-f",
             self.folder / "smtpd.conf"], self.log_file, env=self.env)
        self.daemon.wait_ready(
            lambda: all(map(is_open, self.ports.values())))

    @property
    def env(self):
        return {**apart.environment(self.folder), "PATH": PATH,
                "OPENSSL_CONF": str(self.folder / "openssl.cnf")}

    def write(self, name, text):
        file = self.folder / name
        file.write_text(text)
        file.chmod(0o600)

    def furnish(self):
        """Its places: who is who, and no name server."""
        etc = self.own / "etc"
        etc.mkdir(parents=True)
        for name in ("passwd", "group"):
            shutil.copy(f"/etc/{name}", etc)
        (etc / "hosts").write_text("127.0.0.1 localhost\n")
        (etc / "resolv.conf").write_text("lookup file\n")
        (etc / "mailname").write_text("localhost\n")
        mail = self.own / "var/mail"
        mail.mkdir(parents=True)
        shutil.chown(mail, OWNER)

    def run(self, *command, stdin=None, inside=()):
        return subprocess.run(
            [*inside, *map(str, command)], input=stdin, text=True, check=True,
            capture_output=True, timeout=60,
            env={**apart.environment(self.folder), "PATH": PATH}).stdout

    def queue(self):
        """What it took and has not delivered yet."""
        return self.run("smtpctl", "show", "queue",
                        inside=apart.beside(self.daemon.process.pid))

    def said(self, what, user):
        """How many lines of its log say that of a mail to him."""
        return sum(f" {what} " in line and f" to=<{user}@" in line
                   for line in self.daemon.output.splitlines())

    def taken(self, user):
        """How many mails to him it has answered for."""
        return self.said("smtp envelope", user)

    def mails(self, user):
        """All that came for him, once nothing is under way any more."""
        wait_until(lambda: self.said("mda delivery", user) >= self.taken(user)
                   and not self.queue(), 20, lambda: self.daemon.output)
        return [email.message_from_bytes(file.read_bytes(),
                                         policy=email.policy.default)
                for file in self.own.glob(f"var/mail/{user}/new/*")]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.daemon.end()
