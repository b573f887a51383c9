"""Alerts beside the SLO's: pods that do not answer, workers that cannot work, and what is special to the code."""

from __future__ import annotations

from typing import Any

import yaml

from suuupra_operator.desired.series import labels, selector
from suuupra_operator.desired.slo import RUNBOOK
from suuupra_operator.desired.subject import Subject

Rule = dict[str, Any]
UNPUBLISHED_SECONDS = 60
AWAITING_SECONDS = 900


def always(subject: Subject) -> list[Rule]:
    """What follows from the pods that the resource asks for; nothing for those it does not."""
    if subject.spec.replicas.min == 0:
        return []
    down = _down(subject, "serve", "page")
    if not subject.spec.works or subject.spec.workers.replicas == 0:
        return [down]
    events = [_unpublished(subject), _awaiting(subject), _dead(subject)]
    return [down, _down(subject, "work", "ticket"), _stands_still(subject), *events]


def special(subject: Subject, text: str) -> list[dict[str, Any]]:
    """Groups of the code's own rule file, for one of its resources.

    In expressions ``$namespace`` and ``$resource`` stand for the resource's; every rule gets the resource's labels.
    """
    groups = (yaml.safe_load(text) or {}).get("groups") or []
    return [
        group
        | {
            "name": f"{subject.namespace}-{subject.name}-{group['name']}",
            "rules": [_own(subject, rule) for rule in group["rules"]],
        }
        for group in groups
    ]


def _own(subject: Subject, rule: Rule) -> Rule:
    expression = rule["expr"].replace("$namespace", subject.namespace).replace("$resource", subject.name)
    return rule | {"expr": expression, "labels": rule.get("labels", {}) | labels(subject)}


def _down(subject: Subject, component: str, severity: str) -> Rule:
    return {
        "alert": "NoPodAnswers",
        "expr": f"absent(up{{{selector(subject, component=component)}}} == 1)",
        "for": "2m",
        "labels": labels(subject) | {"component": component, "severity": severity},
        "annotations": {
            "summary": f"No pod of {subject.name} ({component}) is being scraped",
            "description": f"kubectl -n {subject.namespace} get pods -l app.kubernetes.io/instance={subject.name}",
            "runbook": f"{RUNBOOK}#nopodanswers",
        },
    }


def _stands_still(subject: Subject) -> Rule:
    """A worker stays ready without Kafka, so that its resource does; this is what then speaks up."""
    return {
        "alert": "WorkerCannotWork",
        "expr": f"min by (check) (suuupra_ready{{{selector(subject, component='work')}}}) == 0",
        "for": "5m",
        "labels": labels(subject) | {"severity": "ticket"},
        "annotations": {
            "summary": f"The worker of {subject.name} waits for {{{{ $labels.check }}}}",
            "description": "Events wait in the outbox or in their topics. Nothing is lost; effects are late.",
            "runbook": f"{RUNBOOK}#workercannotwork",
        },
    }


def _unpublished(subject: Subject) -> Rule:
    lag = f"max(suuupra_outbox_lag_seconds{{{selector(subject, component='work')}}})"
    return {
        "alert": "EventsWaitUnpublished",
        "expr": f"{lag} > {UNPUBLISHED_SECONDS}",
        "for": "5m",
        "labels": labels(subject) | {"severity": "ticket"},
        "annotations": {
            "summary": f"Events of {subject.name} wait for more than a minute to be published",
            "description": "The relay works and falls behind, or one topic takes no events.",
            "runbook": f"{RUNBOOK}#eventswaitunpublished",
        },
    }


def _awaiting(subject: Subject) -> Rule:
    """Longer than what can be done without is awaited; so an effect is missing that money or access depends on."""
    waited = f"max(suuupra_inbox_parked_seconds{{{selector(subject, component='work')}}})"
    return {
        "alert": "EventsWaitForAnother",
        "expr": f"{waited} > {AWAITING_SECONDS}",
        "for": "1m",
        "labels": labels(subject) | {"severity": "ticket"},
        "annotations": {
            "summary": f"An event waits in {subject.name} for one it follows, for more than a quarter of an hour",
            "description": "The one before it was not delivered. After a week the gap counts as filled.",
            "runbook": f"{RUNBOOK}#eventswaitforanother",
        },
    }


def _dead(subject: Subject) -> Rule:
    """`increase` does not see the first event, which makes the series: so what was not there before counts as well."""
    which = selector(subject, 'outcome="dead"', component="work")
    dead = f"suuupra_inbox_events_total{{{which}}}"
    more, new = (
        f"sum by (topic) ({it}) > 0" for it in (f"increase({dead}[15m])", f"{dead} unless {dead} offset 15m")
    )
    return {
        "alert": "EventsDeadLettered",
        "expr": f"{more} or {new}",
        "labels": labels(subject) | {"severity": "ticket"},
        "annotations": {
            "summary": f"{subject.name} gave up events of {{{{ $labels.topic }}}}",
            "description": "They lie in the dead letter topic with their cause, and can be put back once it is mended.",
            "runbook": f"{RUNBOOK}#eventsdeadlettered",
        },
    }
