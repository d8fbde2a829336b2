"""docs/cdmi.md: every example is run against a real server, and every row names the tests that hold it."""

import difflib
import importlib
import json
import re
import subprocess
import sys
import unittest
import urllib.request
from typing import Any, NamedTuple

from host import errors
from tests.server import PASSWORD, ROOT, ServerTest, curl, environment, needs_curl

TEXT = (ROOT / "docs/cdmi.md").read_text("utf-8")
MEMBERS = "/cdmi/cdmi_domains/system_domain/cdmi_domain_members"
ANY = "…"
#: What the shell prints between two examples.
END = "\n-- end of an example --\n"


class Example(NamedTuple):
    """What is run, and what it says: text as it is, or JSON in any form."""

    language: str
    code: str
    kind: str = "text"
    said: str = ""


def examples(text: str) -> list[Example]:
    """Return the examples of a Markdown text: each is a block of code, and maybe one of what it says."""
    found: list[Example] = []
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if language in ("sh", "python"):
            found.append(Example(language, block))
        elif found and language in ("text", "json") and not found[-1].said:
            found[-1] = found[-1]._replace(kind=language, said=block)
        else:
            raise ValueError(f"{language}: neither run nor compared: {block}")
    return found


def matches(wanted: str, said: str) -> bool:
    """Tell whether ``said`` is what is wanted; a line that is ``…`` stands for any lines, else it is within one."""
    lines = (
        r"(?:.*\n)*?" if line == ANY else f"{re.escape(line).replace(ANY, '.*?')}\n" for line in wanted.split("\n")
    )
    return re.fullmatch("".join(lines), f"{said}\n") is not None


def agrees(wanted: Any, said: Any) -> bool:
    """Tell whether JSON is what is wanted; a key ``…`` stands for any others."""
    if wanted == ANY:
        return True
    if isinstance(wanted, dict) and isinstance(said, dict):
        keys = wanted.keys() - {ANY}
        is_whole = keys <= said.keys() if ANY in wanted else keys == said.keys()
        return is_whole and all(agrees(wanted[key], said[key]) for key in keys)
    if isinstance(wanted, list) and isinstance(said, list):
        return len(wanted) == len(said) and all(map(agrees, wanted, said))
    if isinstance(wanted, str) and isinstance(said, str):
        return matches(wanted, said)
    return type(wanted) is type(said) and bool(wanted == said)


@needs_curl
class ExamplesTest(ServerTest):
    def setUp(self) -> None:
        super().setUp()
        self.url = self.serve().url
        made = curl(
            *("--user", f"administrator:{PASSWORD}", "-X", "PUT", "-w", "%{http_code}", f"{self.url}{MEMBERS}/alice"),
            *("-d", '{"password": "wonderland", "policy": "default"}'),
        )
        self.assertEqual(made.stdout, b"201")

    def run_all(self, found: list[Example]) -> list[str]:
        """Run examples in one shell, and return what each of them says."""
        script = "set -e -o pipefail\n"
        for number, (language, code, _, _) in enumerate(found):
            if language == "python":
                (self.directory / f"{number}.py").write_text(code, "utf-8")
                code = f"'{sys.executable}' {number}.py\n"
            script += f"{code.replace('http://127.0.0.1:8080', self.url)}printf %s '{END}'\n"
        # Not the home of whoever runs the tests, whose .curlrc and .netrc would have a say.
        env = environment(HOME=str(self.directory), VSM_ADMINISTRATOR_PASSWORD=PASSWORD)
        done = subprocess.run(["bash", "-c", script], cwd=self.directory, env=env, capture_output=True, timeout=120)
        said = done.stdout.decode().replace("\r\n", "\n").replace("HTTP/1.1 100 Continue\n\n", "").split(END)
        last = said.pop()
        self.assertEqual((done.returncode, last), (0, ""), f"after {len(said)} examples: {done.stderr.decode()}")
        return said

    def test_every_example_says_what_is_written(self) -> None:
        found = examples(TEXT)
        self.assertGreater(len(found), 40)
        for example, said in zip(found, self.run_all(found), strict=True):
            with self.subTest(example.code):
                if example.kind == "json":
                    self.assertTrue(agrees(json.loads(example.said), json.loads(said)), said)
                elif not matches(example.said.strip("\n"), said.strip("\n")):
                    lines = difflib.unified_diff(example.said.splitlines(), said.splitlines(), "written", "said", n=99)
                    self.fail("\n".join(lines))

    def test_a_browser_downloads_what_it_has_a_link_to(self) -> None:
        url = f"{self.url}/cdmi/a%20page"
        stored = curl(
            "-u", "alice:wonderland", "-H", "Content-Type: text/html", "--data-binary", "<p>", "-X", "PUT", url
        )
        self.assertEqual(stored.stdout, b"")
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        passwords.add_password("cdmi", self.url, "alice", "wonderland")
        browser = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords))
        browser.addheaders = [("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"), ("User-Agent", "Mozilla/5.0")]
        with browser.open(url, timeout=60) as page:
            self.assertEqual((page.status, page.read(), page.headers["Content-Type"]), (200, b"<p>", "text/html"))


class ComparisonTest(unittest.TestCase):
    """What compares the examples: it would be no use if it took anything."""

    def test_text(self) -> None:
        for wanted, said, expected in (
            ("a\nb", "a\nb", True),
            ("a\nb", "a\nc", False),
            ("a\n…\nd", "a\nb\nc\nd", True),
            ("a\n…\nd", "a\nd", True),
            ("a\n…\nd", "a\nb\nc", False),
            ("a\n…", "a\nb\nc", True),
            ("id: …!", "id: 7!", True),
            ("id: …!", "id: 7\n!", False),
            ("a.c", "abc", False),
        ):
            self.assertEqual(matches(wanted, said), expected, wanted)

    def test_json(self) -> None:
        for wanted, said, expected in (
            ({"a": 1, "b": [1, "x"]}, {"b": [1, "x"], "a": 1}, True),
            ({"a": 1}, {"a": 1, "b": 2}, False),
            ({"a": 1, ANY: ANY}, {"a": 1, "b": 2}, True),
            ({"a": 1, ANY: ANY}, {"b": 2}, False),
            ({"a": ANY}, {"a": {"b": []}}, True),
            ({"a": "x…"}, {"a": "xyz"}, True),
            ({"a": "x…"}, {"a": "yz"}, False),
            ([1, 2], [1], False),
            ("1", 1, False),
            (True, 1, False),
        ):
            self.assertEqual(agrees(wanted, said), expected, wanted)

    def test_a_block_that_is_neither_run_nor_compared_is_an_error(self) -> None:
        for text in ("```text\nx\n```\n", "```sh\nx\n```\n```text\ny\n```\n```text\nz\n```\n", "```toml\nx\n```\n"):
            with self.assertRaises(ValueError):
                examples(text)


class TableTest(unittest.TestCase):
    def rows(self, first: str) -> dict[str, str]:
        """Return the last cells of the rows whose first cell is a number, of the table that ``first`` heads."""
        table = TEXT.partition(f"\n| {first} | ")[2].partition("\n\n")[0]
        return dict(re.findall(r"^\| (\d+) \|.*\|(.*)\|$", table, re.MULTILINE))

    def check(self, rows: dict[str, str]) -> None:
        """Check that each row names tests, all of which are there."""
        for number, held_by in rows.items():
            named = re.findall(r"`tests/([\w/]+)\.py::(\w+)::(test_\w+)`", held_by)
            self.assertEqual(len(named), held_by.count("`") // 2, held_by)
            self.assertTrue(named, number)
            for path, case, test in named:
                module = importlib.import_module(f"tests.{path.replace('/', '.')}")
                self.assertTrue(callable(getattr(getattr(module, case), test, None)), f"{number}: {path} {case} {test}")

    def test_each_row_names_tests_that_are_there(self) -> None:
        rows = self.rows("#")
        self.assertEqual(list(rows), [str(number) for number in range(1, 24)])
        self.check(rows)

    def test_each_status_is_told_and_names_tests_that_are_there(self) -> None:
        rows = self.rows("status")
        served = {getattr(errors, name).status for name in errors.__all__}
        self.assertEqual(sorted(map(int, rows)), sorted(served))
        self.check(rows)
