"""Who wants to hear of something; one listener's fault is logged, and costs nobody else the news."""

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

_News = TypeVar("_News")


class Listeners(Generic[_News]):
    """Callbacks, told in the order in which they came."""

    def __init__(self) -> None:
        self._callbacks: dict[object, Callable[[_News], object]] = {}

    def add(self, callback: Callable[[_News], object]) -> Callable[[], None]:
        """What is to be called so that it hears no more."""
        key = object()
        self._callbacks[key] = callback
        return lambda: self._callbacks.pop(key, None) and None

    def tell(self, news: _News) -> None:
        for callback in list(self._callbacks.values()):
            try:
                callback(news)
            except Exception:
                log.exception("a listener failed")
