"""The daemons behind docker and ctr."""

import json
import os
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from support import apart
from support.process import Daemon


class Daemons:
    """containerd and dockerd, of the test's own, each when it is needed."""

    programs = {"containerd": "containerd", "dockerd": "/usr/sbin/dockerd"}
    settings = 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'

    def __init__(self, folder, etc=False):
        """`etc`: they have an /etc of their own, see certificates()."""
        self.folder, self.etc = Path(folder), etc
        self.started = []

    def certificates(self, host):
        """Where they look for those of a registry."""
        return Path(f"/proc/{self.started[0].process.pid}/root"
                    f"/etc/docker/certs.d/{host}")

    @property
    def env(self):
        return apart.environment(self.folder)

    def _start(self, name, options, socket):
        if os.geteuid():
            pytest.skip(f"{name} needs root")
        if not shutil.which(self.programs[name]):
            pytest.skip(f"{name} is not installed")
        # What dockerd mounts, containerd runs: both see the same.
        words = apart.beside(self.started[0].process.pid) if self.started \
            else apart.words(self.folder, etc=self.etc)
        daemon = Daemon([*words, self.programs[name], *options],
                        self.folder / f"{name}.log", env=self.env)
        self.started.append(daemon)
        daemon.wait_ready(socket.exists, 60)

    @property
    def containerd(self):
        socket = self.folder / "c.sock"
        if not socket.exists():
            config = self.folder / "containerd.toml"
            config.write_text(
                f'{self.settings}[grpc]\n  address = "{socket}"\n'
                f'[ttrpc]\n  address = "{socket}.ttrpc"\n'
                '[plugins."io.containerd.internal.v1.opt"]\n'
                f'  path = "{self.folder}/opt"\n')
            self._start("containerd", [
                "--config", config, "--root", f"{self.folder}/c",
                "--state", f"{self.folder}/cs"], socket)
        return str(socket)

    @property
    def docker(self):
        socket = self.folder / "d.sock"
        if not socket.exists():
            config = self.folder / "daemon.json"
            config.write_text(json.dumps(self.docker_settings()))
            self._start("dockerd", [
                "-H", f"unix://{socket}",
                f"--config-file={config}", "--bridge=none",
                "--iptables=false", "--ip6tables=false",
                "--ip-forward=false",
                f"--containerd={self.containerd}",
                f"--data-root={self.folder}/d", f"--exec-root={self.folder}/x",
                f"--pidfile={self.folder}/d.pid"], socket)
        return f"unix://{socket}"

    def docker_settings(self):
        """Docker before 23 has a key, which it would leave in /etc/docker."""
        version = subprocess.run([self.programs["dockerd"], "--version"],
                                 text=True, capture_output=True, timeout=20,
                                 check=True)
        major = int(version.stdout.split("version ")[1].split(".")[0])
        return {"deprecated-key-path": f"{self.folder}/key.json"} \
            if major < 23 else {}

    def stop(self):
        """All of them, whatever one of them does."""
        with ExitStack() as stack:
            for daemon in self.started:
                stack.callback(daemon.end, seconds=60)
