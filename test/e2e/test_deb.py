"""`make deb`: the package on a throw-away copy of this machine.

The copy is an overlay in a mount namespace of its own: what dpkg does there
is gone with it. systemd does not run there (test_systemd_real.py); that the
service is started is what deb-systemd-invoke says that it would do.
"""

import os
import re
import subprocess

import pytest

from support.machine import OVERLAY, package

INSTALL = "dpkg -i /run/it.deb"
# Runs the commands of its arguments in the copy.
COPY = OVERLAY + r"""
deb=$1
shift
mount -t tmpfs tmpfs "$at/root/run"
mount -t proc proc "$at/root/proc"
mount --rbind /dev "$at/root/dev"
cp "$deb" "$at/root/run/it.deb"
printf '#!/bin/sh\nexit 101\n' >"$at/root/usr/sbin/policy-rc.d"
chmod 755 "$at/root/usr/sbin/policy-rc.d"
for command; do
    chroot "$at/root" sh -c "$command" 2>&1 && status=0 || status=$?
    echo; echo "status $status"
done
"""

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not os.path.exists("/usr/bin/deb-systemd-helper"),
    reason="overlays and dpkg are root's, on Debian")


@pytest.fixture(scope="module")
def deb():
    return package()


@pytest.fixture
def on_copy(deb, tmp_path):
    """A function that runs commands there: of each (status, what it said)."""
    def run(*commands):
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", COPY, "-", tmp_path, deb,
             *commands], text=True, capture_output=True, timeout=200,
            check=False, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        if "mount: " in done.stderr:
            pytest.skip(f"no overlay here: {done.stderr.strip()}")
        parts = re.findall(r"(.*?)\nstatus (\d+)\n", done.stdout, re.S)
        assert len(parts) == len(commands), done.stdout + done.stderr
        return [(int(status), said.strip()) for said, status in parts]
    return run


def test_first_install_makes_all_and_starts(on_copy):
    install, owners, check, wants, token = on_copy(
        INSTALL,
        "stat -c '%U %a %n' /var/lib/dockpass /var/lib/dockpass/*",
        "dockpass check", "ls /etc/systemd/system/multi-user.target.wants",
        "dockpass user add alice --email alice@example.com && "
        "stat -c %U /var/lib/dockpass/store/*")
    assert install[0] == 0 and "'start dockpass.service'" in install[1]
    assert owners[1].splitlines() == [
        "dockpass 755 /var/lib/dockpass", "dockpass 700 /var/lib/dockpass/keys",
        "dockpass 755 /var/lib/dockpass/public",
        "dockpass 700 /var/lib/dockpass/store"]
    assert check[0] == 0 and check[1].startswith("# /etc/dockpass/dockpass.yaml")
    assert "dockpass.service" in wants[1].split()
    assert token[0] == 0 and set(token[1].split()[-2:]) == {"dockpass"}


def test_upgrade_keeps_all_and_restarts(on_copy):
    results = on_copy(
        INSTALL, "dockpass user add alice --email alice@example.com",
        "dockpass key list --json", "echo '# mine' >>/etc/dockpass/dockpass.yaml",
        INSTALL, "dockpass user show alice", "dockpass key list --json",
        "tail -n 1 /etc/dockpass/dockpass.yaml")
    assert [status for status, _ in results] == [0] * len(results)
    assert "'try-restart dockpass.service'" in results[4][1]
    assert "stop" not in results[4][1]
    assert results[6] == results[2] and results[7][1] == "# mine"


def test_upgrade_leaves_the_old_one_running_if_it_would_not_start(on_copy):
    results = on_copy(
        INSTALL, "echo 'bogus: 1' >>/etc/dockpass/dockpass.yaml", INSTALL)
    status, said = results[2]
    assert status == 0 and "restart dockpass.service" not in said
    assert re.search(r"dockpass.yaml:\d+: bogus: is no option", said)
    assert "mend that, then: systemctl restart dockpass" in said


def test_upgrade_makes_no_store_where_one_is_missing(on_copy):
    """A disk that is not mounted, say: an empty one would be taken for it."""
    _, _, again, left = on_copy(
        INSTALL, "mv /var/lib/dockpass/store /var/lib/dockpass/elsewhere",
        INSTALL, "ls /var/lib/dockpass")
    assert again[0] == 0
    assert left[1].split() == ["elsewhere", "keys", "public"]


def test_removal_keeps_keys_and_tokens(on_copy):
    made, removed, kept, purged, left, again, users = on_copy(
        INSTALL + " && dockpass user add alice --email alice@example.com",
        "dpkg -r dockpass", "ls /etc/dockpass", "dpkg -P dockpass",
        "ls -d /etc/dockpass /usr/bin/dockpass /usr/share/doc/dockpass "
        "/etc/systemd/system/multi-user.target.wants/dockpass.service "
        "2>/dev/null; ls /var/lib/dockpass", INSTALL, "dockpass user list")
    assert made[0] == removed[0] == purged[0] == again[0] == 0
    assert "'stop dockpass.service'" in removed[1]
    assert kept[1] == "dockpass.yaml"
    assert "keys and store stay in /var/lib/dockpass" in purged[1]
    assert left[1].split() == ["keys", "public", "store"]
    assert "alice" in users[1]


def test_removed_and_installed_again_it_is_started(on_copy):
    """dpkg names the version that was there, as for an upgrade; but the
    removal stopped the service, so there is nothing that try-restart finds."""
    again = on_copy(INSTALL, "dpkg -r dockpass", INSTALL)[2]
    assert again[0] == 0
    assert re.search(r"'(re)?start dockpass.service'", again[1]), again[1]


SOCKET = "/etc/systemd/system/sockets.target.wants/dockpass.socket"


def test_its_socket_is_started_with_it_where_it_is_enabled(on_copy):
    """By hand, as README says; or it would listen beside that by itself."""
    _, enabled, removed, again, upgrade, bad, purged, left = on_copy(
        INSTALL, "systemctl enable dockpass.socket", "dpkg -r dockpass",
        INSTALL, INSTALL,
        "dpkg -r dockpass; echo 'bogus: 1' >>/etc/dockpass/dockpass.yaml; "
        + INSTALL, "dpkg -P dockpass", f"ls {SOCKET}")
    assert enabled[0] == removed[0] == again[0] == upgrade[0] == 0
    assert "'start dockpass.socket dockpass.service'" in again[1]
    assert "'try-restart dockpass.service'" in upgrade[1]
    assert "mend that, then: systemctl restart dockpass.socket dockpass\n" \
        in bad[1] + "\n"
    assert purged[0] == 0 and left[0] != 0


UNIT = "/etc/systemd/system/dockpass.service"


@pytest.mark.parametrize("made, told", [
    (f"ln -s /dev/null {UNIT}", False), (f"ln -s /root/it {UNIT}", True),
    (f"cp /root/it {UNIT}", True)])
def test_a_unit_of_ones_own_is_told_but_no_mask(on_copy, made, told):
    """Who masked it wants it to stay so, and the package all the same."""
    install, _, again = on_copy(
        "echo '[Service]\nExecStart=true\n[Install]\nWantedBy=a.target' "
        f">/root/it; {made}; {INSTALL}", "dockpass check", INSTALL)
    for status, said in install, again:
        assert status == 0, said
        assert (f"dockpass: {UNIT} comes before the package's; remove it"
                in said) == told
