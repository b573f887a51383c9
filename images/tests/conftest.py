"""Starts servers from the images of this folder's parent."""

from collections.abc import Iterator
from os import getpid

import pytest

from images.tests.servers import Launch, Server
from suuupra.testing.containers import LABEL, docker, free_port, image_of


@pytest.fixture(scope="module")
def launch(containers: None) -> Iterator[Launch]:
    """Start servers that are removed after the module; `{port}` in an option becomes the published port."""
    started: list[str] = []

    def start(
        image: str, port: int, *options: str, ready: tuple[str, ...] = ("true",), wait: bool = True
    ) -> Server:
        host_port = free_port()
        filled = tuple(option.replace("{port}", str(host_port)) for option in options)
        id_ = docker(
            *("run", "--detach", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"),
            *("--security-opt", "no-new-privileges", "--label", f"{LABEL}={getpid()}"),
            *("--publish", f"127.0.0.1:{host_port}:{port}", *filled, image_of(image)),
        )
        started.append(id_)
        server = Server(id_, host_port, ready)
        if wait:
            server.wait()
        return server

    yield start
    for id_ in started:
        docker("rm", "--force", "--volumes", id_)
