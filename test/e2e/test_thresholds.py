"""When a thing is said to be near its end: one place has the numbers, and what
else knows them says the same.
"""

import re

import pytest
import yaml

from support.dockpass import TOP

HEADER = (TOP / "server/thresholds.h").read_text()
NUMBERS = {name: int(value) for name, value in
           re.findall(r"^\t([A-Z_]+) = (\d+),", HEADER, re.M)}
GROUP, = yaml.safe_load((TOP / "docker/alerts.yml").read_text())["groups"]
RULES = {rule["alert"]: rule for rule in GROUP["rules"]}
README = (TOP / "README.md").read_text()

# alert, the end of its expression, what its text says
ALERTS = [
    ("DockpassKeyEnds", "< {KEY_ALERT_DAYS} * 86400",
     "ends within {KEY_ALERT_DAYS} days"),
    ("DockpassCertificateEnds", "< {TLS_ALERT_DAYS} * 86400",
     "ends within {TLS_ALERT_DAYS} days"),
    ("DockpassDiskFull", "< {DISK_FULL_MIB} * 1024 * 1024",
     "less than {DISK_FULL_MIB} MiB left"),
    ("DockpassStoreFull", "> 0.{NEARLY_FULL:.1} * dockpass_store_limit_bytes",
     ""),
    ("DockpassReadersFull",
     "> 0.{NEARLY_FULL:.1} * dockpass_store_readers_limit", ""),
    ("DockpassFull", "> 0.{NEARLY_FULL:.1} * dockpass_connections_limit", ""),
]
SAYS = [
    "of signing keys that end within {KEY_WARN_DAYS} days, of TLS "
    "certificates that do within {TLS_WARN_DAYS}",
    "the signing key's certificate ends within {KEY_ALERT_DAYS} days",
    "`client_ca`, ends within {TLS_ALERT_DAYS} days",
    "less than {DISK_FULL_MIB} MiB are left on the store's disk",
    "disk (warned of below {DISK_WARN_MIB} MiB)",
]


def fill(text):
    return text.format(**{name: str(value)
                          for name, value in NUMBERS.items()})


def test_the_numbers_are_read():
    assert set(NUMBERS) == {"KEY_WARN_DAYS", "KEY_ALERT_DAYS",
                            "TLS_WARN_DAYS", "TLS_ALERT_DAYS",
                            "DISK_WARN_MIB", "DISK_FULL_MIB", "NEARLY_FULL"}
    assert NUMBERS["NEARLY_FULL"] % 10 == 0


@pytest.mark.parametrize("name, expr, text", ALERTS)
def test_an_alert(name, expr, text):
    assert RULES[name]["expr"].endswith(fill(expr)), RULES[name]
    assert fill(text) in RULES[name]["annotations"]["summary"]


@pytest.mark.parametrize("text", SAYS)
def test_what_readme_says(text):
    assert fill(text) in " ".join(README.split())


def test_each_alert_that_the_header_names_is_there():
    named = set(re.findall(r"Dockpass[A-Za-z]+", HEADER))
    assert named == {name for name, *_ in ALERTS} <= set(RULES)
