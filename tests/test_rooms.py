"""The rooms, and the only arrows between them."""

import ast
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: Room: the rooms that it may import beside itself. docs/decisions/001-rooms.md says why.
ARROWS = {
    "modules": set(),
    "simple": {"modules"},
    "fsstore": {"modules"},
    "stacked": {"modules"},
    "objstore": {"modules"},
    "conformance": {"modules"},
    "host": {"modules"},
    "vsm": {"host", "conformance", "modules", "stacked"},
}
#: Arrows that one file alone may draw, and no further than to these files.
NARROW = {("vsm", "stacked"): {"vsm/key.py": {"stacked.keyring", "stacked.keyfile"}}}
STANDARD_LIBRARY_ALONE = {"modules", "simple", "fsstore"}


def imports(path: Path) -> list[tuple[str, bool]]:
    """Return what a file imports: the first part of each name, and whether that is inside a function."""
    tree = ast.parse(path.read_text("utf-8"))
    inner = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for node in ast.walk(function)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = ["." * node.level + (node.module or "")]
        else:
            continue
        found += [(name.partition(".")[0] or name, id(node) in inner) for name in names]
    return found


def names(path: Path, room: str) -> set[str]:
    """Return what a file imports of a room, by the whole names of its files."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inside = node.module == room
            found |= {f"{room}.{alias.name}" for alias in node.names} if inside else {node.module or ""}
    return {name for name in found if name.partition(".")[0] == room}


def violations(root: Path) -> tuple[list[str], int]:
    """Return the wrong arrows in the tree at ``root``, and how many files were read."""
    wrong, files = [], 0
    for room, allowed in ARROWS.items():
        for path in sorted((root / room).rglob("*.py")):
            files += 1
            for name, is_inner in imports(path):
                where = f"{path.relative_to(root)} imports {name}"
                if name.startswith("."):
                    wrong.append(f"{where}: relative")
                elif name in ARROWS and name not in allowed | {room}:
                    wrong.append(where)
                elif name in ARROWS and is_inner:
                    wrong.append(f"{where} inside a function")
    return wrong, files


class RoomsTest(unittest.TestCase):
    def test_no_arrow_but_the_allowed_ones(self) -> None:
        wrong, files = violations(ROOT)
        self.assertEqual(wrong, [])
        self.assertGreater(files, 20)

    def test_the_command_for_keyrings_alone_knows_the_stacked_modules(self) -> None:
        for (room, other), allowed in NARROW.items():
            found = {str(path.relative_to(ROOT)): names(path, other) for path in (ROOT / room).rglob("*.py")}
            self.assertEqual({file: imported for file, imported in found.items() if imported}, allowed)

    def test_every_package_is_a_room(self) -> None:
        packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
        self.assertLessEqual(packages - {"tests", "bench"}, ARROWS.keys())
        self.assertLessEqual({"modules", "simple", "fsstore", "host", "vsm"}, packages)

    def test_a_planted_wrong_arrow_is_seen(self) -> None:
        planted = {
            "from fsstore import FileStorage": "host/new.py imports fsstore",
            "import fsstore.storage as s": "host/new.py imports fsstore",
            "from . import wire": "host/new.py imports .: relative",
            "def f():\n    import modules": "host/new.py imports modules inside a function",
        }
        for text, expected in planted.items():
            with self.subTest(text), tempfile.TemporaryDirectory() as directory:
                root = Path(directory)
                (root / "host").mkdir()
                (root / "host/new.py").write_text(text)
                self.assertEqual(violations(root), ([expected], 1))

    def test_the_rooms_of_a_vendor_need_the_standard_library_alone(self) -> None:
        for room in STANDARD_LIBRARY_ALONE:
            for path in (ROOT / room).rglob("*.py"):
                foreign = {name for name, _ in imports(path)} - set(sys.stdlib_module_names) - {"modules", room}
                self.assertEqual(foreign, set(), path)
