"""dockpass doctor where several things are wrong: what is to be mended first."""

import pytest

from support.dockpass import Dockpass
from support.doctor import doctor
from support.process import free_ports
from support.site import Certificate, change_key
from test_doctor_here import (Row, close_mail, damage, later, look, mode,
                              new_key, stop, tamper)
from test_protocol_disk import Disk, disk, own  # fixtures


def both(*acts):
    def do(dockpass):
        for act in acts:
            act(dockpass)
    return do


def other_tls_key(dockpass):
    """Not that of the certificate: with it the server does not start."""
    one = Certificate(dockpass.folder)
    _, key = one.issue("other", "/CN=localhost")
    dockpass.configure(listener={"tls": {"certificate": str(one.file),
                                         "key": str(key)}})


def removed_key(dockpass):
    """With which the server goes on to sign."""
    dockpass.cli("key", "remove", change_key(dockpass)[1])


# What is wrong at one time, which of them is to be mended first.
TOGETHER = {
    "a bundle, and it does not run": Row(
        both(tamper, stop), "server", ["does not run"], ["public"]),
    "mail, a bundle and keys that all can read": Row(
        both(close_mail, tamper, mode("keys", 0o755)), "keys",
        ["chmod 700"], ["mail"]),
    "what it does not start with is before that it does not run": Row(
        both(stop, other_tls_key), "tls", ["does not belong to"], ["server"]),
    "a bundle, mail and a damaged store": Row(
        both(close_mail, tamper, damage), "store", ["dockpass restore FILE"],
        ["public", "server", "mail"]),
    "mail, and keys that the server does not know": Row(
        both(close_mail, new_key), "served", ["dockpass reload"], ["mail"]),
    "a bundle, and a key that was removed and signs": Row(
        both(removed_key, tamper), "served", ["dockpass reload"], ["public"]),
}


@pytest.mark.parametrize("name", TOGETHER)
def test_the_gravest_is_the_first_to_mend(tmp_path, name):
    look(tmp_path, TOGETHER[name])


# The disk, what is done to it: is it to be mended before a server that does
# not run? While anything is left it starts, and gives tokens.
@pytest.mark.parametrize("disk, act, first", [
    ("90m", lambda disk: None, "server"), ("1m", Disk.fill, "disk"),
    ("90m", lambda disk: disk.remount("ro"), "disk"),
], indirect=["disk"], ids=["little room", "full", "read-only"])
def test_a_disk_and_a_server_that_does_not_run(disk, own, act,
                                               first):
    act(disk)
    failed = doctor(own)[0]
    disk.remount("rw")
    assert failed[0] == first and {"disk", "server"} <= set(failed)


@pytest.mark.usefixtures("faketime")
def test_a_store_is_before_a_certificate_that_has_ended(tmp_path):
    """The server starts with that, and does not without a store."""
    dockpass = Dockpass(tmp_path, listener=Certificate(tmp_path).listener)
    damage(dockpass)
    failed = doctor(dockpass, env=later(40))[0]
    assert failed[0] == "store" and "tls" in failed


def test_the_gravest_warning(tmp_path):
    """A certificate that ends is before descriptors, and who is root."""
    one = Certificate(tmp_path)
    certificate, key = one.issue("soon", "/CN=localhost", days=10)
    with Dockpass(tmp_path, listener={"tls": {
            "certificate": str(certificate), "key": str(key)}}) as dockpass:
        dockpass.verify = str(one.ca)
        dockpass.configure(limits={"connections": 1000000})
        dockpass.serve()
        done = dockpass.cli("doctor", "--cacert", one.ca).splitlines()
    warned = [row.split()[1] for row in done if row.startswith("warn")]
    assert {"tls", "descriptors"} <= set(warned)
    assert done[-1].startswith(f"all well, but look at tls: {certificate} ")


@pytest.mark.usefixtures("faketime")
@pytest.mark.parametrize("days", [(20, 5), (5, 20)])
def test_the_certificate_that_ends_first(tmp_path, days):
    """Of two, whichever is named before."""
    one = Certificate(tmp_path)
    files = [one.issue(f"days-{n}", "/CN=localhost", days=n) for n in days]
    first, second = ({"certificate": str(file), "key": str(key)}
                     for file, key in files)
    dockpass = Dockpass(tmp_path, listener={
        "tls": {**first, "certificates": [second]}})
    check = doctor(dockpass, env=later(10))[1]["tls"]
    assert check["status"] == "fail"
    assert "days-5.crt ended at " in check["message"]


@pytest.mark.usefixtures("faketime")
def test_the_listener_whose_certificate_ends_first(tmp_path):
    one = Certificate(tmp_path)
    tls = []
    for n in (20, 5):
        certificate, key = one.issue(f"days-{n}", "/CN=localhost", days=n)
        tls.append({"certificate": str(certificate), "key": str(key)})
    dockpass = Dockpass(tmp_path, listener={"tls": tls[0]})
    dockpass.configure(listeners=[*dockpass.config["listeners"], {
        "address": f"127.0.0.1:{free_ports(1)[0]}", "tls": tls[1]}])
    check = doctor(dockpass, env=later(10))[1]["tls"]
    assert check["status"] == "fail"
    assert "days-5.crt ended at " in check["message"]


@pytest.mark.usefixtures("faketime")
@pytest.mark.parametrize("days, now, status, first", [
    ((20, 5), 2, "warn", 5), ((20, 5), 30, "fail", 5), ((60, 90), 1, "ok", 60)])
def test_of_two_listeners_alike_the_one_that_ends_first(tmp_path, days, now,
                                                        status, first):
    """Both near their end, both beyond it, both far from it."""
    one = Certificate(tmp_path)
    tls = [{"certificate": str(file), "key": str(key)} for file, key in
           (one.issue(f"days-{n}", "/CN=localhost", days=n) for n in days)]
    dockpass = Dockpass(tmp_path, listener={"tls": tls[0]})
    dockpass.configure(listeners=[*dockpass.config["listeners"], {
        "address": f"127.0.0.1:{free_ports(1)[0]}", "tls": tls[1]}])
    check = doctor(dockpass, env=later(now))[1]["tls"]
    assert check["status"] == status
    assert f"days-{first}.crt end" in check["message"]


@pytest.mark.usefixtures("faketime")
def test_of_two_listeners_the_one_that_stops_the_start(tmp_path):
    """With a certificate that has ended the server starts, not with a key
    that is another's."""
    one = Certificate(tmp_path)
    ended, key = one.issue("ended", "/CN=localhost", days=5)
    _, other = one.issue("other", "/CN=localhost")
    dockpass = Dockpass(tmp_path, listener={"tls": {
        "certificate": str(ended), "key": str(key)}})
    dockpass.configure(listeners=[*dockpass.config["listeners"], {
        "address": f"127.0.0.1:{free_ports(1)[0]}", "tls": {
            "certificate": str(one.file), "key": str(other)}}])
    failed, checks = doctor(dockpass, env=later(10))
    assert failed[0] == "tls"
    assert "does not belong to" in checks["tls"]["message"], checks["tls"]


def test_a_certificate_that_is_good(tmp_path):
    """Which one that is, and till when."""
    one = Certificate(tmp_path)
    certificate, key = one.issue("good", "/CN=localhost", days=60)
    check = doctor(Dockpass(tmp_path, listener={"tls": {
        "certificate": str(certificate), "key": str(key)}}))[1]["tls"]
    assert check["status"] == "ok"
    assert check["message"].startswith(f"{certificate} ends at ")
