"""dockpass doctor before what answers in the place of a server, or of a part of
it: what is not asked, or not answered, is no reason to blame another thing.
"""

import shutil

import pytest

from support.dockpass import Dockpass
from support.doctor import doctor, line
from support.http import Server, always
from support.site import Certificate, change_key
from test_doctor_untold import NO_ADMIN, closed, registry


def test_an_admin_that_runs_is_not_asked_without_a_certificate(tmp_path):
    certificate = Certificate(tmp_path)
    with Dockpass(tmp_path) as dockpass:
        dockpass.configure(admin=closed(certificate, "required"))
        dockpass.serve()
        failed, checks = doctor(dockpass)
        assert failed == [] and checks["server"]["status"] == "ok", checks
        assert "by which options and certificates it goes admin.address " \
            "would tell" in checks["served"]["message"]


def test_an_admin_that_has_no_metrics(tmp_path):
    """Its page of an error names no certificate, and says nothing by that."""
    certificate = Certificate(tmp_path)
    with Dockpass(tmp_path, listener=certificate.listener) as dockpass:
        dockpass.verify = str(certificate.ca)
        dockpass.env.update(NO_ADMIN)
        dockpass.serve()
        with Server(lambda handler: handler.say(
                404 if handler.path == "/metrics" else 200)) as other:
            at = f"127.0.0.1:{other.server_port}"
            failed, checks = doctor(dockpass,
                                    env={"DOCKPASS_ADMIN_ADDRESS": at})
        assert failed == [], checks
        assert "by which options and certificates it goes admin.address " \
            "would tell" in checks["served"]["message"]


ANSWERS = {
    "no HTTP": (lambda handler: handler.wfile.write(b"220 smtp ESMTP\r\n"),
                "server", "http://127.0.0.1:{}"),
    "no keys": (always(200), "served",
                "what answers at 127.0.0.1:{} shows no keys (200): see what "
                "has that port"),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_another_program_in_its_place(tmp_path, what):
    """Somebody listens there."""
    answer, name, says = ANSWERS[what]
    with Dockpass(tmp_path) as dockpass:
        with Server(answer, dockpass.port):
            failed, checks = doctor(dockpass, env=NO_ADMIN)
        assert name in failed, checks
        said = line(checks[name])
        assert says.format(dockpass.port) in said
        assert "nothing listens" not in said


def test_a_server_with_the_same_keys_is_no_other(tmp_path):
    """Though the store that it serves was moved away."""
    with Dockpass(tmp_path).serve() as dockpass:
        store = dockpass.folder / "store"
        shutil.copytree(store.rename(tmp_path / "aside"), store)
        said = line(doctor(dockpass)[1]["served"])
        assert "another dockpass" not in said


def test_a_key_that_it_was_not_told_of_does_not_sign(tmp_path):
    """The one that does is the current one, as a token shows."""
    with Dockpass(tmp_path).serve() as dockpass:
        with registry(dockpass) as liar:
            dockpass.cli("key", "new")
            checks = doctor(dockpass, liar.url)[1]
            assert checks["signer"]["status"] == "ok", checks


def test_a_key_changed_for_a_server_that_refused_its_reload(tmp_path):
    """Another reload is what it would refuse again."""
    with Dockpass(tmp_path).serve() as dockpass:
        with registry(dockpass) as liar:
            change_key(dockpass)
            text = dockpass.config_file.read_text()
            dockpass.config_file.write_text("nix: 1\n")
            assert "the old ones stay" in dockpass.reload()
            dockpass.config_file.write_text(text)
            mend = doctor(dockpass, liar.url)[1]["signer"]["mend"]
            assert "mend what it says, and do not restart it" in mend
