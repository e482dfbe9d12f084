"""What is measured and what it is measured against: real programs, one core
each, and wrk on the other one."""

import base64
import crypt
import os
import subprocess
from pathlib import Path

import jwt
import requests

from support import golang
from support.dockpass import PROGRAM, TOP, Dockpass
from support.process import Daemon, free_ports, is_open, wait_until

HERE = Path(__file__).parent
BUILD = PROGRAM.parents[1] / "bench"
TICK = os.sysconf("SC_CLK_TCK")
SERVER_CORE, LOAD_CORE = "0", str(os.cpu_count() - 1)
TOKEN_SERVER = ("github.com/docker/distribution/contrib/token-server",
                "v2.8.3+incompatible")
SUITES = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384"  # as ours prefers
SCOPE = "/{path}?service=registry&scope=repository:{name}/app:pull"


def pinned(core, *command):
    return ["taskset", "-c", core, *map(str, command)]


class Load:
    """What wrk has seen in a round."""

    def __init__(self, text, cpu, seconds):
        line = next(line for line in text.splitlines()
                    if line.startswith("figures "))
        self.tokens, us, self.bad, self.p99 = map(int, line.split()[1:])
        assert self.tokens, f"no answer within {seconds} s"
        assert not self.bad, f"{self.bad} requests failed or took over 2 s"
        self.rate = self.tokens / us * 1e6
        self.cpu = cpu / self.tokens * 1e6  # microseconds of CPU a token


class Server:
    """Something that gives out tokens at an address."""

    def __init__(self, pid, url, sample, close=False, connections=16):
        self.pid, self.url, self.sample = pid, url, sample
        self.close, self.connections = close, connections

    def cpu(self):
        """Seconds of user and system time that it has used."""
        text = Path(f"/proc/{self.pid}/stat").read_text()
        fields = text.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def load(self, seconds):
        before = self.cpu()
        done = subprocess.run(
            pinned(LOAD_CORE, "wrk", "-t1", f"-c{self.connections}",
                   f"-d{seconds}s", "-s", HERE / "wrk.lua", self.url),
            env={**os.environ, "BENCH_SAMPLE": str(self.sample),
                 **({"BENCH_CLOSE": "1"} if self.close else {})},
            text=True, capture_output=True, timeout=seconds + 60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return Load(done.stdout, self.cpu() - before, seconds)

    def memory(self):
        """Kilobytes: {"VmRSS": all that is resident, "RssAnon": its own}."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        return {line.split(":")[0]: int(line.split()[1])
                for line in text.splitlines()
                if line.startswith(("VmRSS", "RssAnon"))}


def write_sample(file, *lines):
    """Lines of (Authorization or "-", target), which may hold secrets."""
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
              "w", encoding="utf-8") as out:
        out.writelines(f"{who}\t{target}\n" for who, target in lines)
    return file


def service_environment():
    """What docker/dockpass.service sets, but where its file is."""
    unit = (TOP / "docker/dockpass.service").read_text().splitlines()
    pairs = [line.split("=", 2)[1:] for line in unit
             if line.startswith("Environment=")]
    return {name: value for name, value in pairs if name != "DOCKPASS_CONFIG"}


class Ours(Dockpass):
    """A dockpass on one core, with `tokens` tokens of `users` users."""

    def __init__(self, folder, tokens=1, users=1, alg=None, workers=1,
                 **options):
        folder.mkdir()
        super().__init__(folder, workers=workers, **options)
        self.sample = folder / "sample"
        subprocess.run([BUILD / "fill", self.folder / "store", str(tokens),
                        str(users), self.sample, str(min(tokens, 50000))],
                       check=True, timeout=1800)
        if alg:
            kid = self.json("key", "new", "--alg", alg)["kid"]
            self.cli("key", "activate", kid)
        self.anonymous = write_sample(
            folder / "anonymous", ("-", SCOPE.format(path="token", name="p1")))

    def check(self):
        """That each sample is granted what it asks."""
        for sample in (self.sample, self.anonymous):
            who, target = sample.read_text().splitlines()[0].split("\t")
            answer = requests.get(
                self.url + target, verify=self.verify, timeout=10,
                headers={"Authorization": who} if who != "-" else {})
            got = jwt.decode(answer.json()["token"],
                             options={"verify_signature": False})
            assert got["access"][0]["actions"] == ["pull"], got

    @property
    def key(self):
        """The PEM file of the key that signs."""
        current = next(key for key in self.json("key", "list")
                       if key["state"] == "current")
        return self.folder / f"keys/{current['rfc7638']}.pem"

    def start(self, cores=SERVER_CORE):
        self.serve(env=service_environment())
        pid = self.daemon.process.pid
        subprocess.run(["taskset", "-a", "-p", "-c", cores, str(pid)],
                       check=True, capture_output=True, timeout=10)
        self.check()
        return self

    def server(self, sample=None, **options):
        return Server(self.daemon.process.pid, self.url,
                      sample or self.sample, **options)


class Other:
    """A program of others'. `child`: it is the first child that works."""

    def __init__(self, folder, port, *command, scheme="http", child=False):
        folder.mkdir(exist_ok=True)
        self.url = f"{scheme}://localhost:{port}"
        self.daemon = Daemon(pinned(SERVER_CORE, *command),
                             folder / f"{port}.log", cwd=folder)
        self.pid = self.daemon.process.pid
        try:
            self.daemon.wait_ready(lambda: is_open(port))
            if child:
                self.pid = self.first_child()
        except BaseException:
            self.stop()
            raise

    def first_child(self):
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        wait_until(children.read_text, 5, "no child")
        return int(children.read_text().split()[0])

    def server(self, sample, **options):
        return Server(self.pid, self.url, sample, **options)

    def stop(self):
        self.daemon.end()


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def bcrypt(cost):
    """A bcrypt hash of "badmin"; Go takes it as "$2a$"."""
    text = crypt.crypt("badmin", crypt.mksalt(crypt.METHOD_BLOWFISH,
                                              rounds=2 ** cost))
    return text.replace("$2b$", "$2a$", 1)


def docker_auth(folder, cost, key, certificate):
    """By the program that DOCKER_AUTH names: its module is on no proxy."""
    program = os.environ.get("DOCKER_AUTH")
    if not program:
        return "no docker_auth: DOCKER_AUTH=PROGRAM names one"
    port, = free_ports(1)
    folder.mkdir(exist_ok=True)
    config = folder / f"cost{cost}.yml"
    config.write_text(f"""
server: {{addr: "127.0.0.1:{port}"}}
token: {{issuer: dockpass, expiration: 300, certificate: {certificate}, \
key: {key}}}
users: {{admin: {{password: "{bcrypt(cost)}"}}, "": {{}}}}
acl:
  - {{match: {{account: admin}}, actions: ["*"]}}
  - {{match: {{account: "", name: p1/app}}, actions: [pull]}}
""")
    return Other(folder, port, Path(program).resolve(), config)


def token_server(folder, cost, key):
    """distribution's, at the version that still had it."""
    program, reason = golang.build(*TOKEN_SERVER)
    if reason:
        return reason
    port, = free_ports(1)
    folder.mkdir(exist_ok=True)
    old = folder / "key.pem"  # it reads no PKCS #8
    subprocess.run(["openssl", "pkey", "-traditional", "-in", key, "-out",
                    old], check=True, timeout=10)
    users = folder / f"cost{cost}.htpasswd"
    users.write_text(f"admin:{bcrypt(cost)}\n")
    return Other(folder, port, program, "-addr",
                 f"127.0.0.1:{port}", "-realm", "bench", "-passwd", users,
                 "-key", old, "-issuer", "dockpass")


def nginx(folder, certificate, body):
    """One worker that answers every request with 1 KB, over TLS."""
    port, = free_ports(1)
    folder.mkdir(exist_ok=True)
    (folder / "nginx.conf").write_text(f"""
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder};
  scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {certificate.file}; ssl_certificate_key {certificate.key};
    ssl_protocols TLSv1.3; ssl_session_cache off; ssl_session_tickets off;
    ssl_prefer_server_ciphers on; ssl_conf_command NumTickets 0;
    ssl_conf_command Ciphersuites {SUITES};
    location / {{ default_type application/json; return 200 "{body}"; }}
  }}
}}
""")
    return Other(folder, port, "nginx", "-c", folder / "nginx.conf",
                 scheme="https", child=True)
