"""What Prometheus calls a resource's series: the labels that the scrape takes from its pods, and the kit's metrics."""

from __future__ import annotations

from suuupra_operator.desired.subject import Subject

REQUESTS = "suuupra_http_request_duration_seconds"


def selector(subject: Subject, *more: str, component: str = "serve") -> str:
    """Label selector of the resource's pods of one component."""
    return ",".join([*_of(subject), f'component="{component}"', *more])


def everywhere(subject: Subject) -> str:
    """Label selector of all its pods."""
    return ",".join(_of(subject))


def labels(subject: Subject) -> dict[str, str]:
    """Labels of what is recorded or raised for the resource: which one, and whose code it runs."""
    return {"namespace": subject.namespace, "resource": subject.name, "service": subject.service}


def _of(subject: Subject) -> list[str]:
    return [f'namespace="{subject.namespace}"', f'resource="{subject.name}"']
