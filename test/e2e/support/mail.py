"""A real SMTP server (aiosmtpd) that keeps what it is sent, and can stall."""

import asyncio
import email
import email.policy
import hmac
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from support.process import free_ports


class Keeper:
    """Its hooks. `stall`: the step at which it waits for release();
    `refuse`: what a step answers instead, {"RCPT": "451 later"}; `offers`: the
    ways to log in that it names, though it knows PLAIN and LOGIN alone."""

    offers = "LOGIN PLAIN"

    def __init__(self):
        self.mails, self.commands = [], []
        self.refuse, self.stall = {}, None
        self.reached, self.go = threading.Event(), threading.Event()

    async def step(self, server, name):
        self.commands.append(name)
        if self.stall == name:
            self.reached.set()
            while not self.go.is_set():
                await asyncio.sleep(0.02)
        return self.refuse.get(name)

    async def handle_EHLO(self, server, session, envelope, hostname, lines):
        said = await self.step(server, "EHLO")
        session.host_name = hostname
        return [said] if said else [
            line.replace("AUTH LOGIN PLAIN", f"AUTH {self.offers}")
            for line in lines]

    async def auth_CRAM__MD5(self, server, args):
        challenge = "<1@localhost>"
        answer = await server.challenge_auth(challenge)
        name, password = self.login
        right = hmac.new(password.encode(), challenge.encode(), "md5")
        return AuthResult(success=answer.decode() ==
                          f"{name} {right.hexdigest()}", auth_data=name)

    async def handle_NOOP(self, server, session, envelope, word):
        return await self.step(server, "NOOP") or "250 OK"

    async def handle_MAIL(self, server, session, envelope, address, options):
        envelope.mail_from = address
        return await self.step(server, "MAIL") or "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        said = await self.step(server, "RCPT")
        if not said:
            envelope.rcpt_tos.append(address)
        return said or "250 OK"

    async def handle_DATA(self, server, session, envelope):
        said = await self.step(server, "DATA")
        if said:
            return said
        mail = email.message_from_bytes(envelope.original_content,
                                        policy=email.policy.default)
        mail.raw, mail.envelope = envelope.original_content, envelope
        mail.tls = bool(server.transport.get_extra_info("ssl_object"))
        mail.login = session.authenticated
        self.mails.append(mail)
        await self.step(server, "KEPT")
        return "250 kept"

    async def handle_QUIT(self, server, session, envelope):
        await self.step(server, "QUIT")
        return "221 Bye"


class Post(Controller):
    """`tls`: an ssl context; `smtps`: from the first byte on; `login`: a
    (name, password) that it wants; `way`: the only one by which it takes it."""

    ended = False

    def __init__(self, tls=None, smtps=False, login=None, port=None,
                 way=None):
        self.keeper = Keeper()
        self.keeper.login = login
        options = {}
        if login:
            options = {
                "auth_exclude_mechanism": {"PLAIN", "LOGIN", "CRAM-MD5"} -
                ({way} if way else {"PLAIN", "LOGIN"}),
                "auth_required": True, "auth_require_tls": tls is not None,
                "authenticator": lambda server, session, envelope, how, data:
                    AuthResult(handled=False, success=login == (
                        data.login.decode(), data.password.decode()))}
        if tls and not smtps:
            options["tls_context"] = tls
            options["require_starttls"] = False
        super().__init__(self.keeper, hostname="127.0.0.1",
                         port=port or free_ports(1)[0], ready_timeout=10,
                         ssl_context=tls if smtps else None, **options)

    @property
    def mails(self):
        return self.keeper.mails

    def __enter__(self):
        self.start()
        return self

    def end(self):
        """May be called twice."""
        self.keeper.go.set()
        if not self.ended:
            self.ended = True
            self.stop()

    def __exit__(self, *_):
        self.end()
