"""Keeps Prometheus' rule files equal to the ConfigMaps that carry rules.

A sidecar of Prometheus. It watches ConfigMaps with a label in some namespaces, writes every key that is a YAML
file into a folder that Prometheus reads, and asks Prometheus (SIGHUP, in a shared process namespace) to load it.
Each file is checked by promtool before it takes its place: a broken one is refused, reported as a metric and in the
log, and the last good version of the same file stays.

Standard library only: the image has no package manager of its own.

Environment: RULES_NAMESPACES (comma separated), RULES_LABEL (a label selector), RULES_DIRECTORY, RULES_PORT.
"""

import http.client
import json
import os
import signal
import ssl
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
RESYNC_SECONDS = 300.0
RETRY_SECONDS = 5.0
CALM_SECONDS = 0.3  # a rollout changes many ConfigMaps at once: one reload for all of them

Check = Callable[[Path], str | None]
ConfigMap = Mapping[str, Any]


def log(level: str, message: str, **values: object) -> None:
    """One JSON line on standard output."""
    line = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "level": level, "message": message}
    print(json.dumps(line | values), flush=True)  # noqa: T201 - the log of a container is its standard output


def rule_files(config_maps: Iterable[ConfigMap]) -> dict[str, str]:
    """File name → text for every YAML key; the name tells namespace, ConfigMap and key apart."""
    return {
        f"{item['metadata']['namespace']}_{item['metadata']['name']}_{key}": text
        for item in config_maps
        for key, text in (item.get("data") or {}).items()
        if key.endswith((".yaml", ".yml"))
    }


def promtool(path: Path) -> str | None:
    """What promtool has against a rule file; None when it is sound."""
    result = subprocess.run(
        ["/usr/bin/promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False
    )
    return None if result.returncode == 0 else (result.stderr or result.stdout).strip()


@dataclass(frozen=True)
class Outcome:
    """What one pass over the folder did."""

    changed: bool
    rejected: Mapping[str, str]


@dataclass
class RuleFolder:
    """The folder Prometheus reads. Every file in it has passed `check`."""

    path: Path
    check: Check = promtool

    def make_equal(self, wanted: Mapping[str, str]) -> Outcome:
        """Write what is new and sound, remove what is no longer wanted; a refused file changes nothing."""
        self.path.mkdir(parents=True, exist_ok=True)
        stale = [file for file in self.path.iterdir() if file.name not in wanted]
        for file in stale:
            file.unlink()
        fresh = {name: text for name, text in wanted.items() if self._text(name) != text}
        verdicts = {name: self._replace(name, text) for name, text in fresh.items()}
        rejected = {name: verdict for name, verdict in verdicts.items() if verdict is not None}
        return Outcome(changed=bool(stale) or len(rejected) < len(fresh), rejected=rejected)

    def _text(self, name: str) -> str | None:
        file = self.path / name
        return file.read_text() if file.exists() else None

    def _replace(self, name: str, text: str) -> str | None:
        # The candidate's name matches none of Prometheus' patterns until it is renamed, in one step.
        candidate = self.path / f".{name}.candidate"
        candidate.write_text(text)
        verdict = self.check(candidate)
        if verdict is None:
            candidate.replace(self.path / name)
        else:
            candidate.unlink()
        return verdict


@dataclass(frozen=True)
class Cluster:
    """The API server as the pod's own account sees it. The token is read each time, because it is rotated."""

    server: str
    selector: str
    account: Path = ACCOUNT

    def config_maps(self, namespace: str) -> list[ConfigMap]:
        """The ConfigMaps with the label, now."""
        with self._open(namespace, {}) as answer:
            return list(json.load(answer)["items"])

    def changes(self, namespace: str) -> Iterator[str]:
        """The kind of each change, beginning with one ADDED per ConfigMap that is there; ends after the resync time."""
        query = {"watch": "1", "timeoutSeconds": str(int(RESYNC_SECONDS))}
        with self._open(namespace, query, timeout=RESYNC_SECONDS + 30) as answer:
            for line in answer:
                yield str(json.loads(line)["type"])

    def _open(
        self, namespace: str, query: Mapping[str, str], timeout: float = 30
    ) -> http.client.HTTPResponse:
        parameters = urllib.parse.urlencode({"labelSelector": self.selector, **query})
        request = urllib.request.Request(  # noqa: S310 - the scheme is https, see `in_cluster`
            f"{self.server}/api/v1/namespaces/{namespace}/configmaps?{parameters}",
            headers={"Authorization": f"Bearer {(self.account / 'token').read_text()}"},
        )
        context = ssl.create_default_context(cafile=str(self.account / "ca.crt"))
        answer = urllib.request.urlopen(request, timeout=timeout, context=context)  # noqa: S310
        assert isinstance(answer, http.client.HTTPResponse)
        return answer


def in_cluster(selector: str) -> Cluster:
    """The API server named by the environment of every pod."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    return Cluster(f"https://{f'[{host}]' if ':' in host else host}:{port}", selector)


def reload_prometheus(processes: Path = Path("/proc")) -> int:
    """Signal every Prometheus in this process namespace; returns how many. None yet is well: it reads at start."""
    signalled = 0
    for name in processes.glob("[0-9]*/comm"):
        try:
            if name.read_text().strip() != "prometheus":
                continue
            os.kill(int(name.parent.name), signal.SIGHUP)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
        signalled += 1
    return signalled


@dataclass
class State:
    """What the metrics and probes tell. Written by the one syncing thread, read by the server's."""

    files: int = 0
    reloads: int = 0
    failures: int = 0
    synced: float = 0.0
    rejected: Mapping[str, str] = field(default_factory=dict)

    def exposition(self) -> str:
        """The metrics in Prometheus' text format."""
        return "".join(
            (
                _metric("suuupra_rules_files", "gauge", "Rule files wanted by ConfigMaps.", self.files),
                _metric(
                    "suuupra_rules_reloads_total", "counter", "Reloads asked of Prometheus.", self.reloads
                ),
                _metric("suuupra_rules_failures_total", "counter", "Passes that failed.", self.failures),
                _metric("suuupra_rules_synced_timestamp_seconds", "gauge", "Last good pass.", self.synced),
                "# HELP suuupra_rules_rejected Rule files refused by promtool.\n# TYPE suuupra_rules_rejected gauge\n",
                *(f'suuupra_rules_rejected{{file="{name}"}} 1\n' for name in sorted(self.rejected)),
            )
        )


def _metric(name: str, kind: str, text: str, value: float) -> str:
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n{name} {value}\n"


@dataclass
class Watcher:
    """Wakes on every change and makes the folder equal to the cluster, whatever was missed in between."""

    cluster: Cluster
    namespaces: tuple[str, ...]
    folder: RuleFolder
    reload: Callable[[], int] = reload_prometheus
    state: State = field(default_factory=State)
    wake: threading.Event = field(default_factory=threading.Event)
    stopping: threading.Event = field(default_factory=threading.Event)

    def sync(self) -> None:
        """One pass. Nothing is removed when a namespace could not be listed."""
        wanted = rule_files(item for name in self.namespaces for item in self.cluster.config_maps(name))
        outcome = self.folder.make_equal(wanted)
        for name, reason in outcome.rejected.items():
            if self.state.rejected.get(name) != reason:
                log("error", "rule file refused, its last good version stays", file=name, reason=reason)
        if outcome.changed:
            log("info", "rule files changed", files=len(wanted), reloaded=self.reload())
            self.state.reloads += 1
        self.state.files, self.state.rejected, self.state.synced = len(wanted), outcome.rejected, time.time()

    def run(self) -> None:
        """Sync on every wake-up, at least once per resync time, until stopped."""
        for namespace in self.namespaces:
            threading.Thread(target=self._follow, args=(namespace,), daemon=True).start()
        patience = 0.0
        while not self.stopping.is_set():
            if self.wake.wait(patience):
                self.stopping.wait(CALM_SECONDS)
                self.wake.clear()
            patience = RESYNC_SECONDS if self._try(self.sync) else RETRY_SECONDS

    def stop(self) -> None:
        """Let `run` return."""
        self.stopping.set()
        self.wake.set()

    def _follow(self, namespace: str) -> None:
        def wake_on_changes() -> None:
            for _ in self.cluster.changes(namespace):
                self.wake.set()

        while not self.stopping.is_set():
            if not self._try(wake_on_changes):
                self.stopping.wait(RETRY_SECONDS)

    def _try(self, action: Callable[[], None]) -> bool:
        try:
            action()
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.state.failures += 1
            log("warning", "the cluster could not be read, trying again", error=repr(error))
            return False
        return True


def serve(state: State, port: int) -> ThreadingHTTPServer:
    """Probes and metrics on `port`, in the background. Ready: the folder has been equal to the cluster once."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = {
                "/metrics": (200, state.exposition()),
                "/livez": (200, "alive\n"),
                "/readyz": (200, "ready\n") if state.synced else (503, "not synchronised yet\n"),
            }.get(self.path, (404, "not found\n"))
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Probes are not worth a line each."""

    server = ThreadingHTTPServer(("", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main() -> None:
    """Run until SIGTERM."""
    watcher = Watcher(
        cluster=in_cluster(os.environ["RULES_LABEL"]),
        namespaces=tuple(os.environ["RULES_NAMESPACES"].split(",")),
        folder=RuleFolder(Path(os.environ["RULES_DIRECTORY"])),
    )
    signal.signal(signal.SIGTERM, lambda *_: watcher.stop())
    server = serve(watcher.state, int(os.environ.get("RULES_PORT", "9000")))
    watcher.run()
    server.shutdown()


if __name__ == "__main__":
    main()
