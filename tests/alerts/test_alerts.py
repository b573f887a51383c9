"""O12: the alerts of this platform's resources, judged and run by promtool on series as Prometheus would scrape them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from .rendered import Promtool, promtool, texts

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
    of(REQUESTS, "content", route="/v1/courses", status="2xx"): "0+6000x60",
}
MEDIA = "/v1/media/{media_id}/{name}"


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory, containers: None) -> Iterator[Promtool]:
    """promtool in a folder with every rule file."""
    folder = tmp_path_factory.mktemp("rules")
    for name, text in texts().items():
        (folder / name).write_text(text)
    with promtool(folder) as found:
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
    document = {"rule_files": list(texts()), "evaluation_interval": "1m", "tests": [case]}
    (rules.folder / "case.test").write_text(json.dumps(document))
    done = rules.run("test", "rules", "case.test")
    assert done.returncode == 0, done.stdout + done.stderr


def test_o12_prometheus_accepts_every_rule_file(rules: Promtool) -> None:
    done = rules.run("check", "rules", "--lint-fatal", *texts())
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
