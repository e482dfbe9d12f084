"""What `dockpass doctor --json` says."""

import json


def doctor(dockpass, *words, env=None):
    """(names of the checks that failed, the one to mend first at their head;
    all checks by name); it is checked that status, verdict and the line on
    standard error say the same."""
    done = dockpass.run("doctor", *words, "--json", "--config",
                        dockpass.config_file, check=False, env=env)
    told = json.loads(done.stdout)
    checks = {check.pop("name"): check for check in told["checks"]}
    failed = [name for name, check in checks.items()
              if check["status"] == "fail"]
    assert done.returncode == (1 if failed else 0), told
    assert told["ok"] == (not failed)
    assert (told["registry"] is None) == (not words)
    verdict = told["verdict"]
    if failed:
        first = verdict.removeprefix("first to mend: ").split(":")[0]
        failed.sort(key=lambda name: name != first)
        said = f"{first}: {line(checks[first])}"
        assert verdict == f"first to mend: {said}" and failed[0] == first
        assert done.stderr == f"dockpass: {said}"[:520] + "\n" \
            or len(said) > 490
    else:
        assert verdict.startswith("all ") and not done.stderr
    return failed, checks


def line(check):
    """What is wrong, and what mends it."""
    return ": ".join(part for part in (check["message"], check["mend"])
                     if part)
