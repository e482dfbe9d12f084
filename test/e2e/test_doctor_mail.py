"""dockpass doctor and the mail server: it is greeted, and sent nothing."""

import socket
import threading

from support.dockpass import Dockpass
from support.doctor import doctor
from support.mail import Post


def test_mail_is_greeted_and_nothing_is_sent(tmp_path):
    with Post() as post, Dockpass(tmp_path) as dockpass:
        dockpass.configure(mail={"url": f"smtp://localhost:{post.port}",
                                 "from": "a@b.c"})
        dockpass.serve()
        checks = doctor(dockpass)[1]
        assert checks["mail"]["message"] == \
            f"smtp://localhost:{post.port} answers"
        assert post.keeper.commands[0] == "EHLO"
        assert not {"MAIL", "RCPT", "DATA"} & set(post.keeper.commands)


def test_a_mail_server_that_refuses(tmp_path):
    """What it says is shown."""
    with Dockpass(tmp_path) as dockpass, \
            socket.create_server(("127.0.0.1", 0)) as server:
        def refuse():
            peer = server.accept()[0]
            with peer:
                peer.sendall(b"554 not \x1b[2J you\r\n")
        thread = threading.Thread(target=refuse)
        thread.start()
        port = server.getsockname()[1]
        dockpass.configure(mail={"url": f"smtp://localhost:{port}",
                                 "from": "a@b.c"})
        check = doctor(dockpass)[1]["mail"]
        thread.join()
    assert check["status"] == "fail"
    assert f"smtp://localhost:{port}: 554 not ?[2J you" in check["message"]


def test_a_mail_server_that_wants_a_login_first(tmp_path):
    """The doctor has none to show; that it speaks SMTP is enough."""
    with Post() as post, Dockpass(tmp_path) as dockpass:
        post.keeper.refuse["NOOP"] = "530 5.7.0 authenticate first"
        dockpass.configure(mail={"url": f"smtp://localhost:{post.port}",
                                 "from": "a@b.c"})
        check = doctor(dockpass)[1]["mail"]
        assert "NOOP" in post.keeper.commands
    assert check["status"] == "ok", check
