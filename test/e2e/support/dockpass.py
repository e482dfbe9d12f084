"""A real dockpass: its folder, its command line, its server."""

import itertools
import json
import os
import signal
import subprocess
from pathlib import Path

import requests
import yaml

from support import secrets
from support.process import Daemon, free_ports, wait_until

TOP = Path(__file__).resolve().parents[3]
PROGRAM = (TOP / os.environ.get("DOCKPASS", "build/release/dockpass")).resolve()
# A sanitized build is several times slower.
PATIENCE = 1 if "release" in str(PROGRAM) else 6
# Seconds: not at the end of a time that clients have, which are ten. No more
# of them for a slow build, or it could not be told.
AT_ONCE = 8
# What mends a damaged store, wherever that is said (token/base.h).
STORE_MEND = ("restore a backup: dockpass restore FILE --yes; if that cannot "
              "read the store, stop the server, dockpass restore FILE "
              "--damaged, start it")
SOAK = os.environ.get("SOAK")  # make soak, for longer: a file, see progress()
# libfaketime, for one command that is to believe in another day.
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
# ask() says in each request which one it is: the log has that.
ASKED = itertools.count(1)
TSAN = f"suppressions={Path(__file__).parent / 'tsan.supp'}:history_size=4"
# Nothing of the tester's own shell may reach a dockpass of a test.
ENV = {"TSAN_OPTIONS": TSAN,
       **{key: value for key, value in os.environ.items()
          if not key.startswith("DOCKPASS_")}}
# Who has to leave at once waits for no thread.
NO_JOIN = {"TSAN_OPTIONS": f"{TSAN}:report_thread_leaks=0"}


def progress(text):
    """How far a long test has come."""
    if SOAK:
        with open(SOAK, "a", encoding="utf-8") as log:
            log.write(f"{text}\n")


FAKED = {"LD_PRELOAD": str(FAKETIME)}


def hurried(times):
    """The environment of a program whose seconds are so much shorter."""
    return {**FAKED, "FAKETIME": f"+0 x{times}"}


def on(day):
    """The environment of a program for which it is noon of that day."""
    return {**FAKED, "FAKETIME": f"@{day} 12:00:00",
            "FAKETIME_DONT_RESET": "1", "TZ": "UTC",
            # A sanitizer wants to be the first library of all.
            "ASAN_OPTIONS": "verify_asan_link_order=0"}


class Failed(AssertionError):
    def __init__(self, done):
        super().__init__(f"{done.args}: {done.returncode}: {done.stderr}")
        self.status = done.returncode
        self.message = done.stderr.strip()


class Dockpass:
    """`services` and `listener` are what dockpass.yaml holds of them."""

    verify = True  # with TLS: the path of the CA's file, as text
    pace = 1  # of the server's clock
    inside = ()  # words of a command that runs the program somewhere

    def __init__(self, folder, services=None, listener=None, **options):
        self.folder = Path(folder) / "dockpass"
        self.port, self.admin_port = free_ports(2)
        # init would take the port beside the listener's: it may be in use.
        self.env = {**ENV,
                    "DOCKPASS_ADMIN_ADDRESS": f"127.0.0.1:{self.admin_port}"}
        self.log_file = Path(folder) / "dockpass.log"
        self.said = Path(folder) / "dockpass.cli"
        self.daemon = None
        self._config = None, None
        self.run("init", self.folder, "--listen", f"127.0.0.1:{self.port}")
        self.config_file = self.folder / "dockpass.yaml"
        if services or listener or options:
            self.configure(services, listener, **options)
        for place in (self.log_file, self.said, self.folder / "store",
                      self.folder / "public"):
            secrets.watch(place)

    @property
    def config(self):
        """What dockpass.yaml says; read again when it has changed."""
        stamp = self.config_file.stat().st_mtime_ns
        if self._config[0] != stamp:
            text = self.config_file.read_text()
            self._config = stamp, yaml.safe_load(text)
        return self._config[1]

    def configure(self, services=None, listener=None, **options):
        """Writes options over what dockpass.yaml says."""
        config = yaml.safe_load(self.config_file.read_text())
        if services:
            config["services"] = services
        if listener:
            config["listeners"][0].update(listener)
        config.update(options)
        self.config_file.write_text(yaml.safe_dump(config))

    @property
    def scheme(self):
        return "https" if "tls" in self.config["listeners"][0] else "http"

    @property
    def url(self):
        return f"{self.scheme}://localhost:{self.port}"

    # The command line

    def run(self, *args, stdin=None, env=None, secret=False, check=True):
        """One command, as a finished process."""
        done = subprocess.run(
            [*self.inside, PROGRAM, *map(str, args)], input=stdin, text=True,
            capture_output=True, timeout=60 * PATIENCE, check=False,
            env={**self.env, **(env or {})})
        with open(self.said, "a", encoding="utf-8") as said:
            said.write(f"{args}\n{'' if secret else done.stdout}{done.stderr}")
        if check and done.returncode:
            raise Failed(done)
        return done

    def line_of(self, option):
        """Where its configuration has an option of the first level."""
        lines = self.config_file.read_text().splitlines()
        return next(number for number, line in enumerate(lines, 1)
                    if line.startswith(f"{option}:"))

    def cli(self, *args, **kwargs):
        """The standard output of a command on this server's store."""
        return self.run(*args, "--config", self.config_file, **kwargs).stdout

    def json(self, *args, **kwargs):
        return json.loads(self.cli(*args, "--json", **kwargs))

    def refused(self, *args, **kwargs):
        """(status, message) of a command that must fail, with one line."""
        done = self.run(*args, "--config", self.config_file, check=False,
                        **kwargs)
        assert done.returncode and not done.stdout, done
        assert done.stderr.count("\n") == 1, done.stderr
        return done.returncode, done.stderr.strip()

    def token(self, *owner, scopes, name="test", expires=None, day=None):
        """A new PAT's secret. `day`: the date that the command believes in."""
        args = ["token", "create", *owner, "--name", name, "--scopes", scopes]
        if expires:
            args += ["--expires", expires]
        return secrets.remember(
            self.cli(*args, env=on(day) if day else None, secret=True)
            .removesuffix("\n"))

    def token_id(self, name):
        return next(token["id"] for token in self.json("token", "list")
                    if token["name"] == name)

    def user(self, name, *flags, password=None):
        args = ["user", "add", name, "--email", f"{name}@example.com", *flags]
        if password:
            secrets.remember(password)
            args.append("--password-stdin")
        self.cli(*args, stdin=password)
        return name

    # The server

    def launch(self, *args, env=None, **kwargs):
        """Starts it, and waits for nothing."""
        self.daemon = Daemon(
            [*self.inside, PROGRAM, "serve", "--config", self.config_file,
             *args],
            self.log_file, env={**self.env, **(env or {})}, **kwargs)

    def serve(self, *args, env=None, **kwargs):
        before = self.output.count("ready: ")
        self.launch(*args, env=env, **kwargs)
        self.daemon.wait_ready(
            lambda: self.output.count("ready: ") > before, 30 * PATIENCE)
        return self

    @property
    def output(self):
        return self.log_file.read_text(errors="replace") \
            if self.log_file.exists() else ""

    def log(self, event=None):
        """The lines of the log as objects; half a line is not there yet."""
        lines = [json.loads(line) for line in self.output.split("\n")[:-1]]
        return [line for line in lines if event in (None, line["event"])]

    def logged(self, seen, count=1, event="token"):
        """The lines after the first `seen`; they come a moment later."""
        wait_until(lambda: len(self.log(event)) >= seen + count,
                   10 * PATIENCE, f"{count} lines of {event}")
        return self.log(event)[seen:]

    def reload(self):
        """SIGHUP, and what the server said of it."""
        before = self.log_file.stat().st_size
        self.daemon.send(signal.SIGHUP)

        def decided():
            with open(self.log_file, encoding="utf-8") as log:
                log.seek(before)
                for line in log:
                    if '"event":"reload"' in line and line.endswith("\n"):
                        message = json.loads(line)["message"]
                        if message.startswith(("done:", "the old ones stay")):
                            return message
            return None
        self.daemon.wait_ready(decided)
        return decided()

    def stop(self, number=signal.SIGTERM):
        daemon, self.daemon = self.daemon, None
        if not daemon:
            return 0
        status = daemon.end(number, 30 * PATIENCE)
        for words in "Sanitizer", "the sandbox has ended it":
            assert words not in self.output, self.output[-4000:]
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        status = self.stop()
        assert status == 0, (status, self.output[-4000:])

    # What clients ask

    def ask(self, scope=(), auth=None, method="GET", path="/token",
            via=requests, **kwargs):
        """One token request. `scope`: a text or a list of them. `via`: a
        requests.Session keeps its connection."""
        fields = {"service": self.service, "client_id": f"test-{next(ASKED)}",
                  **kwargs.pop("fields", {}),
                  "scope": [scope] if isinstance(scope, str) else list(scope)}
        place = "params" if method == "GET" else "data"
        answer = via.request(
            method, self.url + path, auth=auth, timeout=20 * PATIENCE,
            verify=self.verify,
            allow_redirects=False, **{place: fields}, **kwargs)
        answer.client = fields["client_id"]
        return answer

    def line(self, answer):
        """What the log has of ask()'s answer: it comes a little later."""
        mark = f'"client":"{answer.client}"'

        def lines():
            return [line for line in self.output.split("\n")[:-1]
                    if mark in line]
        wait_until(lines, 10 * PATIENCE, f"no line of {answer.client}")
        return json.loads(lines()[0])

    def took(self, answer):
        """Seconds from the request to its answer, by the server's clock: who
        asked may have been late himself."""
        return self.line(answer)["us"] / 1e6 / self.pace

    def reason(self, answer):
        """Why ask() was answered so."""
        return self.line(answer)["reason"]

    @property
    def service(self):
        return self.config["services"][0]["name"]
