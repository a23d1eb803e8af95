"""`@collabdoc/provider` as those have it who install it from its tarball."""

import json
import tarfile
from pathlib import Path

import pytest

from collabdoc import __version__
from tests.clients.project import PROVIDER, WEB, Project
from tests.process import ServerProcess

EXAMPLES = sorted((PROVIDER / "examples").glob("*.ts*"))

# As strict as a project can be; the types of the editors' own packages are their makers' affair.
_STRICT = {
    "target": "ES2022",
    "lib": ["ES2023", "DOM", "DOM.Iterable"],
    "types": ["node"],
    "jsx": "react-jsx",
    "strict": True,
    "exactOptionalPropertyTypes": True,
    "noUncheckedIndexedAccess": True,
    "verbatimModuleSyntax": True,
}
# A bundler takes styles, too.
_BUNDLER = {
    "module": "ESNext",
    "moduleResolution": "bundler",
    "skipLibCheck": True,
    "noUncheckedSideEffectImports": False,
}
_NODE = {"module": "NodeNext", "moduleResolution": "NodeNext", "skipLibCheck": False}


@pytest.fixture(scope="module")
def examples(project: Project) -> Path:
    """The examples, compiled."""
    folder = project.part("examples")
    for example in EXAMPLES:
        (folder / example.name).write_text(example.read_text())
    compiles(project, folder, _BUNDLER)
    return folder


def compiles(project: Project, folder: Path, options: dict[str, object]) -> None:
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": {**_STRICT, **options}}))
    project.compile(folder)


def test_the_tarball_holds_the_module_its_types_the_readme_and_the_licence_and_no_more(project: Project) -> None:
    with tarfile.open(project.tarball) as tar:
        names = {name.removeprefix("package/") for name in tar.getnames()}
    assert {"package.json", "README.md", "LICENSE", "lib/index.js", "lib/index.d.ts"} <= names
    others = {name for name in names if not name.startswith("lib/")}
    assert others == {"package.json", "README.md", "LICENSE"}


def test_the_package_has_the_version_and_the_licence_of_the_project() -> None:
    assert json.loads((PROVIDER / "package.json").read_text())["version"] == __version__
    assert (PROVIDER / "LICENSE").read_text() == (WEB.parent / "LICENSE").read_text()


def test_the_declarations_hold_where_nothing_is_skipped(project: Project) -> None:
    folder = project.part("strict")
    (folder / "main.ts").write_text("export * from '@collabdoc/provider'\n")
    compiles(project, folder, _NODE)


def test_an_event_that_there_is_not_and_a_wrong_option_are_refused(project: Project) -> None:
    folder = project.part("wrong")
    (folder / "main.ts").write_text(
        "import { CollabdocProvider } from '@collabdoc/provider'\n"
        "import * as Y from 'yjs'\n"
        "// @ts-expect-error: there is no such option\n"
        "const provider = new CollabdocProvider('', '', new Y.Doc(), { tokn: '' })\n"
        "// @ts-expect-error: there is no such event\n"
        "provider.on('stauts', () => {})\n"
        "// @ts-expect-error: these are the words of y-websocket\n"
        "provider.on('status', ({ status }) => status === 'saved')\n"
    )
    compiles(project, folder, _NODE)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_each_example_compiles_and_stands_in_the_readme(examples: Path, example: Path) -> None:
    assert (examples / example.with_suffix(".js").name).is_file()
    assert f"```{example.suffix[1:]}\n{example.read_text()}```\n" in (PROVIDER / "README.md").read_text()


def test_a_script_writes_and_is_told_when_that_is_committed(project: Project, examples: Path, tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data") as server:
        script = examples / "node.js"
        assert project.run(script, server.url, "notes/today") == "Good morning. \n"
        server.kill()
        server.start()
        assert project.run(script, server.url, "notes/today") == "Good morning. Good morning. \n"
