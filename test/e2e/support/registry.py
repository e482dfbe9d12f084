"""A real registry, configured by what `dockpass registry-config` prints."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import requests
import yaml

from support import golang
from support.process import Daemon, free_ports

# Go module versions.
VERSIONS = {"3.0": "v3.0.0", "3.1": "v3.1.2"}
MODULE = "github.com/distribution/distribution/v3/cmd/registry"


def program(version):
    """The program of a version, or a skip that says why there is none."""
    if version == "2.8":
        return shutil.which("docker-registry") or \
            pytest.skip("docker-registry is not installed")
    if version == "zot":
        return os.environ.get("ZOT") or \
            pytest.skip("ZOT=PROGRAM names no zot")
    return golang.program(MODULE, VERSIONS[version])


class Registry:
    """`options` and `env` go to registry-config, whose text is used as it is:
    pasted, or as variables (`--format env`). `tls`: a support.site.Certificate.
    `dockpass` None: it lets everybody do everything.
    """

    def __init__(self, folder, dockpass, version, *options, tls=None,
                 env=None):
        command = program(version)
        self.folder = Path(folder)
        self.folder.mkdir()
        self.version = version
        self.port = free_ports(1)[0]
        self.host = f"localhost:{self.port}"
        self.tls = tls
        stanza = dockpass.cli("registry-config", *options, env=env) \
            if dockpass else ""
        self.greeting = 401 if dockpass else 200
        self.variables = {}
        if "env" in options:
            self.variables = dict(line.split("=", 1)
                                  for line in stanza.splitlines())
            stanza = ""
        config = self.folder / "config.yml"
        config.write_text(self.configuration(stanza, dockpass))
        self.daemon = Daemon([command, "serve", config],
                             self.folder / "registry.log",
                             env=self.environment())
        self.daemon.wait_ready(lambda: self.ping() == self.greeting)

    def environment(self):
        """Variables named REGISTRY_ would be part of its configuration."""
        return {key: value for key, value in os.environ.items()
                if not key.startswith("REGISTRY_")} | \
            {"OTEL_TRACES_EXPORTER": "none"} | self.variables

    def configuration(self, stanza, _):
        return self.base() + stanza

    def base(self):
        tls = f"  tls: {{certificate: {self.tls.file}, key: {self.tls.key}}}\n" \
            if self.tls else ""
        return f"""version: 0.1
log: {{level: info, accesslog: {{disabled: false}}}}
storage:
  filesystem: {{rootdirectory: {self.folder}/data}}
  delete: {{enabled: true}}
http:
  addr: 127.0.0.1:{self.port}
  secret: one
{tls}"""

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{self.host}"

    def get(self, path, token=None, method="GET", headers=None, **kwargs):
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.request(
            method, self.url + path, headers={**(headers or {}), **bearer},
            timeout=20, verify=str(self.tls.ca) if self.tls else True,
            **kwargs)

    def ping(self, token=None):
        try:
            return self.get("/v2/", token).status_code
        except requests.ConnectionError:
            return 0

    @property
    def output(self):
        return self.daemon.output

    def requests(self):
        """(method, target, status) of each request that its log tells of."""
        return [(method, target, int(status)) for method, target, status in
                re.findall(r'"([A-Z]+) (/v2/\S*) HTTP/1\.1" (\d+) ',
                           self.output)]

    def restart(self):
        self.daemon.end()
        self.daemon = Daemon(self.daemon.process.args, self.daemon.log,
                             env=self.environment())
        self.daemon.wait_ready(lambda: self.ping() == self.greeting)

    def stop(self):
        self.daemon.end()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Zot(Registry):
    """It takes one key and no list of them, and has a form of its own for
    what registry-config prints."""

    def configuration(self, stanza, dockpass):
        told = yaml.safe_load(stanza)["auth"]["token"]
        key = self.folder / "key.pem"
        key.write_text(dockpass.cli("key", "export", "--current", "--format",
                                    "pem"))
        return json.dumps({
            "storage": {"rootDirectory": f"{self.folder}/data"},
            "http": {
                "address": "127.0.0.1", "port": str(self.port),
                "compat": ["docker2s2"],
                "readTimeout": "10m", "writeTimeout": "10m",
                "auth": {"bearer": {"realm": told["realm"],
                                    "service": told["service"],
                                    "cert": str(key)}}},
            "log": {"level": "debug"}})

    def requests(self):
        lines = (json.loads(line) for line in self.output.splitlines()
                 if '"HTTP API"' in line)
        return [(line["method"], line["path"], line["statusCode"])
                for line in lines]


def registry_of(version):
    return Zot if version == "zot" else Registry


def version_of(version):
    """What the program says of itself; a skip if there is none."""
    command = program(version)
    if version in VERSIONS:
        return VERSIONS[version].removeprefix("v")
    done = subprocess.run([command, "--version"], text=True,
                          capture_output=True, timeout=20, check=False)
    words = re.search(r'(?: |"commit":"v?)(\d[^\s",]+)',
                      done.stdout + done.stderr)
    return words[1] if words else "of no version"
