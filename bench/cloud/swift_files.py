"""What a Swift on one machine is configured with: pure text.

The servers of an all-in-one (docs.openstack.org, *SAIO*), with one device and one replica, and without the
daemons that work in the background. Each server is one process (``workers = 0``), as there: more of them were
no quicker on two cores. An object server syncs the file of every PUT and its directory before
it answers; that is its default, and it has no switch.
"""

from collections.abc import Mapping
from pathlib import Path

__all__ = ["KEY", "SERVERS", "USER", "files"]

SERVERS = ("account", "container", "object", "proxy")
USER, KEY = "test:tester", "testing"

_SWIFT = """\
[swift-hash]
swift_hash_path_prefix = bench
swift_hash_path_suffix = bench

[storage-policy:0]
name = one
default = yes
"""

_DEFAULT = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {directory}
devices = {directory}/devices
mount_check = false
log_level = ERROR
"""

_STORAGE = """
[pipeline:main]
pipeline = {kind}-server

[app:{kind}-server]
use = egg:swift#{kind}
"""

# The pipeline of an all-in-one, less what no request of ours comes to (bulk, s3api and the like), and less the log
# of requests, which the others do not write here either.
_PROXY = """
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats tempauth copy slo dlo \
versioned_writes proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true

[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memcached}

[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
"""

_FILTERS = (
    "catch_errors",
    "gatekeeper",
    "healthcheck",
    "listing_formats",
    "copy",
    "slo",
    "dlo",
    "versioned_writes",
)


def files(directory: Path, ports: Mapping[str, int], memcached: int, user: str) -> dict[str, str]:
    """Return the files of configuration, by their names in ``directory``.

    :param ports: of each of :data:`SERVERS`.
    :param memcached: the port of that server, where the proxy keeps tokens and what it knows of containers.
    :param user: as whom the servers run.
    """
    made = {"swift.conf": _SWIFT}
    for kind in SERVERS:
        head = _DEFAULT.format(port=ports[kind], user=user, directory=directory)
        made[f"{kind}.conf"] = head + (_proxy(memcached) if kind == "proxy" else _STORAGE.format(kind=kind))
    return made


def _proxy(memcached: int) -> str:
    filters = [f"\n[filter:{name}]\nuse = egg:swift#{name}\n" for name in _FILTERS]
    return _PROXY.format(memcached=memcached) + "".join(filters)
