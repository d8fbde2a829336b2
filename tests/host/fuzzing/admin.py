"""An administrator's requests at random: modules and users, right and wrong ones."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.host.fuzzing.bodies import Bodies
from tests.host.fuzzing.request import Request, basic
from tests.host.fuzzing.words import CONTAINER, OBJECT

__all__ = ["MEMBERS", "MODULES", "Administrator"]

MODULES = "/cdmi/system_configuration/vendor_modules"
MEMBERS = "/cdmi/cdmi_domains/system_domain/cdmi_domain_members"

_VENDOR = "tests.host.vendor"
# fmt: off
_CLASSES = [
    "fsstore.FileStorage", "simple.SimpleStorage", f"{_VENDOR}.Memory", f"{_VENDOR}.Refusing", f"{_VENDOR}.Exiting",
    f"{_VENDOR}.Keeper", f"{_VENDOR}.Old", f"{_VENDOR}.Plain", f"{_VENDOR}.Abstract", f"{_VENDOR}.NoModule",
    "modules.StorageModule", "os.system", "nowhere.Nothing", "host.vault.Vault", "x", "", ".", "a..b", "json.é",
    "os.path", "fsstore", "fsstore.FileStorage.new_data", "fsstore..FileStorage", " fsstore.FileStorage",
    "builtins.object", "\0.x",
]
_PARAMETERS = [
    "root", "storage_dir", "first", "second", "api_key", "password", "store", "when", "address", "durability", "x", "",
]
_NAMES = [
    "m1", "m2", "m3", "a.b", "A@b+c-d_e", "x" * 64, "x" * 65, "-x", "%C3%A9", "x y", "m1/", "m1/m2", "..", "%00", "",
]
#: With these, the administrator goes on as before.
_OF_ADMINISTRATOR: list[dict[str, Any]] = [
    {}, {"role": "user"}, {"role": "administrator"}, {"quota": None}, {"quota": -1}, {"x": 1},
]
# fmt: on


class Administrator:
    """Requests that leave the module ``default``, the accounts of the players and the administrator's password alone.

    :param directory: where modules may keep things.
    :param default: the arguments of the module ``default``, which stay as they are.
    :param secrets: passwords of members and arguments of modules that no answer may show. The first is that of "m3",
        whose policy is ``default``.
    """

    def __init__(
        self,
        dice: random.Random,
        user: tuple[str, str],
        directory: Path,
        default: dict[str, Any],
        secrets: Sequence[str],
    ) -> None:
        self._dice = dice
        self._authorization = ("Authorization", basic(*user))
        self._directory = directory
        self._default = default
        self._secrets = secrets
        self._bodies = Bodies(dice)

    def request(self) -> Request:
        """Return a request."""
        dice = self._dice
        if dice.random() < 0.05:
            fields = {"module": "fsstore.FileStorage", "args": self._default, "description": dice.choice("abc")}
            body = self._bodies.written(fields)
            return Request("PUT", f"{MODULES}/default", (self._authorization,), body).sized()
        method, target, fields = dice.choice([self._module, self._member, self._administrator])()
        request = Request(method, target, (self._authorization,))
        if dice.random() < 0.2:
            request = request.plus(("X-CDMI-Specification-Version", dice.choice(["1.1.1", "1.0", "x"])))
        if method != "PUT":
            return request
        body = self._bodies.mutated(fields) if dice.random() < 0.4 else self._bodies.written(fields)
        if dice.random() < 0.05:
            body = body.replace(b",", b", \\\n")
        if dice.random() < 0.01:
            body += b" " * (1 << 20)
        kind = dice.choice(["application/json", "application/x-www-form-urlencoded", OBJECT, CONTAINER])
        return Request(method, target, (*request.headers, ("Content-Type", kind)), body).sized()

    def _module(self) -> tuple[str, str, dict[str, Any]]:
        dice = self._dice
        name = dice.choice(_NAMES if dice.random() < 0.3 else ["m1", "m2", "m3"])
        method = dice.choice(["GET", "HEAD", "PUT", "PUT", "PUT", "PUT", "DELETE", "POST", "PATCH"])
        if dice.random() < 0.1:
            target = f"{MODULES}/{dice.choice(['default', '', '?children'])}"
            return dice.choice(["GET", "HEAD", "DELETE", "POST"]), target, {}
        fields: dict[str, Any] = {"module": dice.choice(_CLASSES if dice.random() < 0.5 else _CLASSES[:6])}
        if dice.random() < 0.7:
            fields["description"] = self._bodies.text()
        if dice.random() < 0.15:
            fields["locations"] = {
                dice.choice(["x", "y", "", "é"]): self._arguments() for _ in range(dice.randrange(3))
            }
        elif dice.random() < 0.9:
            fields["args"] = self._arguments()
        return method, f"{MODULES}/{name}", fields

    def _arguments(self) -> Any:
        dice = self._dice
        values = [
            str(self._directory / dice.choice("rst")) if dice.random() < 0.6 else self._harmless()
            for _ in range(dice.choice([1, 1, 2, 3, 9]))
        ]
        if dice.random() < 0.4:
            return values
        arguments = dict(zip(dice.sample(_PARAMETERS, len(values)), values, strict=True))
        for name in arguments:
            if name in ("api_key", "password"):
                arguments[name] = dice.choice(
                    [dice.choice(self._secrets), [dice.choice(self._secrets)], {"x": dice.choice(self._secrets)}]
                )
        return arguments

    def _member(self) -> tuple[str, str, dict[str, Any]]:
        dice = self._dice
        name = dice.choice(_NAMES if dice.random() < 0.3 else ["m1", "m2", "m3"])
        method = dice.choice(["GET", "HEAD", "PUT", "PUT", "PUT", "DELETE", "POST"])
        fields: dict[str, Any] = {}
        if dice.random() < 0.3:  # each costs a hash
            fields["password"] = dice.choice(self._secrets)
        fields["policy"] = dice.choice(["default", "m1", "m2", "nothing"])
        fields |= {
            key: dice.choice([None, 0, 5, 2**63 - 1, 2**63, "5", 1.5, True])
            for key in ("quota", "quota_objects")
            if dice.random() < 0.2
        }
        if dice.random() < 0.2:
            fields["role"] = dice.choice(["user", "administrator", "root", None])
        if name == "m3":  # who plays, too, and would not spare the other players as an administrator
            fields = {"password": self._secrets[0], "policy": "default"} if "password" in fields else {}
        if dice.random() < 0.3:
            fields = {"metadata": {f"cdmi_member_{key}": value for key, value in fields.items()}}
        elif dice.random() < 0.1:
            fields = {"value": self._bodies.written(fields).decode("utf-8", "replace")}
        return method, f"{MEMBERS}/{name}", fields

    def _administrator(self) -> tuple[str, str, dict[str, Any]]:
        dice = self._dice
        target = dice.choice(["", "/", "/administrator", "/administrator", "/alice", "?children:0-1"])
        method = dice.choice(["GET", "HEAD", "DELETE", "PUT"]) if target == "/administrator" else "GET"
        return method, f"{MEMBERS}{target}", dice.choice(_OF_ADMINISTRATOR)

    def _harmless(self) -> Any:
        """Return an odd value that is no path from the root of the file system."""
        value = self._bodies.odd()
        return "x" if isinstance(value, str) and value.startswith("/") else value
