"""A real registry, configured by what `dockpass registry-config` prints."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Callable, NamedTuple

import pytest
import requests
import yaml

from support import apart, golang
from support.process import Daemon, free_ports

class Registry:
    """`options` and `env` go to registry-config, whose text is used as it is:
    pasted, or as variables (`--format env`). `tls`: a support.site.Certificate.
    `dockpass` None: it lets everybody do everything.
    `address`: where it listens, `name`: what others call it.
    `reads_service`: it refuses the tokens of another one. `finds_all`: a HEAD
    finds what any repository has.
    """
    reads_service, finds_all = True, False
    address, name = "127.0.0.1", "localhost"

    def __init__(self, folder, dockpass, version, *options, tls=None,
                 env=None):
        command = PROGRAMS[version].find()
        self.folder = Path(folder)
        self.folder.mkdir()
        self.version = version
        self.port = free_ports(1)[0]
        self.host = f"{self.name}:{self.port}"
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
        return apart.environment(self.folder) | \
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
  addr: {self.address}:{self.port}
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

    def upload(self, token, repository, data):
        """Puts a blob there; its digest."""
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        begun = self.get(f"/v2/{repository}/blobs/uploads/", token, "POST")
        assert begun.status_code == 202, begun.text
        where = begun.headers["Location"].removeprefix(self.url)
        mark = "&" if "?" in where else "?"
        done = self.get(f"{where}{mark}digest={digest}", token, "PUT",
                        data=data)
        assert done.status_code == 201, done.text
        return digest

    def mark(self):
        """How long its log is."""
        return self.daemon.log.stat().st_size

    def requests(self, since=0):
        """(method, target, status) of each request of others than the tests
        that its log tells of; `since`: a mark()."""
        with self.daemon.log.open("rb") as log:
            log.seek(since)
            lines = log.read().decode(errors="replace").splitlines()
        return [found for line in lines if "python-requests" not in line and
                (found := self.request(line))]

    @staticmethod
    def request(line):
        found = re.search(r'"([A-Z]+) (/v2/\S*) HTTP/1\.1" (\d+) ', line)
        return found and (found[1], found[2], int(found[3]))

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
    reads_service, finds_all = False, True

    def auth(self, stanza, dockpass):
        told = yaml.safe_load(stanza)["auth"]["token"]
        key = self.folder / "key.pem"
        key.write_text(dockpass.cli("key", "export", "--current", "--format",
                                    "pem"))
        return {"bearer": {"realm": told["realm"], "service": told["service"],
                           "cert": str(key)}}

    def configuration(self, stanza, dockpass):
        return json.dumps({
            "storage": {"rootDirectory": f"{self.folder}/data"},
            "http": {
                "address": "127.0.0.1", "port": str(self.port),
                "compat": ["docker2s2"],
                "readTimeout": "10m", "writeTimeout": "10m",
                **({"auth": self.auth(stanza, dockpass)} if dockpass else {})},
            "log": {"level": "debug"}})

    @staticmethod
    def request(line):
        if '"HTTP API"' not in line or not line.endswith("}"):
            return None
        said = json.loads(line)
        return said["method"], said["path"], said["statusCode"]


class Kind(NamedTuple):
    """`find`: its program's path, or a skip that says why there is none."""
    make: type
    find: Callable


def _debian():
    return shutil.which("docker-registry") or \
        pytest.skip("docker-registry is not installed")


def _go(version):
    return lambda: golang.program(
        "github.com/distribution/distribution/v3/cmd/registry", version)


def _zot():
    return os.environ.get("ZOT") or pytest.skip("ZOT=PROGRAM names no zot")


PROGRAMS = {"2.8": Kind(Registry, _debian),
            "3.0": Kind(Registry, _go("v3.0.0")),
            "3.1": Kind(Registry, _go("v3.1.2")),
            "zot": Kind(Zot, _zot)}


def version_of(name):
    """What the program says of itself; a skip if there is none."""
    command = PROGRAMS[name].find()
    done = subprocess.run([command, "--version"], text=True,
                          capture_output=True, timeout=20, check=False)
    words = re.search(r'(?: v?|"commit":"v?)(\d[^\s",]+)',
                      done.stdout + done.stderr)
    return words[1].removesuffix("+unknown") if words else "of no version"
