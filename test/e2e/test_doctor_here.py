"""dockpass doctor without an address: what is wrong on this side, by what was
done to it.
"""

import ctypes
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Callable, NamedTuple

import pytest
import requests

from support import network, secrets
from support.dockpass import STORE_MEND, Dockpass, on
from support.doctor import doctor, line
from support.http import Server, always
from support.process import free_ports
from support.site import Certificate, change_key
from support.wire import Wire
from test_cli_keys import D379, put_key

NAMES = ["config", "owner", "keys", "public", "certificate", "tls", "secrets",
         "log", "warnings", "disk", "store", "room", "server", "served", "url",
         "mail", "webhook", "clock", "descriptors"]


def test_all_is_well(tmp_path):
    """The names are stable, others script against them."""
    with Dockpass(tmp_path).serve() as dockpass:
        failed, checks = doctor(dockpass)
        assert failed == [] and list(checks) == NAMES, checks
        warned = {name for name, check in checks.items()
                  if check["status"] != "ok"}
        assert warned <= {"owner", "clock", "descriptors"}, checks
        assert all(set(check) == {"status", "message", "mend"}
                   for check in checks.values())


def test_the_machine(tmp_path):
    """Its clock and its limits, as this process sees them, too."""
    with Dockpass(tmp_path).serve() as dockpass:
        checks = doctor(dockpass)[1]
        libc, state = ctypes.CDLL(None), ctypes.create_string_buffer(512)
        unsynchronised = libc.adjtimex(state) == 5
        assert checks["clock"]["status"] == \
            ("warn" if unsynchronised else "ok")
        root = not os.geteuid()
        assert checks["owner"]["status"] == ("warn" if root else "ok")
        dockpass.configure(limits={"connections": 100})
        assert doctor(dockpass)[1]["descriptors"]["status"] == "ok"


class Row(NamedTuple):
    """`do`: to a dockpass that serves; `first`: the check that fails then;
    `says`: parts of its line; `others`: more that fail."""
    do: Callable
    first: str
    says: list
    others: list = []


def stop(dockpass):
    dockpass.stop()


def add_to_config(text):
    def do(dockpass):
        with open(dockpass.config_file, "a", encoding="utf-8") as file:
            file.write(text)
    return do


def mode(name, bits):
    return lambda dockpass: (dockpass.folder / name).chmod(bits)


def tamper(dockpass):
    (dockpass.folder / "public/bundle.pem").write_text("")


def lose_keys(dockpass):
    (dockpass.folder / "keys").rename(dockpass.folder / "elsewhere")


def lose_store(dockpass):
    dockpass.stop()
    (dockpass.folder / "store").rename(dockpass.folder / "elsewhere")


def new_key(dockpass):
    change_key(dockpass)


def damage(dockpass):
    """The record of a user is another one's."""
    dockpass.user("alice")
    dockpass.stop()
    file = dockpass.folder / "store/data.mdb"
    data = file.read_bytes()
    assert data.count(b"alice@example.com") >= 1
    file.write_bytes(data.replace(b"alice", b"al\x00ce"))


def ruin(*pages):
    """Pages of the store, made of what no reader expects."""
    def do(dockpass):
        dockpass.stop()
        file = dockpass.folder / "store/data.mdb"
        data = file.read_bytes()
        for page in pages or range(2, len(data) // 4096):
            head = 4096 * page + 16
            data = data[:head] + b"\xff" * 4080 + data[head + 4080:]
        file.write_bytes(data)
    return do


def cut(dockpass):
    dockpass.stop()
    os.truncate(dockpass.folder / "store/data.mdb", 3 * 4096)


def close_webhook(dockpass):
    secret = dockpass.folder / "hook"
    secret.write_text(secrets.remember("a-secret-of-the-webhook") + "\n")
    secret.chmod(0o600)
    port, = free_ports(1)
    dockpass.configure(webhook={
        "url": f"http://localhost:{port}/very-secret-path",
        "secret_file": str(secret)})


def close_mail(dockpass):
    port, = free_ports(1)
    dockpass.configure(mail={"url": f"smtp://localhost:{port}",
                             "from": "a@b.c"})


def open_secret(dockpass):
    """It was 0600 when the configuration was checked: a folder."""
    close_webhook(dockpass)
    (dockpass.folder / "hook").write_text("short\n")


ROWS = {
    "it does not run": Row(stop, "server", [
        "dockpass does not run: nothing listens at 127.0.0.1:",
        "systemctl start dockpass"]),
    "an option that is none": Row(add_to_config("nix: 1\n"), "config", [
        "dockpass.yaml:", "nix: is no option"]),
    "keys that all can read": Row(mode("keys", 0o755), "keys", [
        "group or others can enter or read it", "chmod 700"]),
    "a store that all can read": Row(mode("store", 0o755), "store", [
        "group or others can read or write it", "chmod 700"]),
    "a bundle that was changed": Row(tamper, "public", [
        "bundle.pem: is not of the keys in use"]),
    "no keys": Row(lose_keys, "keys", [
        "dockpass.yaml:", "keys: ", "dockpass key new"]),
    "no store": Row(lose_store, "owner", ["store"], ["disk", "server"]),
    "keys that the server does not know": Row(new_key, "served", [
        "the running server has other keys than ",
        "dockpass reload"]),
    "a damaged store": Row(damage, "store", ["; " + STORE_MEND], ["server"]),
    "a store of wild pages": Row(ruin(), "store", [STORE_MEND],
                                 ["server"]),
    "a store that was cut short": Row(cut, "store", [STORE_MEND], ["server"]),
    "no mail server": Row(close_mail, "mail", [
        "the mail server, smtp://localhost:", "nothing listens there"]),
    "no webhook": Row(close_webhook, "webhook", [
        "the webhook, http://localhost:", "nothing listens there"]),
    "a secret that is too short": Row(open_secret, "secrets", [
        "webhook.secret_file", "at least 16 bytes"], ["webhook"]),
}


def look(tmp_path, row):
    """Does the doctor find what was done, and not tell a secret?"""
    with Dockpass(tmp_path).serve() as dockpass:
        row.do(dockpass)
        failed, checks = doctor(dockpass)
        assert failed == [row.first, *row.others], checks
        for part in row.says:
            assert part in line(checks[row.first]), checks[row.first]
        assert "very-secret-path" not in dockpass.said.read_text()


@pytest.mark.parametrize("name", ROWS)
def test_this_side(tmp_path, name):
    look(tmp_path, ROWS[name])


def test_where_there_is_no_ipv6(tmp_path):
    """As in most containers: libcurl tries ::1 last."""
    with network.alone("10.99.0.1"):
        switch = Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")
        if switch.exists():
            switch.write_text("1")
        look(tmp_path, ROWS["no webhook"])


def later(days):
    """The environment of a command, so many days from now."""
    day = datetime.now(timezone.utc) + timedelta(days=days)
    return on(day.strftime("%Y-%m-%d"))


@pytest.mark.usefixtures("faketime")
@pytest.mark.parametrize("days, status", [(3550, "ok"), (3570, "warn"),
                                          (3660, "fail")])
def test_the_signing_certificate_ends(tmp_path, days, status):
    """Ten years after it was made."""
    check = doctor(Dockpass(tmp_path), env=later(days))[1]["certificate"]
    assert check["status"] == status, check
    if status != "ok":
        assert "beginning with dockpass key new" in check["mend"]


@pytest.mark.usefixtures("faketime")
@pytest.mark.parametrize("days, status", [(10, "warn"), (40, "fail")])
def test_the_certificate_of_a_listener_ends(tmp_path, days, status):
    """After 20 days."""
    listener = Certificate(tmp_path).listener
    check = doctor(Dockpass(tmp_path, listener=listener),
                   env=later(days))[1]["tls"]
    assert (check["status"], check["mend"]) == (
        status, "renew it, then reload")


@pytest.mark.parametrize("days, status", [(29, "warn"), (31, "ok")])
def test_a_month_before_its_end(tmp_path, days, status):
    certificate, key = Certificate(tmp_path).issue("soon", "/CN=localhost",
                                                   days=days)
    check = doctor(Dockpass(tmp_path, listener={"tls": {
        "certificate": str(certificate), "key": str(key)}}))[1]["tls"]
    assert check["status"] == status, check


@pytest.mark.usefixtures("faketime")
@pytest.mark.parametrize("left, warned", [(92, False), (88, True)])
def test_check_warns_of_the_signing_key_as_early(tmp_path, left, warned):
    """As the doctor does: its certificate lives 3650 days, and some hours as
    it is noon then."""
    dockpass = Dockpass(tmp_path)
    done = dockpass.run("check", "--config", dockpass.config_file,
                        env=later(3650 - left))
    assert ("ends at" in done.stderr) == warned, done.stderr


def test_tls(tmp_path):
    """The server is asked without looking at its certificate, as it is of
    another name; the url as clients do."""
    certificate = Certificate(tmp_path)
    with Dockpass(tmp_path, listener=certificate.listener) as dockpass:
        dockpass.configure(url=f"https://localhost:{dockpass.port}")
        dockpass.serve()
        failed, checks = doctor(dockpass)
        assert failed == [] and checks["url"]["status"] == "warn", checks
        assert "--cacert FILE" in line(checks["url"])
        done = dockpass.cli("doctor", "--cacert", certificate.ca)
        assert f"ok    url         https://localhost:{dockpass.port}/token " \
            "answers\n" in done


def test_what_the_world_calls_it(tmp_path):
    with Dockpass(tmp_path).serve() as dockpass:
        with Server(always(307, {"Location": dockpass.url + "/token"})) as away:
            url = away.url
            dockpass.configure(url=url)
            failed, checks = doctor(dockpass)
            assert failed == ["url"], checks
            assert f"{url}/token is a redirect to {dockpass.url}/token" in \
                line(checks["url"])
            assert "dockpass.yaml:" in line(checks["url"])
        dockpass.configure(url="http://no-such-host.invalid")
        failed, checks = doctor(dockpass)
        assert failed == [] and checks["url"]["status"] == "warn", checks
        assert "its name is not known here" in line(checks["url"])


STRANGER = always(404, body=b"It works!")


def test_another_program_has_its_place(tmp_path):
    """At its port, or at its url."""
    with Dockpass(tmp_path) as dockpass:
        with Server(STRANGER, dockpass.port):
            failed, checks = doctor(dockpass)
            assert "server" in failed
            assert f"what answers at 127.0.0.1:{dockpass.port} is no " \
                "dockpass (404): see what has that port" in \
                line(checks["server"])
        dockpass.serve()
        port, = free_ports(1)
        dockpass.configure(url=f"http://localhost:{port}")
        with Server(STRANGER, port):
            failed, checks = doctor(dockpass)
            assert failed == ["url"]
            assert f"what answers at http://localhost:{port}/token is no " \
                "dockpass (404)" in line(checks["url"])


def test_secrets_in_clear(tmp_path):
    """0 is this machine by a name that is no longer a local one."""
    with Dockpass(tmp_path).serve() as dockpass:
        dockpass.configure(url=f"http://0:{dockpass.port}")
        check = doctor(dockpass)[1]["url"]
        assert check["status"] == "warn", check
        assert "secrets go to http://0:" in line(check)
        assert "https://" in check["mend"]
        dockpass.configure(url=f"http://0.0.0.0:{dockpass.port}")
        check = doctor(dockpass)[1]["url"]
        assert check["status"] == "warn", check
        assert "crane and others refuse a realm at a private address" in \
            line(check)


def test_too_few_descriptors(tmp_path):
    """256 are for those who are refused, 128 for files."""
    with Dockpass(tmp_path) as dockpass:
        dockpass.configure(limits={"connections": 1000})
        dockpass.inside = ["prlimit", "--nofile=484:484"]
        check = doctor(dockpass)[1]["descriptors"]
        assert check["status"] == "warn"
        assert "limits.connections is 1000; started from this shell, the " \
            "descriptor limit would make it 100" in line(check)


def test_it_works_for_those_with_a_certificate_alone(tmp_path):
    """A listener that asks for one is not asked."""
    certificate = Certificate(tmp_path)
    listener = {"tls": {**certificate.listener["tls"],
                        "client_ca": str(certificate.ca)}}
    with Dockpass(tmp_path, listener=listener) as dockpass:
        dockpass.verify = str(certificate.ca)
        dockpass.serve()
        checks = doctor(dockpass)[1]
        assert checks["server"]["status"] == "ok", checks["server"]
        # By what admin.address tells of it.
        assert checks["served"]["status"] == "ok", checks["served"]


def test_a_key_that_registry_3_misreads(tmp_path):
    """Its x begins with a zero; another program has made it."""
    with Dockpass(tmp_path).serve() as dockpass:
        put_key(dockpass, D379, "next")
        checks = doctor(dockpass)[1]
        assert checks["keys"]["status"] == "warn"
        assert "HVHZ:ST6I:" in line(checks["keys"])


def test_it_works_for_proxies_alone(tmp_path):
    """A listener that waits for a PROXY header is not asked."""
    with Dockpass(tmp_path, listener={"proxy_protocol": True},
                  trusted_proxies="127.0.0.1") as dockpass:
        dockpass.configure(url=f"http://localhost:{dockpass.port}")
        dockpass.serve()
        requests.get(f"http://127.0.0.1:{dockpass.admin_port}/healthz",
                     timeout=20).raise_for_status()
        checks = doctor(dockpass)[1]
        assert checks["server"]["status"] == "ok"
        assert checks["served"]["status"] == "ok", checks["served"]


def test_a_variable_of_the_server_alone(tmp_path):
    """Or a configuration that takes a restart: it runs all the same."""
    with Dockpass(tmp_path).serve() as dockpass:
        free = f"127.0.0.1:{free_ports(1)[0]}"
        check = doctor(dockpass, env={"DOCKPASS_ADMIN_ADDRESS": free})[1][
            "server"]
        assert check["message"].startswith("dockpass runs, but does not")
        assert "take a restart" in check["mend"]


def test_another_dockpass_at_that_port(tmp_path):
    """As `make run` beside a package."""
    with Dockpass(tmp_path / "a").serve() as one:
        served = doctor(Dockpass(tmp_path / "b"), env={
            "DOCKPASS_LISTENERS_0_ADDRESS": f"127.0.0.1:{one.port}",
            "DOCKPASS_ADMIN_ADDRESS": ""})[1]["served"]
        assert "is another dockpass" in served["message"], served
        assert "start it" in served["mend"]
        own = Dockpass(tmp_path / "c")
        tamper(own)
        assert doctor(own, env={
            "DOCKPASS_LISTENERS_0_ADDRESS": f"127.0.0.1:{one.port}",
            "DOCKPASS_ADMIN_ADDRESS": ""})[0][:2] == ["served", "public"]


def test_a_bundle_that_no_registry_can_read(tmp_path):
    desk = Dockpass(tmp_path)
    (desk.folder / "public/bundle.pem").chmod(0o600)
    check = doctor(desk)[1]["public"]
    assert check["status"] == "warn"
    assert check["mend"] == f"chmod a+r {desk.folder}/public/bundle.pem"
    (desk.folder / "public").chmod(0o700)
    check = doctor(desk)[1]["public"]
    assert check["mend"] == f"chmod a+rx {desk.folder}/public"


def test_one_that_turns_connections_away(tmp_path):
    with Dockpass(tmp_path, workers=1,
                  limits={"connections_per_address": 1}) as dockpass:
        dockpass.serve()
        with Wire(dockpass.port) as wire:
            wire.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").answer()
            check = doctor(dockpass)[1]["server"]
        assert check["status"] == "fail"
        assert "turns connections away" in check["message"]
        assert "overload" in check["mend"]
