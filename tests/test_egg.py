"""What the builds hold."""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile
from pathlib import Path

from tests.checkout import copy_checkout
from tests.server import ROOT, environment
from vsm.new import FILES

OURS = [
    *(f"{path.relative_to(ROOT)}c" for room in ("fsstore", "stacked") for path in (ROOT / room).rglob("*.py")),
    *(f"{room}/py.typed" for room in ("fsstore", "stacked")),
]


def python(directory: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python in ``directory``."""
    env = environment(**variables)
    env.pop("PYTHONPATH")
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=directory, env=env, capture_output=True, text=True, timeout=300)


def code(egg: Path) -> list[str]:
    """Return the names of all that is in an egg beside its metadata."""
    with zipfile.ZipFile(egg) as archive:
        return sorted(name for name in archive.namelist() if not name.startswith("EGG-INFO/"))


class EggTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def build(self, project: Path, **variables: str) -> Path:
        done = python(project, "setup.py", "-q", "bdist_egg", **variables)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        (egg,) = (project / "dist").iterdir()
        return egg

    def checkout(self) -> Path:
        return copy_checkout(self.directory / "checkout")

    def test_the_egg_holds_compiled_code_of_the_vendor_modules_only(self) -> None:
        project = self.checkout()
        before = set(os.listdir(project))
        egg = self.build(project)
        self.assertEqual(code(egg), sorted(OURS))
        self.assertEqual(set(os.listdir(project)) - before, {"dist"})
        with zipfile.ZipFile(egg) as archive:
            metadata = {name for name in archive.namelist() if name.startswith("EGG-INFO/")}
        self.assertEqual(metadata, {f"EGG-INFO/{name}" for name in ("PKG-INFO", "top_level.txt", "zip-safe")})

    def test_libraries_that_look_at_all_that_is_installed_find_its_name_and_version(self) -> None:
        egg = self.build(self.checkout())
        script = (
            "import sys; sys.path.insert(0, sys.argv[1]); from importlib.metadata import distributions, entry_points;"
            "entry_points(group='any');"
            "print([(d.name, d.version) for d in distributions(path=[sys.argv[1]])])"
        )
        done = python(self.directory, "-c", script, str(egg))
        self.assertEqual(done.stdout, "[('storage-modules', '0.1.0')]\n", done.stderr)

    def test_it_works_in_an_interpreter_that_has_only_the_contract_beside_it(self) -> None:
        egg = self.build(self.checkout())
        shutil.copytree(ROOT / "modules", self.directory / "host/modules")
        (self.directory / "root").mkdir()
        script = (
            "import io, sys; sys.path[:0] = sys.argv[1:3]; from fsstore import FileStorage; import fsstore;"
            "FileStorage.prepare(sys.argv[3]);"
            "assert type(fsstore.__loader__).__name__ == 'zipimporter', fsstore.__loader__;"
            "m = FileStorage(root=sys.argv[3]); d = m.new_data({}); m.assign({}, d, io.BytesIO(b'data'));"
            "print(m.get_read_stream({}, d).read())"
        )
        arguments = (str(egg), str(self.directory / "host"), str(self.directory / "root"))
        done = python(self.directory, "-I", "-S", "-c", script, *arguments)
        self.assertEqual((done.stdout, done.returncode), ("b'data'\n", 0), done.stderr)

    def test_where_byte_compiling_is_off_the_egg_is_not_empty(self) -> None:
        self.assertIn("fsstore/storage.pyc", code(self.build(self.checkout(), PYTHONDONTWRITEBYTECODE="1")))

    def test_leftovers_of_another_build_stay_out(self) -> None:
        project = self.checkout()
        for name in ("host", "modules"):
            shutil.copytree(ROOT / name, project / "build/lib" / name)
        self.assertFalse([name for name in code(self.build(project)) if not name.startswith(("fsstore/", "stacked/"))])

    def vendor(self, source: str | None) -> Path:
        """Make a vendor's project as the document has it: two files copied, and one written."""
        project = self.directory / "vendor"
        (project / "newstore").mkdir(parents=True)
        for name in ("setup.py", "setup.cfg"):
            shutil.copy(ROOT / name, project)
        if source is not None:
            (project / "newstore/__init__.py").write_text("")
            (project / "newstore/newstore.py").write_text(source)
        return project

    def test_a_vendors_copy_builds_the_vendors_package(self) -> None:
        project = self.vendor("class NewStorage: pass\n")
        for name in ("modules", "simple", "tests"):
            shutil.copytree(ROOT / name, project / name)
        egg = self.build(project)
        self.assertEqual(code(egg), ["newstore/__init__.pyc", "newstore/newstore.pyc"])
        self.assertTrue(egg.name.startswith("newstore-1.0-py3."))

    def test_code_that_does_not_compile_is_no_egg(self) -> None:
        project = self.vendor("class class\n")
        done = python(project, "setup.py", "-q", "bdist_egg")
        self.assertEqual(done.returncode, 1)
        self.assertIn("lacks ['newstore/newstore.pyc']", done.stderr)
        self.assertEqual(list((project / "dist").iterdir()), [])

    def test_a_project_without_a_package_is_told_so(self) -> None:
        done = python(self.vendor(None), "setup.py", "-q", "bdist_egg")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(
            done.stderr.strip(), "setup.py: no package beside this file: make a directory with an __init__.py"
        )

    def test_the_example_has_the_same_build_files(self) -> None:
        for name in ("setup.py", "setup.cfg"):
            self.assertEqual((ROOT / "examples/newstore" / name).read_bytes(), (ROOT / name).read_bytes())


class InstallTest(unittest.TestCase):
    def test_pip_installs_the_whole_kit_with_its_command(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            project, target = copy_checkout(Path(directory, "checkout")), Path(directory, "target")
            leave_a_build(project / "examples/newstore")
            options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-cache-dir", "--target", str(target))
            done = python(project, "-m", "pip", "install", *options, ".")
            self.assertEqual(done.returncode, 0, done.stderr)
            packages = {path.parent.name for path in target.glob("*/__init__.py")}
            self.assertEqual(packages, {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"})
            for package in packages:
                self.assertTrue((target / package / "py.typed").exists(), package)
            self.assertTrue((target / "bin/vsm").exists())
            self.assertEqual(files(target / "vsm/template"), sorted(FILES))

    def test_a_source_distribution_has_the_template_and_the_example(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            project = copy_checkout(Path(directory, "checkout"))
            leave_a_build(project / "examples/newstore")
            done = python(project, "setup.py", "--quiet", "sdist", "--formats", "tar", "--dist-dir", directory)
            self.assertEqual(done.returncode, 0, done.stderr)
            (path,) = Path(directory).glob("*.tar")
            with tarfile.open(path) as archive:
                names = {name.partition("/")[2] for name in archive.getnames()}
            for place in ("vsm/template", "examples/newstore"):
                self.assertLessEqual({f"{place}/{name}" for name in FILES}, names)
            self.assertNotIn("vsm/template/build/left.py", names)


def leave_a_build(project: Path) -> None:
    """Leave behind what builds and tests do."""
    for name in ("build/left.py", "dist/left.py", "newstore/__pycache__/left.pyc", ".coverage"):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text("")


def files(directory: Path) -> list[str]:
    """Return the relative paths of all files below ``directory`` but Python's own."""
    paths = (path.relative_to(directory) for path in directory.rglob("*") if path.is_file())
    return sorted(str(path) for path in paths if "__pycache__" not in path.parts)
