"""python3-docker as a command: it is the library that is tried, not this.

The credentials come as JSON on standard input, {} for none.

    docker_api version | login HOST | pull REF
    docker_api push ARCHIVE NAME REPOSITORY TAG
"""

import json
import sys

import docker


# As long as the longest push may say nothing; 60 s by itself.
PATIENCE = 600


def known():
    """None: what config.json has is taken."""
    return json.load(sys.stdin) or None


def version():
    return docker.__version__


def login(host):
    return docker.from_env().login(registry=host, reauth=True, **known())


def push(archive, name, repository, tag):
    """What the daemon reports of a push is no exception, but a line."""
    api = docker.from_env(timeout=PATIENCE)
    with open(archive, "rb") as data:
        api.images.load(data)
    api.images.get(name).tag(repository, tag)
    for line in api.images.push(repository, tag, auth_config=known(),
                                stream=True, decode=True):
        if "error" in line:
            sys.exit(line["error"])
    return "pushed"


def pull(ref):
    """A reference by digest has its "@" where others have the colon."""
    api = docker.from_env()
    try:
        api.images.remove(ref, force=True)
    except docker.errors.ImageNotFound:
        pass
    repository, at, tag = ref.rpartition("@") if "@" in ref \
        else ref.rpartition(":")
    return at and api.images.pull(repository, tag, auth_config=known()).id


if __name__ == "__main__":
    COMMANDS = {"version": version, "login": login, "push": push, "pull": pull}
    try:
        print(COMMANDS[sys.argv[1]](*sys.argv[2:]))
    except docker.errors.APIError as error:
        sys.exit(str(error))
