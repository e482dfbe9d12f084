"""Debian's python3-docker: the verbs of clients.py, by docker_api.py."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from support.clients import Client, Docker


class PythonDocker(Docker):
    """It writes no configuration: it is given the credentials each time."""
    name = "python3-docker"
    command = [sys.executable, "-m", "support.docker_api"]
    index = None

    def __init__(self, folder, daemons):
        super().__init__(folder, daemons)
        self.env["PYTHONPATH"] = str(Path(__file__).parents[1])
        self.known = {}
        # The repository has a folder of that name, which is no module.
        found = importlib.util.find_spec("docker")
        if not found or not found.origin:
            pytest.skip("python3-docker is not installed")

    def login(self, site, user, secret):
        self.known = {"username": user, "password": secret}
        return self.run("login", site.host, stdin=json.dumps(self.known))

    def logout(self, site):
        self.known = {}

    def push(self, site, image, repository):
        return self.run("push", image.archive, image.name,
                        *site.ref(repository).rsplit(":", 1),
                        stdin=json.dumps(self.known))

    mount = push

    def pull(self, site, repository):
        return self.run("pull", site.ref(repository),
                        stdin=json.dumps(self.known))

    identity = Client.identity

    def version(self):
        return self.must("version").text.strip()
