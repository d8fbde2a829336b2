"""The kit and the contract say the same."""

import ast
import inspect
import re
import unittest

import modules
from conformance.harness import sentence
from conformance.model import Model
from conformance.suite import Promises

#: What the contract asks of a module, and no test quotes: why not.
HELD_OTHERWISE = {
    "*Repeatable:* every call is a new object.": "held by the tests of uniqueness",
    "*Durability:* none asked for.": "asks nothing",
    "By custom it is a JSON text that tells where the object lies.": "a custom binds nobody",
    "*Streams.* Data goes through in pieces.": "held by the sentence after it",
    "A host refuses a module that stands on itself in the end, and does not remove one that another stands on.": "a "
    "promise of the host",
    "It never makes a good object of a corrupt one: what it kept to find a fault it keeps of the copy as well, "
    "or it raises.": "how to corrupt an object only its module knows",
}
#: Paragraphs that begin so oblige the module.
_OBLIGING = re.compile(r"\*(The module must|Threads|Processes|Streams|Repeatable|Concurrency|Durability)\b")


def quotes() -> dict[str, str]:
    """Return the sentence of each test, by the test's name."""
    mixins = (Promises, Model)
    return {name: sentence(getattr(mixin, name)) for mixin in mixins for name in dir(mixin) if name.startswith("test_")}


def contract() -> str:
    """Return the text of the contract, in one line."""
    return " ".join(inspect.getsource(modules).split())


def obligations() -> list[str]:
    """Return the clauses in which the contract obliges a module."""
    nodes = ast.walk(ast.parse(inspect.getsource(modules)))
    docs = [
        ast.get_docstring(node) or "" for node in nodes if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    ]
    paragraphs = [" ".join(paragraph.split()) for text in docs for paragraph in text.split("\n\n")]
    # The head of the module has its paragraphs in a definition list, below a line that names it.
    paragraphs = [paragraph.removeprefix("What holds for all seven methods ") for paragraph in paragraphs]
    return [
        clause for paragraph in paragraphs if _OBLIGING.match(paragraph) for clause in re.split("(?<=[.;]) ", paragraph)
    ]


class ContractTest(unittest.TestCase):
    def test_every_test_quotes_the_contract(self) -> None:
        text = contract()
        for name, quote in quotes().items():
            with self.subTest(name):
                self.assertGreater(len(quote), 5)
                self.assertIn(quote, text)

    def test_every_obligation_is_quoted(self) -> None:
        told = [quote.strip(".;") for quote in quotes().values()]
        clauses = obligations()
        self.assertGreater(len(clauses), 40)
        for clause in clauses:
            with self.subTest(clause):
                held = any(quote in clause or clause.strip(".;") in quote for quote in told)
                self.assertEqual(held, clause not in HELD_OTHERWISE)
