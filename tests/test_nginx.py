"""nginx with TLS before a server of the cloud: what it lets pass."""

import contextlib
import hashlib
import http.server
import json
import tempfile
import threading
import unittest
from collections.abc import Iterator
from pathlib import Path

from tests.guard import left_behind
from tests.nginx import Nginx, needs_nginx
from tests.server import curl, needs_curl

SIZE = 20 << 20
LARGE = 64 << 20  # more than the sockets on the way hold
BLOCK = 1 << 20


class Upstream(http.server.ThreadingHTTPServer):
    """A server that tells of each request what has arrived."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.begun = threading.Event()  # the first bytes of a body are here
        self.cut = threading.Event()  # a body has ended before its end
        self.go_on = threading.Event()  # the second half of an answer may go out
        self.sent = threading.Event()  # a large answer has gone out
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Upstream
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is http.server's)
        """Say nothing."""

    def do_PUT(self) -> None:
        md5, size = hashlib.md5(), 0
        try:
            for block in self.body():
                md5.update(block)
                size += len(block)
                self.server.begun.set()
        except (EOFError, ValueError):  # ValueError: no length of a chunk
            self.server.cut.set()
            self.close_connection = True
        else:
            self.answer({"md5": md5.hexdigest(), "size": size})

    def body(self) -> Iterator[bytes]:
        if self.headers["Transfer-Encoding"] != "chunked":
            yield from self.part(int(self.headers["Content-Length"]))
            return
        while size := int(self.rfile.readline(), 16):
            yield from self.part(size)
            self.rfile.readline()
        self.rfile.readline()

    def part(self, size: int) -> Iterator[bytes]:
        while size:
            block = self.rfile.read1(min(size, BLOCK))
            if not block:
                raise EOFError
            size -= len(block)
            yield block

    def do_GET(self) -> None:
        if self.path == "/halves":
            self.start("Transfer-Encoding", "chunked")
            self.wfile.write(b"5\r\nfirst\r\n")
            self.server.go_on.wait(self.timeout)
            self.wfile.write(b"6\r\nsecond\r\n0\r\n\r\n")
        elif self.path == "/large":
            self.start("Content-Length", str(LARGE))
            with contextlib.suppress(ConnectionError):
                self.wfile.write(bytes(LARGE))
                self.server.sent.set()
        else:
            self.answer({})

    def start(self, header: str, value: str) -> None:
        self.send_response(200)
        self.send_header(header, value)
        self.end_headers()

    def answer(self, said: dict[str, object]) -> None:
        body = json.dumps({"path": self.path, "headers": dict(self.headers), **said}).encode()
        self.start("Content-Length", str(len(body)))
        self.wfile.write(body)


@needs_nginx
class NginxTest(unittest.TestCase):
    def setUp(self) -> None:
        self.upstream = Upstream()
        self.addCleanup(self.upstream.server_close)
        serving = threading.Thread(target=self.upstream.serve_forever, args=(0.01,))
        serving.start()
        self.addCleanup(serving.join)
        self.addCleanup(self.upstream.shutdown)
        self.nginx = Nginx(self.upstream.url)
        self.addCleanup(self.nginx.stop)

    def ask(self, *arguments: str) -> dict[str, object]:
        done = curl("--fail", "--cacert", str(self.nginx.certificate), *arguments)
        self.assertEqual(done.returncode, 0, (done.stderr, self.nginx.log()))
        said: dict[str, object] = json.loads(done.stdout)
        return said

    @needs_curl
    def test_a_request_passes_as_it_was_sent(self) -> None:
        path = "/a%2Fb%20%c3%a4//c?q=%2F"
        said = self.ask("--user", "alice:a:b", "--header", "Host: example.org", self.nginx.url + path)
        self.assertEqual(said["path"], path)
        headers = said["headers"]
        assert isinstance(headers, dict)
        self.assertEqual(headers["Authorization"], "Basic YWxpY2U6YTpi")
        names = ("Host", "X-Forwarded-Proto", "X-Forwarded-For")
        self.assertEqual([headers[name] for name in names], ["example.org", "https", "127.0.0.1"])

    @needs_curl
    def test_large_bodies_pass_with_their_length_and_in_chunks(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            sent = Path(directory, "sent")
            sent.write_bytes(bytes(SIZE))
            for header, passed in (("X: ", "Content-Length"), ("Transfer-Encoding: chunked", "Transfer-Encoding")):
                with self.subTest(header):
                    said = self.ask("--header", header, "--upload-file", str(sent), f"{self.nginx.url}/large")
                    self.assertEqual((said["size"], said["md5"]), (SIZE, hashlib.md5(bytes(SIZE)).hexdigest()))
                    headers = said["headers"]
                    assert isinstance(headers, dict)
                    self.assertIn(passed, headers)

    def test_a_body_passes_while_it_is_sent_and_is_not_whole_when_it_is_cut(self) -> None:
        for head in ("Content-Length: 100000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n20000\r\n"):
            with self.subTest(head):
                self.upstream.begun.clear()
                self.upstream.cut.clear()
                with self.nginx.connect() as connection:
                    connection.sendall(f"PUT /cut HTTP/1.1\r\nHost: x\r\n{head}".encode() + bytes(10_000))
                    self.assertTrue(self.upstream.begun.wait(30))
                    self.assertFalse(self.upstream.cut.is_set())
                self.assertTrue(self.upstream.cut.wait(30))

    def test_an_answer_passes_while_it_is_sent(self) -> None:
        self.addCleanup(self.upstream.go_on.set)
        with self.nginx.connect() as connection, connection.makefile("rb") as answer:
            connection.sendall(b"GET /halves HTTP/1.1\r\nHost: x\r\n\r\n")
            while answer.readline() != b"first\r\n":
                pass
            self.upstream.go_on.set()
            self.assertEqual(answer.readline(), b"6\r\n")
            self.assertEqual(answer.readline(), b"second\r\n")

    def test_a_large_answer_is_not_kept_for_a_client_that_does_not_read_it(self) -> None:
        with self.nginx.connect() as connection:
            connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertTrue(connection.recv(1))
            self.assertFalse(self.upstream.sent.wait(0.5))

    def test_no_process_outlives_that_of_the_tests(self) -> None:
        self.assertEqual(left_behind("from tests.nginx import Nginx\nserver = Nginx('http://127.0.0.1:9')"), [])
