"""A client of one server: any number of live documents on one line."""

from types import TracebackType
from urllib.parse import urlsplit, urlunsplit

from collabdoc.client.backoff import CAP_S
from collabdoc.client.clock import LoopClock
from collabdoc.client.document import LiveDocument
from collabdoc.client.line import SocketLine
from collabdoc.client.socket import Dialer
from collabdoc.client.status import Trouble
from collabdoc.errors import UsageError

_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


class Client:
    """One connection that comes back by itself; made by `connect`."""

    def __init__(self, url: str, token: str | None, max_backoff_s: float) -> None:
        self._url = socket_url(url)
        self._token = token
        self._max_backoff_s = max_backoff_s
        self._documents: set[LiveDocument] = set()

    async def __aenter__(self) -> "Client":
        self._clock = LoopClock()
        self._dialer = Dialer(self._url)
        self._line = SocketLine(self._dialer.dial, self._clock, max_backoff_s=self._max_backoff_s)
        self._line.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Hang up. What is not saved by then is lost with this process: await `saved()` first."""
        for document in list(self._documents):
            document.close()
        self.hang_up()
        await self._dialer.close()

    async def open(self, name: str) -> LiveDocument:
        """Open a document and wait, as long as it takes, until its content is here. Raises `Refused`.

        After `Refused` with 4409 (the document began a new life) what this gives is a fresh copy.
        """
        document = LiveDocument(
            name,
            self._line,
            self._clock,
            token=self._token,
            max_backoff_s=self._max_backoff_s,
            closed=self._documents.discard,
        )
        self._documents.add(document)
        document.connect()
        try:
            await document.synced()
        except BaseException:
            document.close()
            raise
        return document

    @property
    def trouble(self) -> Trouble | None:
        """Why there is no connection; None where there is one, or the first attempt is under way."""
        return self._line.trouble

    def hang_up(self) -> None:
        """Cut the line at once: what was not sent by now will not be."""
        self._line.stop()


def connect(url: str, *, token: str | None = None, max_backoff_s: float = CAP_S) -> Client:
    """A client of the server at `url` (http://, https://, ws:// or wss://, with the prefix where it is mounted under
    one); use it with `async with`.

    A lost line is tried again after a random time, at most `max_backoff_s`. Raises `UsageError` for no such address.
    """
    return Client(url, token, max_backoff_s)


def socket_url(url: str) -> str:
    """The address of the socket of the server at `url`."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES or not parts.hostname:
            raise ValueError
    except ValueError:
        raise UsageError(f"read the address {url!r:.200}, expected one such as https://example.org") from None
    path = parts.path.rstrip("/")
    return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path if path.endswith("/ws") else f"{path}/ws", "", ""))
