"""Services are found, never listed: every folder under services/ with a contract.py is one."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import typer
from fastapi import FastAPI

import services
from suuupra import names
from suuupra.settings import ServiceSettings

if TYPE_CHECKING:
    from suuupra.events import Event
    from suuupra.inbox import Subscription
    from suuupra.running import Runnable
    from suuupra.schedule import Handler


class UnknownService(LookupError):
    """No folder under services/ has that name; the text says which have."""


@dataclass(frozen=True, slots=True)
class Service:
    """The code of one service. Nothing of it is imported before it is asked for."""

    name: str
    path: Path

    @property
    def folder(self) -> str:
        return names.folder_of(self.name)

    @property
    def package(self) -> str:
        return f"services.{self.folder}"

    def settings(self) -> type[ServiceSettings]:
        """Its settings class."""
        return cast("type[ServiceSettings]", self._module("settings").Settings)

    def create_app(self, settings: ServiceSettings) -> FastAPI:
        """Its HTTP application, nothing connected yet."""
        return cast(FastAPI, self._module("app").create_app(settings))

    def events(self) -> Sequence[type[Event]]:
        """The events it publishes."""
        return cast("Sequence[type[Event]]", getattr(self._module("contract"), "EVENTS", ()))

    def subscriptions(self, settings: ServiceSettings) -> Sequence[Subscription]:
        """What it does with the events it consumes."""
        if not self.has("consumers"):
            return ()
        return cast("Sequence[Subscription]", self._module("consumers").consumers(settings))

    def schedules(self, settings: ServiceSettings) -> Mapping[str, Handler]:
        """What it does when something is due, by kind."""
        if not self.has("schedules"):
            return {}
        return cast("Mapping[str, Handler]", self._module("schedules").schedules(settings))

    def workers(self, settings: ServiceSettings) -> Sequence[Runnable]:
        """What else runs in its `work` process: what must not hold a transaction while it waits for others."""
        if not self.has("workers"):
            return ()
        return cast("Sequence[Runnable]", self._module("workers").workers(settings))

    def commands(self) -> typer.Typer | None:
        """Its own commands, `python -m suuupra NAME …`, when it has a cli.py."""
        return cast(typer.Typer, self._module("cli").app) if self.has("cli") else None

    def has(self, room: str) -> bool:
        """Whether the service has that room: a module or a folder of that name."""
        return (self.path / f"{room}.py").is_file() or (self.path / room).is_dir()

    def _module(self, room: str) -> ModuleType:
        return importlib.import_module(f"{self.package}.{room}")


def found() -> list[Service]:
    """Every service there is code for, by name."""
    folders = sorted(contract.parent for root in _roots() for contract in root.glob("*/contract.py"))
    return [Service(names.resource_of(folder.name), folder) for folder in folders]


def find(name: str) -> Service:
    """The service of that name, or UnknownService."""
    known = {service.name: service for service in found()}
    if name in known:
        return known[name]
    near = get_close_matches(names.resource_of(name), known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known) or 'none'}"
    raise UnknownService(f"there is no service {name!r}; {hint}")


def _roots() -> list[Path]:
    search: Any = services.__path__
    return [Path(entry) for entry in search]
