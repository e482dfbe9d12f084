"""dockpass doctor tells of all that the server's log warns of at a start."""

from copy import deepcopy

import pytest
import requests

from support.dockpass import Dockpass, on
from support.doctor import doctor
from support.process import free_ports
from support.site import Certificate

NAME = "subjectAltName=DNS:localhost,IP:127.0.0.1"


def nameless(certificate):
    """Who knows no CN any more, refuses it."""
    file, key = certificate.issue("nameless", "/CN=localhost")
    return {"tls": {"certificate": str(file), "key": str(key)}}


def of_next_century(certificate):
    file, key = certificate.issue("later", "/CN=localhost", NAME,
                                  env=on("2099-01-01"))
    return {"tls": {"certificate": str(file), "key": str(key)}}


def whoever(_):
    return {"proxy_protocol": True}


SAID = {
    nameless: "holds no name (subjectAltName)",
    of_next_century: "is good from 2099-01-01T",
    whoever: "listeners[0].proxy_protocol without trusted_proxies",
}


@pytest.mark.usefixtures("faketime")
@pytest.mark.parametrize("make", SAID)
def test_what_the_log_warns_of(tmp_path, make):
    certificate = Certificate(tmp_path)
    dockpass = Dockpass(tmp_path / "d", listener=make(certificate))
    failed, checks = doctor(dockpass)
    check = checks["warnings"]
    assert ("tls" in failed) == (make is of_next_century), checks["tls"]
    assert check["status"] == "warn", check
    assert SAID[make] in check["message"]
    done = dockpass.run("check", "--config", dockpass.config_file)
    assert SAID[make] in done.stderr


def test_an_answer_of_our_own_may_be_long(tmp_path):
    """A line for each certificate of each listener."""
    certificate = Certificate(tmp_path)
    pairs = [certificate.issue(f"name{i}", f"/CN=name{i}",
                               f"subjectAltName=DNS:name{i}.example.com")
             for i in range(60)]
    tls = {"certificates": [{"certificate": str(file), "key": str(key)}
                            for file, key in
                            [(certificate.file, certificate.key), *pairs]]}
    with Dockpass(tmp_path / "d") as dockpass:
        ports = [dockpass.port, *free_ports(4)]
        dockpass.configure(
            url=f"https://localhost:{dockpass.port}",
            listeners=[{"address": f"127.0.0.1:{port}", "tls": deepcopy(tls)}
                       for port in ports])
        dockpass.verify = str(certificate.ca)
        dockpass.serve()
        told = requests.get(f"http://127.0.0.1:{dockpass.admin_port}/metrics",
                            timeout=20)
        assert len(told.content) > 64 * 1024
        served = doctor(dockpass)[1]["served"]
        assert served["status"] == "ok", served
