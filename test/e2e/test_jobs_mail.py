"""Who is told of what: the daily checks and their mail, sent to a real SMTP
server (aiosmtpd). GitLab's numbers: gitlab-tokens 4.2.
"""

import datetime
import email.utils
import ssl

import pytest

from support import secrets
from support.dockpass import Dockpass, on
from support.mail import Post
from support.process import wait_until
from support.site import Certificate
from support.world import World

TODAY = datetime.datetime.now(datetime.timezone.utc).date()


def day(n):
    return str(TODAY + datetime.timedelta(days=n))


def mail_to(post, **more):
    return {"url": f"smtp://127.0.0.1:{post.port}",
            "from": "dockpass@example.com", **more}


@pytest.fixture
def post():
    with Post() as post:
        yield post


@pytest.fixture
def desk(tmp_path, post, faketime):
    """A store without a server: checks are run by hand."""
    with Dockpass(tmp_path, mail=mail_to(post)) as desk:
        desk.user("alice")
        yield desk


def run(desk, job, date):
    """As on that day."""
    return desk.json("job", "run", job, env=on(date) if date != day(0) else None)


def told(post):
    """{recipient: [the names that each of his mails has]}, and forgets."""
    found = {}
    for mail in post.mails:
        rows = [line.split("  ")[2].rsplit(" (id", 1)[0]
                for line in mail.get_content().splitlines()
                if line.startswith("  ") and " (id " in line]
        found.setdefault(mail["To"], []).append(rows)
    post.mails.clear()
    return found


ALICE = "alice@example.com"


# row, days from the check's date to the token's death; told by expiring?
WINDOW = [
    ("dies today", 0, False), ("dies tomorrow", 1, True),
    ("dies in seven days", 7, True), ("G134 dies in eight", 8, False),
]


@pytest.mark.parametrize("row", WINDOW, ids=[row[0] for row in WINDOW])
def test_g134_the_window(desk, post, row):
    desk.token("alice", scopes="api", name="one", expires=day(30))
    desk.token("alice", scopes="api", name="never")
    assert run(desk, "expiring", day(30 - row[1]))["found"] == row[2]
    assert told(post) == ({ALICE: [["one"]]} if row[2] else {})


def test_g136_one_mail_with_all_names(desk, post):
    for name, n in (("three", 33), ("five", 35), ("nine", 39)):
        desk.token("alice", scopes="api", name=name, expires=day(n))
    done = run(desk, "expiring", day(30))
    assert done == {"name": "expiring", "date": day(30), "found": 2,
                    "queued": 1, "sent": 1}
    assert told(post) == {ALICE: [["three", "five"]]}
    assert run(desk, "expiring", day(30))["found"] == 0
    assert run(desk, "expiring", day(31))["found"] == 0
    assert told(post) == {}
    run(desk, "expiring", day(32))
    assert told(post) == {ALICE: [["nine"]]}


def test_the_day_itself(desk, post):
    desk.token("alice", scopes="api", name="dead", expires=day(30))
    desk.token("alice", scopes="api", name="later", expires=day(31))
    assert run(desk, "expired", day(30))["found"] == 1
    assert told(post) == {ALICE: [["dead"]]}
    assert run(desk, "expired", day(30))["found"] == 0
    run(desk, "expired", day(31))
    assert told(post) == {ALICE: [["later"]]}


def test_more_warnings_by_setting(desk, post):
    desk.cli("settings", "set", "expiry_notice_days", "60,30,7,1")
    desk.token("alice", scopes="api", name="one", expires=day(100))
    days = {}
    for left in range(63, -3, -1):
        run(desk, "expiring", day(100 - left))
        for names in told(post).get(ALICE, []):
            days[left] = names
    assert days == {left: ["one"] for left in (60, 30, 7, 1)}


def test_revoked_and_impersonation_are_told_to_nobody(desk, post):
    desk.token("alice", scopes="api", name="gone", expires=day(5))
    desk.cli("token", "revoke", desk.token_id("gone"))
    desk.token("alice", "--impersonation", scopes="api", name="hidden",
               expires=day(5))
    assert run(desk, "expiring", day(0))["found"] == 0
    assert run(desk, "expired", day(5))["found"] == 0
    assert told(post) == {}


def test_g138_a_blocked_owner(desk, post):
    """No mail; he is told if he comes back before they die."""
    desk.token("alice", scopes="api", name="one", expires=day(5))
    desk.cli("user", "block", "alice")
    done = desk.run("job", "run", "expiring", "--config", desk.config_file)
    assert "nobody was told" in done.stderr and told(post) == {}
    desk.cli("user", "unblock", "alice")
    run(desk, "expiring", day(3))
    assert told(post) == {ALICE: [["one"]]}


def test_enforcement_off_and_the_mail_goes_on(desk, post):
    desk.cli("settings", "set", "enforce_token_expiry", "false")
    desk.token("alice", scopes="api", name="one", expires=day(5))
    run(desk, "expiring", day(0))
    run(desk, "expired", day(5))
    assert told(post) == {ALICE: [["one"], ["one"]]}


def test_g142_a_project_tells_its_maintainers_and_owners(tmp_path, post):
    with World(tmp_path, mail=mail_to(post)) as world:
        world.cli("member", "add", "g/priv", "eve", "owner")
        world.cli("member", "add", "g/priv", "ext", "maintainer")
        world.cli("user", "block", "ext")
        world.token("--project", "g/priv", scopes="api", name="ci",
                    expires=day(7))
        world.token("--group", "g", scopes="api", name="all",
                    expires=day(7))
        assert run(world, "expiring", day(0))["queued"] == 3
        text = post.mails[0].get_content()
        got = told(post)
        assert {who: sorted(rows) for who, rows in got.items()} == {
            "bob@example.com": [["all"], ["ci"]],
            "eve@example.com": [["ci"]]}
        assert "g" in text and "_bot_" not in str(got)


def test_g144_names_that_are_no_header(desk, post):
    """Controls cannot be stored, but bytes, words and length can."""
    names = ["=?UTF-8?Q?Bcc:_eve?=", "ä" * 120, "a" * 255, ". .",
             "Ünïcode ✓"]
    for name in names:
        desk.token("alice", scopes="api", name=name, expires=day(5))
    for bad in ("a\r\nBcc: eve@example.com", "a\x07", "\u202etxt"):
        desk.refused("token", "create", "alice", "--name", bad, "--scopes",
                     "api")
    run(desk, "expiring", day(0))
    mail, = post.mails
    assert mail.keys() == ["Date", "From", "To", "Subject", "Message-ID",
                           "Auto-Submitted", "MIME-Version", "Content-Type",
                           "Content-Transfer-Encoding"]
    assert max(map(len, mail.raw.split(b"\r\n"))) <= 78
    assert names[0] in mail["Subject"] and "Bcc" not in mail.keys()
    got = told(post)[ALICE][0]
    assert got == names


def test_what_a_mail_says(desk, post):
    secret = desk.token("alice", scopes="api", name="laptop", expires=day(5))
    run(desk, "expiring", day(0))
    mail, = post.mails
    text = mail.get_content()
    assert mail["Subject"] == \
        f'dockpass: access token "laptop": expires soon ({day(5)})'
    assert mail["From"] == "dockpass@example.com" and mail["To"] == ALICE
    assert (mail.envelope.mail_from, mail.envelope.rcpt_tos) == \
        ("dockpass@example.com", [ALICE])
    when = email.utils.parsedate_to_datetime(mail["Date"])
    assert abs(when.timestamp() - datetime.datetime.now().timestamp()) < 60
    assert mail["Message-ID"].endswith("dockpass@example.com>")
    assert day(5) in text and "laptop" in text and desk.url in text
    assert "dockpass token rotate" in text and secret not in str(mail.raw)


def test_a_subject_has_three_names_and_the_first_date(desk, post):
    for name, n in (("late", 9), ("soon", 4), ("x", 6), ("y", 7)):
        desk.token("alice", scopes="api", name=name, expires=day(n))
    run(desk, "expiring", day(2))
    run(desk, "expired", day(9))
    assert [mail["Subject"] for mail in post.mails] == [
        'dockpass: access tokens "late", "soon", "x" and 1 more: expire soon '
        f"({day(4)})",
        'dockpass: access tokens "late", "soon", "x" and 1 more: have expired '
        f"({day(4)})"]


def test_a_long_name_is_cut_in_a_subject(desk, post):
    """After 60 bytes at most, and whole characters; the text has all of it."""
    name = "a" + "ä" * 120
    desk.token("alice", scopes="api", name=name, expires=day(5))
    run(desk, "expiring", day(0))
    assert post.mails[0]["Subject"] == \
        f'dockpass: access token "{name[:30]}...": expires soon ({day(5)})'
    assert told(post) == {ALICE: [[name]]}


# A 451 may be of this letter; the others are of all.
@pytest.mark.parametrize("answer, tries", [
    ("451 later", 2), ("550 not from here", 2), ("421 going down", 1),
    ("530 log in first", 1), ("535 not you", 1)])
def test_whether_the_next_is_tried(desk, post, answer, tries):
    desk.user("bob")
    for user in ("alice", "bob"):
        desk.token(user, scopes="api", name="one", expires=day(5))
    post.keeper.refuse["MAIL"] = answer
    desk.refused("job", "run", "expiring")
    assert post.keeper.commands.count("MAIL") == tries
    assert desk.json("job", "list")[0]["waiting"] == 2


def test_a_hundred_names_and_how_many_more(desk, post):
    for n in range(103):
        desk.token("alice", scopes="api", name=f"token {n}", expires=day(5))
    assert run(desk, "expiring", day(0))["found"] == 103
    text = post.mails[0].get_content()
    assert "  and 3 more" in text
    assert told(post)[ALICE] == [[f"token {n}" for n in range(100)]]
    assert run(desk, "expiring", day(1))["found"] == 0


def test_without_mail_nobody_counts_as_told(tmp_path, post):
    with Dockpass(tmp_path) as desk:
        desk.user("alice")
        desk.token("alice", scopes="api", name="one", expires=day(5))
        status, said = desk.refused("job", "run", "expiring")
        assert status == 1 and "neither mail nor webhook" in said
        row = desk.json("job", "list")[0]
        assert "neither mail nor webhook" in row["failure"]
        assert row["untold"] == 1 and row["failed_at"] is None
        desk.configure(mail=mail_to(post))
        run(desk, "expiring", day(0))
        assert desk.json("job", "list")[0]["failure"] is None
        assert told(post) == {ALICE: [["one"]]}


@pytest.mark.parametrize("address", ["a b@example.com", "alice", "<a@b.c>",
                                     "a@b.c, d@e.f", "ä@example.com"])
def test_addresses_that_are_none(desk, post, address):
    desk.cli("user", "add", "odd", "--email", address)
    desk.token("odd", scopes="api", name="one", expires=day(5))
    desk.token("alice", scopes="api", name="two", expires=day(5))
    assert run(desk, "expiring", day(0))["queued"] == 1
    assert told(post) == {ALICE: [["two"]]}


# How it goes to the server

def context(certificate):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate.file, certificate.key)
    return tls


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return Certificate(tmp_path_factory.mktemp("tls"))


PASSWORD = "correct-horse-battery"

# row: (Post's options, mail's options, does it arrive, by TLS or else why)
LINES = [
    ("plain", {}, {}, True, False),
    ("plain, TLS required", {}, {"starttls": "required"}, False, None),
    ("STARTTLS offered, any certificate", {"tls": True}, {}, True, True),
    ("STARTTLS offered, a ca that is not its", {"tls": True},
     {"ca": "other"}, False, None),
    ("a ca, and STARTTLS was taken out", {}, {"ca": "right"}, False, None),
    ("unless that is said to be right", {},
     {"starttls": "opportunistic", "ca": "right"}, True, False),
    ("required, its ca", {"tls": True}, {"starttls": "required",
                                         "ca": "right"}, True, True),
    ("required, the system's authorities", {"tls": True},
     {"starttls": "required"}, False, None),
    ("smtps", {"tls": True, "smtps": True}, {"ca": "right"}, True, True),
    ("smtps, not trusted", {"tls": True, "smtps": True}, {}, False, None),
    ("a login", {"tls": True, "login": True},
     {"starttls": "required", "ca": "right", "user": "post"}, True, True),
    ("a wrong login", {"tls": True, "login": True},
     {"starttls": "required", "ca": "right", "user": "other"}, False,
     "Login denied"),
    ("no login", {"tls": True, "login": True}, {}, False, None),
    *((f"a login by {way} alone", {"tls": True, "login": True, "way": way},
       {"starttls": "required", "ca": "right", "user": "post"}, True, True)
      for way in ("PLAIN", "LOGIN", "CRAM-MD5")),
    ("a login, Kerberos first", {"tls": True, "login": "post@example.com",
                                 "offers": "GSSAPI NTLM PLAIN"},
     {"starttls": "required", "ca": "right", "user": "post@example.com"}, True,
     True),
    ("no login that we know", {"tls": True, "login": True,
                               "offers": "GSSAPI NTLM"},
     {"starttls": "required", "ca": "right", "user": "post"}, False,
     "offers neither PLAIN nor LOGIN nor CRAM-MD5 to log in by"),
]


@pytest.mark.parametrize("row", LINES, ids=[row[0] for row in LINES])
def test_lines(tmp_path, certificate, row):
    _, server, options, arrives, how = row
    server = dict(server)
    if server.get("tls"):
        server["tls"] = context(certificate)
    if server.get("login"):
        server["login"] = ("post" if server["login"] is True else
                           server["login"], PASSWORD)
    offers = server.pop("offers", "LOGIN PLAIN")
    (tmp_path / "other").mkdir()
    options = dict(options)
    if "ca" in options:
        other = Certificate(tmp_path / "other")
        options["ca"] = str({"right": certificate, "other": other}[
            options["ca"]].ca)
    if "user" in options:
        file = tmp_path / "password"
        file.write_text(secrets.remember(PASSWORD) + "\n")
        file.chmod(0o600)
        options["password_file"] = str(file)
    with Post(**server) as post, Dockpass(tmp_path) as desk:
        post.keeper.offers = offers
        scheme = "smtps" if server.get("smtps") else "smtp"
        desk.configure(mail={"url": f"{scheme}://localhost:{post.port}",
                             "from": "dockpass@example.com", **options})
        desk.user("alice")
        desk.token("alice", scopes="api", name="one", expires=day(5))
        done = desk.run("job", "run", "expiring", "--config",
                        desk.config_file, check=False)
        assert (done.returncode == 0) == arrives, done
        assert len(post.mails) == arrives
        if arrives:
            assert post.mails[0].tls == how
            assert bool(post.mails[0].login) == ("user" in options)
        else:
            assert desk.json("job", "list")[0]["waiting"] == 1
            assert (how or "") in done.stderr


def test_no_proxy_is_asked_for_mail(desk, post):
    desk.token("alice", scopes="api", name="one", expires=day(5))
    desk.cli("job", "run", "expiring", "--date", day(0), env={
        "ALL_PROXY": "http://127.0.0.1:9", "all_proxy": "http://127.0.0.1:9"})
    assert told(post) == {ALICE: [["one"]]}


def test_the_server_sends_what_a_command_could_not(tmp_path, post):
    """Nothing is sent twice."""
    with Dockpass(tmp_path, mail=mail_to(post)) as desk:
        desk.user("alice")
        desk.token("alice", scopes="api", name="one", expires=day(5))
        post.keeper.refuse["MAIL"] = "451 later"
        desk.refused("job", "run", "expiring")
        post.keeper.refuse.clear()
        desk.serve()
        wait_until(lambda: post.mails, 20, "no mail")
        assert told(post) == {ALICE: [["one"]]}
        wait_until(lambda: desk.json("job", "list")[0]["waiting"] == 0, 10,
                   "it is still queued")
