"""systemd itself, booted on a copy of this machine, has the package as a
service, and what README's "Operating it" tells to type does what it says.
"""

import json
import re
import resource
import threading
import time
from contextlib import ExitStack, contextmanager

import pytest

from support import secrets
from support.dockpass import TOP
from support.machine import Machine, package
from support.process import wait_until
from support.stall import stalled, workers_of
from support.wire import Wire, request
from support.ways import basic

CONFIG = "/etc/dockpass/dockpass.yaml"
DROP_IN = "/etc/systemd/system/dockpass.service.d/test.conf"
LOG = "/var/log/dockpass/dockpass.log"
PORT, ADMIN = 5001, 5002
HEALTH = request("GET /healthz")
README = (TOP / "README.md").read_text()


class Unit:
    """dockpass.service on a machine."""

    def __init__(self, machine):
        self.machine = machine
        self.run, self.shell = machine.run, machine.shell
        self.since = []

    def systemctl(self, *words, **kwargs):
        return self.run("systemctl", *words, **kwargs)

    def __getitem__(self, name):
        """A property of the unit's."""
        return self.systemctl("show", "--value", "-p", name,
                              "dockpass").stdout.strip()

    def configure(self, **options):
        """Instead of what the package's file says, where it says it."""
        text = self.machine.packaged
        for name, value in options.items():
            text = re.sub(rf"^{name}:.*\n(^[ -].*\n)*", "", text, flags=re.M)
            text += f"{name}: {json.dumps(value)}\n"
        self.machine.write(CONFIG, text)

    def drop_in(self, text):
        self.machine.write(DROP_IN, text)
        self.systemctl("daemon-reload")

    def ask(self, data=HEALTH, port=PORT):
        """The answer to one request; refused is an error."""
        with self.machine.network(), Wire(port) as wire:
            return wire.send(data).answer()

    def token(self, user="x", secret=None, service="registry"):
        line = f"GET /token?service={service}&scope=repository:g/a:pull"
        headers = [f"Authorization: {basic(user, secret)}"] if secret else []
        return self.ask(request(line, *headers))

    def journal(self):
        """What the journal has of it since fresh(): (who, text)."""
        lines = self.run("journalctl", "-u", "dockpass", "-o", "json",
                         *self.since).stdout.splitlines()
        return [(line["SYSLOG_IDENTIFIER"], line["MESSAGE"])
                for line in map(json.loads, lines)]

    def said(self, event):
        """Of its log's lines: each is JSON, whole. A command that fails,
        or a reload, has lines for people."""
        lines = [json.loads(text) for who, text in self.journal()
                 if who == "dockpass" and text.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def tells(self, event, pattern):
        """The journal is told of it, a while after it was."""
        def matches():
            return [line for line in self.said(event)
                    if re.fullmatch(pattern, line["message"])]
        wait_until(matches, 10, lambda: self.said(event))

    def logged(self):
        """The lines of its file and of those that were rotated."""
        text = self.shell("cd /var/log/dockpass; zcat -f *.gz *.1 *.log || :")
        return [json.loads(line) for line in text.splitlines()]

    def fresh(self):
        """As the package leaves it, whatever was done."""
        self.systemctl("stop", "dockpass.socket", "dockpass")
        self.shell("rm -rf /etc/systemd/system/dockpass.s*.d")
        self.configure()
        self.systemctl("daemon-reload")
        self.systemctl("reset-failed")
        said = self.run("journalctl", "-n", "0", "--show-cursor").stdout
        self.since = ["--after-cursor", said.split("cursor: ")[1].strip()]
        self.systemctl("start", "dockpass")


def told_by_systemd(unit, words):
    return any(words in text for who, text in unit.journal()
               if who == "systemd")


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("s")
    with Machine(folder) as machine:
        machine.installed = machine.run("dpkg", "-i", package())
        machine.packaged = machine.read(CONFIG)
        yield machine
        for name, command in ("journal", "journalctl -o cat"), \
                ("log", "zcat -f /var/log/dockpass/*"):
            said = secrets.watch(folder / name)
            said.write_text(machine.run("sh", "-c", command,
                                        check=False).stdout)


@pytest.fixture
def unit(machine):
    unit = Unit(machine)
    unit.fresh()
    return unit


@pytest.fixture(scope="module")
def alice(machine):
    """Her token, made by root at the command line."""
    Unit(machine).fresh()
    machine.shell("dockpass user add alice --email alice@example.com; "
                  "dockpass project add g/a; "
                  "dockpass member add g alice developer")
    return secrets.remember(machine.run(
        "dockpass", "token", "create", "alice", "--name", "laptop",
        "--scopes", "write_registry").stdout.strip())


# What starts

def test_the_package_starts_it(machine):
    """Once dpkg is done it answers: nobody waited for anything."""
    unit = Unit(machine)
    assert unit.ask().status_code == 200
    assert "Created symlink" in machine.installed.stderr
    assert (unit["ActiveState"], unit["UnitFileState"], unit["NRestarts"]) == \
        ("active", "enabled", "0")
    said = unit.systemctl("status", "dockpass").stdout
    assert re.search(r'^ +Status: "\d+ workers, key [A-Z2-7:]{59} signs"$',
                     said, re.M), said


def test_the_whole_sandbox_is_in_force_beside_the_unit_s(unit):
    """SystemCallFilter= and the others leave it what it needs for its own."""
    unit.tells("start", r"sandbox: seccomp, Landlock ABI \d+")
    # LimitNOFILE= is of no use where root himself may have no more.
    few = resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 65536
    warned = [line for line in unit.said("start") + unit.said("limits")
              if line["level"] != "info"]
    assert [line for line in warned if line["event"] != "limits"] == []
    assert warned == [] or few
    pid, = unit.machine.pids("dockpass.service")
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        status = dict(line.split(":\t") for line in file if ":\t" in line)
    assert status["NoNewPrivs"] == "1\n" and status["Seccomp"] == "2\n"
    assert {status[f"Cap{kind}"] for kind in ("Eff", "Prm", "Bnd", "Amb")} == \
        {"0000000000000000\n"}


def test_systemd_rates_it_as_readme_says(unit):
    rated = re.search(r"rates the unit (\d\.\d)", README)[1]
    said = unit.run("systemd-analyze", "security", "--no-pager",
                    "dockpass").stdout
    assert f"exposure level for dockpass.service: {rated} OK" in said


def test_a_start_that_fails_says_why(unit):
    unit.systemctl("stop", "dockpass")
    unit.configure(colour="red")
    done = unit.systemctl("start", "dockpass", check=False)
    assert done.returncode == 1
    assert any(re.search(r"dockpass.yaml:\d+: colour: is no option", text)
               for _, text in unit.journal())


ELSEWHERE = {"the store": {"store": "/srv/dockpass/store"},
             "the log": {"log": {"file": "/srv/dockpass/log/dockpass.log"}}}


@pytest.mark.parametrize("what", ELSEWHERE)
def test_a_place_that_the_unit_does_not_let_it_write(unit, what):
    """Why is said, and what to do; README says it, too."""
    unit.systemctl("stop", "dockpass")
    unit.shell("rm -rf /srv/dockpass; install -d -o dockpass /srv/dockpass "
               "/srv/dockpass/log; cp -a /var/lib/dockpass/store "
               "/srv/dockpass")
    unit.configure(**ELSEWHERE[what])
    assert unit.systemctl("start", "dockpass", check=False).returncode == 1
    wait_until(lambda: any(re.search(
        r"/srv/dockpass/.*: Read-only file system; make it writable \(under "
        r"systemd: ReadWritePaths=, by systemctl edit dockpass\)", text)
        for _, text in unit.journal()), 10, unit.journal)
    edit = re.search(r"`(\[Service\])` and\s+`(ReadWritePaths=\S+)`", README)
    unit.drop_in("\n".join(edit.groups()) + "\n")
    unit.systemctl("restart", "dockpass")
    assert unit.ask().status_code == 200


# What is changed while it runs

def test_reloaded_is_what_it_says(unit):
    """The moment systemctl is back the new configuration holds."""
    for turn in range(10):
        name = f"service-{turn}"
        unit.configure(services=[{"name": name}])
        unit.systemctl("reload", "dockpass")
        assert unit.token(service=name).status_code == 200
    assert unit["NRestarts"] == "0" and unit["ActiveState"] == "active"


def test_systemctl_waits_for_a_reload(unit):
    """However long it takes: the server stands still meanwhile."""
    unit.systemctl("kill", "--signal=STOP", "dockpass")
    unit.systemctl("reload", "--no-block", "dockpass")
    wait_until(lambda: any("waiting for process" in text
                           for _, text in unit.journal()), 10, "that it waits")
    assert unit["ActiveState"] == "reloading"
    unit.systemctl("kill", "--signal=CONT", "--kill-who=main", "dockpass")
    wait_until(lambda: unit["ActiveState"] == "active", 10, "the end of it")
    assert unit["ReloadResult"] == "success"
    unit.tells("reload", "done: .*")


def test_a_reload_that_fails_is_one(unit):
    """For whoever waits for systemctl; and all goes on as before."""
    unit.configure(colour="red")
    done = unit.systemctl("reload", "dockpass", check=False)
    assert done.returncode == 1, done
    assert re.match(r"the last reload failed: \S+dockpass.yaml:\d+: colour: "
                    "is no option", unit["StatusText"])
    assert unit["ActiveState"] == "active"
    assert unit.token().status_code == 200
    unit.configure()
    unit.systemctl("reload", "dockpass")
    assert unit["StatusText"].endswith(" signs")
    assert unit["NRestarts"] == "0"


MAIL = {"url": "smtp://localhost:25", "from": "a@example.com"}


def test_a_reload_that_the_sandbox_refuses_is_one_that_fails(unit):
    """`check` alone finds nothing wrong: it is right after a restart."""
    unit.configure(mail=MAIL)
    unit.run("dockpass", "check")
    done = unit.systemctl("reload", "dockpass", check=False)
    assert done.returncode == 1, done
    words = re.compile(r"dockpass: the running server has refused it, and goes "
                       r"on with what it had: \S+dockpass\.yaml:\d+: mail\.url: "
                       r".*restart")
    wait_until(lambda: any(words.match(text) for _, text in unit.journal()),
               10, unit.journal)
    assert (unit["ActiveState"], unit["ReloadResult"], unit["NRestarts"]) == \
        ("active", "exit-code", "0")
    assert unit.token().status_code == 200
    unit.systemctl("restart", "dockpass")
    unit.systemctl("reload", "dockpass")


def test_a_reload_that_waits_too_long_fails(unit):
    """And nothing else: the server is left alone."""
    unit.drop_in("[Service]\nTimeoutStartSec=1\nWatchdogSec=0\n")
    unit.systemctl("restart", "dockpass")
    unit.systemctl("kill", "--signal=STOP", "--kill-who=main", "dockpass")
    assert unit.systemctl("reload", "dockpass", check=False).returncode == 1
    unit.systemctl("kill", "--signal=CONT", "--kill-who=main", "dockpass")
    assert unit.ask().status_code == 200
    unit.systemctl("reload", "dockpass")
    assert (unit["ActiveState"], unit["NRestarts"]) == ("active", "0")


def test_what_root_does_at_the_command_line_is_the_server_s(unit, alice):
    unit.configure(log={"file": LOG})
    unit.systemctl("restart", "dockpass")
    assert unit.token("alice", alice).status_code == 200
    unit.run("dockpass", "user", "add", f"u{time.monotonic_ns()}", "--email",
             "u@example.com")
    owners = unit.shell("find /var/lib/dockpass /var/log/dockpass "
                        "-printf '%u:%g\\n' | sort -u")
    assert owners == "dockpass:dockpass\n"
    wait_until(lambda: any(
        (line["event"], line.get("action")) == ("change", "user_add")
        for line in unit.logged()), 10, unit.logged)
    assert unit.machine.run("stat", "-c", "%a %U", LOG).stdout == \
        "600 dockpass\n"
    unit.run("dockpass", "audit", "verify")


def test_a_backup_before_an_upgrade(unit):
    """README's first lines, where there is no folder for it yet."""
    steps = README.split("### Upgrade\n\n")[1].splitlines()[:2]
    unit.shell('sudo() { "$@"; }\n' + "\n".join(steps))
    assert unit.shell("stat -c '%U %a' /backup/*") == "dockpass 600\n"


def test_logrotate_as_the_package_has_it(unit, alice):
    """All lines are there, each in one file."""
    unit.configure(log={"file": LOG})
    unit.systemctl("restart", "dockpass")
    unit.shell(f"truncate -s 0 {LOG}")

    def asked():
        return [line for line in unit.logged() if line["event"] == "token"]
    for turn in range(1, 4):
        unit.token(f"turn-{turn}", alice)
        # One that is empty would not be rotated.
        wait_until(lambda count=2 * turn - 1: len(asked()) == count, 10, asked)
        said = unit.run("logrotate", "--force", "/etc/logrotate.d/dockpass")
        assert said.stderr == ""
        if turn == 1:
            made = unit.shell("stat -c '%a %U:%G' /var/log/dockpass/*.1")
        unit.token(f"turn-{turn}", alice)
    wait_until(lambda: len(asked()) == 6, 10, asked)
    kept = unit.shell("cd /var/log/dockpass; stat -c '%a %U:%G %n' *")
    assert kept.splitlines()[0] == "640 dockpass:adm dockpass.log"
    assert made == "600 dockpass:dockpass\n"
    assert '"event":"token"' in unit.shell(
        f"setpriv --reuid nobody --regid adm --clear-groups cat {LOG}")
    assert [line.split()[2] for line in kept.splitlines()] == [
        "dockpass.log", "dockpass.log.1", "dockpass.log.2.gz",
        "dockpass.log.3.gz"]


# What ends, and comes again

def restarted(unit, before):
    """Once more than `before`, and it answers."""
    wait_until(lambda: int(unit["NRestarts"]) == before + 1 and
               unit["ActiveState"] == "active", 30, lambda: unit.journal()[-9:])
    return unit.ask().status_code == 200


def test_killed_it_comes_again(unit):
    unit.systemctl("kill", "--signal=KILL", "dockpass")
    assert restarted(unit, 0)


def test_what_cannot_start_yet_is_tried_again(unit):
    """Its address comes later, by keepalived or DHCP. By its own default
    systemd gives up at the fifth time, after half a second."""
    unit.configure(listeners=[{"address": "192.0.2.7:5001"}])
    unit.drop_in("[Service]\nRestartSec=0.1\n")
    assert unit.systemctl("restart", "dockpass", check=False).returncode
    wait_until(lambda: int(unit["NRestarts"]) > 5, 30, unit.journal)
    unit.shell("ip addr add 192.0.2.7/32 dev lo")
    try:
        wait_until(lambda: unit["ActiveState"] == "active", 30, unit.journal)
    finally:
        unit.shell("ip addr del 192.0.2.7/32 dev lo")


WATCHED = "[Service]\nWatchdogSec=2\nEnvironment=DOCKPASS_WORKERS=2\n"


@pytest.mark.parametrize("what", ["worker", "all"])
def test_the_watchdog_ends_what_stands(unit, what):
    unit.drop_in(WATCHED)
    unit.systemctl("restart", "dockpass")
    with ExitStack() as stack:
        if what == "worker":
            pid, = unit.machine.pids("dockpass.service")
            killed = stack.enter_context(stalled(workers_of(pid)[0]))
            wait_until(killed, 20, "the watchdog")
        else:
            unit.systemctl("kill", "--signal=STOP", "dockpass")
        assert restarted(unit, 0)
    assert told_by_systemd(unit, "Watchdog timeout (limit 2s)!")
    if what != "all":
        unit.tells("watchdog", ".*a worker does not go on.*")


def test_the_watchdog_leaves_alone_what_goes_on(unit):
    unit.drop_in("[Service]\nWatchdogSec=1\n")
    unit.systemctl("restart", "dockpass")
    first = time.monotonic()
    wait_until(lambda: time.monotonic() - first > 3, 5, "three of its times")
    assert unit["NRestarts"] == "0" and unit.ask().status_code == 200


def test_stop_finishes_what_is_under_way(unit):
    with unit.machine.network(), Wire(PORT) as wire:
        wire.send(HEALTH[:20])
        unit.run("systemctl", "stop", "--no-block", "dockpass")
        wait_until(lambda: unit["ActiveState"] == "deactivating", 10, "stop")
        assert wire.send(HEALTH[20:]).answer().status_code == 200
    wait_until(lambda: unit["ActiveState"] == "inactive", 10, "the end")
    assert (unit["Result"], unit["ExecMainStatus"]) == ("success", "0")


@contextmanager
def stops(unit, drain):
    """Asked to, it goes on for that long; between, whoever called does
    something. Then it has ended well."""
    unit.configure(admin={"address": f"127.0.0.1:{ADMIN}", "drain": drain})
    unit.systemctl("restart", "dockpass")
    ready = request("GET /readyz")
    assert unit.ask(ready, ADMIN).status_code == 200
    began = time.monotonic()
    unit.systemctl("stop", "--no-block", "dockpass")
    wait_until(lambda: unit.ask(ready, ADMIN).status_code == 503, 10, "503")
    assert unit.token().status_code == 200
    yield
    wait_until(lambda: unit["ActiveState"] != "deactivating", drain + 20,
               "the end")
    assert time.monotonic() - began > drain - 0.1
    assert (unit["Result"], unit["ExecMainStatus"]) == ("success", "0")


def test_stop_waits_for_the_load_balancer(unit):
    """Longer than TimeoutStopSec=, as it tells systemd to wait."""
    unit.drop_in("[Service]\nTimeoutStopSec=1\n")
    with stops(unit, 3):
        pass


def test_a_daemon_reload_does_not_cut_the_drain_short(unit):
    """systemd forgets what it was told, and counts from the stop again."""
    with stops(unit, 17):
        unit.systemctl("daemon-reload")
    unit.configure(admin={"address": "", "drain": 1000})
    said = unit.run("dockpass", "check", check=False).stderr
    longest = int(re.search(r"drain: .* write 0 to (\d+)", said)[1])
    assert unit["TimeoutStopUSec"] == f"{longest // 60}min 15s"


# Sockets of systemd's

@contextmanager
def asking(unit, seconds=20):
    """Threads that ask all the time, each time by another connection; what
    was answered, or went wrong, is in the list."""
    answers, ends = [], threading.Event()

    def ask():
        while not ends.is_set():
            try:
                answers.append(unit.ask(HEALTH).status_code)
            except (OSError, AssertionError) as error:
                answers.append(repr(error))
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        ends.set()
        for thread in threads:
            thread.join(seconds)


def test_socket_activation_as_readme_says(unit):
    """`systemctl stop`, `enable --now dockpass.socket`: who comes first is
    answered, and nobody is refused while it is restarted."""
    for words in re.findall(r"`systemctl ((?:stop|enable --now) "
                            r"dockpass[.a-z]*)`", README):
        unit.systemctl(*words.split())
    assert unit["ActiveState"] == "inactive"
    assert unit.ask().status_code == 200
    wait_until(lambda: unit["ActiveState"] == "active", 10, "that it is told")
    with asking(unit) as answers:
        for _ in range(4):
            seen = len(answers)
            wait_until(lambda: len(answers) > seen + 20, 20, "load")
            unit.systemctl("restart", "dockpass")
    assert set(answers) == {200}, answers
    assert unit["NRestarts"] == "0"


def test_a_port_of_the_kernel_s_own(unit):
    """443 is systemd's to open, as README says, and it has no right that it
    would take."""
    unit.systemctl("stop", "dockpass")
    edit = re.search(r"edit dockpass.socket`, in it\s+(.*?)\. Each", README)[1]
    lines = re.findall("`([^`]*)`", edit) + ["ListenStream=127.0.0.1:443", ""]
    unit.machine.write("/etc/systemd/system/dockpass.socket.d/443.conf",
                       "\n".join(lines))
    unit.configure(listeners=[{"address": "127.0.0.1:443"},
                              {"address": "[::]:443"}])
    unit.systemctl("daemon-reload")
    unit.systemctl("start", "dockpass.socket")
    assert unit.ask(port=443).status_code == 200
    with unit.machine.network(), Wire(443, host="::1") as wire:
        assert wire.send(HEALTH).answer().status_code == 200


def test_a_socket_that_is_no_listener_s_is_told(unit):
    """And systemd does not start it for ever."""
    unit.systemctl("stop", "dockpass")
    unit.configure(listeners=[{"address": "127.0.0.1:5009"}])
    unit.systemctl("start", "dockpass.socket")
    done = unit.systemctl("start", "dockpass", check=False)
    assert done.returncode == 1
    assert any("which is no listener" in text for _, text in unit.journal())


def listens(unit):
    """Is it the socket that does, with the service behind it?"""
    assert unit.ask().status_code == 200
    return unit.systemctl("is-active", "dockpass.socket", "dockpass.service",
                          check=False).stdout.split() == ["active", "active"]


def test_an_enabled_socket_listens_again_after_each_installation(unit):
    """The service would by itself, and the socket find the port taken."""
    unit.systemctl("stop", "dockpass")
    unit.systemctl("enable", "--now", "dockpass.socket")
    try:
        assert listens(unit)
        before = unit["MainPID"]
        unit.run("dpkg", "-i", package())  # an upgrade
        assert listens(unit) and unit["MainPID"] != before
        unit.run("dpkg", "-r", "dockpass")
        unit.run("dpkg", "-i", package())
        assert listens(unit)
        with asking(unit) as answers:
            unit.systemctl("restart", "dockpass")
        assert set(answers) <= {200}, answers
    finally:
        unit.systemctl("disable", "dockpass.socket")


def test_nothing_listens_once_the_package_is_gone(unit):
    unit.systemctl("stop", "dockpass")
    unit.systemctl("enable", "--now", "dockpass.socket")
    assert unit.ask().status_code == 200
    try:
        unit.run("dpkg", "-P", "dockpass")
        with pytest.raises(ConnectionRefusedError):
            unit.ask()
        left = unit.shell("find /etc/systemd /run/systemd -name '*dockpass*'; "
                          "systemctl list-units '*dockpass*' --plain -q")
        assert left == ""
    finally:
        unit.run("dpkg", "-i", package())
    assert unit.ask().status_code == 200


# Without a package

def test_readme_s_steps_without_a_package(tmp_path):
    """Each line of "In production" as it stands, by root."""
    steps = README.split("Without a package:\n\n")[1]
    steps = re.match("(?: {4}.*\n)+", steps)[0]
    with Machine(tmp_path) as machine:
        unit = Unit(machine)
        machine.shell('sudo() { "$@"; }\n' + steps, cwd=TOP, seconds=100)
        assert unit.ask().status_code == 200
        assert unit["ActiveState"] == "active"
        assert unit["FragmentPath"].startswith("/usr/local/")
        machine.run("rm", "/var/lib/dockpass/dockpass.yaml")
        unit.systemctl("reload", "dockpass")
        assert "/etc/dockpass/dockpass.yaml" in machine.shell("dockpass check")
        owners = machine.shell("find /var/lib/dockpass -printf '%u\\n' | "
                               "sort -u")
        assert owners == "dockpass\n"
