"""Requests at random, for a few seconds. For longer: ``python -m tests.host.fuzz``."""

import io
import json
import random
import socket
import unittest
from contextlib import redirect_stdout
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.files import objects_in
from tests.host.cloud import CloudTest
from tests.host.fuzz import main
from tests.host.fuzzing.doors import Connection, InProcess
from tests.host.fuzzing.grounds import Grounds, InThisProcess, Served
from tests.host.fuzzing.oracle import faults_of
from tests.host.fuzzing.request import Answer, Request, basic
from tests.postgresql import fresh_database, needs_postgresql


class FuzzTest(unittest.TestCase):
    def play(self, grounds: Grounds, length: int) -> None:
        self.addCleanup(grounds.close)
        grounds.burst(length)
        self.assertEqual(grounds.board.findings, [])
        self.assertGreater(grounds.board.counts.total(), length)

    def test_the_application(self) -> None:
        with redirect_stdout(io.StringIO()) as said:
            status = main(["--seconds", "0", "--burst", "100", "--seed", "1"])
        self.assertEqual(status, 0, said.getvalue())
        self.assertRegex(said.getvalue(), "(?s)^seed 1\n[0-9]{3,} requests\n.*  GET [0-9]+: 200 [0-9]+, ")

    @needs_postgresql
    def test_with_a_catalogue_in_postgresql(self) -> None:
        self.play(InThisProcess(random.Random(2), fresh_database(self)), 50)

    def test_a_server_behind_a_socket(self) -> None:
        self.play(Served(random.Random(3)), 40)

    def test_what_is_lost_is_found(self) -> None:
        grounds = InThisProcess(random.Random(4))
        self.addCleanup(grounds.close)
        grounds.burst(30)
        self.assertEqual(grounds.board.findings, [])
        for path in objects_in(grounds.data / "default"):
            path.unlink()
        grounds.burst(0)
        found = "".join(grounds.board.findings)
        for fault in ("status 500 and not 200", "has None bytes, and", "Traceback"):  # the model, the module, the log
            self.assertIn(fault, found)


#: Values of headers, as WSGI has them: no control characters.
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=40)
HEADERS = [
    "Accept",
    "Content-Range",
    "Content-Type",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Range",
    "Transfer-Encoding",
    "X-CDMI-Specification-Version",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(["metadata", "mimetype", "value", "valuetransferencoding", "copy", "move", ""])
BODIES = st.binary(max_size=60) | st.dictionaries(FIELDS, JSON, max_size=4).map(
    lambda fields: json.dumps(fields).encode()
)
TARGETS = st.lists(st.text(max_size=8), max_size=3).map(lambda names: quote("/".join(["/cdmi", *names])))
QUERIES = (
    st.just("") | VALUES.map(lambda text: f"?{text}") | st.sampled_from(["?value:0-4", "?metadata:k", "?children:0-1"])
)
KINDS = (
    st.sampled_from(["application/cdmi-object", "application/cdmi-container", "multipart/mixed; boundary=b"]) | VALUES
)


class AnyRequestTest(CloudTest):
    """Requests that hypothesis makes, which looks for the smallest that is answered wrongly."""

    # Differing executors: it runs on PostgreSQL once more, as a method of another class.
    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    @given(
        st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"]),
        TARGETS,
        QUERIES,
        KINDS,
        st.dictionaries(st.sampled_from(HEADERS), VALUES, max_size=3),
        BODIES,
    )
    def test_any_request_is_carried_out_or_refused(
        self, method: str, target: str, query: str, kind: str, headers: dict[str, str], body: bytes
    ) -> None:
        known = {"X-CDMI-Specification-Version": "1.1.1", "Content-Type": kind, **headers}
        request = Request(method, target + query, tuple(known.items()), body).sized()
        request = request.plus(("Authorization", basic("alice", "wonder")))
        answer = InProcess(self.client.app).send(request)
        self.assertEqual(faults_of(request, answer, ["wonder"], has_quota=False), [])


class ConnectionTest(unittest.TestCase):
    def test_answers_are_read(self) -> None:
        for said in (
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbod\r\n1\r\ny\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbody",
        ):
            with self.subTest(said):
                answer = self.answer(said)
                self.assertEqual((answer.status, answer.body, answer.faults), (200, b"body", ()))

    def test_what_is_wrong_is_told(self) -> None:
        length = "Content-Length: 0"
        for lines, fault in (
            ((length, "X"), "not a header"),
            ((length, "X: \x01"), "not a header"),
            ((length, length), "content-length twice"),
            ((length, "Transfer-Encoding: chunked"), "Content-Length and chunks"),
            ((), "a body without length"),
        ):
            with self.subTest(lines):
                (said,) = self.answer("\r\n".join(["HTTP/1.1 200 OK", *lines, "", "0\r\n\r\n"])).faults
                self.assertIn(fault, said)

    def test_what_is_no_answer_is_an_error(self) -> None:
        chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for said, error in (
            ("HTTP/1.1 OK\r\n\r\n", "not a status line"),
            ("<html>\r\n\r\n", "not a status line"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbody", "1 bytes early"),
            (f"{chunked}4\r\nbodyx", "1 bytes early"),
            (f"{chunked}4\r\nbody, no end", "a chunk has no end"),
            (f"{chunked}0\r\nX: y\r\n\r\n", "the chunks have no end"),
            ("HTTP/1.1 200 OK\r\nConte", "it ends after"),
        ):
            with self.subTest(said), self.assertRaisesRegex((ValueError, ConnectionError), error):
                self.answer(said)

    def answer(self, said: str) -> Answer:
        ours, theirs = socket.socketpair()
        with theirs:
            theirs.sendall(said.encode())
        connection = Connection(ours)
        self.addCleanup(connection.close)
        return connection.answer("GET")


class OracleTest(unittest.TestCase):
    def test_what_is_wrong_is_seen(self) -> None:
        right = [("X-Request-ID", "1"), ("Content-Type", "application/json")]
        body = b'{"error": "no", "id": "1"}'
        get = Request("GET", "/cdmi/")
        self.assertEqual(self.faults(get, Answer(404, tuple(right), body)), 0)
        for request, answer in (
            (get, Answer(500, tuple(right), body)),
            (get, Answer(503, tuple(right), body)),
            (get, Answer(507, tuple(right), body)),
            (get, Answer(404, tuple(right[1:]), body)),
            (get, Answer(404, tuple(right[:1]), body)),
            (get, Answer(404, tuple(right), b'{"error": "no", "id": "2"}')),
            (get, Answer(404, tuple(right), b'{"error": "no"}')),
            (get, Answer(404, tuple(right), body + b"\n")),
            (get, Answer(404, tuple(right), b"no")),
            (get, Answer(404, tuple(right), body, seconds=31)),
            (get, Answer(200, tuple(right), b"a sesame")),
            (get, Answer(200, (*right, ("ETag", "sesame")))),
            (get, Answer(200, (*right, ("Content-Length", "5")), b"1234")),
            (Request("HEAD", "/cdmi/"), Answer(200, tuple(right), b"x")),
            (Request("PUT", "/cdmi/o"), Answer(204, tuple(right), b"x")),
            (Request("POST", "/cdmi/"), Answer(201, tuple(right))),
            (Request("FOO", "/cdmi/"), Answer(405, tuple(right), body)),
            (get, Answer(401, tuple(right), body)),
        ):
            with self.subTest(answer):
                self.assertEqual(self.faults(request, answer), 1)

    def faults(self, request: Request, answer: Answer) -> int:
        return len(faults_of(request, answer, ["sesame"], has_quota=False))
