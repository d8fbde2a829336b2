"""Bodies at random: JSON that is right, JSON that is not, and several parts."""

import base64
import json
import random
from typing import Any

__all__ = ["Bodies"]

# fmt: off
_TEXTS = [
    "", " ", "\0", "\ud800", "\udc00\ud800", "\U0001f600", "é", "e\u0301", "\u2028", "\ufeff", "a" * 300, "/", "..",
    "*", "utf-8", "base64", "null", "true", "0", "text/plain", "application/cdmi-object", "a\r\nb: c", "\x7f", "%00",
    "\\",
]
# fmt: on
_NUMBERS: list[Any] = [0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**400, 0.5, -0.0, 1e308]
# fmt: off
#: JSON that no dumps would write.
_LITERALS = [
    "1e400", "-1e999", "NaN", "Infinity", "-Infinity", "9" * 5000, "01", "+1", "1.", ".5", "0x10", "1e", "nul", "True",
    "'a'", '"\\ud800"', '"\\udc00\\ud800"', '"\\x"', '"\\u12"', '"\n"', '"\0"', '"a', "[1,]", "{,}", "[" * 500,
    '{"a":1,"a":2}', "[" * 70 + "]" * 70, '{"a":' * 70 + "1" + "}" * 70, "[" * 100_000, "/**/1", "undefined",
    "0" * 10_000,
]
_NAMES = [
    "value", "metadata", "mimetype", "valuetransferencoding", "copy", "move", "reference", "deserialize", "objectID",
    "objectName", "domainURI", "serialize", "snapshot", "children", "x", "", "\0", "\ud800", "Value", "cdmi_size",
]
# fmt: on


class Bodies:
    """Bodies of one fuzzer."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice

    def data(self) -> bytes:
        """Return the data of an object: mostly little, now and then more than a block of the host's."""
        dice = self._dice
        size = dice.choices([0, 10, 300, 5000, 70_000, 1 << 20, 2_500_000], weights=[6, 40, 30, 14, 6, 1, 1])[0]
        size = dice.choice([size, dice.randint(0, size)])
        if dice.random() < 0.5:
            return dice.randbytes(size)
        alphabet = dice.choice(["abc \n", 'é"\\\U0001f600\x01x', "aä"])
        some = "".join(dice.choices(alphabet, k=min(size, 10_000)))
        return (some * (size // 10_000 + 1))[:size].encode()

    def text(self) -> str:
        """Return an odd text."""
        return self._dice.choice(_TEXTS)

    def odd(self, depth: int = 2) -> Any:
        """Return any value that JSON has."""
        dice = self._dice
        kind = dice.randrange(7 if depth else 5)
        if kind < 2:
            return self.text()
        if kind == 2:
            return dice.choice(_NUMBERS)
        if kind < 5:
            return dice.choice([None, True, False, [], {}])
        items = [self.odd(depth - 1) for _ in range(dice.randrange(4))]
        return items if kind == 5 else {self.text() or str(number): item for number, item in enumerate(items)}

    def metadata(self, *, plain: bool = False) -> dict[str, Any]:
        """Return metadata, mostly as clients send it, or always if it is to be ``plain``."""
        dice = self._dice
        refused = [] if plain else ["cdmi_acl"]
        names = dice.sample(
            ["k", "color", "color2", "n", "cdmi_size", "cdmi_owner", "é", "", *refused], dice.randrange(4)
        )
        return {
            name: self.odd() if not plain and dice.random() < 0.3 else dice.choice(["v", 1, "ü", 1.5]) for name in names
        }

    def object(self, data: bytes | None = None, *, plain: bool = False) -> dict[str, Any]:
        """Return a cdmi-object, which is right if it is to be ``plain``."""
        dice = self._dice
        fields: dict[str, Any] = {}
        if dice.random() < 0.5:
            fields["mimetype"] = dice.choice(["text/plain", "text/plain; charset=utf-8", "image/png", "x"])
        if dice.random() < 0.5:
            fields["metadata"] = self.metadata(plain=plain)
        if data is not None:
            fields |= self.value(data)
        items = list(fields.items())
        dice.shuffle(items)
        return dict(items)

    def value(self, data: bytes) -> dict[str, str]:
        """Return the fields that bear ``data``."""
        coded = base64.b64encode(data).decode()
        if self._dice.random() < 0.3:
            coded = "\n".join(coded[i : i + 76] for i in range(0, len(coded), 76))
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return {"valuetransferencoding": "base64", "value": coded}
        return self._dice.choice(
            [
                {"value": text},
                {"valuetransferencoding": "utf-8", "value": text},
                {"valuetransferencoding": "base64", "value": coded},
            ]
        )

    def written(self, fields: Any) -> bytes:
        """Return JSON, in one of the ways to write it."""
        dice = self._dice
        try:
            text = json.dumps(fields, ensure_ascii=dice.random() < 0.7, indent=dice.choice([None, None, 1]))
        except ValueError:  # a number of too many digits for Python
            text = "{}"
        return text.encode("utf-8", "surrogatepass")

    def mutated(self, fields: dict[str, Any]) -> bytes:
        """Return JSON that is a little wrong, in what it says or how it is written."""
        dice = self._dice
        fields = dict(fields)
        for _ in range(dice.randint(1, 2)):
            name = dice.choice([*fields, dice.choice(_NAMES)])
            if dice.random() < 0.2:
                fields.pop(name, None)
            else:
                fields[name] = self.odd()
        if dice.random() < 0.5:
            return self.written(fields)
        if dice.random() < 0.5:
            return self.spoilt(self.written(fields))
        name = dice.choice([*fields, "x"])
        fields[name] = "@"
        return self.written(fields).replace(b'"@"', dice.choice(_LITERALS).encode(), 1)

    def spoilt(self, data: bytes) -> bytes:
        """Return bytes that are not quite ``data``."""
        dice = self._dice
        place = dice.randrange(len(data) + 1)
        some = dice.choice([b"\0", b"\xff", b"\xed\xa0\x80", b"{", b"}", b'"', b",", b"\\", b"\r\n", b"--", b" ", b"1"])
        match dice.randrange(8):
            case 0:
                return data[:place]
            case 1:
                return data[place:]
            case 2 | 3:
                return data[:place] + some + data[place:]
            case 4:
                return data[:place] + data[place + dice.randint(1, 5) :]
            case 5:
                return data + dice.choice([some, data, b"\n\n", b"\xef\xbb\xbf"])
            case 6:
                return b"\xef\xbb\xbf" + data
            case _:
                return data.decode("utf-8", "replace").encode(dice.choice(["utf-16", "utf-32", "utf-7"]), "replace")

    def parts(self, first: bytes, second: bytes | None, boundary: str) -> bytes:
        """Return a body of several parts, mostly right."""
        dice = self._dice
        mark = b"--" + boundary.encode("latin-1", "replace")
        end = dice.choices([b"\r\n", b"\n"], weights=[19, 1])[0]
        kind = dice.choices([b"application/cdmi-object", b"text/plain", b"application/json"], weights=[18, 1, 1])[0]
        blocks = [mark, b"Content-Type: " + kind, b"", first]
        for _ in range(dice.choices([1, 0, 2], weights=[18, 1, 1])[0]):
            if second is not None:
                head = [b"Content-Type: text/plain"] * dice.randrange(2)
                head += [b"Content-Transfer-Encoding: " + dice.choice([b"binary", b"binary", b"base64", b"8bit"])] * (
                    dice.random() < 0.3
                )
                blocks += [mark, *head, b"", second]
        whole = end.join([*blocks, mark + b"--", b""])
        return self.spoilt(whole) if dice.random() < 0.2 else whole
