"""Our clusters on this machine, as the knobs name them."""

from bringup.cluster import Cluster
from bringup.knobs import Knobs


def of_user(knobs: Knobs) -> Cluster:
    """The cluster of `make up`."""
    return Cluster(knobs.cluster, knobs.http_port, knobs.metrics_port, announce=True)


def of_tests(knobs: Knobs) -> Cluster:
    """The one that `make test` makes like the user's, and deletes."""
    return Cluster(knobs.test_cluster, knobs.test_http_port, knobs.test_metrics_port, knobs="UP_TEST")


def of_operator_tests(knobs: Knobs) -> Cluster:
    """The one that operator/tests/on_cluster makes, breaks, and deletes."""
    return Cluster(
        knobs.operator_test_cluster,
        knobs.operator_test_http_port,
        knobs.operator_test_metrics_port,
        knobs="UP_OPERATOR_TEST",
    )


def every(knobs: Knobs) -> list[Cluster]:
    """All that may be there."""
    return [of_user(knobs), of_tests(knobs), of_operator_tests(knobs)]
