"""The Prometheus image."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import pytest

from images.tests.servers import Launch, Server

pytestmark = pytest.mark.integration

CONFIGURATION = """
global: {scrape_interval: 1s}
rule_files: [/rules/*.yaml]
scrape_configs: [{job_name: prometheus, static_configs: [{targets: ["localhost:9090"]}]}]
"""
READY = ("promtool", "check", "ready", "--url=http://localhost:9090")


@pytest.fixture(scope="module")
def server(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Server:
    folder = tmp_path_factory.mktemp("prometheus")
    folder.chmod(0o755)
    (folder / "prometheus.yml").write_text(CONFIGURATION)
    return launch("prometheus", 9090, "--volume", f"{folder}:/etc/prometheus:ro", ready=READY)


def query(server: Server, expression: str) -> list[Any]:
    url = f"http://127.0.0.1:{server.port}/api/v1/query?query={urllib.parse.quote(expression)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return list(json.load(answer)["data"]["result"])


def first_sample(server: Server) -> float:
    deadline = time.monotonic() + 30
    while not (found := query(server, "min_over_time(timestamp(up)[1h:1s])")):
        assert time.monotonic() < deadline, "nothing was scraped in 30 s"
        time.sleep(0.2)
    return float(found[0]["value"][1])


def test_samples_survive_a_kill(server: Server) -> None:
    before = first_sample(server)
    server.kill_and_start()
    assert first_sample(server) == before


def test_exemplars_are_stored(server: Server) -> None:
    found = query(server, "prometheus_tsdb_exemplar_max_exemplars")
    assert float(found[0]["value"][1]) > 0


@pytest.mark.parametrize("action", ["quit", "reload"])
def test_nobody_stops_or_reloads_it_over_http(server: Server, action: str) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}/-/{action}", method="POST")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request, timeout=10)


def test_stop_is_clean(server: Server) -> None:
    assert server.stop() == 0
    assert "See you next time!" in server.log()
