"""The floors of the house: imports point down, nobody goes round in circles, drivers live in their own rooms.

DESIGN's table, as far as it is built. A room is a module of `collabdoc` or a package within it.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "collabdoc"
WEB = ROOT / "web" / "src"
MAX_LINES = 400

FLOORS = {
    **dict.fromkeys(
        ("collabdoc", "errors", "config", "turn", "memory", "listeners", "underway", "steps", "lane", "fanout"), 0
    ),
    **dict.fromkeys(("protocol", "characters", "document", "replica", "awareness", "content"), 1),
    **dict.fromkeys(("store", "auth", "keys", "tokens", "tasks", "helper", "quarantine"), 2),
    **dict.fromkeys(
        (
            "session",
            "audience",
            "life",
            "loading",
            "barred",
            "room",
            "held",
            "edits",
            "recent",
            "guard",
            "openings",
            "flushes",
            "exports",
            "snapshots",
            "spares",
            "reader",
            "writer",
            "rooms",
            "links",
            "revocations",
            "access",
            "repair",
        ),
        3,
    ),
    **dict.fromkeys(("server", "client"), 4),
    **dict.fromkeys(("cli", "cli_access", "cli_serve", "cli_store", "watchdog", "transfer", "__main__"), 5),
}

FACE = "collabdoc"
"""What users see first of the house; it leads to rooms on any floor."""

DRIVERS = {
    "pycrdt": {"characters", "document", "replica", "awareness", "content.fragment"},
    "tornado": {"server", "client", "transfer"},
    "sqlite3": {"store"},
    "msgpack": {"protocol", "tasks", "helper"},
    "click": {"cli", "cli_access", "cli_serve", "cli_store", "__main__"},
    "pydantic": {"config"},
    "pydantic_settings": {"config"},
    "markdown_it": {"content"},
    "alembic": {"store"},
    "sqlalchemy": {"store"},
    "filelock": {"store"},
    "jwt": {"keys", "tokens"},
    "cryptography": {"keys", "tokens"},
}


@dataclass(frozen=True)
class Import:
    importer: str
    imported: str
    line: int
    typing_only: bool

    def __str__(self) -> str:
        return f"{self.importer} (line {self.line}) imports {self.imported}"


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "collabdoc"


def imports_of(source: str, importer: str) -> Iterator[Import]:
    """All imports, those within functions too; names are without `collabdoc.`."""
    tree = ast.parse(source)
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for branch in node.body
        for inner in ast.walk(branch)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{importer} (line {node.lineno}) imports relatively"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield Import(importer, name.removeprefix("collabdoc."), node.lineno, id(node) in typing_only)


def walk() -> list[Import]:
    return [
        found
        for path in sorted(PACKAGE.rglob("*.py"))
        for found in imports_of(path.read_text(encoding="utf-8"), module_name(path, PACKAGE))
    ]


MODULES = {module_name(path, PACKAGE) for path in PACKAGE.rglob("*.py")}
IMPORTS = walk()


def module_of(imported: str) -> str | None:
    """The module of ours in which an imported name is; None where it is another's."""
    parts = imported.split(".")
    for end in range(len(parts), 0, -1):
        if (name := ".".join(parts[:end])) in MODULES:
            return name
    return "collabdoc" if imported == "__version__" else None


def room_of(module: str) -> str:
    return module.split(".")[0]


def inside() -> list[tuple[Import, str]]:
    return [(found, module) for found in IMPORTS if (module := module_of(found.imported)) is not None]


def upward(imports: Iterable[tuple[Import, str]]) -> list[str]:
    return [
        str(found)
        for found, module in imports
        if found.importer != FACE and FLOORS[room_of(module)] > FLOORS[room_of(found.importer)]
    ]


def test_every_room_has_its_floor() -> None:
    assert {room_of(module) for module in MODULES} <= FLOORS.keys()


def test_no_import_runs_upward() -> None:
    assert upward(inside()) == []


def test_the_walk_sees_an_import_that_runs_upward_wherever_it_hides() -> None:
    source = (
        "def f():\n    from collabdoc.server.app import Server\nimport collabdoc.rooms as r\nfrom collabdoc import room"
    )
    found = [(each, module_of(each.imported) or "?") for each in imports_of(source, "protocol.native")]
    assert [module for _, module in found] == ["rooms", "room", "server.app"]
    assert len(upward(found)) == 3


def test_no_imports_go_round_in_circles() -> None:
    """Between modules; what only a type checker reads does not count."""
    graph: dict[str, set[str]] = {}
    for found, module in inside():
        if not found.typing_only and module != found.importer:
            graph.setdefault(found.importer, set()).add(module)
    assert circle(graph) is None


def circle(graph: dict[str, set[str]]) -> list[str] | None:
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> list[str] | None:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return None
        done.add(module)
        return next(
            (found for other in sorted(graph.get(module, ())) if (found := visit(other, [*path, module]))), None
        )

    return next((found for module in sorted(graph) if (found := visit(module, []))), None)


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"d", "b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}}) is None


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_driver_is_imported_in_its_own_rooms_only(driver: str) -> None:
    importers = {found.importer for found in IMPORTS if found.imported.split(".")[0] == driver}
    strangers = {
        module for module in importers if module not in DRIVERS[driver] and room_of(module) not in DRIVERS[driver]
    }
    assert strangers == set()


def test_rooms_and_sessions_are_synchronous() -> None:
    for module in ("room", "session", "document", "awareness"):
        assert not {found.imported for found in IMPORTS if found.importer == module} & {"asyncio", "socket", "time"}


@pytest.mark.parametrize("root", [PACKAGE, WEB], ids=["collabdoc", "web"])
def test_no_file_is_longer_than_a_person_keeps_in_mind(root: Path) -> None:
    suffixes = {".py", ".ts", ".css", ".html"}
    sources = [path for path in root.rglob("*") if path.suffix in suffixes and PACKAGE / "static" not in path.parents]
    assert sources
    lengths = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n") for path in sources}
    assert {path: lines for path, lines in lengths.items() if lines > MAX_LINES} == {}
