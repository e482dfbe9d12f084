"""Mail by way of a real mail server with TLS and a login, OpenSMTPD: read where
it delivers it. What aiosmtpd shows is in test_jobs_mail.py.
"""

import email.utils
import itertools
import re

import pytest

from support import secrets
from support.dockpass import Dockpass
from support.opensmtpd import OpenSMTPD
from support.site import Certificate
# Fixtures are found by their names here.
from test_jobs_mail import certificate, day

LOGIN = "post", secrets.remember("correct-horse-battery")
NAME = "läptop ✓"
ALICES = (f"alice{n}" for n in itertools.count(1))


@pytest.fixture(scope="module")
def smtpd(tmp_path_factory, certificate):
    with OpenSMTPD(tmp_path_factory.mktemp("s") / "smtpd", certificate,
                   LOGIN) as smtpd:
        yield smtpd


class Desk(Dockpass):
    """Whose mail goes to that server: rightly, but for what is changed."""

    def __init__(self, folder, smtpd, scheme, ca):
        super().__init__(folder)
        self.password_file = folder / "password"
        self.right = {
            "url": f"{scheme}://localhost:{smtpd.ports[scheme]}",
            "from": "dockpass@example.com", "ca": str(ca), "user": LOGIN[0],
            "password_file": str(self.password_file)}
        if scheme == "smtp":
            self.right["starttls"] = "required"
        self.mail()

    def mail(self, password=LOGIN[1], **changed):
        self.password_file.write_text(password + "\n")
        self.password_file.chmod(0o600)
        options = {**self.right, **changed}
        self.configure(mail={key: value for key, value in options.items()
                             if value})


@pytest.fixture(params=["smtp", "smtps"])
def desk(request, tmp_path, smtpd, certificate):
    """Each has an alice, and so a maildir, of its own."""
    with Desk(tmp_path, smtpd, request.param, certificate.ca) as desk:
        desk.alice = desk.user(next(ALICES))
        desk.secret = desk.token(desk.alice, scopes="api", name=NAME,
                                 expires=day(5))
        yield desk


def came_once(desk, smtpd):
    """The one mail, after another check that finds nothing to tell."""
    assert desk.json("job", "waiting") == []
    assert desk.json("job", "run", "expiring")["found"] == 0
    mail, = smtpd.mails(desk.alice)
    assert smtpd.taken(desk.alice) == 1
    return mail


def test_a_notice_arrives_once(desk, smtpd):
    done = desk.json("job", "run", "expiring")
    assert (done["found"], done["queued"], done["sent"]) == (1, 1, 1)
    mail = came_once(desk, smtpd)
    to = f"{desk.alice}@example.com"
    assert mail.get_all("Return-Path") == ["<dockpass@example.com>"]
    assert mail.get_all("Delivered-To") == mail.get_all("To") == [to]
    assert mail.get_all("From") == ["dockpass@example.com"]
    assert mail["Subject"] == \
        f'dockpass: access token "{NAME}": expires soon ({day(5)})'
    assert email.utils.parsedate_to_datetime(mail["Date"])
    # OpenSMTPD would give one to a mail that has none.
    assert mail["Message-ID"].endswith("dockpass@example.com>")
    # RFC 3848: S, with TLS; A, with a login.
    assert re.search(r"with ESMTPSA id \w+ \(TLSv1\.[23]:", mail["Received"])
    text = mail.get_content()
    assert f"  {day(5)}  {NAME} (id 1)" in text.splitlines()
    assert desk.url in text and "dockpass token rotate" in text
    assert desk.secret not in mail.as_string()


# What is wrong, what `job waiting` says of it
WRONG = {
    "another ca": ({"ca": "other"}, "certificate"),
    "another password": ({"password": "wrong-horse-battery"}, "535"),
    "another name": ({"user": "other"}, "535"),
    "no login": ({"user": None, "password_file": None}, "530"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_said_and_nothing_lost(desk, smtpd, tmp_path, wrong):
    changed, said = WRONG[wrong]
    if "ca" in changed:
        (tmp_path / "other").mkdir()
        changed = {"ca": str(Certificate(tmp_path / "other").ca)}
    secrets.remember(changed.get("password", LOGIN[1]))
    desk.mail(**changed)
    desk.refused("job", "run", "expiring")
    row, = desk.json("job", "waiting")
    assert row["to"] == f"user {desk.alice} ({desk.alice}@example.com)"
    assert said in row["failure"] and row["tries"] == 1
    assert smtpd.taken(desk.alice) == 0 and not smtpd.mails(desk.alice)
    desk.mail()
    assert desk.json("job", "run", "expired")["sent"] == 1
    came_once(desk, smtpd)
