"""A Tornado application with a page and a login of its own, and collabdoc under /collab/.

    python examples/mounted.py --port 8000 --data ./data

Sign in on the page. Python clients show the same thing as browsers do, the value of the cookie `who`, as a token:

    async with connect("http://127.0.0.1:8000/collab", token=...) as client: ...
"""

import argparse
import asyncio
import secrets
import signal
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.template import Template
from tornado.web import Application, RequestHandler, authenticated, decode_signed_value

from collabdoc.auth import Credentials, Grant, Identity, Permission, User
from collabdoc.config import load_settings
from collabdoc.errors import NotAllowed, NotAuthenticated
from collabdoc.server import Engine, routes

COOKIE = "who"
PAGE = Template("""<!doctype html>
<title>Our application</title>
<h1>Hello, {{ user }}</h1>
<ul id="documents"></ul>
<script>
  fetch('/collab/api/documents').then((answer) => answer.json()).then(({ documents }) => {
    for (const { name } of documents) {
      document.getElementById('documents').append(Object.assign(document.createElement('li'), { textContent: name }))
    }
  })
</script>
""")


class Login:
    """Whoever signed in here may write, but for what is private to somebody else."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def who(self, shown: str | None) -> str | None:
        name = decode_signed_value(self._secret, COOKIE, shown or "")
        return None if name is None else name.decode()

    def identify(self, credentials: Credentials) -> Identity:
        name = self.who(credentials.token or credentials.cookies.get(COOKIE))
        if name is None:
            raise NotAuthenticated("sign in at /login")
        return Identity(User(name, name))

    def authenticate(self, credentials: Credentials, document: str) -> Grant:
        user = self.identify(credentials).user
        if document.startswith("private/") and not document.startswith(f"private/{user.id}/"):
            raise NotAllowed("this document is private")
        return Grant(user, Permission.WRITE)


class Page(RequestHandler):
    def initialize(self, login: Login) -> None:
        self.login = login

    def get_current_user(self) -> str | None:
        return self.login.who(self.get_cookie(COOKIE))

    @authenticated
    def get(self) -> None:
        self.finish(PAGE.generate(user=self.current_user))


class SignIn(RequestHandler):
    def get(self) -> None:
        self.finish(f'<form method="post">{self.xsrf_form_html()}<input name="name"><button>Sign in</button></form>')

    def post(self) -> None:
        self.set_signed_cookie(COOKIE, self.get_body_argument("name"), httponly=True, samesite="Strict")
        self.redirect("/")


async def main(port: int, data: Path) -> None:
    secret = secrets.token_urlsafe()
    login = Login(secret)
    application = Application(
        [(r"/", Page, {"login": login}), (r"/login", SignIn)],
        cookie_secret=secret,
        login_url="/login",
        xsrf_cookies=True,
        compress_response=True,
    )
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Engine(load_settings({"data": data, "host": "127.0.0.1"}), authenticator=login) as engine:
        application.add_handlers(".*", routes(engine, "/collab"))
        http = HTTPServer(application)
        http.add_sockets(sockets := bind_sockets(port, "127.0.0.1"))
        print(f"listening on http://127.0.0.1:{sockets[0].getsockname()[1]}", flush=True)
        await stop.wait()
        http.stop()
    await http.close_all_connections()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--data", type=Path, default=Path("data"))
    given = parser.parse_args()
    asyncio.run(main(given.port, given.data))
