"""What the tests share. See support/ for the programs that they drive."""

import sys
import tempfile
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1]))  # conformance/

from conformance.matrix import shapes
from support import secrets
from support.daemons import Daemons
from support.dockpass import FAKETIME, Dockpass
from support.images import Image
from support.site import Shape, Sites
from support.world import World


@pytest.fixture
def open_path():
    """As tmp_path, but other users can come in."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """A serving dockpass with everybody in it; not to be changed."""
    with World(tmp_path_factory.mktemp("world")) as world:
        yield world.serve()


@pytest.fixture(scope="session")
def live(tmp_path_factory):
    """Another one, to be changed while it serves: each test makes users,
    groups and projects of its own."""
    with World(tmp_path_factory.mktemp("live")) as world:
        yield world.serve()


@pytest.fixture
def own_world(tmp_path):
    """The same for one test, to be changed; not started yet."""
    with World(tmp_path) as world:
        yield world


@pytest.fixture
def own(tmp_path):
    """A store of one test, with nobody in it."""
    with Dockpass(tmp_path) as own:
        yield own


@pytest.fixture(scope="session")
def faketime():
    if not FAKETIME:
        pytest.skip("libfaketime is not installed")


@pytest.fixture(scope="session", autouse=True)
def no_secret_anywhere():
    """Whatever else the session tests: it has told no secret."""
    yield
    assert secrets.leaks() == []


@pytest.fixture(scope="session")
def daemons(tmp_path_factory):
    # A socket's path has 107 bytes at most.
    daemons = Daemons(tmp_path_factory.mktemp("d"))
    yield daemons
    daemons.stop()


@pytest.fixture(scope="session")
def sites(tmp_path_factory):
    """Those of the matrix, and two more."""
    sites = Sites(tmp_path_factory.mktemp("sites"), {
        **shapes(), **{f"{registry}-tls": Shape(registry, tls=True)
                       for registry in ("2.8", "3.1")}})
    yield sites
    sites.stop()


@pytest.fixture
def image(tmp_path):
    return Image(tmp_path / "image")
