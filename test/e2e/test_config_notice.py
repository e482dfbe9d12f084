"""The sections mail and webhook of dockpass.yaml: what is refused and why."""

import pytest

from support import secrets
from support.dockpass import Dockpass

ONE = "services: [{name: r}]\n"
FROM = "from: a@b.c"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with Dockpass(tmp_path_factory.mktemp("desk")) as desk:
        for name, mode, text in (
                ("secret", 0o600, "0123456789abcdef-hook\n"),
                ("open", 0o644, "0123456789abcdef-open\n"),
                ("short", 0o600, "0123456789\n"), ("empty", 0o600, "\n"),
                ("two", 0o600, "0123456789abcdef\nsecond-line-of-two\n")):
            file = desk.folder / name
            file.write_text(text)
            file.chmod(mode)
        secrets.remember("0123456789abcdef-hook")
        yield desk


# row: (section, what is said of it)
MISTAKES = {
    "no url": (f"mail: {{{FROM}}}", "mail: has no url"),
    "no from": ("mail: {url: 'smtp://h'}", "mail: has no from; add"),
    "a from that is none": ("mail: {url: 'smtp://h', from: 'A <a@b.c>'}",
                            "mail.from: is no address"),
    "another scheme": (f"mail: {{url: 'http://h', {FROM}}}",
                       "mail.url: must begin with smtp:// or smtps://"),
    "no host": (f"mail: {{url: 'smtp://', {FROM}}}",
                "mail.url: has no valid host or port"),
    "no port": (f"mail: {{url: 'smtp://h:0', {FROM}}}",
                "mail.url: has no valid host or port"),
    "a path": (f"mail: {{url: 'smtp://h/x', {FROM}}}",
               "mail.url: has no valid host or port"),
    "a login in the url": (f"mail: {{url: 'smtp://u:p@h', {FROM}}}",
                           "mail.url: holds a login; write it as mail.user"),
    "a word outside a closed list": (
        f"mail: {{url: 'smtp://h', {FROM}, starttls: maybe}}",
        "mail.starttls: is neither required nor opportunistic"),
    "a user alone": (f"mail: {{url: 'smtps://h', {FROM}, user: u}}",
                     "mail.user: a login needs user and password_file"),
    "a password alone": (
        f"mail: {{url: 'smtps://h', {FROM}, password_file: secret}}",
        "mail.password_file: a login needs user and password_file"),
    "a password in clear": (
        f"mail: {{url: 'smtp://h', {FROM}, user: u, password_file: secret}}",
        "mail.starttls: the password might go over the network in clear"),
    "nearly this machine": (
        f"mail: {{url: 'smtp://localhost.example', {FROM}, user: u, "
        "password_file: secret}", "mail.starttls: the password might go"),
    "a password that others can read": (
        f"mail: {{url: 'smtps://h', {FROM}, user: u, password_file: open}}",
        "group or others can read or write it; run: chmod 600"),
    "a password that is not there": (
        f"mail: {{url: 'smtps://h', {FROM}, user: u, password_file: none}}",
        "none: No such file or directory"),
    "an empty password": (
        f"mail: {{url: 'smtps://h', {FROM}, user: u, password_file: empty}}",
        "empty: must hold one line of at least 1 bytes"),
    "a password of two lines": (
        f"mail: {{url: 'smtps://h', {FROM}, user: u, password_file: two}}",
        "two: must hold one line"),
    "a ca that is not there": (f"mail: {{url: 'smtps://h', {FROM}, ca: none}}",
                               "none: No such file or directory"),
    "a webhook without a secret": ("webhook: {url: 'https://h'}",
                                   "webhook: needs both url and secret_file"),
    "a secret without a webhook": ("webhook: {secret_file: secret}",
                                   "webhook: needs both url and secret_file"),
    "a webhook of another scheme": (
        "webhook: {url: 'ftp://h', secret_file: secret}",
        "webhook.url: must begin with https:// or http://"),
    "a webhook with a login": (
        "webhook: {url: 'https://u:p@h/x', secret_file: secret}",
        "webhook.url: has no valid host or port"),
    "a webhook with a blank": (
        "webhook: {url: 'https://h/a b', secret_file: secret}",
        "webhook.url: holds a blank"),
    "a short secret": ("webhook: {url: 'https://h', secret_file: short}",
                       "short: must hold one line of at least 16 bytes"),
    "a secret that others can read": (
        "webhook: {url: 'https://h', secret_file: open}",
        "group or others can read or write it; run: chmod 600"),
}


@pytest.mark.parametrize("row", MISTAKES)
def test_mistakes(desk, row):
    section, want = MISTAKES[row]
    file = desk.folder / "other.yaml"
    file.write_text(ONE + section + "\n")
    done = desk.run("check", "--config", file, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert want in done.stderr and done.stderr.count("\n") == 1, done.stderr


# row: (section, the options that check then shows)
RIGHT = {
    "the least": (f"mail: {{url: 'smtp://h', {FROM}}}",
                  {"mail.url": "smtp://h", "mail.from": "a@b.c"}),
    "a login over TLS": (
        f"mail: {{url: 'smtp://h:587', {FROM}, starttls: required, user: u, "
        "password_file: secret}", {"mail.user": "u"}),
    "a login on this machine": (
        f"mail: {{url: 'smtp://[::1]:25', {FROM}, user: u, "
        "password_file: secret}", {"mail.url": "smtp://[::1]:25"}),
    "a webhook": ("webhook: {url: 'http://h:8080/a?b=c', secret_file: secret}",
                  {"webhook.url": "http://h:8080/a?b=c"}),
}


@pytest.mark.parametrize("row", RIGHT)
def test_what_is_right(desk, row):
    section, want = RIGHT[row]
    file = desk.folder / "other.yaml"
    file.write_text(ONE + section + "\n")
    desk.config_file, saved = file, desk.config_file
    try:
        options = desk.json("check")["options"]
        text = desk.cli("check")
    finally:
        desk.config_file = saved
    assert {key: options[key] for key in want} == want
    for path in ("mail.password_file", "webhook.secret_file"):
        if options[path]:
            assert options[path] == str(desk.folder / "secret")
    # What it shows can be used as it is.
    file.write_text(text.removesuffix("ok\n"))
    assert desk.run("check", "--config", file).returncode == 0
    assert "0123456789abcdef" not in text
