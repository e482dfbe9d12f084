"""What `dockpass doctor --json` says."""

import json


def doctor(dockpass, *words, env=None):
    """(names of the checks that failed, all checks by name); it is checked
    that status, verdict and the line on standard error say the same."""
    done = dockpass.run("doctor", *words, "--json", "--config",
                        dockpass.config_file, check=False, env=env)
    told = json.loads(done.stdout)
    checks = {check.pop("name"): check for check in told["checks"]}
    failed = [name for name, check in checks.items()
              if check["status"] == "fail"]
    assert done.returncode == (1 if failed else 0), told
    assert told["ok"] == (not failed)
    assert (told["registry"] is None) == (not words)
    if failed:
        first = line(checks[failed[0]])
        assert told["verdict"] == f"first to mend: {failed[0]}: {first}"
        assert done.stderr == f"dockpass: {failed[0]}: {first}"[:520] + "\n" \
            or len(first) > 480
    else:
        assert told["verdict"].startswith("all ") and not done.stderr
    return failed, checks


def line(check):
    """What is wrong, and what mends it."""
    return ": ".join(part for part in (check["message"], check["mend"])
                     if part)
