"""`dockpass reload`: once it is back the running server has read its files, or
has refused them, and then it says why.
"""

import os
import shutil
import signal
import subprocess

import pytest

from support.dockpass import PATIENCE, PROGRAM, Dockpass
from support.process import wait_until

MAIL = {"url": "smtp://localhost:25", "from": "a@example.com"}


@pytest.fixture
def dockpass(tmp_path):
    with Dockpass(tmp_path) as dockpass:
        yield dockpass.serve()


def decided(dockpass):
    """What the server said of its reloads."""
    return [line["message"] for line in dockpass.log("reload")
            if line["message"].startswith(("done:", "the old ones"))]


def reloading(dockpass):
    return subprocess.Popen(
        [PROGRAM, "reload", "--config", dockpass.config_file],
        env=dockpass.env, text=True, stderr=subprocess.PIPE)


def said_by(dockpass, *warnings):
    return "".join([
        f"process {dockpass.daemon.process.pid} has read "
        f"{dockpass.config_file} and the files that it names\n",
        *(f"dockpass: warning: {text}\n" for text in warnings)])


def test_what_it_brought_holds_once_it_is_back(dockpass):
    for ttl in range(61, 71):
        dockpass.configure(services=[{"name": "registry", "ttl": ttl}])
        done = dockpass.run("reload", "--config", dockpass.config_file)
        assert (done.stdout, done.stderr) == (
            "", said_by(dockpass))
        assert dockpass.ask().json()["expires_in"] == ttl
    wait_until(lambda: len(decided(dockpass)) == 10, 10, "a reload for each")


def test_a_server_that_has_written_is_told(tmp_path):
    """Who looks at server.lock in the server gives its locks away."""
    with Dockpass(tmp_path) as dockpass:
        dockpass.user("alice")
        secret = dockpass.token("alice", scopes="api", name="one")
        dockpass.serve()
        assert dockpass.ask(auth=("alice", secret)).status_code == 200
        wait_until(lambda: dockpass.json("token", "show", "1")["last_used_at"],
                   30, "no use is written")
        done = dockpass.run("reload", "--config", dockpass.config_file)
        assert (done.stdout, done.stderr) == ("", said_by(dockpass))


def test_what_the_server_refuses_is_said(dockpass):
    """In its words; and the next reload has nothing of it."""
    key = next((dockpass.folder / "keys").glob("*.pem"))
    key.chmod(0o644)
    status, message = dockpass.refused("reload")
    assert status == 1
    assert message.startswith(
        "dockpass: the running server has refused it, and goes on with what "
        f"it had: {key}: ") and message.endswith(f"run: chmod 600 {key}")
    key.chmod(0o600)
    dockpass.cli("reload")


def test_what_takes_a_restart_is_said(dockpass, tmp_path):
    """In the words of its log; and not any more once it is as it was."""
    before = dockpass.config_file.read_text()
    dockpass.configure(workers=1, sandbox=False,
                       listener={"address": "127.0.0.1:1"})
    done = dockpass.run("reload", "--config", dockpass.config_file)
    assert (done.stdout, done.stderr) == ("", said_by(
        dockpass,
        "listeners have changed: restart to use the new ones",
        "sandbox has changed: restart to switch it on or off",
        "workers has changed: restart to use the new number"))
    wait_until(lambda: decided(dockpass), 10 * PATIENCE, "its end")
    for text in done.stderr.splitlines()[1:]:
        assert text.removeprefix("dockpass: warning: ") in dockpass.output
    (dockpass.folder / "store/lock.mdb").rename(tmp_path / "aside")
    dockpass.config_file.write_text(before)
    done = dockpass.run("reload", "--config", dockpass.config_file)
    assert done.stderr == said_by(
        dockpass,
        f"{dockpass.folder}/store/lock.mdb was removed or replaced while a "
        "server has the store: restart the server (systemctl restart "
        "dockpass)")
    (tmp_path / "aside").rename(dockpass.folder / "store/lock.mdb")
    done = dockpass.run("reload", "--config", dockpass.config_file)
    assert done.stderr == said_by(dockpass)


def test_nothing_of_it_is_cut_off(tmp_path):
    """By long names, and many of them; the gravest is last."""
    folder = tmp_path / ("a" * 130)
    folder.mkdir()
    with Dockpass(folder) as dockpass:
        dockpass.serve()
        dockpass.configure(workers=3, sandbox=False,
                           listener={"address": "127.0.0.1:1"})
        (dockpass.folder / "store/lock.mdb").unlink()
        done = dockpass.run("reload", "--config", dockpass.config_file)
        assert done.stderr.count("\n") == 5
        grave = f"{dockpass.folder}/store/lock.mdb was removed or replaced " \
            "while a server has the store: restart the server (systemctl " \
            "restart dockpass)"
        assert done.stderr.endswith(f"dockpass: warning: {grave}\n")


def test_fewer_cores_are_no_other_number_of_workers(dockpass):
    """As by docker update --cpuset-cpus."""
    assert dockpass.stop() == 0
    dockpass.configure(workers=0)
    dockpass.serve()
    pid = dockpass.daemon.process.pid
    cores = os.sched_getaffinity(pid)
    os.sched_setaffinity(pid, {min(cores)})
    done = dockpass.run("reload", "--config", dockpass.config_file)
    assert done.stderr == said_by(dockpass)


def test_another_file_is_not_what_it_reads(dockpass):
    """The line names the one that it has read."""
    other = dockpass.folder / "other.yaml"
    other.write_text(dockpass.config_file.read_text())
    done = dockpass.run("reload", "--config", other)
    assert done.stderr == said_by(dockpass)


@pytest.mark.skipif(os.getuid(), reason="only root can become another user")
def test_who_may_not_look_into_the_store(open_path):
    """Not "no server", nor "start it"."""
    program = shutil.copy2(PROGRAM, open_path / "program")
    with Dockpass(open_path) as dockpass:
        dockpass.serve()
        for command in ("reload",), ("token", "list"):
            done = subprocess.run(
                [program, *command, "--config", dockpass.config_file],
                user=65534, group=65534, extra_groups=[], env=dockpass.env,
                text=True, capture_output=True, check=False)
            assert done.returncode == 1 and done.stderr.endswith(
                "Permission denied; run as root or as its owner\n"), done


@pytest.mark.skipif(PATIENCE > 1, reason="no sandbox in a sanitized build")
def test_what_the_sandbox_refuses_is_said(dockpass):
    """With file, line, option and what to do, as its log has it."""
    dockpass.configure(mail=MAIL)
    status, message = dockpass.refused("reload")
    where = f"{dockpass.config_file}:{dockpass.line_of('mail') + 2}: mail.url: "
    assert status == 1 and where in message and "restart" in message
    wait_until(lambda: decided(dockpass), 10, "the log is a thread of its own")
    reason, = decided(dockpass)
    assert message.endswith(reason.removeprefix("the old ones stay: "))


@pytest.mark.parametrize("named", [True, False])
def test_a_file_that_cannot_be_read(dockpass, named):
    """Whom systemd names is told: it opens its log's file again."""
    before = dockpass.config_file.read_text()
    dockpass.config_file.write_text("colour: red\n")
    pid = str(dockpass.daemon.process.pid)
    status, message = dockpass.refused(
        "reload", env={"MAINPID": pid} if named else {})
    assert status == 1
    assert f"{dockpass.config_file}:1: colour: is no option" in message
    if named:
        wait_until(lambda: decided(dockpass), 10 * PATIENCE, "its word")
        assert "colour: is no option" in decided(dockpass)[0]
    dockpass.config_file.write_text(before)
    dockpass.cli("reload")
    wait_until(lambda: len(decided(dockpass)) == 1 + named, 10 * PATIENCE,
               "one that nobody told has not read it")


@pytest.mark.parametrize("pid", ["0", "1", "-1", "", "x", "99999999999"])
def test_no_process_by_that_name_is_told(dockpass, pid):
    """0 and -1 would be all of them, and 1 is not ours."""
    dockpass.config_file.write_text("colour: red\n")
    assert dockpass.refused("reload", env={"MAINPID": pid})[0] == 1


def test_another_store(dockpass):
    """That is not read by SIGHUP: nobody waits for what cannot come."""
    before = dockpass.config_file.read_text()
    dockpass.run("init", dockpass.folder.parent / "b")
    dockpass.configure(store=str(dockpass.folder.parent / "b/store"))
    status, message = dockpass.refused("reload")
    assert status == 1 and "b/store: start it; or, if it is" in message
    dockpass.config_file.write_text(before)
    dockpass.cli("reload")


def test_no_server(tmp_path):
    dockpass = Dockpass(tmp_path)
    status, message = dockpass.refused("reload")
    assert status == 1 and "no server uses " in message


def test_a_server_whose_lock_was_removed(dockpass):
    """It runs: nobody is told to start it."""
    (dockpass.folder / "store/server.lock").unlink()
    status, message = dockpass.refused("reload")
    assert status == 1 and message.endswith(
        "its server.lock was removed: restart it")


def test_it_waits_as_long_as_it_takes(dockpass):
    """And says after a second for whom; each of several is answered."""
    dockpass.daemon.send(signal.SIGSTOP)
    with reloading(dockpass) as first, reloading(dockpass) as second:
        pid = dockpass.daemon.process.pid
        line = f"dockpass: waiting for process {pid}, the server\n"
        assert first.stderr.readline() == second.stderr.readline() == line
        assert first.poll() is None and second.poll() is None
        dockpass.configure(services=[{"name": "registry", "ttl": 99}])
        dockpass.daemon.send(signal.SIGCONT)
        assert first.wait(20) == second.wait(20) == 0
        assert dockpass.ask().json()["expires_in"] == 99


def test_the_server_ends_meanwhile(dockpass):
    dockpass.daemon.send(signal.SIGSTOP)
    with reloading(dockpass) as own:
        assert "waiting for" in own.stderr.readline()
        os.kill(dockpass.daemon.process.pid, signal.SIGKILL)
        assert own.wait(20) == 1
        assert "ended before it had read its files" in own.stderr.read()
    assert dockpass.stop() == -signal.SIGKILL


def test_a_server_that_is_about_to_end(dockpass):
    dockpass.configure(admin={"drain": 60})
    dockpass.cli("reload")
    dockpass.daemon.send(signal.SIGTERM)
    dockpass.logged(0, event="stop")
    status, message = dockpass.refused("reload")
    assert status == 1 and message.endswith("it is about to end")


def test_a_server_that_was_started_anew_meanwhile(dockpass):
    """It has read the files, but it is not the one that was told."""
    dockpass.daemon.send(signal.SIGSTOP)
    with reloading(dockpass) as own:
        assert "waiting for" in own.stderr.readline()
        own.send_signal(signal.SIGSTOP)
        os.kill(dockpass.daemon.process.pid, signal.SIGKILL)
        assert dockpass.stop() == -signal.SIGKILL
        dockpass.serve()
        own.send_signal(signal.SIGCONT)
        try:
            assert own.wait(20) == 1
        finally:
            own.kill()
        assert "ended before it had read its files" in own.stderr.read()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a namespace")
def test_a_server_of_another_container(dockpass):
    """Its number here is 0, which would be all of one's own processes."""
    done = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", PROGRAM, "reload",
         "--config", dockpass.config_file], env=dockpass.env, text=True,
        capture_output=True, check=False, start_new_session=True,
        timeout=20)
    assert done.returncode == 1, done
    assert "is not to be seen from here: say it in its container" in done.stderr
    assert not decided(dockpass)


def test_another_store_and_whom_systemd_names(dockpass):
    """He opens his log again, and says what is wrong."""
    dockpass.run("init", dockpass.folder.parent / "b")
    dockpass.configure(store=str(dockpass.folder.parent / "b/store"))
    pid = str(dockpass.daemon.process.pid)
    assert dockpass.refused("reload", env={"MAINPID": pid})[0] == 1
    wait_until(lambda: decided(dockpass), 10 * PATIENCE, "his word")
