"""The knobs of bring-up: environment over `.env` over the defaults below. `.env.example` explains each once."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, get_args

Way = Literal["auto", "registry", "packages"]
Profile = Literal["local", "staging", "production"]

PREFIX = "UP_"
WHOSE = ("", "test_", "operator_test_")
"""What begins the names of the knobs of each cluster: the user's, that of `make test`, that of the operator's tests."""
_LINE = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$")
_CLUSTER = re.compile(r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")


class KnobError(Exception):
    """A knob that cannot be read: which one, the rule, and the fix."""


@dataclass(frozen=True)
class Knobs:
    """Everything a user may turn; field `http_port` is `UP_HTTP_PORT` in the environment."""

    cluster: str = "suuupra"
    http_port: int = 8080
    metrics_port: int = 9090
    profile: Profile = "local"
    way: Way = "auto"
    registry_wait: int = 15
    """Seconds a registry has to begin answering before Debian's and Go's packages are used instead."""
    ready_wait: int = 900
    """Seconds that everything together may take to become Ready."""
    debian_mirror: str = ""
    debian_security_mirror: str = ""
    go_proxy: str = ""
    pypi_index: str = ""
    maven_mirror: str = ""
    test_cluster: str = "suuupra-test"
    test_http_port: int = 18080
    test_metrics_port: int = 19090
    operator_test_cluster: str = "suuupra-operator"
    operator_test_http_port: int = 18081
    operator_test_metrics_port: int = 19091
    pause_below_cores: int = 8
    """With fewer cores `make test` lets the user's cluster stand still meanwhile."""

    @property
    def public_url(self) -> str:
        """Where the gateway answers on this machine."""
        return f"http://localhost:{self.http_port}"

    def for_tests(self) -> "Knobs":
        """The same machine, another cluster: the user's own is never touched by a test."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        values |= {
            "cluster": self.test_cluster,
            "http_port": self.test_http_port,
            "metrics_port": self.test_metrics_port,
        }
        return Knobs(**values)


def parse_env(text: str) -> dict[str, str]:
    """`KEY=value` lines; `#` starts a comment, quotes around a value are dropped.

    Raises:
        KnobError: a line that is none of these, with its number.
    """
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.match(line)
        if match is None:
            raise KnobError(f".env line {number} is not KEY=value: {line.strip()!r}")
        values[match[1]] = _value(match[2])
    return values


def read(env_text: str, environ: Mapping[str, str]) -> Knobs:
    """The knobs as this user set them.

    Raises:
        KnobError: an unknown name or a value outside its range.
    """
    written = parse_env(env_text)
    given = written | {key: value for key, value in environ.items() if key.startswith(PREFIX)}
    defaults = {PREFIX + item.name.upper(): item for item in fields(Knobs)}
    for name in sorted(given.keys() - defaults.keys()):
        near = difflib.get_close_matches(name, defaults, n=1)
        if name not in written and not near:
            del given[name]  # another program's, whose variables begin alike
            continue
        raise KnobError(
            f"{name} is not a knob{f'; did you mean {near[0]}?' if near else ''} See .env.example."
        )
    values = {defaults[name].name: _typed(name, raw) for name, raw in given.items() if raw != ""}
    return _checked(Knobs(**values))  # type: ignore[arg-type]


def load(root: Path, environ: Mapping[str, str]) -> Knobs:
    """Read `.env` of the project, when there is one, and the environment."""
    file = root / ".env"
    return read(file.read_text() if file.exists() else "", environ)


def _value(raw: str) -> str:
    if len(raw) >= 2 and raw[0] == raw[-1] and raw[0] in "'\"":
        return raw[1:-1]
    return raw.split(" #", 1)[0].rstrip()


def _typed(name: str, raw: str) -> str | int:
    default = getattr(Knobs, name.removeprefix(PREFIX).lower())
    if not isinstance(default, int):
        return raw
    if not raw.isdecimal():
        raise KnobError(f"{name} must be a whole number, got {raw!r}.")
    return int(raw)


def _checked(knobs: Knobs) -> Knobs:
    for name, choices in (("way", get_args(Way)), ("profile", get_args(Profile))):
        if getattr(knobs, name) not in choices:
            raise KnobError(
                f"{PREFIX}{name.upper()} must be one of {', '.join(choices)}, got {getattr(knobs, name)!r}."
            )
    _check_clusters(knobs)
    _check_ports(knobs)
    return knobs


def _check_clusters(knobs: Knobs) -> None:
    seen: dict[str, str] = {}
    for name in (f"{whose}cluster" for whose in WHOSE):
        cluster, knob = getattr(knobs, name), PREFIX + name.upper()
        if not _CLUSTER.match(cluster):
            raise KnobError(f"{knob} must be lower-case letters, digits and '-', at most 32.")
        if cluster in seen:
            raise KnobError(f"{seen[cluster]} and {knob} must differ: tests delete theirs.")
        seen[cluster] = knob


def _check_ports(knobs: Knobs) -> None:
    seen: dict[int, str] = {}
    for name in (f"{whose}{what}_port" for whose in WHOSE for what in ("http", "metrics")):
        port = getattr(knobs, name)
        if not 1 <= port <= 65535:
            raise KnobError(f"{PREFIX}{name.upper()} must be between 1 and 65535, got {port}.")
        if port in seen:
            raise KnobError(f"{PREFIX}{name.upper()} and {PREFIX}{seen[port].upper()} are both {port}.")
        seen[port] = name
