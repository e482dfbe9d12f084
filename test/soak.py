#!/usr/bin/python3
"""test/soak.py - `make soak`: what takes hours, part by part, each of them
bounded. It says what it does and how far it has come, every minute; in the
end what came of each part, and how long it took.

`soak.py kills fuzz-server`: these parts alone. SOAK_FUZZ: seconds of each
fuzzer. Logs are in build/soak/.
"""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
LOGS = TOP / "build/soak"
FUZZ = int(os.environ.get("SOAK_FUZZ", "600"))
PULSE = 60  # seconds between two lines of progress
END = 60  # of them, beyond its time, for a fuzzer to say what it has found


@dataclass
class Part:
    name: str
    minutes: float  # at most; then it has failed
    command: list
    env: dict

    @property
    def log(self):
        return LOGS / f"{self.name}.log"


def test(name, minutes, which, mode="release"):
    """A test of test/e2e/, which does more if SOAK names its log."""
    return Part(name, minutes, [
        "/usr/bin/python3", "-m", "pytest", "-q", "-rs", f"test/e2e/{which}"],
        {"DOCKPASS": f"build/{mode}/dockpass", "SOAK": f"{LOGS}/{name}.log"})


def fuzzer(file):
    name = file.stem.removeprefix("fuzz_")
    corpus = TOP / "build/fuzz/corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    # Its server's log, a line for each request, is not wanted.
    quiet = ["-close_fd_mask=2"] if name == "server" else []
    return Part(f"fuzz-{name}", (FUZZ + END) / 60, [
        f"build/fuzz/test/fuzz/fuzz_{name}", f"-max_total_time={FUZZ}",
        "-print_final_stats=1", f"-artifact_prefix=build/fuzz/{name}-",
        *quiet, str(corpus), f"test/fuzz/corpus/{name}"], {})


def parts():
    load = "test_protocol_load.py::test_token_server_64_clients_at_once"
    return [
        test("kills", 60, "test_protocol_faults.py::test_kill_9_under_"
             "writing_load"),
        test("reloads", 20, "test_protocol_reload.py::test_a_hundred_reloads_"
             "under_load"),
        test("keys", 20, "test_protocol_faults.py::test_keys_change_under_"
             "load"),
        test("tls", 70, "test_tls_scan.py"),
        test("doctor", 20, "test_protocol_doctor.py::test_one_that_is_"
             "always_late"),
        test("clients-asan", 20, load, "asan"),
        test("clients-tsan", 20, load, "tsan"),
        *map(fuzzer, sorted((TOP / "test/fuzz").glob("fuzz_*.c")))]


def say(text):
    print(f"soak: {text}", flush=True)


def spent(seconds):
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes > 59 else \
        f"{minutes} min" if minutes else f"{seconds:.0f} s"


def last_line(part):
    text = part.log.read_bytes()[-4096:].decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:120] if lines else "nothing was said yet"


def end(process):
    """All of its group: a test's servers, too."""
    for number in signal.SIGTERM, signal.SIGKILL:
        try:
            os.killpg(process.pid, number)
            process.wait(30)
            return
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass


def run(part):
    """None; or why it has failed."""
    begun = time.monotonic()
    with open(part.log, "wb") as log, subprocess.Popen(
            part.command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=log,
            stderr=log, env={**os.environ, **part.env},
            start_new_session=True) as process:
        try:
            while True:
                left = begun + part.minutes * 60 - time.monotonic()
                try:
                    status = process.wait(max(0, min(PULSE, left)))
                    return f"status {status}" if status else None
                except subprocess.TimeoutExpired:
                    if left <= 0:
                        return f"not within {part.minutes:.0f} min"
                say(f"{part.name}: {spent(time.monotonic() - begun)}: "
                    f"{last_line(part)}")
        finally:
            end(process)


def chosen(names):
    table = {part.name: part for part in parts()}
    for name in names:
        if name not in table:
            sys.exit(f"soak: no part {name}; there are {', '.join(table)}")
    return [table[name] for name in names] or list(table.values())


def main():
    LOGS.mkdir(parents=True, exist_ok=True)
    todo, begun, report = chosen(sys.argv[1:]), time.monotonic(), []
    most = 60 * sum(part.minutes for part in todo)
    say(f"{len(todo)} parts, {spent(most)} at most: "
        f"{' '.join(part.name for part in todo)}")
    for number, part in enumerate(todo, 1):
        until = time.strftime("%H:%M", time.localtime(
            time.time() + part.minutes * 60))
        say(f"{part.name}, {number} of {len(todo)}, until {until} at most")
        start = time.monotonic()
        why = run(part)
        took = spent(time.monotonic() - start)
        report.append((part.name, why, took))
        say(f"{part.name}: {why or 'passed'} after {took}")
        if why:
            print(part.log.read_bytes()[-8000:].decode(errors="replace"))
    say(f"all in {spent(time.monotonic() - begun)}")
    for name, why, took in report:
        print(f"{name:16} {took:>10}  {why or 'passed'}")
    return any(why for _, why, _ in report)


if __name__ == "__main__":
    sys.exit(main())
