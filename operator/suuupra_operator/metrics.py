"""What the operator counts about itself."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

WRITES = Counter("suuupra_operator_writes_total", "Writes sent to a backend.", ["backend", "write"])
DRIFT = Counter("drift_corrected_total", "Things changed by hand that were put right.", ["kind"])
RECONCILES = Counter(
    "suuupra_operator_reconciles_total", "Reconciles by kind and outcome.", ["kind", "outcome"]
)
RESYNCS = Counter(
    "suuupra_operator_resyncs_total", "Times that every resource was put into the queue on schedule."
)
RECONCILE_SECONDS = Histogram("suuupra_operator_reconcile_seconds", "Time of one reconcile.")
QUEUE = Gauge("suuupra_operator_queue_length", "Keys that wait for a worker.")
LEADING = Gauge("suuupra_operator_leading", "1 while this process holds the Lease.")
BACKEND_UP = Gauge(
    "suuupra_operator_backend_up", "1 when the last bulk read of the backend succeeded.", ["backend"]
)
WATCH_AGE = Gauge("suuupra_operator_watch_age_seconds", "Time since the oldest watch last heard anything.")
EVENTS_DROPPED = Counter(
    "suuupra_operator_events_dropped_total", "Kubernetes Events that could not be posted."
)
