"""What Prometheus and its tools make of the metrics; and that dashboard, alerts
and README name what there is."""

import json
import os
import re
import shutil
import subprocess

import pytest
import yaml

from support import metrics
from support.dockpass import TOP
from test_readme import section

PROMTOOL = shutil.which("promtool", path=os.environ["PATH"] + ":/usr/sbin")
SUFFIX = re.compile("_(bucket|sum|count)$")


@pytest.fixture(scope="module")
def promtool():
    if not PROMTOOL:
        pytest.skip("promtool is not installed (Debian: prometheus)")

    def run(*args, stdin=None):
        done = subprocess.run([PROMTOOL, *args], input=stdin, text=True,
                              capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr
    return run


@pytest.fixture(scope="module")
def text(world):
    return metrics.get(world).text


def panels():
    return json.loads((TOP / "docker/grafana.json").read_text())["panels"]


def rules():
    group, = yaml.safe_load((TOP / "docker/alerts.yml").read_text())["groups"]
    return group["rules"]


def expressions():
    """Those of the dashboard, with what Grafana puts in, and the alerts'."""
    for panel in panels():
        for target in panel["targets"]:
            yield target["expr"].replace("$__rate_interval", "5m").replace(
                "$instance", ".*")
    for rule in rules():
        yield rule["expr"]


def test_promtool_finds_nothing(promtool, text):
    assert promtool("check", "metrics", stdin=text).strip() == ""


def test_promtool_takes_the_alerts(promtool):
    said = promtool("check", "rules", str(TOP / "docker/alerts.yml"))
    assert f"{len(rules())} rules found" in said


def test_promtool_takes_the_dashboards_expressions(promtool, tmp_path):
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": [
        {"record": f"x{i}", "expr": expr}
        for i, expr in enumerate(expressions())]}]}))
    promtool("check", "rules", str(file))


def alarm(name, series, minute, fires):
    """A case of `promtool test rules`. `series`: {sample: its values}"""
    return {"interval": "1m", "input_series": [
        {"series": key, "values": values} for key, values in series.items()],
        "promql_expr_test": [{
            "expr": f'count(ALERTS{{alertname="{name}",alertstate="firing"}})',
            "eval_time": f"{minute}m",
            "exp_samples": [{"labels": "{}", "value": 1}] if fires else []}]}


REQUESTS = 'dockpass_token_requests_total{outcome="%s",reason="%s"}'
MIXED = {REQUESTS % ("issued", "granted"): "0+1000x60"}
# name, series, minute, fires
ALARMS = [
    ("DockpassDown", {'up{job="dockpass"}': "0x20"}, 10, True),
    ("DockpassDown", {'up{job="dockpass"}': "1x20"}, 10, False),
    ("DockpassFailing", {**MIXED, REQUESTS % ("failed", "failure"):
                         "0+20x60"}, 30, True),
    ("DockpassFailing", {**MIXED, REQUESTS % ("failed", "failure"):
                         "0+5x60"}, 30, False),
    ("DockpassFailing", {REQUESTS % ("issued", "granted"): "0x60",
                         REQUESTS % ("failed", "failure"): "0x60"}, 30, False),
    ("DockpassRefusing", {**MIXED, REQUESTS % ("refused", "unknown_token"):
                          "0+1100x60"}, 50, True),
    ("DockpassRefusing", {**MIXED, REQUESTS % ("refused", "unknown_token"):
                          "0+900x60"}, 50, False),
    # A small site by night: a job with a dead token, every ten minutes.
    ("DockpassRefusing", {
        REQUESTS % ("issued", "granted"): "100x70",
        REQUESTS % ("refused", "token_expired"):
        "0x9 1x9 2x9 3x9 4x9 5x9 6x9"}, 60, False),
    ("DockpassGuessing", {**MIXED, "dockpass_answers_held_back_total":
                          "0+3000x60"}, 30, True),
    ("DockpassGuessing", {**MIXED, "dockpass_answers_held_back_total":
                          "0+1x60"}, 30, False),
    ("DockpassTurnsAway", {"dockpass_connections_crowded_total": "0+10x20"},
     15, True),
    ("DockpassTurnsAway", {"dockpass_connections_crowded_total": "50x20"},
     15, False),
    ("DockpassFull", {"dockpass_connections": "95x20",
                      "dockpass_connections_limit": "100x20"}, 10, True),
    ("DockpassFull", {"dockpass_connections": "80x20",
                      "dockpass_connections_limit": "100x20"}, 10, False),
    ("DockpassTurnsAway", {'dockpass_connections_crowded_total'
                           '{limit="held"}': "0+10x20"}, 15, True),
    ("DockpassTurnsAway", {'dockpass_connections_crowded_total'
                           '{limit="held"}': "0+1x20"}, 15, False),
    ("DockpassReloadFailed", {"dockpass_reload_successful": "0x20"}, 10, True),
    ("DockpassKeyEnds", {'dockpass_key_expiry_timestamp_seconds'
                         '{state="current"}': "2500000x20"}, 10, True),
    ("DockpassKeyEnds", {'dockpass_key_expiry_timestamp_seconds'
                         '{state="retired"}': "2500000x20"}, 10, False),
    ("DockpassKeyEnds", {'dockpass_key_expiry_timestamp_seconds'
                         '{state="current"}': "2700000x20"}, 10, False),
    ("DockpassStoreLocked", {"dockpass_writer_wait_seconds": "0x5 30+60x5"},
     8, True),
    ("DockpassStoreLocked", {"dockpass_writer_wait_seconds": "9x20"},
     10, False),
    ("DockpassStoreFailing", {"dockpass_store_commits_failed_total":
                              "0x10 1x20"}, 15, True),
    ("DockpassStoreFailing", {"dockpass_store_commits_failed_total":
                              "3x30"}, 20, False),
    ("DockpassDiskFull", {"dockpass_store_disk_free_bytes": "9000x20"},
     10, True),
    ("DockpassDiskFull", {"dockpass_store_disk_free_bytes": "105000000x20"},
     10, False),
    ("DockpassLogFailing", {"dockpass_log_failing": "1x20",
                            "dockpass_log_lines_lost_total": "0x20"}, 10, True),
    ("DockpassLogFailing", {"dockpass_log_failing": "0x20",
                            "dockpass_log_lines_lost_total": "0x5 7x20"},
     10, True),
    ("DockpassLogFailing", {"dockpass_log_failing": "0x20",
                            "dockpass_log_lines_lost_total": "7x20"},
     10, False),
    ("DockpassNoticesStuck", {"dockpass_notices_oldest_age_seconds":
                              "15000x20"}, 10, True),
    ("DockpassNoticesLost", {"dockpass_notices_given_up": "_x5 1x20"},
     10, True),
    ("DockpassNoticesLost", {"dockpass_notices_given_up": "0x20"}, 10, False),
    ("DockpassChecksMissed", {'dockpass_check_last_run_timestamp_seconds'
                              '{check="lifetime"}': "0x3000"}, 2000, False),
    ("DockpassChecksMissed", {'dockpass_check_last_run_timestamp_seconds'
                              '{check="expired"}': "60x3000"}, 2000, True),
    ("DockpassChecksMissed", {'dockpass_check_last_run_timestamp_seconds'
                              '{check="expired"}': "60x3000"}, 1560, False),
]


def test_when_the_alarms_go_off(promtool, tmp_path):
    file = tmp_path / "alarms.yml"
    file.write_text(yaml.safe_dump({
        "rule_files": [str(TOP / "docker/alerts.yml")],
        "tests": [alarm(*row) for row in ALARMS]}))
    promtool("test", "rules", str(file))


def test_every_metric_has_its_two_lines_and_one_block(text):
    names = []
    for line in text.splitlines():
        found = re.fullmatch(r"# (HELP|TYPE) (\S+) (.+)", line)
        if found:
            kind, name, rest = found.groups()
            if kind == "HELP":
                assert rest.endswith(".")
                names.append(name)
            assert name == names[-1]
        else:
            assert SUFFIX.sub("", line.split("{")[0].split(" ")[0]) in (
                names[-1], SUFFIX.sub("", names[-1])), line
    assert sorted(metrics.families(text)) == sorted(set(names))
    assert len(names) == len(set(names)) > 25


def test_dashboard_and_alerts_name_what_there_is(text):
    """Metrics, and their labels."""
    known = metrics.families(text)
    labels = {}
    for key in metrics.parse(text):
        name, _, rest = key.partition("{")
        labels.setdefault(name, set()).update(
            re.findall(r'([a-z]+)="', rest))
    # There is one where there is TLS.
    labels["dockpass_certificate_expiry_timestamp_seconds"] = {
        "listener", "file", "sha256"}
    used = set()
    for expr in expressions():
        for name, inside in re.findall(
                r"\b((?:dockpass|process)_\w+)(?:\{([^}]*)\})?", expr):
            family = name if name in known else SUFFIX.sub("", name)
            assert family in known, (name, expr)
            assert set(re.findall(r"(\w+)[=!]", inside)) <= \
                labels.get(name, set()) | {"instance", "job"}, expr
            used.add(family)
    assert len(panels()) >= 12
    # What nobody looks at need not be told. (The configuration: doctor does.)
    assert set(known) - used <= {"dockpass_draining", "dockpass_config_info",
                                 "dockpass_reload_success_timestamp_seconds"}


def test_readme_has_every_alert_and_metric(text):
    told = section("Metrics")
    assert re.findall(r"^\| `(Dockpass\w+)` \|", told, re.M) == [
        rule["alert"] for rule in rules()]
    for name in re.findall(r"`((?:dockpass|process)_\w+)", told):
        assert name in metrics.families(text), name
