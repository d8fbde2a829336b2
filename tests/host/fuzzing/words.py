"""Words of which requests are made, right and wrong ones."""

__all__ = [
    "ACCEPTS",
    "BOUNDARIES",
    "CONTAINER",
    "DATES",
    "FIELDS",
    "LENGTHS",
    "METHODS",
    "OBJECT",
    "ODD",
    "OTHERS",
    "PARTS",
    "PLAIN",
    "RANGES",
    "RAW",
    "SYSTEM",
    "TAGS",
    "TYPES",
    "VERSIONS",
]

OBJECT, CONTAINER = "application/cdmi-object", "application/cdmi-container"
PLAIN = ["a", "b", "c", "d", "e"]
# fmt: off
ODD = [
    "ä", "a\u0308", "日本", "x y", "50%", "quo\"te'", ";", "?", "#", "&=", "\\", "\U0001f600", "storage_root", "cdmi_x",
    "cdmi_objectid", "cdmi_domains", "cdmi_capabilities", "system_configuration", "cdmi", "...", "-", " ", "\u2028",
    "~", "\x01", "\x7f", "\u202e", "\ufeff", "\uffff", "x" * 255, "x" * 1024, "x" * 1025, "ä" * 512, "ä" * 513, "a:b",
    "*", "a,b",
]
#: Names as they stand in a request line.
RAW = [
    "%00", "%FF", "%2F", "a%2fb", "%C0%AF", "%ED%A0%80", "%F4%90%80%80", "%2e%2e", "..", ".", "%2E", "", "%", "%zz",
    "%u0061", "%E4", "a%00b", "%0d%0aX: y", "%61", "a;v=1", "+", "%7F", "%252e%252e", "\xe4", "\xc3\xa4", "{}", "|",
    "^", "`", "<>", "%C3",
]
SYSTEM = [
    "cdmi_capabilities/", "cdmi_capabilities/container/", "cdmi_capabilities/dataobject", "cdmi_capabilities/x/y",
    "cdmi_domains/", "cdmi_domains", "cdmi_domains/system_domain/", "cdmi_domains/system_domain", "cdmi_domains/x",
    "cdmi_domains/system_domain/cdmi_domain_members/", "cdmi_domains/system_domain/cdmi_domain_members/alice",
    "system_configuration", "system_configuration/", "system_configuration/vendor_modules", "system_configuration/x",
    "system_configuration/vendor_modules/default", "cdmi_objectid", "cdmi_objectid/", "storage_root", "storage_root/",
    "cdmi_queues/", "cdmi_capabilities/domain/?capabilities", "cdmi_capabilities?children",
    "cdmi_domains/?children:0-0",
]
FIELDS = [
    "objectType", "objectID", "objectName", "parentURI", "parentID", "domainURI", "capabilitiesURI", "completionStatus",
    "mimetype", "metadata", "metadata:k", "metadata:color", "valuetransferencoding", "valuerange", "value",
    "childrenrange", "children", "capabilities", "value:0-4", "value:3-1", "value:0-999999999999999999", "value:9-9",
    "children:0-1", "value:", "children:5-9", "children:0-999999999999999999", "value:0-", "value:-5", "value:0-4,6-8",
    "value:a-b", "value:0-" + "9" * 30, "metadata:", "metadata:k:v", "metadata=k", "value=0-4", "value%3A0-4", "x", "",
    "VALUE", "value:\u0660-4", "children:", "value:0-4#",
]
# fmt: on

# fmt: off
VERSIONS = [
    "1.1.1", "1.1", "1.0.2", "1.0", "1.1.1, 1.0.2", "9, 1.0.1h", " 1.1.1 ,", "2.0", "", ",,", "1.1.1;q=1", "x" * 3000,
]
TYPES = [
    OBJECT, CONTAINER, "text/plain", "text/plain; charset=utf-8", "image/png", "application/cdmi-queue", "", "x", ";",
    "a/b; \xe4", "multipart/mixed", "multipart/mixed; boundary=b", 'multipart/mixed; boundary="b c"',
    "multipart/mixed; boundary=", "é" * 100, "APPLICATION/CDMI-OBJECT;x=y", "application/x-www-form-urlencoded",
    "text/plain\t", "a" * 300, "application/cdmi-", "\x80",
]
ACCEPTS = [
    "*/*", OBJECT, CONTAINER, f"{OBJECT}, {CONTAINER};q=0", "text/html", "", ",", "*/*;q=0", "a" * 2000,
    "application/*", ";;q=,",
]
RANGES = [
    "bytes=0-", "bytes=0-4", "bytes=-1", "bytes=-0", "bytes=5-1", "bytes=0-0,2-3,5-", "bytes=9999999999999999999-",
    "bytes=", "x=0-1", "bytes=0-99999999999999999999999", "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 198, 2)),
    "bytes=0-1," * 500, "bytes=a-b", "bytes 0-4", "bytes=0 - 4", "bytes=,,0-1,,", "BYTES=0-1", "bytes=\xb2-3",
    "bytes=-999999999999999999", "bytes=1-1,0-0,1-1,0-3",
]
PARTS = [
    "bytes 0-4/*", "bytes 0-4", "bytes=2-3", "bytes 4-0/*", "bytes 0-4/5", "bytes */5",
    "bytes 0-99999999999999999999/*", "", "x", "bytes 10-14/*", "bytes 5-4/*", "bytes 0-4/x", "bytes 0-0/0",
]
# fmt: on
TAGS = ["*", '""', '"x"', "x", 'W/"x"', '"a", "b"', ", ,", '"' * 501, "", '"a\xe9"', '"x', "**"]
# fmt: off
DATES = [
    "Sun, 06 Nov 1994 08:49:37 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "nonsense", "", "0",
    "Thu, 01 Jan 1970 00:00:00 GMT", "Sun, 06 Nov 0001 08:49:37 GMT", "Mon, 99 Xxx 2020 99:99:99 GMT",
    "Sun, 06 Nov 1994 08:49:37 +9999", "99999999999999999999999", "Sun, 06 Nov 99999999 08:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:37 -99999999999999999999",
]
LENGTHS = [
    "0", "1", "5", "-1", "", "x", "1e3", "99999999999999999999", "9" * 5000, "0x10", "+5", "5,5", " 5", "\xb2", "00000",
]
METHODS = [
    "OPTIONS", "PATCH", "TRACE", "CONNECT", "PROPFIND", "MKCOL", "COPY", "MOVE", "LOCK", "FOO", "get", "A", "REPORT",
    "WEBSOCKET", "X" * 20, "PUT-IT", "QUERY",
]
OTHERS = [
    ("Expect", "100-continue"), ("Expect", "x"), ("Transfer-Encoding", "gzip"),
    ("Transfer-Encoding", "chunked, chunked"), ("X-Forwarded-For", "1.2.3.4, 127.0.0.1"), ("X-Forwarded-For", ","),
    ("X-Forwarded-For", "x" * 500), ("Host", "a b"), ("X", "y" * 7000), ("X-Forwarded-Proto", "https"),
    ("Upgrade", "h2c"), ("Connection", "close"), ("Connection", "Upgrade"), ("TE", "trailers"), ("X", "\xff"),
    ("X-HTTP-Method-Override", "DELETE"), ("Content-Encoding", "gzip"), ("Cookie", "a=b"), ("User-Agent", '"\\\xe9'),
    ("If-None-Match", "*"), ("Content-MD5", "x"), ("X-CDMI-Partial", "true"), ("SCRIPT_NAME", "/x"),
    ("PATH_INFO", "/x"), ("X_Y", "z"), ("Proxy", "x"),
]
# fmt: on
BOUNDARIES = ["b", "b-c", "'()+_,-./:=?", "b" * 70, "b" * 71, "-", "--", "ä", "b ", " b"]
