"""dockpass doctor before a server that does not run, or that goes by other
things than what is on the disk: it was not told of them, or refused them.
"""

import os
import shutil
import signal
import ssl
import time
from datetime import datetime, timezone

import pytest

from support import metrics, secrets
from support.clock import Clock
from support.dockpass import PATIENCE, Dockpass
from support.doctor import doctor, line
from support.http import Server, always
from support.process import free_ports, wait_until
from support.site import Certificate, change_key

NO_ADMIN = {"DOCKPASS_ADMIN_ADDRESS": ""}
LOCALHOST = "/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1"


def closed(certificate, how):
    """A listener that cannot be asked as any other, or (optional) can."""
    if how == "proxy":
        return {"proxy_protocol": True}
    tls = {**certificate.listener["tls"], "client_ca": str(certificate.ca)}
    if how != "default":  # which is "required"
        tls["client_certificates"] = how
    return {"tls": tls}


@pytest.mark.parametrize("how", ["required", "optional", "proxy"])
def test_one_that_does_not_run_is_told_whoever_it_is_for(tmp_path, how):
    """That nothing listens at an address is seen without a certificate."""
    listener = closed(Certificate(tmp_path), how)
    with Dockpass(tmp_path, listener=listener) as dockpass:
        failed, checks = doctor(dockpass, env=NO_ADMIN)
        assert failed == ["server"], checks
        assert f"nothing listens at 127.0.0.1:{dockpass.port}: start it" in \
            line(checks["server"])
        assert checks["served"]["status"] == "skipped"


def test_an_admin_for_those_with_a_certificate_is_looked_at(tmp_path):
    """Though nobody is asked there either."""
    certificate = Certificate(tmp_path)
    with Dockpass(tmp_path) as dockpass:
        dockpass.serve()
        dockpass.configure(admin={**closed(certificate, "required")})
        free = f"127.0.0.1:{free_ports(1)[0]}"
        failed, checks = doctor(dockpass, env={"DOCKPASS_ADMIN_ADDRESS": free})
        assert "server" in failed, checks
        assert f"does not answer at https://{free}" in line(checks["server"])


def test_one_that_hangs(tmp_path):
    """Its configuration is not the reason."""
    with Dockpass(tmp_path) as dockpass:
        dockpass.serve()
        dockpass.daemon.send(signal.SIGSTOP)
        try:
            failed, checks = doctor(dockpass)
        finally:
            dockpass.daemon.send(signal.SIGCONT)
        assert failed == ["server"], checks
        said = line(checks["server"])
        assert "dockpass runs, but gives no answer at http://127.0.0.1:" \
            f"{dockpass.port} within 10 s" in said
        assert "lines of watchdog" in said and "DOCKPASS_" not in said


def end_slowly(dockpass):
    """A second SIGTERM ends it at once."""
    dockpass.configure(admin={"drain": 300})
    dockpass.serve()
    dockpass.daemon.send(signal.SIGTERM)
    wait_until(lambda: "told to end" in dockpass.output, 20,
               lambda: dockpass.output)


@pytest.mark.parametrize("proxy", [False, True])
def test_one_that_has_been_told_to_end(tmp_path, proxy):
    """It answers as before, and will not be there for long."""
    with Dockpass(tmp_path, listener={"proxy_protocol": proxy},
                  trusted_proxies="127.0.0.1") as dockpass:
        end_slowly(dockpass)
        failed, checks = doctor(dockpass)
        assert failed == ["server"], checks
        assert line(checks["server"]).startswith(
            "the server has been told to end, and reads nothing any more: "
            "once it has ended (admin.drain), systemctl start dockpass")
        dockpass.daemon.send(signal.SIGTERM)


def test_a_reload_that_came_after_the_end_did(tmp_path):
    """It was not taken: whoever asks is told so, without admin.address too."""
    with Dockpass(tmp_path) as dockpass:
        end_slowly(dockpass)
        assert dockpass.reload().startswith("the old ones stay, as")
        assert metrics.scrape(dockpass)["dockpass_reload_successful"] == 0
        failed, checks = doctor(dockpass, env=NO_ADMIN)
        assert failed == ["served"], checks
        assert "has refused its last reload" in line(checks["served"])
        dockpass.daemon.send(signal.SIGTERM)


@pytest.mark.parametrize("now", [False, True])
def test_tls_where_none_is_or_the_other_way_round(tmp_path, now):
    """What is written now takes a restart."""
    tls = Certificate(tmp_path).listener["tls"]
    with Dockpass(tmp_path, listener={"tls": tls} if not now else {}) \
            as dockpass:
        dockpass.verify = False
        dockpass.serve()
        other = {"address": f"127.0.0.1:{dockpass.port}"}
        dockpass.configure(listeners=[{**other, "tls": tls} if now else other])
        failed, checks = doctor(dockpass)
        assert "server" in failed, checks
        assert "their tls and admin.address take a restart" in \
            line(checks["server"])


@pytest.mark.parametrize("how", ["required", "default", "proxy"])
def test_what_cannot_be_asked_is_not_ok(tmp_path, how):
    listener = closed(Certificate(tmp_path), how)
    with Dockpass(tmp_path, listener=listener,
                  trusted_proxies="127.0.0.1") as dockpass:
        dockpass.env.update(NO_ADMIN)
        dockpass.serve()
        failed, checks = doctor(dockpass)
        assert failed == [] and checks["server"]["status"] == "ok", checks
        assert checks["server"]["message"].startswith("listens at ")
        assert checks["served"]["status"] == "skipped"
        assert "for proxies or for clients with a certificate: not asked" in \
            checks["served"]["message"]
    with Server(always(200), dockpass.port):
        failed, checks = doctor(dockpass)
        assert failed == ["server"]
        assert "is another program: nobody serves " in line(checks["server"])


def test_keys_that_it_was_not_told_of_where_certificates_are_optional(
        tmp_path):
    """Such a listener can be asked without one."""
    certificate = Certificate(tmp_path)
    with Dockpass(tmp_path,
                  listener=closed(certificate, "optional")) as dockpass:
        dockpass.verify = str(certificate.ca)
        dockpass.serve()
        assert doctor(dockpass)[1]["served"]["status"] == "ok"
        dockpass.cli("key", "new")
        assert doctor(dockpass)[0] == ["served"]


WHAT = {"new": "the running server has other keys than",
        "activate": "the running server has other keys than",
        "remove": "the running server signs with a key that"}


@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("proxy", [False, True])
def test_keys_that_it_was_not_told_of(tmp_path, what, proxy):
    """admin.address has them, with their states, where no listener is asked."""
    with Dockpass(tmp_path, listener={"proxy_protocol": proxy},
                  trusted_proxies="127.0.0.1") as dockpass:
        dockpass.serve()
        check = served(dockpass)
        assert check["status"] == "ok", check
        if what == "new":
            dockpass.cli("key", "new")
        else:
            _, old = change_key(dockpass)
        if what == "remove":
            dockpass.cli("key", "remove", old)
        failed, checks = doctor(dockpass)
        assert failed == ["served"], checks
        assert WHAT[what] in line(checks["served"])
        assert dockpass.reload().startswith("done:")
        assert served(dockpass)["status"] == "ok"


@pytest.mark.parametrize("proxy", [False, True])
def test_a_removed_key_that_signs_is_the_gravest_of_them(tmp_path, proxy):
    """Though the server has others, of which it need only be told."""
    with Dockpass(tmp_path, listener={"proxy_protocol": proxy},
                  trusted_proxies="127.0.0.1") as dockpass:
        old = dockpass.json("key", "list")[0]["kid"]
        new = dockpass.json("key", "new")["kid"]
        dockpass.serve()
        dockpass.cli("key", "activate", new)
        dockpass.cli("key", "remove", old)
        assert WHAT["remove"] in line(served(dockpass))


def served(dockpass):
    return doctor(dockpass)[1]["served"]


def not_after(file):
    return ssl._ssl._test_decode_cert(str(file))["notAfter"]


@pytest.mark.parametrize("days", [1, 90])
@pytest.mark.parametrize("which", ["own", "more", "clients", "admin"])
def test_a_certificate_that_was_renewed_and_not_reloaded(
        faketime, tmp_path, which, days):
    """What the clients are shown counts, not what lies on the disk; be it of
    the very same dates."""
    ours, clock = Certificate(tmp_path), Clock(tmp_path)
    clock.set(int(time.time()))
    env = clock.env()
    file, key = ours.issue("renewed", *LOCALHOST, days=1, env=env)
    renewed = {"certificate": str(file), "key": str(key)}
    tls = {"own": renewed,
           "more": {**ours.listener["tls"], "certificates": [renewed]},
           "clients": {**ours.listener["tls"], "client_ca": str(file),
                       "client_certificates": "optional"},
           "admin": ours.listener["tls"]}[which]
    ends = not_after(file)
    with Dockpass(tmp_path, listener={"tls": tls}) as dockpass:
        dockpass.verify = str(ours.ca)
        if which == "admin":
            dockpass.configure(admin={"tls": renewed})
        dockpass.serve()
        assert served(dockpass)["status"] == "ok"
        ours.issue("renewed", *LOCALHOST, days=days, env=env)
        assert (not_after(file) == ends) == (days == 1)
        check = served(dockpass)
        assert check["status"] == "fail" and str(file) in check["message"]
        assert check["mend"] == "dockpass reload"
        assert dockpass.reload().startswith("done:")
        assert served(dockpass)["status"] == "ok"


def test_one_listener_of_two_whose_certificate_was_renewed(tmp_path):
    ours = Certificate(tmp_path)
    file, key = ours.issue("renewed", *LOCALHOST, days=80)
    renewed = {"certificate": str(file), "key": str(key)}
    with Dockpass(tmp_path, listener={"tls": renewed}) as dockpass:
        dockpass.verify = str(ours.ca)
        dockpass.configure(admin={
            "address": f"127.0.0.1:{dockpass.admin_port}", **ours.listener})
        dockpass.env.pop("DOCKPASS_ADMIN_ADDRESS", None)
        dockpass.serve()
        ours.issue("renewed", *LOCALHOST, days=90)
        check = served(dockpass)
        assert check["status"] == "fail" and str(file) in check["message"]


@pytest.mark.skipif(PATIENCE > 1, reason="no sandbox in a sanitized build")
def test_a_reload_that_takes_a_restart(tmp_path):
    """Nobody is told not to restart it."""
    with Dockpass(tmp_path) as dockpass:
        dockpass.serve()
        dockpass.configure(mail={"url": "smtp://localhost:25",
                                 "from": "a@example.com"})
        assert "restart dockpass" in dockpass.reload()
        assert served(dockpass)["mend"] == \
            "dockpass reload; if it refuses that again, systemctl restart " \
            "dockpass: its log says why"


OPTIONS = ["ttl", "anonymous", "guard", "certificates", "client_ca"]


@pytest.mark.parametrize("which", OPTIONS)
def test_options_that_changed_and_were_not_reloaded(tmp_path, which):
    """No key and no certificate tells of them."""
    ours = Certificate(tmp_path)
    file, key = ours.issue("more", *LOCALHOST)
    tls = {**ours.listener["tls"], "client_certificates": "optional",
           "certificates": [{"certificate": str(file), "key": str(key)}],
           "client_ca": str(ours.ca)}
    service = {"name": "registry.test", "ttl": 300, "anonymous": False}
    changed = {
        "ttl": {"services": [{**service, "ttl": 301}]},
        "anonymous": {"services": [{**service, "anonymous": True}]},
        "guard": {"guard": {"failures": 7}},
        "certificates": {"listener": {"tls": {**tls, "certificates": []}}},
        "client_ca": {"listener": {"tls": {
            name: tls[name] for name in tls if "client" not in name}}},
    }[which]
    with Dockpass(tmp_path, [service], {"tls": tls}) as dockpass:
        dockpass.verify = str(ours.ca)
        dockpass.serve()
        assert served(dockpass)["status"] == "ok"
        dockpass.configure(**changed)
        check = served(dockpass)
        assert check["status"] == "warn", check
        assert "goes by other options than " \
            f"{dockpass.config_file}" in check["message"]
        assert check["mend"].startswith("dockpass reload")
        assert dockpass.reload().startswith("done:")
        assert served(dockpass)["status"] == "ok"


def test_what_takes_a_restart(tmp_path):
    """The reload said so; as long as that is so the doctor does."""
    with Dockpass(tmp_path).serve() as dockpass:
        workers = dockpass.config["workers"]
        dockpass.configure(workers=workers + 1)
        assert "goes by other options than" in served(dockpass)["message"]
        assert dockpass.reload().startswith("done:")
        check = served(dockpass)
        assert check["status"] == "warn" and check["message"].endswith(
            ": workers has changed: restart to use the new number")
        dockpass.configure(workers=workers)
        assert dockpass.reload().startswith("done:")
        assert served(dockpass)["status"] == "ok"


def test_a_doctor_on_fewer_cores(tmp_path):
    """There are as many workers as cores: it is the same option there."""
    with Dockpass(tmp_path) as dockpass:
        dockpass.configure(workers=0)
        dockpass.serve()
        dockpass.inside = "taskset", "--cpu-list", str(
            min(os.sched_getaffinity(0)))
        assert served(dockpass)["status"] == "ok"


@pytest.mark.parametrize("tls", [True, False])
def test_options_that_nobody_can_look_at(tmp_path, tls):
    """Without admin.address."""
    certificate = Certificate(tmp_path)
    with Dockpass(tmp_path, listener=certificate.listener if tls else {}) \
            as dockpass:
        dockpass.verify = str(certificate.ca)
        dockpass.env.update(NO_ADMIN)
        dockpass.serve()
        check = served(dockpass)
        assert check["status"] == "skipped"
        assert "by which options and certificates it goes admin.address " \
            "would tell" in check["message"]


@pytest.mark.parametrize("admin", [True, False])
def test_a_reload_that_was_refused(tmp_path, admin):
    """What the file says is not what holds: its mail goes nowhere."""
    with Dockpass(tmp_path) as dockpass:
        if not admin:
            dockpass.env.update(NO_ADMIN)
        dockpass.serve()
        text = dockpass.config_file.read_text()
        dockpass.config_file.write_text("nix: 1\n")
        assert "the old ones stay" in dockpass.reload()
        dockpass.config_file.write_text(text)
        failed, checks = doctor(dockpass)
        assert failed == ["served"], checks
        assert "has refused its last reload" in line(checks["served"])
        assert checks["served"]["mend"].startswith(
            "dockpass reload; if it refuses that again, mend what it says, "
            "and do not restart it before")
        assert dockpass.reload().startswith("done:")
        assert doctor(dockpass)[0] == []
        dockpass.config_file.write_text("nix: 1\n")
        dockpass.reload()
        dockpass.config_file.write_text(text)
        assert dockpass.stop() == 0
        dockpass.serve()
        assert doctor(dockpass)[0] == []


STORES = ["named anew", "made again", "made again, with other keys",
          "its data made again"]


@pytest.mark.parametrize("how", STORES)
def test_a_store_that_the_server_does_not_have(tmp_path, how):
    """What commands revoke there goes on to work, whatever the keys are."""
    with Dockpass(tmp_path).serve() as dockpass:
        store, other = dockpass.folder / "store", dockpass.folder / "other"
        if how == "named anew":
            dockpass.configure(store=str(other))
            shutil.copytree(store, other)
        elif how == "its data made again":  # server.lock lies there as before
            shutil.copy(store / "data.mdb", other)
            other.rename(store / "data.mdb")
        else:
            store.rename(other)
            shutil.copytree(other, store)
        assert dockpass.reload().startswith("done:")
        if how == "made again, with other keys":
            change_key(dockpass)
        failed, checks = doctor(dockpass)
        locked = how == "its data made again"  # no command uses that
        assert failed == locked * ["store"] + ["served"], checks
        assert f"nobody serves {dockpass.folder}" in line(checks["served"])
        for name in failed:
            assert "systemctl restart dockpass" in line(checks[name])


def test_a_revocation_in_a_store_that_was_made_again(tmp_path):
    """It does not hold: the server has what was removed under it."""
    with Dockpass(tmp_path).serve() as dockpass:
        dockpass.user("ann")
        secret = dockpass.token("ann", scopes="api")
        dockpass.cli("backup", tmp_path / "backup")
        shutil.rmtree(dockpass.folder / "store")
        dockpass.cli("restore", tmp_path / "backup")
        dockpass.cli("token", "revoke", "1")
        assert dockpass.ask(auth=("ann", secret)).status_code == 200
        failed, checks = doctor(dockpass)
        assert failed == ["served"], checks
        assert "does not hold" in line(checks["served"])


def test_a_store_that_is_not_served_behind_a_proxy(tmp_path):
    """Its keys are not seen there; that nobody serves it is."""
    with Dockpass(tmp_path, listener={"proxy_protocol": True},
                  trusted_proxies="127.0.0.1") as dockpass:
        dockpass.serve()
        store = dockpass.folder / "store"
        shutil.copytree(store.rename(tmp_path / "aside"), store)
        failed, checks = doctor(dockpass)
        assert failed == ["server"], checks
        assert "if it is dockpass, it has another store: systemctl restart" \
            in line(checks["server"])


@pytest.mark.usefixtures("faketime")
@pytest.mark.parametrize("lost, said", [
    ("store", "is not the store that is open"),
    ("store/lock.mdb", "store/lock.mdb was removed or replaced")])
def test_a_server_looks_for_its_store_every_day(tmp_path, lost, said):
    """Not only when it starts or is told to reload."""
    clock = Clock(tmp_path)
    midnight = int(datetime(2031, 5, 7, tzinfo=timezone.utc).timestamp())
    clock.set(midnight - 1)
    with Dockpass(tmp_path) as dockpass:
        dockpass.serve(env=clock.env())
        (dockpass.folder / lost).rename(tmp_path / "aside")
        clock.set(midnight)
        wait_until(lambda: said in dockpass.output,
                   10, lambda: dockpass.output)


MAIL = {"mail": {"url": "smtp://localhost:25", "from": "a@example.com"}}
HOOK = {"url": "http://localhost:9", "secret_file": "{}/dockpass/secret"}
MORE = {"mail.url": MAIL, "webhook.url": {"webhook": HOOK},
        "webhook.ca": {"webhook": {**HOOK, "ca": "{}/beyond/ca.pem"}}}


@pytest.mark.parametrize("option", MORE)
@pytest.mark.skipif(PATIENCE > 1, reason="no sandbox in a sanitized build")
def test_a_reload_that_the_sandbox_refuses_names_the_option(tmp_path, option):
    """Not the file alone, of which nobody wrote a word."""
    (tmp_path / "beyond").mkdir()
    (tmp_path / "beyond/ca.pem").write_text("")
    with Dockpass(tmp_path).serve() as dockpass:
        if "without Landlock" in dockpass.output:
            pytest.skip("this kernel has no Landlock")
        secret = dockpass.folder / "secret"
        secret.write_text(secrets.remember("a-secret-of-the-webhook") + "\n")
        secret.chmod(0o600)
        dockpass.configure(**{
            section: {key: text.format(tmp_path)
                      for key, text in options.items()}
            for section, options in MORE[option].items()})
        section, key = option.split(".")
        rows = dockpass.config_file.read_text().splitlines()
        at = rows.index(f"{section}:")
        while not rows[at].startswith(f"  {key}: "):
            at += 1
        assert f"dockpass.yaml:{at + 1}: {option}: /" in dockpass.reload()
        failed, checks = doctor(dockpass)
        assert failed[0] == "served", checks
        assert "restart dockpass" in line(checks["served"])


# Of a registry: whether this side was told comes before what that one lacks.

def registry(dockpass, **kwargs):
    return Server(always(401, {
        "WWW-Authenticate": f'Bearer realm="{dockpass.url}/token",'
                            'service="registry"'}), **kwargs)


@pytest.mark.parametrize("anonymous", [True, False])
def test_a_leaked_key_that_the_server_still_signs_with(tmp_path, anonymous):
    """As README says, but for the reload; the registry has its bundle."""
    with Dockpass(tmp_path, services=[
            {"name": "registry", "anonymous": anonymous}]).serve() as dockpass:
        with registry(dockpass) as liar:
            _, old = change_key(dockpass)
            dockpass.cli("key", "remove", old)
            failed, checks = doctor(dockpass, liar.url)
            assert failed[0] == "signer", checks
            said = line(checks["signer"])
            assert "it was removed, and the server was not told" in said
            assert said.index("dockpass reload; then") < said.index(
                "public/bundle.pem")
            text = dockpass.config_file.read_text()
            dockpass.config_file.write_text("nix: 1\n")
            assert "the old ones stay" in dockpass.reload()
            dockpass.config_file.write_text(text)
            assert "if it refuses that again, mend what it says" in line(
                doctor(dockpass, liar.url)[1]["signer"])
            dockpass.reload()
            failed, checks = doctor(dockpass, liar.url)
            assert failed[0] == "key", checks


def test_a_server_that_was_not_told_and_gives_nothing(tmp_path):
    """To the anonymous: who signs is seen by its keys."""
    with Dockpass(tmp_path, services=[
            {"name": "registry", "anonymous": False}]).serve() as dockpass:
        with registry(dockpass) as liar:
            assert doctor(dockpass, liar.url)[1]["signer"]["status"] == \
                "skipped"
            change_key(dockpass)
            assert "signer" in doctor(dockpass, liar.url)[0]


def test_a_service_that_is_none(tmp_path):
    """Those that there are are named, as explain does."""
    with Dockpass(tmp_path, services=[{"name": "one"},
                                      {"name": "two"}]).serve() as dockpass:
        with registry(dockpass) as liar:
            checks = doctor(dockpass, liar.url, "--service", "nope")[1]
        assert line(checks["service"]) == \
            "--service nope: no service has that name: it has one, two"
