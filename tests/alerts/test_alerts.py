"""O12: the alerts of this platform's resources, judged and run by promtool on series as Prometheus would scrape them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from .rendered import PROMETHEUS_OWN, Promtool, promtool, texts

pytestmark = pytest.mark.integration

REQUESTS = "suuupra_http_request_duration_seconds_count"
MINUTES = 60
"""Length of each case; its alerts are looked at at the end."""


def of(metric: str, resource: str, component: str = "serve", **labels: str) -> str:
    """A series of one pod, with the labels that the scrape takes from it."""
    mine = {"namespace": "suuupra", "resource": resource, "component": component} | labels
    return metric + "{" + ",".join(f'{key}="{value}"' for key, value in mine.items()) + "}"


CONTENT_IS_WELL = {
    of("up", "content"): "1x60",
    of("up", "content", "work"): "1x60",
    of("suuupra_ready", "content", "work", check="kafka"): "1x60",
    of("suuupra_outbox_lag_seconds", "content", "work"): "0x60",
    of("suuupra_inbox_parked_seconds", "content", "work"): "0+10x60",
    of(REQUESTS, "content", route="/v1/courses", status="2xx"): "0+6000x60",
}
MEDIA = "/v1/media/{media_id}/{name}"


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory, containers: None) -> Iterator[Promtool]:
    """promtool in a folder with every rule file."""
    folder, files = tmp_path_factory.mktemp("rules"), texts()
    for name, text in files.items():
        (folder / name).write_text(text)
    with promtool(folder, tuple(files)) as found:
        yield found


def firing(rules: Promtool, resource: str, series: dict[str, str], *expected: str) -> None:
    """Fail with promtool's words unless exactly these alerts of the resource fire at the end, as often as named."""
    samples = [
        {"labels": f'{{alertname="{name}"}}', "value": times} for name, times in Counter(expected).items()
    ]
    question = f'count by (alertname) (ALERTS{{alertstate="firing",resource="{resource}"}})'
    case = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": question, "eval_time": f"{MINUTES}m", "exp_samples": samples}],
    }
    files = [
        name for name in rules.files if name.startswith(f"suuupra_{resource}-") or name == PROMETHEUS_OWN.name
    ]
    assert len(files) > 1, f"{resource} has no rules"
    document = {"rule_files": files, "evaluation_interval": "1m", "tests": [case]}
    (rules.folder / "case.test").write_text(json.dumps(document))
    done = rules.run("test", "rules", "case.test")
    assert done.returncode == 0, done.stdout + done.stderr


def test_o12_prometheus_accepts_every_rule_file(rules: Promtool) -> None:
    done = rules.run("check", "rules", "--lint-fatal", *rules.files)
    assert done.returncode == 0, done.stdout + done.stderr


def test_o12_nothing_is_raised_while_all_is_well(rules: Promtool) -> None:
    firing(rules, "content", CONTENT_IS_WELL)


def test_o12_a_burst_of_errors_pages(rules: Promtool) -> None:
    errors = {of(REQUESTS, "content", route="/v1/courses", status="5xx"): "0+600x60"}
    firing(
        rules, "content", CONTENT_IS_WELL | errors,
        "ErrorBudgetBurn14_4x", "ErrorBudgetBurn6x",
    )  # fmt: skip


def test_o12_errors_of_another_resource_of_the_same_code_are_not_this_one_s(rules: Promtool) -> None:
    errors = {of(REQUESTS, "content-of-another", service="content", status="5xx"): "0+600x60"}
    firing(rules, "content", CONTENT_IS_WELL | errors)


def test_o12_pods_that_vanish_are_missed(rules: Promtool) -> None:
    gone = {of("up", "content"): "1x30 _x30", of("up", "content", "work"): "1x30 0x30"}
    firing(rules, "content", CONTENT_IS_WELL | gone, "NoPodAnswers", "NoPodAnswers")


def test_o12_a_worker_without_kafka_is_told_of_though_its_resource_stays_ready(rules: Promtool) -> None:
    away = {of("suuupra_ready", "content", "work", check="kafka"): "1x50 0x10"}
    firing(rules, "content", CONTENT_IS_WELL | away, "WorkerCannotWork")


def test_o12_events_that_wait_in_the_outbox_are_told_of(rules: Promtool) -> None:
    waiting = {of("suuupra_outbox_lag_seconds", "content", "work"): "0x40 90x20"}
    firing(rules, "content", CONTENT_IS_WELL | waiting, "EventsWaitUnpublished", "ContentCompletionsBehind")


def test_o12_an_event_that_waits_long_for_another_is_told_of(rules: Promtool) -> None:
    waiting = {of("suuupra_inbox_parked_seconds", "content", "work"): "0+60x60"}
    firing(rules, "content", CONTENT_IS_WELL | waiting, "EventsWaitForAnother")


@pytest.mark.parametrize("values", ["_x50 1x10", "4x50 5x10"])
def test_o12_one_dead_letter_is_enough_even_the_very_first(rules: Promtool, values: str) -> None:
    dead = {
        of("suuupra_inbox_events_total", "content", "work", topic="lesson.completed", outcome="dead"): values
    }
    firing(rules, "content", CONTENT_IS_WELL | dead, "EventsDeadLettered")


def test_o12_an_old_dead_letter_is_quiet(rules: Promtool) -> None:
    dead = {
        of("suuupra_inbox_events_total", "content", "work", topic="lesson.completed", outcome="dead"): "3x60"
    }
    firing(rules, "content", CONTENT_IS_WELL | dead)


def test_o12_special_alerts_of_content(rules: Promtool) -> None:
    failing = {
        of(REQUESTS, "content", route=MEDIA, status="2xx"): "0+60x60",
        of(REQUESTS, "content", route=MEDIA, status="5xx"): "0+6x60",
    }
    firing(rules, "content", CONTENT_IS_WELL | failing, "ContentMediaFailing")


def test_o12_special_alerts_of_the_gateway(rules: Promtool) -> None:
    gateway = {
        of("up", "api-gateway"): "1x60",
        of("suuupra_gateway_routes", "api-gateway", state="held"): "0x50 1x10",
        of("suuupra_gateway_source_age_seconds", "api-gateway"): "0x50 300x10",
        of("suuupra_gateway_limit_answers_total", "api-gateway", answer="open"): "0x40 0+1x20",
    }
    firing(
        rules,
        "api-gateway",
        gateway,
        "GatewayRefusesRoutes",
        "GatewayHearsNoApiServer",
        "GatewayLimitsAreLocal",
    )


def test_o12_special_alerts_of_web(rules: Promtool) -> None:
    web = {
        of("up", "web"): "1x60",
        of(REQUESTS, "web", route="/", status="2xx"): "0+60x60",
        of("suuupra_web_call_faults_total", "web", callee="content", method="GET"): "0+6x60",
        of("suuupra_web_call_faults_total", "web", callee="payments", method="GET"): "0+12x60",
    }
    firing(rules, "web", web, "WebCannotReachContent", "WebCannotReachAccountsOrTheTill")


# Of each service: every alert that is special to it, made to fire by what it is for


def well(resource: str) -> dict[str, str]:
    """A resource of which nothing is to be told."""
    return {
        of("up", resource): "1x60",
        of("up", resource, "work"): "1x60",
        of("suuupra_ready", resource, "work", check="kafka"): "1x60",
        of("suuupra_outbox_lag_seconds", resource, "work"): "0x60",
        of("suuupra_schedule_overdue_seconds", resource, "work"): "0x60",
    }


def dead(resource: str, topic: str, values: str) -> dict[str, str]:
    return {of("suuupra_inbox_events_total", resource, "work", topic=topic, outcome="dead"): values}


def tries(**values: str) -> dict[str, str]:
    name = "suuupra_payments_webhook_tries_total"
    return {of(name, "payments", result=result): told for result, told in values.items()}


def turned_away(values: str, *, ended: str = "") -> dict[str, str]:
    """Payments that were told to begin later, beside those that `ended`."""
    results = {of(TOLD, "upi-core", type="PAY", code="00"): ended} if ended else {}
    return {of("suuupra_upi_turned_away_total", "upi-core"): values} | results


OVERDUE = "suuupra_schedule_overdue_seconds"
EVENTS = "suuupra_payments_events_total"
TOLD = "suuupra_upi_results_total"
SENT = "suuupra_messages_sent_total"
MAILS = "suuupra_mail_attempts_total"
FIRST, NEXT = "_x50 1x10", "3x50 4x10"
"""Of a counter: the first of its label, which makes the series; and one more."""
SPECIAL: list[tuple[str, dict[str, str], tuple[str, ...]]] = [
    ("payments", {of("suuupra_payments_rail_backlog_seconds", "payments"): "0x40 300x20"}, ("PaymentsRailSilent",)),
    ("payments", {of("suuupra_payments_contradictions_total", "payments"): "0x50 1x10"}, ("PaymentsContradicted",)),
    *(
        ("payments", {of(EVENTS, "payments", type="refund_failed"): values}, ("PaymentsContradicted",))
        for values in (FIRST, NEXT)
    ),
    ("payments", {of(EVENTS, "payments", type="outcome_unknown"): "0x40 0+5x20"}, ("PaymentsUnresolved",)),
    (
        "payments",
        {of("suuupra_payments_unanswered_seconds", "payments", of="attempt"): "0x40 60x20"},
        ("PaymentsUnanswered",),
    ),
    ("payments", tries(failed="0+2x60", delivered="0+1x60"), ("PaymentsWebhooksFailing",)),
    ("payments", tries(failed="0+1x60"), ("PaymentsWebhooksFailing",)),
    ("commerce", {of(OVERDUE, "commerce", "work"): "0x40 200x20"}, ("CommerceExpiryBehind",)),
    *(
        ("commerce", dead("commerce", "payment.succeeded", values), ("CommercePaymentsNotTaken", "EventsDeadLettered"))
        for values in (FIRST, NEXT)
    ),
    ("ledger", {of("suuupra_ledger_unsigned_seconds", "ledger", "work"): "0x40 2000x20"}, ("LedgerCheckpointsLate",)),
    *(
        ("ledger", dead("ledger", "payment.refunded", values), ("LedgerDeadLetters", "EventsDeadLettered"))
        for values in (FIRST, NEXT)
    ),
    (
        "upi-core",
        {of(TOLD, "upi-core", type="PAY", code="RB"): "0+1x60", of(TOLD, "upi-core", type="PAY", code="00"): "0+9x60"},
        ("UpiPaymentsDeemed",),
    ),
    *(
        ("upi-core", {of("suuupra_upi_disputes_total", "upi-core", kind="unresolved"): values}, ("UpiDisputesOpened",))
        for values in (FIRST, NEXT)
    ),
    ("upi-core", {of(OVERDUE, "upi-core"): "0x40 90x20"}, ("UpiTimersOverdue",)),
    ("upi-core", turned_away("0+1x60", ended="0+18x60"), ("UpiPaymentsTurnedAway",)),
    ("upi-core", turned_away("0x30 0+1x30"), ("UpiPaymentsTurnedAway",)),
    (
        "bank-asha",
        {of(SENT, "bank-asha", outcome="later"): "0+3x60", of(SENT, "bank-asha", outcome="delivered"): "0+7x60"},
        ("BankMessagesWaiting",),
    ),
    ("identity", {of("suuupra_identity_password_refused_total", "identity"): "0x40 0+10x20"}, ("IdentityPasswordsRefused",)),
    ("identity", {of(OVERDUE, "identity", "work"): "0x40 200x20"}, ("IdentityLettersLate",)),
    (
        "identity",
        {of("suuupra_identity_grants_revoked_total", "identity", because="reuse"): "0x30 0+1x30"},
        ("IdentityTokensReused",),
    ),
    ("notifications", {of("suuupra_mail_oldest_seconds", "notifications", "work"): "0x40 1000x20"}, ("NotificationsMailLate",)),
    (
        "notifications",
        {
            of(MAILS, "notifications", "work", kind="order_paid", outcome="refused"): "0+1x60",
            of(MAILS, "notifications", "work", kind="order_paid", outcome="sent"): "0+9x60",
        },
        ("NotificationsMailRefused",),
    ),
    (
        "api-gateway",
        {
            of("suuupra_gateway_apply_seconds_bucket", "api-gateway", le="1"): "0x60",
            of("suuupra_gateway_apply_seconds_bucket", "api-gateway", le="5"): "0+6x60",
            of("suuupra_gateway_apply_seconds_bucket", "api-gateway", le="+Inf"): "0+6x60",
        },
        ("GatewayChangesAreSlow",),
    ),
]  # fmt: skip

QUIET = {
    "payments": tries(failed="0+1x60", delivered="0+2x60"),
    "upi-core": turned_away("0+1x60", ended="0+20x60"),
}
"""What happens where all is well, and is told to nobody."""


@pytest.mark.parametrize("resource", sorted({resource for resource, _, _ in SPECIAL}))
def test_o12_of_a_resource_that_is_well_nothing_special_is_told(rules: Promtool, resource: str) -> None:
    firing(rules, resource, well(resource) | QUIET.get(resource, {}))


@pytest.mark.parametrize(
    ("resource", "series", "alerts"),
    SPECIAL,
    ids=[f"{names[0]}-{number}" for number, (_, _, names) in enumerate(SPECIAL)],
)
def test_o12_every_special_alert_fires_for_what_it_is_for(
    rules: Promtool, resource: str, series: dict[str, str], alerts: tuple[str, ...]
) -> None:
    firing(rules, resource, well(resource) | series, *alerts)
