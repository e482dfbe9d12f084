#!/usr/bin/python3
"""test/bench/bench.py - `make bench`: every row a ratio against a reference
that is measured in the same run, in turns. BENCH_TOKENS, BENCH_ROUNDS and
BENCH_SECONDS make it smaller, `--only` too; DOCKER_AUTH names docker_auth's
program. What fails is "not measured", and the rest goes on. The exit status
is 1 then; it does not say that all goals are met. A reference that is not
here is left out, and no failure.
"""

import argparse
import functools
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "test/e2e"), str(TOP / "test/bench")]

from idle import all_files, first_answer, many, sink
from servers import (BUILD, LOAD_CORE, SCOPE, SERVER_CORE, Ours,
                     basic, docker_auth, nginx, pinned, token_server,
                     write_sample)
from support import metrics
from support.process import wait_until
from support.site import Certificate
from support.trickle import trickling

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "2"))
TOKENS = int(os.environ.get("BENCH_TOKENS", "10000000"))
DEADLINE = 12  # seconds: more than a request may take at ours
OUTPUT = BUILD.parent / "bench.json"

rows = []


def add(entry):
    """To the table and, at once, to the file: what comes next may fail."""
    rows.append(entry)
    print(line(entry), flush=True)
    new = args.output.with_suffix(".new")
    new.write_text(json.dumps(
        {"commit": commit(), "machine": machine(), "rounds": ROUNDS,
         "seconds": SECONDS, "rows": rows}, indent=1))
    new.replace(args.output)


def row(what, goal, values, better=max, unit="x", note=""):
    """One line. `values`: a round each; `goal` is met at or beyond it."""
    middle = statistics.median(values)
    met = middle >= goal if better is max else middle <= goal
    add({"what": what, "value": middle, "low": min(values),
         "high": max(values), "goal": goal, "unit": unit,
         "at": "least" if better is max else "most", "met": met,
         "note": note})


def attempt(what, measured, *arguments):
    """What hinders it is said in place of its rows."""
    try:
        measured(*arguments)
    except Exception as error:
        why = " ".join(str(error).replace("|", "/").split())
        add({"what": what, "failed": why[-300:] or repr(error)})


def line(entry):
    for other in ("left_out", "failed"):
        if other in entry:
            return f"| {entry['what']} | not measured: {entry[other]} | | |"
    text = "{what} | {value:.3g} {unit} ({low:.3g} to {high:.3g}) | at {at} " \
        "{goal:g} {unit}{missed} | {note}"
    return "| " + text.format(missed="" if entry["met"] else ", **missed**",
                              **entry) + " |"


def in_turns(*servers):
    """ROUNDS times the load of each, one after the other."""
    for server in servers:
        server.load(2)  # warm, and the slowest has answered by then
    return [[server.load(SECONDS) for server in servers]
            for _ in range(ROUNDS)]


def median(values):
    return statistics.median(list(values))


def signature(folder, alg, goal):
    """CPU a token against CPU a signature with the same key."""
    with Ours(folder / alg, alg=None if alg == "ES256" else alg) as ours:
        server = ours.start().server()
        server.load(2)
        pairs = []
        for _ in range(ROUNDS):
            bare = subprocess.run(
                pinned(SERVER_CORE, BUILD / "sign", ours.key, "1"), text=True,
                capture_output=True, check=True, timeout=30)
            pairs.append((server.load(SECONDS).cpu, int(bare.stdout) / 1000))
    row(f"CPU of a token, {alg}, against a bare signature", goal,
        [token / bare for token, bare in pairs], min,
        note=f"{median(t for t, _ in pairs):.1f} us against "
             f"{median(b for _, b in pairs):.1f} us")


def with_and_without_token(ours):
    loads = in_turns(ours.server(), ours.server(ours.anonymous))
    row("tokens/s with a PAT, against anonymous", 0.95,
        [pat.rate / nobody.rate for pat, nobody in loads],
        note=f"{median(pat.rate for pat, _ in loads):.0f}/s on one core")


def sandboxed(folder):
    """What seccomp costs: a look at each system call."""
    with Ours(folder / "in") as inside, \
            Ours(folder / "out", sandbox=False) as outside:
        assert "sandbox: seccomp, Landlock" in inside.start().output
        loads = in_turns(inside.server(), outside.start().server())
    row("CPU of a token in the sandbox, against without it", 1.02,
        [a.cpu / b.cpu for a, b in loads], min,
        note=f"{median(a.cpu for a, _ in loads):.1f} us against "
             f"{median(b.cpu for _, b in loads):.1f} us")


def large(folder):
    users = min(100000, TOKENS)
    with Ours(folder / "large", tokens=TOKENS, users=users) as full, \
            Ours(folder / "small", tokens=1000, users=100) as few:
        servers = full.start().server(), few.start().server()
        loads = in_turns(*servers)
        row(f"tokens/s at {TOKENS:,} PATs, {users:,} users and projects, "
            "against 1,000 PATs", 0.9,
            [big.rate / small.rate for big, small in loads])
        own = servers[0].memory()
        row(f"RssAnon after that load, {TOKENS:,} PATs against 1,000", 1.1,
            [own["RssAnon"] / servers[1].memory()["RssAnon"]], min,
            note=f"{own['RssAnon'] / 1024:.1f} MB of its own; "
                 f"{own['VmRSS'] / 1024:.0f} MB with the pages of the store, "
                 "which the kernel may drop")


def against(name, ours, lines, goals, start, *arguments):
    """Another token server: (name, ours, (its sample, ours), goals of the
    ratios, what starts it)."""
    other = start(*arguments)
    if isinstance(other, str):
        add({"what": f"against {name}", "left_out": other})
        return
    try:
        theirs, mine = other.server(lines[0]), ours.server(lines[1])
        loads = in_turns(mine, theirs)
        rate, cpu = goals
        note = "p99 {:.2f} ms against {:.2f} ms".format(
            *(median(pair[i].p99 for pair in loads) / 1000 for i in (0, 1)))
        if rate:
            row(f"tokens/s against {name}", rate,
                [a.rate / b.rate for a, b in loads], note=note)
        row(f"tokens per CPU second against {name}", cpu,
            [b.cpu / a.cpu for a, b in loads], note=note)
    finally:
        other.stop()


def others(folder, ours):
    """The same key and the same scope for all."""
    ask = SCOPE.format(path="auth", name="p1")
    known = write_sample(folder / "known", (basic("admin", "badmin"), ask))
    nobody = write_sample(folder / "nobody", ("-", ask))
    admin = write_sample(folder / "admin", (
        basic("admin", "badmin"), SCOPE.format(path="token/", name="admin")))
    key, bundle = ours.key, ours.folder / "public/bundle.pem"
    folders = folder / "docker_auth", folder / "token-server"
    for cost in (4, 5, 10):
        name, goal = f"docker_auth, bcrypt cost {cost}", 20 if cost == 4 else 30
        attempt(f"against {name}", against, name, ours, (known, ours.sample),
                (goal, goal), docker_auth, folders[0], cost, key, bundle)
    name = "docker_auth, anonymous"
    attempt(f"against {name}", against, name, ours, (nobody, ours.anonymous),
            (None, 1.8), docker_auth, folders[0], 4, key, bundle)
    for cost in (4, 5, 10):
        name, goal = f"token-server, bcrypt cost {cost}", 20 if cost == 4 else 30
        attempt(f"against {name}", against, name, ours, (admin, ours.sample),
                (goal, goal), token_server, folders[1], cost, key)


def handshakes(folder):
    """A new connection and a full TLS 1.3 handshake for each."""
    (folder / "tls").mkdir()
    certificate = Certificate(folder / "tls")
    other = nginx(folder / "nginx", certificate, "x" * 1024)
    try:
        with Ours(folder / "ours-tls", listener=certificate.listener) as ours:
            ours.verify = str(certificate.ca)
            mine = ours.start().server(close=True)
            loads = in_turns(mine, other.server(ours.anonymous, close=True))
    finally:
        other.stop()
    row("TLS 1.3 handshake and token per CPU second, against nginx's "
        "handshake and 1 KB", 0.95, [b.cpu / a.cpu for a, b in loads],
        note="{:.0f} us against {:.0f} us".format(
            *(median(pair[i].cpu for pair in loads) for i in (0, 1))))


def writes(folder):
    written(folder / "writes", "")
    written(folder / "slow", ", where a sync takes 4 ms more",
            LD_PRELOAD=str(BUILD / "slow.so"), SLOW_MS="4")


def written(folder, where, **env):
    with Ours(folder) as ours:
        done = subprocess.run(
            [BUILD / "writes", ours.folder / "store", str(ROUNDS)], text=True,
            capture_output=True, check=True, timeout=300,
            env={**os.environ, **env})
    rates = [tuple(map(float, text.split()))
             for text in done.stdout.splitlines()]
    row("PATs made and on disk a second, 64 at once, against fdatasync/s"
        + where, 20, [made / syncs for made, syncs, _ in rates],
        note="{:.0f}/s against {:.0f}/s; a PAT is {:.1f} pages of 4 KiB, "
             "anywhere in the file".format(
                 *(median(rate[i] for rate in rates) for i in (0, 1, 2))))


def memory(folder):
    with Ours(folder / "memory") as ours:
        server = ours.start().server()
        idle = server.memory()
        row("RssAnon, idle", 4, [idle["RssAnon"] / 1024], min, "MB")
        row("VmRSS, idle", 16, [idle["VmRSS"] / 1024], min, "MB")
        attempt("RssAnon, 10,000 idle keep-alive connections", memory_held,
                ours.port, server)


def memory_held(port, server):
    with many(port, 10000):
        held = server.memory()
    row("RssAnon, 10,000 idle keep-alive connections", 60,
        [held["RssAnon"] / 1024], min, "MB")


def holds(ours, number):
    """That many connections at least; whoever was ended comes again."""
    key = "dockpass_connections"
    wait_until(lambda: metrics.scrape(ours)[key] >= number, 5,
               lambda: f"{key} {metrics.scrape(ours)[key]:.0f} of {number}")


def slow(folder):
    """The same load and the same slow ones, in turns at one who only takes
    their connections and at ours: they share a core with the load, which is
    not to count. For long enough that all end at their deadline once, and come
    again; and the idle ones are there before it and after it."""
    with Ours(folder / "slow-clients") as ours:
        server, loads = ours.start().server(), []
        server.load(2)
        for _ in range(ROUNDS):
            with sink() as nobody, \
                    trickling(nobody, 5000, pinned(LOAD_CORE)):
                without = server.load(DEADLINE)
            with many(ours.port, 5000), \
                    trickling(ours.port, 5000, pinned(LOAD_CORE)):
                holds(ours, 10000)
                loads.append((server.load(DEADLINE), without))
                holds(ours, 10000)
            metrics.reaches(ours, "dockpass_connections", 0)
    row("p99 beside 5,000 slow and 5,000 idle connections, against the slow "
        "ones at a peer that only takes them", 2,
        [a.p99 / b.p99 for a, b in loads], min,
        note="p99 {:.2f} ms against {:.2f} ms".format(
            *(median(pair[i].p99 for pair in loads) / 1000 for i in (0, 1))))


def first_token(folder):
    tokens = min(TOKENS, 1000000)
    with Ours(folder / "first", tokens=tokens, users=1000) as ours:
        took = []
        for _ in range(ROUNDS):
            took.append(first_answer(ours, ours.launch))
            ours.stop()
    row(f"first token after the start, {tokens:,} PATs", 50, took, min, "ms")


def allocations(folder):
    """Two counts of requests: their difference leaves the start out."""
    counts = []
    with Ours(folder / "count") as ours:
        for n in (1, 2):
            file = folder / f"count{n}"
            ours.serve(env={"LD_PRELOAD": str(BUILD / "count.so"),
                            "COUNT_FILE": str(file),
                            # Its own file is not the server's.
                            "DOCKPASS_SANDBOX": "false"})
            tokens = sum(ours.server().load(1).tokens for _ in range(n))
            assert ours.stop() == 0
            counts.append((tokens, *map(int, file.read_text().split())))
    (t1, all1, own1), (t2, all2, own2) = counts
    row("heap allocations of our own a token", 10,
        [(own2 - own1) / (t2 - t1)], min, "",
        f"{(all2 - all1) / (t2 - t1):.0f} with those of the libraries")


def busy(pid):
    """CPU of each thread, in ticks, the busiest first."""
    times = []
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        fields = stat.read_text().rpartition(")")[2].split()
        times.append(int(fields[11]) + int(fields[12]))
    return sorted(times, reverse=True)


def workers(folder):
    """Two loops on two cores, as there is no third for the load: by CPU."""
    with Ours(folder / "one") as one, Ours(folder / "two", workers=2) as two:
        loads = in_turns(one.start().server(connections=32),
                         two.start("0-1").server(connections=32))
        first, second, *_ = busy(two.daemon.process.pid)
        assert second > first / 4, "the second worker has hardly worked"
    row("tokens per CPU second of two workers, twice, against one", 1.8,
        [2 * a.cpu / b.cpu for a, b in loads])


def tokens(folder):
    with Ours(folder / "ours") as ours:
        ours.start()
        attempt("tokens/s with a PAT, against anonymous",
                with_and_without_token, ours)
        others(folder, ours)


# name for --only: what it measures, by which function, with what else
PARTS = {
    "es256": ("CPU of a token, ES256", signature, "ES256", 2.2),
    "rs256": ("CPU of a token, RS256", signature, "RS256", 1.15),
    "tokens": ("tokens/s, against others", tokens),
    "handshakes": ("TLS 1.3 handshakes, against nginx", handshakes),
    "writes": ("PATs made and on disk a second", writes),
    "memory": ("memory", memory),
    "slow": ("p99 beside slow and idle connections", slow),
    "first": ("first token after the start", first_token),
    "allocations": ("heap allocations a token", allocations),
    "sandbox": ("a token in the sandbox", sandboxed),
    "workers": ("two workers, against one", workers),
    "large": (f"{TOKENS:,} PATs, against 1,000", large),
}


def measure(folder):
    for part in args.only:
        what, measured, *arguments = PARTS[part]
        attempt(what, measured, folder, *arguments)


@functools.cache
def machine():
    model = next((text.split(": ")[1] for text in
                  Path("/proc/cpuinfo").read_text().splitlines()
                  if text.startswith("model name")), "unknown")
    return f"{os.cpu_count()} cores, {model}, Linux {os.uname().release}"


@functools.cache
def commit():
    """Of the code that is measured, as it was at the start."""
    done = subprocess.run(["git", "-C", TOP, "describe", "--always",
                           "--dirty"], text=True, capture_output=True,
                          check=False)
    return done.stdout.strip() or "unknown"


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS,
                        metavar="PART", help=f"of: {' '.join(PARTS)}")
    parser.add_argument("--output", type=Path, default=OUTPUT,
                        metavar="FILE", help="in place of build/bench.json")
    return parser.parse_args()


def main():
    began = time.monotonic()
    all_files()
    # Where Debian has nginx, and a user's shell does not look.
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
    print(f"{commit()}; {machine()}; {ROUNDS} rounds of {SECONDS} s; servers on core "
          f"{SERVER_CORE}, the load on another\n\n| what | median (lowest to "
          "highest round) | goal | |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        measure(Path(folder))
    missed = sum(not entry.get("met", True) for entry in rows)
    failed = sum("failed" in entry for entry in rows)
    print(f"\n{missed} of {len(rows)} goals missed, {failed} could not be "
          f"measured; {time.monotonic() - began:.0f} s; {args.output} has it, "
          "too")
    return 1 if failed else 0


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    args = parse()
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
