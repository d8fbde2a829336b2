"""Build and test a storage module. Copied as it is, this file serves a vendor's own project too.

    python setup.py bdist_egg     dist/NAME-VERSION-pyX.Y.egg: compiled code of the module alone
    python setup.py nosetests     run the tests (options: setup.cfg)

The packages in the egg are those that pyproject.toml names under [tool.vendor-egg], or else every
package beside this file that is not the development kit's.
"""

import ast
import sys
import tempfile
import tomllib
import warnings
import zipfile
from pathlib import Path
from typing import Any, ClassVar

from setuptools import Command, find_packages, setup
from setuptools.command.bdist_egg import bdist_egg

# Every build says so, and means another way to install: python setup.py install.
warnings.filterwarnings("ignore", "setup.py install is deprecated")

HERE = Path(__file__).resolve().parent

# Never in a vendor's egg: the host and the kit bring them.
KIT = ("modules", "simple", "conformance", "host", "vsm", "bench", "examples", "tests", "docs", "build", "dist")


def project() -> dict[str, Any]:
    """Return pyproject.toml, empty where there is none."""
    path = HERE / "pyproject.toml"
    return tomllib.loads(path.read_text("utf-8")) if path.exists() else {}


def vendor_packages() -> list[str]:
    """Return the packages that belong in the egg."""
    allowed = project().get("tool", {}).get("vendor-egg", {}).get("packages")
    if allowed is None:
        return find_packages(str(HERE), exclude=[*KIT, *(f"{name}.*" for name in KIT)])
    return find_packages(str(HERE), include=[*allowed, *(f"{name}.*" for name in allowed)])


class VendorEgg(bdist_egg):
    """An egg with the vendor's compiled code: no sources, no scripts, no requirements."""

    def run(self) -> None:
        """Build the egg in empty directories, and look what came out."""
        sys.dont_write_bytecode = False  # with PYTHONDONTWRITEBYTECODE=1 the egg would have no code
        self.exclude_source_files = 1
        distribution = self.distribution
        distribution.packages = vendor_packages()
        distribution.entry_points = {}
        distribution.install_requires = []
        distribution.extras_require = {}
        with tempfile.TemporaryDirectory() as scratch:  # an earlier build's leftovers would go in too
            distribution.reinitialize_command("build", reinit_subcommands=True).build_base = scratch
            distribution.reinitialize_command("egg_info").egg_base = scratch
            self.egg_info = None
            self.finalize_options()
            self.bdist_dir = str(Path(scratch, "egg"))
            super().run()
        self._check(Path(self.egg_output))

    def copy_metadata_to(self, target_dir: str) -> None:
        """Copy name, version and top-level names; setuptools itself finds none outside of the project's directory."""
        for name in ("PKG-INFO", "top_level.txt"):
            self.copy_file(str(Path(self.egg_info, name)), str(Path(target_dir, name)))

    def _check(self, egg: Path) -> None:
        with zipfile.ZipFile(egg) as archive:
            names = [name for name in archive.namelist() if not name.startswith("EGG-INFO/")]
        packages = self.distribution.packages
        directories = {name: HERE.joinpath(*name.split(".")) for name in packages}
        wanted = {f"{path.relative_to(HERE)}c" for directory in directories.values() for path in directory.glob("*.py")}
        missing = sorted(wanted - set(names))
        roots = {name.partition(".")[0] for name in packages}
        foreign = [name for name in names if name.partition("/")[0] not in roots or name.endswith(".py")]
        if missing or foreign or not wanted:
            egg.unlink()
            raise SystemExit(f"bdist_egg: no egg of {', '.join(packages) or 'nothing'}: lacks {missing}, has {foreign}")


class NoseTests(Command):
    """Run nose here, and fail when it ran no test, or fewer than are written in ``tests``."""

    description = "run the tests with nose"
    user_options: ClassVar[list[Any]] = []

    def initialize_options(self) -> None:
        """Leave the section [nosetests] of setup.cfg to nose, which reads it by itself."""
        self.distribution.command_options.pop("nosetests", None)

    def finalize_options(self) -> None:
        """There are none."""

    def run(self) -> None:
        """Run the tests; exit with status 1 if one failed, or if some were not found."""
        try:
            import nose.core
        except ImportError:
            self.distribution.fetch_build_eggs(["pynose", "coverage"])
            import nose.core

        class Program(nose.core.TestProgram):
            def runTests(self) -> None:  # noqa: N802 (the name is unittest's)
                config = self.config
                runner = nose.core.TextTestRunner(stream=config.stream, verbosity=config.verbosity, config=config)
                self.result = runner.run(self.test)

        result = Program(argv=["nosetests"], exit=False).result
        # One at least: those of the kit are inherited, and none of them is written here.
        ran, wanted = result.testsRun, max(1, count_tests(HERE / "tests"))
        if ran < wanted:
            print(f"nosetests: {ran} tests ran, which should be {wanted} at least")
        if not result.wasSuccessful() or ran < wanted:
            raise SystemExit(1)


def count_tests(directory: Path) -> int:
    """Return how many test functions are written in the Python files below ``directory``."""
    trees = [ast.parse(path.read_text("utf-8")) for path in directory.rglob("*.py")]
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return sum(function.name.startswith("test") for function in functions)


def naming() -> dict[str, Any]:
    """Return a vendor's name, version and packages; say more of the module here, or in pyproject.toml."""
    if "project" in project():
        return {}
    packages = vendor_packages()
    if not packages:
        raise SystemExit("setup.py: no package beside this file: make a directory with an __init__.py")
    return {"name": packages[0], "version": "1.0", "packages": packages}


setup(cmdclass={"bdist_egg": VendorEgg, "nosetests": NoseTests}, zip_safe=True, **naming())
