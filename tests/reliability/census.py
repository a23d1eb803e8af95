"""`python -m tests.reliability.census serve ...`: a server that tells at `/census` what it holds of our own objects."""

import asyncio
import gc
import threading
from collections import Counter

from tornado.web import Application

from collabdoc.cli import main
from collabdoc.server import app
from collabdoc.server.api import ApiHandler
from collabdoc.server.engine import Engine


class Census(ApiHandler):
    """`objects` are those of our classes that the collector knows, by class."""

    def get(self) -> None:
        objects = Counter(
            f"{type(each).__module__}.{type(each).__name__}"
            for each in gc.get_objects()
            if str(type(each).__module__).startswith("collabdoc")
        )
        self.answer({"objects": objects, "tasks": len(asyncio.all_tasks()), "threads": threading.active_count()})


def _with_census(engine: Engine, make: object = app.make_application) -> Application:
    assert callable(make)
    application: Application = make(engine)
    application.add_handlers(".*", [("/census", Census, {"context": engine.context})])
    return application


if __name__ == "__main__":
    vars(app)["make_application"] = _with_census
    main()
