"""``vsm serve``: a real server, stopped, killed and started wrongly."""

import base64
import json
import os
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
import unittest
import urllib.request
from http.client import IncompleteRead
from pathlib import Path

from tests.files import objects_in
from tests.server import PASSWORD, ROOT, Server, ServerTest, children, environment, needs_curl
from vsm import serve

MEMBERS = "/cdmi/cdmi_domains/system_domain/cdmi_domain_members"


PUT = "PUT /cdmi/o HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YWxpY2U6d29uZGVy\r\n"


def request(server: Server, method: str, path: str, data: bytes | None = None, user: str = "alice:wonder") -> bytes:
    """Make a request and return the body of the answer."""
    headers = {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}", "Content-Type": "text/plain"}
    call = urllib.request.Request(server.url + path, data, headers, method=method)
    with urllib.request.urlopen(call, timeout=60) as answer:
        body: bytes = answer.read()
        return body


def provision(server: Server) -> None:
    """Make the user alice."""
    body = b'{"password": "wonder", "policy": "default"}'
    request(server, "PUT", f"{MEMBERS}/alice", body, f"administrator:{PASSWORD}")


class ServeTest(ServerTest):
    def objects(self) -> list[bytes]:
        return [path.read_bytes() for path in objects_in(self.data / "default")]

    def test_an_empty_directory_becomes_a_cloud(self) -> None:
        server = self.serve(password=None)
        made = re.findall(r"password of administrator.*: (\S+)", server.greeting)[0]
        self.assertIn(b'"default"', request(server, "GET", f"{MEMBERS}/administrator", user=f"administrator:{made}"))
        self.assertEqual(stat.S_IMODE(self.data.stat().st_mode), 0o700)
        self.assertEqual(stat.S_IMODE((self.data / "catalogue.sqlite").stat().st_mode), 0o600)
        server.stop()
        again = self.serve(password=None)
        self.assertNotIn("password of administrator", again.greeting)
        self.assertIn(b'"default"', request(again, "GET", f"{MEMBERS}/administrator", user=f"administrator:{made}"))

    @needs_curl
    def test_the_three_printed_lines_work_when_pasted(self) -> None:
        for password in (None, PASSWORD, PASSWORD):
            server = self.serve(password=password)
            variables = {} if password is None else {"VSM_ADMINISTRATOR_PASSWORD": password}
            lines = [line for line in server.greeting.splitlines() if " curl " in line]
            self.assertEqual(len(lines), 3)
            done = [
                subprocess.run(f"{line} -sSf", shell=True, env=environment(**variables), capture_output=True)
                for line in lines
            ]
            self.assertEqual([(d.returncode, d.stderr) for d in done], [(0, b"")] * 3)
            self.assertEqual(done[2].stdout, b"Hello, cloud\n")
            server.stop()

    def test_sigterm_ends_it_in_order_and_a_transfer_with_it(self) -> None:
        server = self.serve()
        provision(server)
        workers = children(server.process.pid)
        with server.connect() as connection:
            connection.sendall(f"{PUT}Content-Length: 10\r\nExpect: 100-continue\r\n\r\n".encode())
            self.assertIn(b" 100 ", connection.recv(1000))  # it is being stored
            server.process.send_signal(signal.SIGTERM)
            connection.sendall(b"01234")
            while len(children(server.process.pid)) > 1:  # the worker that has nothing to do goes first
                time.sleep(0.05)
            connection.sendall(b"56789")
            self.assertIn(b" 201 ", connection.recv(1000).splitlines()[0])
        server.stop()
        self.assertEqual(server.process.returncode, 0)
        self.wait_until_gone(workers)
        self.assertEqual(self.objects(), [b"0123456789"])

    def test_a_restart_loses_nothing(self) -> None:
        data = os.urandom(3_000_000)
        server = self.serve()
        provision(server)
        request(server, "PUT", "/cdmi/o", data)
        server.stop()
        self.assertEqual(request(self.serve(), "GET", "/cdmi/o"), data)

    def test_a_corrupt_object_is_never_served_as_good(self) -> None:
        server = self.serve()
        provision(server)
        for size in (5, 3_000_000):
            request(server, "PUT", "/cdmi/o", bytes(size))
            (path,) = objects_in(self.data / "default")
            path.chmod(0o600)
            with path.open("r+b") as file:
                file.seek(size // 2)
                file.write(b"1")
            with self.subTest(size), self.assertRaises((IncompleteRead, OSError)):
                request(server, "GET", "/cdmi/o")
            request(server, "DELETE", "/cdmi/o")
            shutil.rmtree(self.data / "default/quarantine")

    def test_a_kill_loses_nothing_that_was_acknowledged(self) -> None:
        server = self.serve()
        provision(server)
        tried: dict[str, bytes] = {}
        acknowledged: dict[str, bytes] = {}

        def write(writer: int) -> None:
            for number in range(10_000):
                path, data = f"/cdmi/o{writer}-{number % 5}", os.urandom(20_000)
                tried[path] = data
                try:
                    request(server, "PUT", path, data)
                except OSError:
                    return
                acknowledged[path] = data

        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        deadline = time.monotonic() + 30
        while len(acknowledged) <= 5:
            self.assertLess(time.monotonic(), deadline, "hardly anything is stored")
            time.sleep(0.01)
        workers = children(server.process.pid)
        for pid in (server.process.pid, *workers):
            os.kill(pid, signal.SIGKILL)
        for thread in threads:
            thread.join()
        server.stop()
        self.wait_until_gone(workers)
        again = self.serve()
        for path, data in acknowledged.items():
            self.assertIn(request(again, "GET", path), (data, tried[path]))

    def test_a_body_that_is_cut_short_leaves_nothing(self) -> None:
        server = self.serve()
        provision(server)
        for rest in (
            "Content-Length: 5000000\r\n\r\n" + "x" * 2_000_000,
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "Transfer-Encoding: chunked\r\n\r\nfffff\r\nhello",
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nnonsense\r\n",
        ):
            with self.subTest(rest[:40]):
                with server.connect() as connection:
                    connection.sendall((PUT + rest).encode())
                    connection.shutdown(socket.SHUT_WR)
                    answer = b"".join(iter(lambda: connection.recv(65536), b""))
                self.assertIn(b" 400 ", answer.splitlines()[0])
                with self.assertRaisesRegex(OSError, "404"):
                    request(server, "GET", "/cdmi/o")
                self.assertEqual(self.objects(), [])

    def test_what_is_no_http_is_refused_in_json(self) -> None:
        server = self.serve()
        for text, status in (
            ("nonsense\r\n\r\n", 400),
            (f"GET /{'x' * 10_000} HTTP/1.1\r\n\r\n", 414),
            (f"GET / HTTP/1.1\r\nX: {'x' * 10_000}\r\n\r\n", 431),
            ("PUT /cdmi/o HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        ):
            with self.subTest(text[:20]), server.connect() as connection:
                connection.sendall(text.encode())
                head, _, body = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n\r\n")
                self.assertIn(f" {status} ".encode(), head.splitlines()[0])
                self.assertEqual(json.loads(body).keys(), {"error", "id"})
                self.assertIn(f"X-Request-ID: {json.loads(body)['id']}".encode(), head)

    def test_no_header_changes_the_path(self) -> None:
        server = self.serve()
        provision(server)
        for header, path in (("SCRIPT_NAME: /x", "/x/cdmi/"), ("PATH_INFO: /cdmi/", "/x")):
            with self.subTest(header), server.connect() as connection:
                credentials = "Authorization: Basic YWxpY2U6d29uZGVy"
                connection.sendall(f"GET {path} HTTP/1.0\r\n{header}\r\n{credentials}\r\n\r\n".encode())
                self.assertIn(b" 404 ", connection.recv(1000).splitlines()[0])

    def test_a_connection_that_brings_nothing_is_given_up(self) -> None:
        server = self.serve(constants={"vsm.serve._STALLED": 1})
        provision(server)
        with server.connect() as connection:
            connection.sendall(f"{PUT}Content-Length: 10\r\n\r\n01234".encode())
            self.assertIn(b" 503 ", connection.recv(1000).splitlines()[0])
        with server.connect() as connection:
            connection.sendall(b"GET /cdmi/ HTTP/1.1\r\nX-")
            self.assertEqual(connection.recv(1000), b"")
        self.assertEqual(self.objects(), [])
        said = server.stop()
        self.assertIn("the body stalled", said)
        self.assertEqual(said.count("Traceback"), 0)

    def test_the_limit_of_a_connection_is_half_a_minute(self) -> None:
        with serve._bind("127.0.0.1", 0) as listener:
            limit = listener.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)
        self.assertEqual(struct.unpack("ll", limit), (30, 0))

    def test_memory_does_not_grow_with_the_object(self) -> None:
        server = self.serve()
        provision(server)
        request(server, "PUT", "/cdmi/small", bytes(1000))
        before = server.memory()
        request(server, "PUT", "/cdmi/large", bytes(200_000_000))
        self.assertLess(server.memory() - before, 30_000_000)
        with server.connect() as connection:
            connection.sendall(b"GET /cdmi/large HTTP/1.0\r\nAuthorization: Basic YWxpY2U6d29uZGVy\r\n\r\n")
            read = sum(map(len, iter(lambda: connection.recv(1 << 20), b"")))
        self.assertGreater(read, 200_000_000)
        self.assertLess(server.memory() - before, 30_000_000)

    def test_paths_that_are_not_utf_8_are_refused(self) -> None:
        server = self.serve()
        provision(server)
        with self.assertRaisesRegex(OSError, "400"):
            request(server, "GET", "/cdmi/%FF")


class DataTest(ServerTest):
    def test_a_directory_of_any_name_holds_its_own_catalogue(self) -> None:
        self.data = self.directory / "a?b %20#c"
        self.serve().stop()
        self.assertEqual(os.listdir(self.directory), ["a?b %20#c"])
        self.assertIn("catalogue.sqlite", os.listdir(self.data))

    def test_an_address_of_version_6_is_printed_in_brackets(self) -> None:
        with serve._bind("::1", 0) as listener:
            self.assertRegex(serve._url(listener), r"^http://\[::1\]:\d+$")


class BadInputTest(ServerTest):
    def refuse(self, *arguments: str, status: int, path: Path | None = None, **variables: str) -> str:
        """Run ``vsm serve`` with what cannot work, and return the one line that it says."""
        command = [sys.executable, "-m", "vsm", "serve", *arguments]
        env = environment(*([path] if path else []), **variables)
        done = subprocess.run(command, env=env, cwd=self.directory, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stderr)
        lines = [line for line in done.stderr.splitlines() if not line.startswith(("usage:", " "))]
        self.assertEqual(len(lines), 1, done.stderr)
        return lines[0]

    def test_a_port_that_is_taken(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            self.assertIn(f"{address}: Address already in use", self.refuse("--listen", address, status=1))

    def test_an_address_that_is_none(self) -> None:
        for address in ("nonsense", ":8080", "127.0.0.1:99999", "127.0.0.1:x"):
            self.assertIn(address, self.refuse("--listen", address, status=2))
        self.assertIn("192.0.2.1", self.refuse("--listen", "192.0.2.1:0", status=1))

    def test_a_directory_that_cannot_be_written(self) -> None:
        (self.directory / "file").write_text("")
        for data in ("file", "file/below", "/proc/cloud"):
            self.assertIn(data, self.refuse("--data", data, "--listen", "127.0.0.1:0", status=1))

    def test_a_foreign_directory_is_left_alone(self) -> None:
        shared = self.directory / "shared"
        shared.mkdir()
        shared.chmod(0o1777)
        (shared / "letter").write_text("dear")
        self.assertIn("not empty", self.refuse("--data", "shared", "--listen", "127.0.0.1:0", status=1))
        self.assertEqual((shared.stat().st_mode & 0o7777, os.listdir(shared)), (0o1777, ["letter"]))

    def test_a_catalogue_that_is_none(self) -> None:
        self.data.mkdir()
        (self.data / "catalogue.sqlite").write_bytes(b"no database" * 1000)
        line = self.refuse("--data", "cloud", "--listen", "127.0.0.1:0", status=1)
        self.assertIn("catalogue", line)

    def test_a_module_that_does_not_import(self) -> None:
        vendor = self.directory / "vendor"
        vendor.mkdir()
        source = (ROOT / "simple/simple.py").read_text("utf-8")
        (vendor / "somestore.py").write_text(source)
        server = self.serve(vendor)
        body = f'{{"module": "somestore.SimpleStorage", "args": ["{self.directory}/some"]}}'
        modules = "/cdmi/system_configuration/vendor_modules"
        request(server, "PUT", f"{modules}/some", body.encode(), f"administrator:{PASSWORD}")
        server.stop()
        line = self.refuse("--data", "cloud", "--listen", "127.0.0.1:0", status=1)
        self.assertIn("somestore.SimpleStorage does not import", line)
        self.assertIn("PYTHONPATH", line)
        self.assertEqual(self.serve(vendor).stop(), "")

    def test_an_option_that_is_none(self) -> None:
        self.refuse("--colour", status=2)


class CommandTest(unittest.TestCase):
    def run_vsm(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "vsm", *arguments]
        return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60)

    def test_help_names_every_command(self) -> None:
        done = self.run_vsm("--help")
        self.assertEqual(done.returncode, 0)
        for path in (ROOT / "vsm").glob("*.py"):
            if "def add_arguments" in path.read_text("utf-8"):
                self.assertIn(f"  {path.stem} ", done.stdout)
                self.assertEqual(self.run_vsm(path.stem, "--help").returncode, 0)

    def test_an_unknown_command_is_exit_status_2(self) -> None:
        self.assertEqual(self.run_vsm("nonsense").returncode, 2)
        self.assertEqual(self.run_vsm().returncode, 2)

    def test_without_its_libraries_the_command_says_what_to_install(self) -> None:
        command = [sys.executable, "-S", "-m", "vsm", "serve"]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(
            done.stderr, r"\Avsm serve: \w+ is missing: in the kit's directory: pip install '.\[host\]'\n\Z"
        )

    def test_upkeep_wants_a_cloud(self) -> None:
        done = self.run_vsm("upkeep", "--data", "/no/such/cloud")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr, "vsm upkeep: /no/such/cloud: no cloud there: vsm serve makes one\n")
