"""People who write in one document at the same time, in all that Yjs has; what they do follows from a seed."""

from random import Random
from typing import Any

from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

_WORDS = ("a", "bc", "naïve", "日本", "😀", "x😀y", "word ", "\n")


def write_together(seed: int, *, people: int = 3, steps: int = 60) -> list[bytes]:
    """The edits of all, one by one, in an order in which each comes after what it builds on."""
    random = Random(seed)
    log: list[bytes] = []
    everyone = [_Person(client, random, log) for client in random.sample(range(1, 2**31), people)]
    for _ in range(steps):
        person = random.choice(everyone)
        person.hears_of(random.randint(0, 20))
        person.edits()
    return log


class _Person:
    def __init__(self, client: int, random: Random, log: list[bytes]) -> None:
        self._random = random
        self._log = log
        self._heard = 0
        self._hears = False
        self._doc: Doc[Any] = Doc(client_id=client)
        self._text = self._doc.get("text", type=Text)
        self._list = self._doc.get("list", type=Array)
        self._map = self._doc.get("map", type=Map)
        self._xml = self._doc.get("xml", type=XmlFragment)
        self._subscription = self._doc.observe(self._note)

    def hears_of(self, count: int) -> None:
        self._hears = True
        for update in self._log[self._heard : self._heard + count]:
            self._doc.apply_update(update)
        self._hears = False
        self._heard = min(len(self._log), self._heard + count)

    def edits(self) -> None:
        with self._doc.transaction():
            for _ in range(self._random.choice((1, 1, 1, 2, 5))):
                self._random.choice(
                    (self._types, self._types, self._types, self._formats, self._lists, self._sets, self._marks_up)
                )()

    def _note(self, event: Any) -> None:
        if not self._hears:
            self._log.append(event.update)

    def _place(self, text: Text | XmlText) -> int:
        """Between two characters; pycrdt counts bytes."""
        content = str(text)
        return len(content[: self._random.randint(0, len(content))].encode())

    def _write_in(self, text: Text | XmlText) -> None:
        start, end = sorted((self._place(text), self._place(text)))
        if self._random.random() < 0.3:
            del text[start:end]
        else:
            text.insert(start, self._random.choice(_WORDS))

    def _types(self) -> None:
        self._write_in(self._text)

    def _formats(self) -> None:
        start, end = sorted((self._place(self._text), self._place(self._text)))
        if start < end:
            self._text.format(start, end, {"bold": self._random.choice((True, None)), "link": {"href": "😀"}})

    def _lists(self) -> None:
        place = self._random.randint(0, len(self._list))
        if place < len(self._list) and self._random.random() < 0.3:
            del self._list[place]
        else:
            made = (1, 2.5, "é", None, b"\x00", {"a": [1, {}]}, Map({"k": 1}), Text("t😀"), Array([1, 2]))
            self._list.insert(place, self._random.choice(made))

    def _sets(self) -> None:
        key = self._random.choice("abc")
        if key in self._map and self._random.random() < 0.3:
            del self._map[key]
        else:
            self._map[key] = self._random.choice((1, "x", Map({"a": Array([1])}), Text("inner")))

    def _marks_up(self) -> None:
        children = self._xml.children
        place = self._random.randint(0, len(children))
        if place == len(children):
            children.append(XmlElement("p", {"id": "1"}, [XmlText(self._random.choice(_WORDS))]))
        elif self._random.random() < 0.2:
            del children[place]
        else:
            element = children[place]
            assert isinstance(element, XmlElement)
            element.attributes["id"] = self._random.choice(_WORDS)
            if len(element.children):
                text = element.children[0]
                assert isinstance(text, XmlText)
                self._write_in(text)
