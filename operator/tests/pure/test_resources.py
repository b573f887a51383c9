"""The custom resource definitions: current, structural, and as strict as the models."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from suuupra_operator import crd
from suuupra_operator.conditions import route_statuses
from suuupra_operator.models import SuuupraServiceSpec
from suuupra_operator.primaries import InvalidSpec, spec_of
from suuupra_operator.resources import PaymentRail, SuuupraService
from suuupra_operator.schema import seconds

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("path", crd.files(ROOT), ids=lambda path: str(path.relative_to(ROOT)))
def test_generated_definitions_are_current(path: Path) -> None:
    assert path.read_text() == crd.files(ROOT)[path], "run: python -m suuupra_operator crds"


@pytest.mark.parametrize("kind", crd.RESOURCES)
def test_definitions_are_structural(kind: crd.CustomResource) -> None:
    def check(node: dict[str, Any], where: str) -> None:
        assert "$ref" not in node, where
        assert "type" in node or node.get("x-kubernetes-int-or-string"), where
        for name, child in node.get("properties", {}).items():
            check(child, f"{where}.{name}")
        if "items" in node:
            check(node["items"], f"{where}[]")

    check(crd.structural(kind), kind.__name__)


@pytest.mark.parametrize("kind", crd.RESOURCES)
def test_no_default_is_empty(kind: crd.CustomResource) -> None:
    """See `crd._default` for what an empty one does to a resource that is applied again."""

    def defaults(node: Any) -> Iterator[Any]:
        for key, child in node.items() if isinstance(node, dict) else ():
            if key == "default":
                yield child
            yield from defaults(child)

    assert [value for value in defaults(crd.structural(kind)) if value in ([], {})] == []


@pytest.mark.parametrize("kind", crd.RESOURCES)
def test_examples_are_valid(kind: crd.CustomResource) -> None:
    text = (ROOT / "crds" / "examples" / f"{kind.__name__.lower()}.yaml").read_text()
    manifest = yaml.safe_load(text)
    assert manifest["kind"] == kind.__name__
    kind.model_validate({"spec": manifest["spec"]})


@pytest.mark.parametrize(
    "path", sorted((ROOT / "manifests/rails").glob("*.yaml")), ids=lambda path: path.name
)
def test_the_rails_of_this_platform_are_valid(path: Path) -> None:
    rail = PaymentRail.model_validate({"spec": yaml.safe_load(path.read_text())["spec"]})
    assert rail.spec.participants


def test_o2_a_wrong_spec_names_field_and_rule() -> None:
    wrong = {"spec": {"replicas": {"min": -1}, "routes": [{"path": "/x/"}], "colour": "red"}}
    with pytest.raises(InvalidSpec) as refused:
        spec_of(wrong)
    text = str(refused.value)
    assert "spec.replicas.min: Input should be greater than or equal to 0" in text
    assert "spec.routes.0: path must not end with /" in text
    assert "spec.colour: Extra inputs are not permitted" in text


A, B = {"rate": "20/m", "by": "client"}, {"rate": "100/m", "by": "subject"}


def test_a_route_has_limits_by_several_and_over_several_times() -> None:
    spec = spec_of({"spec": {"routes": [{"path": "/x", "limits": [A, B, B | {"rate": "5/s"}]}]}})
    assert [(limit.by, limit.rate) for limit in spec.routes[0].limits] == [
        ("client", "20/m"),
        ("subject", "100/m"),
        ("subject", "5/s"),
    ]


def test_the_gateway_is_told_the_limits_of_a_route_as_they_were_written() -> None:
    (told,) = route_statuses(spec_of({"spec": {"routes": [{"path": "/x", "limits": [B, A]}]}}).routes, {})
    assert told.manifest()["limits"] == [B, A]


@pytest.mark.parametrize(
    ("route", "says"),
    [
        ({"limits": [{"rate": "0/m"}]}, "routes.0.limits.0.rate: rate is at least 1 request per second"),
        ({"limits": [{"rate": "20/d"}]}, "write 20/s, 100/m or 1000/h"),
        ({"limits": [{"rate": "1/m", "burst": 0}]}, "routes.0.limits.0.burst: Input should be greater"),
        ({"limits": [A, A | {"rate": "90/m"}]}, "limits: two of them count by the same over the same time"),
        (
            {"limits": [A, B, A | {"rate": "1/s"}, A | {"rate": "1/h"}, B | {"rate": "1/h"}]},
            "at most 4 items",
        ),
        ({"limit": A}, "routes.0.limit: Extra inputs are not permitted"),
        ({"limits": [A], "auth": "none"}, "limits.by: subject and client need auth: user or optional"),
    ],
)
def test_o2_wrong_limits_are_refused_with_field_rule_and_fix(route: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        spec_of({"spec": {"routes": [{"path": "/x"} | route]}})
    assert says in str(refused.value)


def test_defaults_make_the_empty_spec_whole() -> None:
    spec = SuuupraServiceSpec()
    assert (spec.replicas.min, spec.workers.replicas, spec.slo.availability) == (1, 1, 99.9)
    assert not spec.works
    assert not spec.replicas.autoscaled


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["replicas", "database", "routes", "path", "min", "env", "events", "name", "slo"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_value_is_a_spec_or_a_refusal_in_words(value: object) -> None:
    with contextlib.suppress(InvalidSpec):
        assert isinstance(spec_of({"spec": value}), SuuupraServiceSpec)


@pytest.mark.parametrize(("text", "length"), [("300ms", 0.3), ("15s", 15), ("7d", 604800), ("2h", 7200)])
def test_durations_in_seconds(text: str, length: float) -> None:
    assert seconds(text) == pytest.approx(length)


def test_statuses_survive_their_own_manifest() -> None:
    status = SuuupraService().status
    assert type(status).model_validate(status.manifest()) == status
    with pytest.raises(ValidationError):
        SuuupraService.model_validate({"spec": {"slo": {"availability": 100}}})
