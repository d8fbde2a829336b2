"""python -m bench.cloud: what can be told without a stopwatch, and that our own server can be measured."""

import configparser
import json
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Callable
from pathlib import Path

from bench.cloud import memory, nginx, swift_files, wrk
from bench.cloud.client import Target, content, request
from bench.cloud.fill import fill
from bench.cloud.listing import page_path
from bench.cloud.measures import in_turns
from bench.cloud.ours import USER, Ours
from bench.cloud.process import Process, ServerError, free_port
from bench.cloud.results import Result, page, tables
from bench.cloud.rows import ROWS
from tests.server import environment

TARGET = Target("vsm serve", 8080, "/cdmi/c/", {"Authorization": "Basic YQ=="})

SAID = """\
Running 1s test @ http://127.0.0.1:8080/
  2 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    31.93ms    3.84ms  41.43ms   73.12%
    Req/Sec   124.75     12.93   150.00     65.00%
  250 requests in 1.00s, 1.02MB read
{}Requests/sec:    249.53
Transfer/sec:      1.02MB
"""


class WrkTest(unittest.TestCase):
    def test_what_it_says_is_understood(self) -> None:
        self.assertEqual(wrk.parse(SAID.format("")), wrk.Said(249.53, 250))
        trouble = "  Socket errors: connect 1, read 20, write 300, timeout 4000\n  Non-2xx or 3xx responses: 7\n"
        self.assertEqual(wrk.parse(SAID.format(trouble)), wrk.Said(249.53, 250, refused=7, broken=4321))

    def test_what_is_something_else_is_no_figure(self) -> None:
        for text in ("", "unable to connect to 127.0.0.1:8080 Connection refused\n"):
            with self.assertRaises(ValueError):
                wrk.parse(text)

    def test_a_rate_counts_only_where_every_request_went_well(self) -> None:
        self.assertEqual(wrk.require(wrk.Said(249.53, 250)), 249.53)
        for said in (wrk.Said(1, 2, refused=1), wrk.Said(1, 2, broken=1), wrk.Said(0, 0)):
            with self.subTest(said), self.assertRaises(ServerError):
                wrk.require(said)

    def test_the_scripts_ask_for_the_objects_that_are_verified(self) -> None:
        get, put = wrk.get_script(TARGET, 1000), wrk.put_script(TARGET, 4096)
        for script in (get, put):
            self.assertIn('wrk.headers["Authorization"] = "Basic YQ=="\n', script)
        self.assertIn('"/cdmi/c/small-" .. number', get)
        self.assertEqual(wrk.kept(TARGET, 3), "/cdmi/c/small-3")
        self.assertIn('prefix = "/cdmi/c/" .. args[1] .. "-" .. turn .. "-"', put)
        self.assertEqual(wrk.made(TARGET, "put-4k-8-1"), "/cdmi/c/put-4k-8-1-0-2")
        self.assertIn('string.rep("0123456789abcdef", 4096 / 16)', put)
        self.assertEqual(wrk.content(4096), b"0123456789abcdef" * 256)


class ConfigurationTest(unittest.TestCase):
    def test_nginx_sends_files_and_takes_webdav_below_one_directory(self) -> None:
        text = nginx.configuration(Path("/d"), 8081, None)
        for line in ("sendfile on;", "worker_processes 2;", "listen 127.0.0.1:8081;", "dav_methods PUT DELETE;"):
            self.assertIn(line, text)
        self.assertIn('client_body_temp_path "/d/body";', text)
        self.assertEqual(text.count("{"), text.count("}"))
        self.assertNotIn("user ", text)
        self.assertTrue(nginx.configuration(Path("/d"), 8081, "root").startswith("user root;\n"))

    def test_swift_has_four_servers_that_know_of_each_other(self) -> None:
        ports = {kind: 6000 + number for number, kind in enumerate(swift_files.SERVERS)}
        files = swift_files.files(Path("/d"), ports, 11211, "me")
        self.assertEqual(files.keys(), {"swift.conf", *(f"{kind}.conf" for kind in ports)})
        for kind, port in ports.items():
            parsed = configparser.RawConfigParser()
            parsed.read_string(files[f"{kind}.conf"])
            self.assertEqual(parsed["DEFAULT"]["bind_port"], str(port))
            self.assertEqual(parsed["DEFAULT"]["user"], "me")
            *filters, server = parsed["pipeline:main"]["pipeline"].split()
            self.assertTrue(parsed.has_section(f"app:{server}"))
            for name in filters:
                self.assertTrue(parsed.has_section(f"filter:{name}"), name)
        self.assertIn("memcache_servers = 127.0.0.1:11211\n", files["proxy.conf"])


class ResultsTest(unittest.TestCase):
    def test_a_ratio_is_the_median_of_those_of_the_rounds_with_its_verdict(self) -> None:
        told = tables([Result(ROWS[0], [1600.0, 900.0, 2000.0], [2000.0, 1800.0, 2000.0])])
        self.assertIn("| 1,600 MB/s | nginx with sendfile | 2,000 MB/s | ≥ 0.8 | **0.80 (0.50 to 1.00)** met, un", told)

    def test_what_takes_less_is_better_where_it_is_a_cost(self) -> None:
        memory_row = next(row for row in ROWS if row.name == "memory")
        told = tables([Result(memory_row, [50.5], [50.0])])
        self.assertIn("| 50.5 MiB | after 10 | 50.0 MiB | ≤ 1.05 | **1.01** met |", told)

    def test_what_was_not_measured_is_told_with_the_reason(self) -> None:
        told = tables([Result(ROWS[0], why="nginx is not installed")])
        self.assertEqual(told, "- GET 64 MiB: not measured: nginx is not installed")

    def test_the_page_tells_how_it_was_made(self) -> None:
        text = page([Result(ROWS[0], [1.0], [1.0])], "python -m bench.cloud", "ext4", 1_000_000, 1000)
        for words in ("\npython -m bench.cloud\n", "on ext4.", "1,000,000 names", "after 1,000 transfers", "**1.00**"):
            self.assertIn(words, text)


class MeasuresTest(unittest.TestCase):
    def test_both_sides_work_in_turns_and_the_first_round_does_not_count(self) -> None:
        order = []

        def side(name: str) -> Callable[[int], float]:
            def work(turn: int) -> float:
                order.append(name)
                return turn

            return work

        self.assertEqual(in_turns(side("a"), side("b"), 3), ([1, 2, 3], [1, 2, 3]))
        self.assertEqual("".join(order), "baabbaab")

    def test_memory_is_what_is_resident(self) -> None:
        self.assertEqual(memory.resident("VmHWM:\t   99999 kB\nVmRSS:\t    2048 kB\n"), 2.0)
        with self.assertRaises(ValueError):
            memory.resident("Name:\tvsm\n")

    def test_a_page_is_asked_for_by_the_numbers_of_its_names(self) -> None:
        self.assertEqual(page_path("many", 500_000), "/cdmi/many/?children:500000-500999")

    def test_names_are_unique(self) -> None:
        self.assertEqual(len({row.name for row in ROWS}), len(ROWS))


class ProcessTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def test_one_that_does_not_start_says_why(self) -> None:
        process = Process("server", ["sh", "-c", "echo the disk is gone >&2; exit 3"], self.directory)
        with self.assertRaisesRegex(ServerError, r"server did not start: exit status 3; it said:\nthe disk is gone"):
            process.wait_for(free_port())

    def test_it_is_stopped_with_its_children_also_with_those_that_do_not_want_to(self) -> None:
        stubborn = "trap '' TERM; echo $$; sleep 60; sleep 60"
        process = Process("server", ["sh", "-c", 'sh -c "$1" & wait', "sh", stubborn], self.directory)
        said = self.directory / "server.said"
        self.wait_until(lambda: said.read_text().endswith("\n"))
        child = Path(f"/proc/{int(said.read_text())}/stat")
        process.stop()
        # Gone, or dead and not yet noticed by whoever inherits it (proc(5): the state follows the name).
        self.wait_until(lambda: not child.exists() or child.read_text().rpartition(") ")[2][0] == "Z")

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        while not is_so():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)


class OurServerTest(unittest.TestCase):
    """Not a figure is looked at."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def test_memory_is_measured_and_nothing_is_left(self) -> None:
        place = self.directory / "place"
        place.mkdir()
        command = [sys.executable, "-m", "bench.cloud", "--quick", "--only", "memory", "--write", "page.md"]
        done = subprocess.run(
            [*command, "--directory", str(place)],
            cwd=self.directory,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"\| [\d.]+ MiB \| after 10 \| [\d.]+ MiB \| ≤ 1.05 \| \*\*[\d.]+\*\* ")
        self.assertEqual(list(place.iterdir()), [])
        text = (self.directory / "page.md").read_text("utf-8")
        self.assertIn("\npython -m bench.cloud --only memory --quick --write page.md\n", text)
        self.assertNotIn(str(self.directory), text)

    def test_a_container_is_filled_with_names_that_the_server_lists(self) -> None:
        data = self.directory / "cloud"
        Ours(data).stop()
        fill(data, USER, "many", 1500)
        server = Ours(data)
        self.addCleanup(server.stop)
        children = json.loads(request(server.target, "GET", "/cdmi/many/")[1])["children"]
        self.assertEqual(len(set(children)), 1500)

    def test_content_is_always_the_same(self) -> None:
        self.assertEqual(content(1000), content(1000))
