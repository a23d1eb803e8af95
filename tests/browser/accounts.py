"""Tokens, and what people do with them and with share links, for the stories about who may do what."""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from collabdoc.tokens import LEEWAY_S, sign_token
from tests.browser.story import Person

KEY = "the key of the browser tests, of 48 characters.."
CSRF = {"X-Collabdoc-Csrf": "1"}


def token_for(user: str, docs: Mapping[str, str], *, ends_in_s: float | None = None, **claims: Any) -> str:
    """A token; the server takes it for `ends_in_s` seconds from now."""
    if ends_in_s is not None:
        claims["exp"] = time.time() + ends_in_s - LEEWAY_S
    return sign_token(KEY.encode(), {"sub": user, "docs": dict(docs), **claims})


def sign_in(person: Person, token: str) -> None:
    """Without the page that is there for it."""
    answer = person.context.request.post(f"{person.address}/api/session", data={"token": token}, headers=CSRF)
    assert answer.status == 200, answer.text()


def sign_in_by_page(person: Person, token: str) -> None:
    person.on("token").fill(token)
    person.on("sign-in-submit").click()


def make_document(person: Person, name: str, kind: str = "text", title: str = "") -> None:
    wish = {"name": name, "kind": kind, "title": title}
    answer = person.context.request.post(f"{person.address}/api/documents", data=wish, headers=CSRF)
    assert answer.status == 201, answer.text()


def content_of(person: Person, name: str) -> str:
    """What the server has committed."""
    answer = person.context.request.get(f"{_url(person, name)}/content?format=text")
    assert answer.status == 200, answer.text()
    return answer.text()


def share(person: Person, name: str, role: str, *, label: str = "", lasts_s: float | None = None) -> str:
    """A share link without the dialog; its path."""
    wish = {"permission": role, "label": label, "expires_in_s": lasts_s}
    answer = person.context.request.post(f"{_url(person, name)}/links", data=wish, headers=CSRF)
    assert answer.status == 201, answer.text()
    return str(answer.json()["path"])


def take_back(person: Person, name: str) -> None:
    """All links of a document, without the dialog."""
    url = f"{_url(person, name)}/links"
    for link in person.context.request.get(url).json()["links"]:
        assert person.context.request.delete(f"{url}/{link['id']}", headers=CSRF).status == 204


def take_back_user(person: Person, user: str) -> None:
    """All tokens of a user, up to now."""
    answer = person.context.request.post(
        f"{person.address}/api/revocations",
        data={"user": user},
        headers={"Authorization": f"Bearer {token_for('operator', {'*': 'admin'})}"},
    )
    assert answer.status == 200, answer.text()


def refusals(person: Person) -> int:
    """How often the server has refused anything so far, in a channel or on a socket."""
    return sum(person.context.request.get(f"{person.address}/healthz").json()["refused"].values())


def _url(person: Person, name: str) -> str:
    return f"{person.address}/api/documents/{quote(name, safe='')}"
