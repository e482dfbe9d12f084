"""Who, or what, was removed, made again and then gone for good: a restore does
not bring back the memberships that ended with the first."""

import pytest

from support.dockpass import Dockpass

ASKED = "repository:g/app:pull,push"
USER = ["user add alice --email a@example.com"]
PROJECT = ["project add g/app"]


@pytest.mark.parametrize("since", [
    ["user remove alice --yes", *USER, "user remove alice --yes"],
    ["project remove g/app --yes", *PROJECT, "project remove g/app --yes"],
    ["project remove g/app --yes", *PROJECT, "user remove alice --yes"],
    ["user remove alice --yes", *USER, "project remove g/app --yes"],
    ["group remove g --recursive --yes", *PROJECT, "user remove alice --yes"],
])
def test_it_was_the_latter_at_last(tmp_path, since):
    dockpass = Dockpass(tmp_path)
    for command in [*USER, *PROJECT, "member add g/app alice developer"]:
        dockpass.cli(*command.split())
    dockpass.cli("backup", tmp_path / "backup")
    for command in since:
        dockpass.cli(*command.split())
    dockpass.cli("restore", tmp_path / "backup", "--yes")
    dockpass.cli("user", "unblock", "alice")
    said = dockpass.json("explain", "alice", "--scopes", "api", "--access",
                         ASKED)
    assert not said["granted"]
