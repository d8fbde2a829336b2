"""Bytes that are nearly HTTP."""

import random

__all__ = ["spoilt"]

# fmt: off
_LINES = [
    b"Content-Length: 5", b"Content-Length: 0", b"Content-Length: -1", b"Content-Length: 99999999999",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", b"Transfer-Encoding:\tchunked",
    b"Transfer-Encoding : chunked", b" folded", b"\tfolded", b": x", b"x", b"Host: other", b"Host:",
    b"Connection: close", b"Connection: keep-alive", b"Connection: upgrade, HTTP2-Settings", b"Upgrade: h2c",
    b"HTTP2-Settings: AAMAAABkAAQAAP__", b"Expect: 100-continue", b"Expect: 200-maybe", b"X: \0", b"X: \r", b"X\xe4: y",
    b"X: \xff\xfe", b"X y: z", b"X: " + b"y" * 9000, b"Y: z\r\n" * 120, b"Content-Length: 5, 5", b"content_length: 7",
    b"Content_Length: 7", b"SCRIPT_NAME: /cdmi", b"PATH_INFO: /x", b"REMOTE_ADDR: 1.2.3.4", b"X-Forwarded-Proto: https",
    b"X-Forwarded-Proto: http", b"X-Forwarded-Ssl: on", b"Sec-WebSocket-Key: x", b"Trailer: Expires",
    b"TE: trailers, chunked", b"Content-Type: a\x80b", b"Authorization: Basic", b"Range: bytes=0-",
]
_FIRST = [
    b"GET", b"GET /", b"GET / HTTP/0.9", b"GET / HTTP/2.0", b"GET / HTTP/1.0", b"GET  /  HTTP/1.1", b"G\0T / HTTP/1.1",
    b"\r\nGET / HTTP/1.1", b"GET / HTTP/1.1 x", b"GET /cdmi/\xff HTTP/1.1", b"GET /cdmi/a b HTTP/1.1",
    b"GET http://[::1/cdmi/ HTTP/1.1", b"OPTIONS * HTTP/1.1", b"GET http://x:y@h:99999/cdmi/ HTTP/1.1",
    b"CONNECT h:80 HTTP/1.1", b"PRI * HTTP/2.0\r\n\r\nSM", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2", b"",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET /" + b"x" * 9000 + b" HTTP/1.1", b"X" * 9000,
    b"GET ?x HTTP/1.1", b"GET cdmi HTTP/1.1", b"GET //x/cdmi/ HTTP/1.1", b"GET /cdmi/ HTTP/1.1\nX: y",
    b"GET /cdmi/#a HTTP/1.1", b"GET /cdmi/ HTTP/1.10", b"GET /cdmi/ http/1.1",
]
_SIZES = [
    b"-1", b"0x5", b"5 ", b" 5", b"g", b"", b"ffffffffffffffff", b"5;a=b", b'5;a="b', b"5;", b"+5", b"1_0",
    b"00000000000000000005", b"f" * 9000,
]
_BYTES = [
    b"\0", b"\n", b"\r", b"\r\n", b"\r\n\r\n", b" ", b":", b"\xff", b"\t", b"%", b"\x7f", b"0\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
]
# fmt: on


def spoilt(dice: random.Random, data: bytes) -> bytes:
    """Return bytes that are not quite ``data``, which begins with a request."""
    head, blank, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    place = dice.randrange(len(lines) + 1)
    match dice.randrange(12):
        case 0 | 1:
            lines.insert(place, dice.choice(_LINES))
        case 2:
            first = dice.choice(_FIRST)
        case 3 if lines:
            lines.insert(place, dice.choice(lines))
        case 4 if lines:
            lines.pop(place - 1)
        case 5:
            return data.replace(b"\r\n", dice.choice([b"\n", b"\r", b"\r\r\n"]), dice.choice([1, 2, 100]))
        case 6:
            return data[: dice.randrange(len(data) + 1)]
        case 7:
            return _chunked(dice, first, lines, rest)
        case 8:
            return data + dice.choice([*_BYTES, data])
        case 9:
            rest = dice.choice(_BYTES) + rest
        case 10:
            first, lines = (
                first.replace(b"HTTP/1.1", dice.choice([b"HTTP/1.0", b"HTTP/1.2", b"HTTP/3.0", b"HTTP/1.1 "])),
                lines,
            )
        case _:
            somewhere = dice.randrange(len(data) + 1)
            return data[:somewhere] + dice.choice(_BYTES) + data[somewhere + dice.randrange(3) :]
    return b"\r\n".join([first, *lines]) + blank + rest


def _chunked(dice: random.Random, first: bytes, lines: list[bytes], rest: bytes) -> bytes:
    """Return the request with a body in chunks, in which something is wrong, mostly."""
    lines = [line for line in lines if not line.lower().startswith((b"content-length", b"transfer-encoding"))]
    data = rest[: dice.choice([5, 1000])]
    size = dice.choice(_SIZES) if dice.random() < 0.6 else b"%x" % (len(data) + dice.choice([-1, 0, 0, 1]))
    end = dice.choice(
        [
            b"0\r\n\r\n",
            b"0\r\nX: y\r\n\r\n",
            b"0\r\nContent-Length: 5\r\n\r\n",
            b"",
            b"0\r\n",
            b"0\r\nnonsense\r\n\r\n",
            b"0\n\n",
            b"00;x\r\n\r\n",
        ]
    )
    head = b"\r\n".join([first, *lines, b"Transfer-Encoding: chunked"])
    return b"".join([head, b"\r\n\r\n", size, b"\r\n", data, dice.choice([b"\r\n", b"\r\n", b"", b"\n", b"xx"]), end])
