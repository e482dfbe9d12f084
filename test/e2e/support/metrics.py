"""The admin listener of a dockpass: its metrics as numbers."""

import re

import requests

from support.dockpass import PATIENCE
from support.process import wait_until

SAMPLE = re.compile(r'([a-z_]+)(?:\{([^}]*)\})? (\S+)')


def get(dockpass, path="/metrics", **kwargs):
    return requests.get(f"http://127.0.0.1:{dockpass.admin_port}{path}",
                        timeout=20 * PATIENCE, **kwargs)


def parse(text):
    """{"name{labels}": number}; a line that is no sample is a comment."""
    samples = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, number = SAMPLE.fullmatch(line).groups()
        key = f"{name}{{{labels}}}" if labels else name
        assert key not in samples, key
        samples[key] = float(number)
    return samples


def scrape(dockpass):
    answer = get(dockpass)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == \
        "text/plain; version=0.0.4; charset=utf-8"
    return parse(answer.text)


def crowded(samples):
    """Connections over a limit, whichever."""
    return sum(number for key, number in samples.items()
               if key.startswith("dockpass_connections_crowded_total{"))


def families(text):
    """{name: type}"""
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))


def reaches(dockpass, key, number, seconds=30):
    """Waits until a sample has this number."""
    wait_until(lambda: scrape(dockpass).get(key) == number,
               seconds * PATIENCE, lambda: (key, scrape(dockpass).get(key)))


def rise(before, after):
    """What has changed; gauges of the process itself left out."""
    return {key: after[key] - before.get(key, 0) for key in after
            if after[key] != before.get(key, 0)
            and not key.startswith("process_")}
