"""Apache httpd with mod_wsgi, and what a cloud behind it may rely on."""

import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
import zipfile
from pathlib import Path

from tests.apache import Apache, needs_apache
from tests.guard import alive, left_behind
from tests.server import ROOT, children, curl, needs_curl

SIZE = 200 << 20
SCRIPT = """
import hashlib
import json
import os
import sys
from importlib import import_module

BLOCK = 1 << 20


def application(environ, start_response):
    said = {"environ": {key: value for key, value in environ.items() if isinstance(value, str)}, "pid": os.getpid()}
    if environ["REQUEST_METHOD"] == "PUT":
        said |= read(environ)
    elif environ["PATH_INFO"] == "/zeros":
        size = int(environ["QUERY_STRING"])
        start_response("200 OK", [("Content-Length", str(size))])
        return (bytes(min(BLOCK, size - at)) for at in range(0, size, BLOCK))
    elif environ["PATH_INFO"] == "/imports":
        said["files"] = [import_module(name).__file__ for name in environ["QUERY_STRING"].split(",")]
    said |= {"python": sys.version_info[:2], "encoding": sys.getfilesystemencoding(), "set": os.environ.get("SET")}
    body = json.dumps(said).encode()
    start_response("200 OK", [("Content-Length", str(len(body))), ("Content-Type", "text/plain")])
    return [body]


def read(environ):
    md5, size = hashlib.md5(), 0
    try:
        while block := environ["wsgi.input"].read(BLOCK):
            md5.update(block)
            size += len(block)
    except BaseException as error:
        print("cut:", type(error).__name__, file=environ["wsgi.errors"])
        raise
    print("whole:", size, file=environ["wsgi.errors"])
    return {"md5": md5.hexdigest(), "size": size}
"""
MD5_OF_ZEROS = "3566de3a97906edb98d004d6b947ae9b"  # head -c 200M /dev/zero | md5sum


@needs_apache
@needs_curl
class ApacheTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        egg = self.directory / "vendor one.egg"
        with zipfile.ZipFile(egg, "w") as archive:
            archive.writestr("vendors.py", "")
        self.apache = Apache(SCRIPT, egg, env={"SET": "ä"})
        self.addCleanup(self.apache.stop)

    def ask(self, path: str, *arguments: str) -> dict[str, object]:
        done = curl("--fail", *arguments, self.apache.url + path)
        self.assertEqual(done.returncode, 0, (done.stderr, self.apache.log()))
        answer: dict[str, object] = json.loads(done.stdout)
        return answer

    def test_eggs_this_checkout_and_compiled_packages_are_imported(self) -> None:
        compiled = ["_argon2_cffi_bindings._ffi", "falcon.cyutil.uri", "psycopg_binary._psycopg", "xxhash._xxhash"]
        compiled.append("sqlalchemy.engine._row_cy")
        said = self.ask("/imports?" + ",".join(["vendors", "modules", "psycopg", *compiled]))
        files = said["files"]
        assert isinstance(files, list)
        self.assertEqual(files[0], str(self.directory / "vendor one.egg/vendors.py"))
        self.assertEqual(files[1], str(ROOT / "modules/__init__.py"))
        self.assertEqual([file for file in files[3:] if not file.endswith(".so")], [])
        self.assertEqual(said["python"], list(sys.version_info[:2]))

    def test_what_a_request_says_arrives(self) -> None:
        said = self.ask("/a%2Fb%20%c3%a4//c?q=%2F", "--user", "alice:a:b")
        environ = said["environ"]
        assert isinstance(environ, dict)
        self.assertEqual(environ["HTTP_AUTHORIZATION"], "Basic YWxpY2U6YTpi")
        self.assertEqual(environ["REQUEST_URI"], "/a%2Fb%20%c3%a4//c?q=%2F")
        # Decoded, and with the slashes merged.
        self.assertEqual(environ["PATH_INFO"], "/a/b ä/c".encode().decode("latin-1"))
        self.assertEqual((environ["SCRIPT_NAME"], environ["QUERY_STRING"]), ("", "q=%2F"))
        environ = self.ask("/a%252Fb")["environ"]
        assert isinstance(environ, dict)
        self.assertEqual(environ["PATH_INFO"], "/a%2Fb")

    def test_names_of_files_are_utf_8_and_the_environment_is_there(self) -> None:
        said = self.ask("/")
        self.assertEqual((said["encoding"], said["set"]), ("utf-8", "ä"))

    def test_text_is_not_compressed(self) -> None:
        done = curl("--include", "--header", "Accept-Encoding: gzip", self.apache.url)
        self.assertRegex(done.stdout, rb"\nContent-Length: \d+\r\n")
        self.assertNotIn(b"\nContent-Encoding:", done.stdout)

    def test_bodies_stream_both_ways_in_constant_memory(self) -> None:
        sent = self.directory / "sent"
        sent.touch()
        os.truncate(sent, SIZE)
        for header in ("X: ", "Transfer-Encoding: chunked"):
            with self.subTest(header):
                said = self.ask("/", "--header", header, "--upload-file", str(sent))
                self.assertEqual((said["size"], said["md5"]), (SIZE, MD5_OF_ZEROS))
        got = self.directory / "got"
        self.assertEqual(curl("--output", str(got), f"{self.apache.url}/zeros?{SIZE}").returncode, 0)
        self.assertEqual(got.stat().st_size, SIZE)
        self.assertLess(self.apache.memory(), 50_000_000)

    def test_a_body_that_is_cut_is_an_error_for_the_script(self) -> None:
        # The first is larger than what Apache lets pass by itself.
        for head in ("Content-Length: 3000000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n20000\r\n"):
            with self.subTest(head):
                before = self.apache.log().count("cut: OSError")
                with self.apache.connect() as connection:
                    connection.sendall(f"PUT /cut HTTP/1.1\r\nHost: x\r\n{head}".encode() + bytes(100_000))
                deadline = time.monotonic() + 30
                while self.apache.log().count("cut: OSError") == before:
                    self.assertLess(time.monotonic(), deadline, self.apache.log())
                    time.sleep(0.01)
        self.assertNotIn("whole: 100000", self.apache.log())

    def test_processes_share_the_work(self) -> None:
        pids = {self.ask("/")["pid"] for _ in range(30)}
        self.assertLessEqual(pids, set(children(self.apache.process.pid)))
        self.assertLessEqual(len(pids), 2)


@needs_apache
class LifeTest(unittest.TestCase):
    def test_no_process_outlives_that_of_the_tests(self) -> None:
        self.assertEqual(left_behind("from tests.apache import Apache\nserver = Apache('')"), [])

    def test_stop_takes_what_a_killed_server_left_and_tells_what_was_said(self) -> None:
        apache = Apache("")
        self.addCleanup(apache.stop)
        pids = children(apache.process.pid)
        self.assertGreaterEqual(len(pids), 3)
        apache.process.kill()
        self.assertIn("resuming normal operations", apache.stop())
        deadline = time.monotonic() + 30
        while any(map(alive, pids)):
            self.assertLess(time.monotonic(), deadline, "processes are left")
            time.sleep(0.01)

    def test_a_virtual_environment_of_its_own_python_can_bring_the_packages(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            python = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
            subprocess.run([python, "-m", "venv", "--without-pip", directory], check=True)
            (packages,) = Path(directory).glob("lib/python*/site-packages")
            (packages / "brought.py").write_text("from sys import prefix\n")
            script = "from brought import prefix\nprint('with', prefix)\n"
            apache = Apache(script, python_home=Path(directory))
            self.addCleanup(apache.stop)
            deadline = time.monotonic() + 30
            while f"with {directory}" not in apache.log():
                self.assertLess(time.monotonic(), deadline, apache.log())
                time.sleep(0.01)

    def test_an_error_in_the_configuration_is_told(self) -> None:
        with self.assertRaisesRegex(AssertionError, "Invalid command 'NoSuchThing'"):
            Apache("", directives="NoSuchThing On\n")
