"""The edit loop's description, evaluated: what `tilt up` would be asked to build, apply and watch."""

from __future__ import annotations

from pathlib import Path

import yaml

from .interpreter import run

ROOT = Path(__file__).resolve().parents[2]


def manifests() -> set[str]:
    return {path.stem for path in (ROOT / "manifests" / "services").glob("*.yaml")}


def test_every_manifest_becomes_an_image_and_a_resource() -> None:
    recording = run(ROOT, [])
    assert {call["ref"] for call in recording.calls["docker_build"]} == {
        f"suuupra/{name}" for name in manifests()
    }
    assert {call["workload"] for call in recording.calls["k8s_resource"]} == manifests()


def test_naming_services_runs_only_those() -> None:
    recording = run(ROOT, ["content"])
    assert [call["ref"] for call in recording.calls["docker_build"]] == ["suuupra/content"]


def test_the_resource_names_the_image_that_tilt_builds() -> None:
    recording = run(ROOT, ["content"])
    (applied,) = (yaml.safe_load(call["yaml"]) for call in recording.calls["k8s_yaml"])
    assert applied["spec"]["image"] == "suuupra/content"
    (kind,) = recording.calls["k8s_kind"]
    assert (kind["kind"], kind["image_json_path"]) == ("SuuupraService", "{.spec.image}")


def test_an_edit_in_one_service_concerns_its_own_image_only() -> None:
    recording = run(ROOT, [])
    for call in recording.calls["docker_build"]:
        own = "services/" + call["ref"].removeprefix("suuupra/").replace("-", "_")
        foreign = [
            p for p in call["only"] if p.startswith("services/") and p not in (own, "services/__init__.py")
        ]
        assert all(path.endswith("/contract.py") for path in foreign)


def test_the_gateway_is_built_from_its_own_target() -> None:
    recording = run(ROOT, ["api-gateway"])
    (call,) = recording.calls["docker_build"]
    assert call["target"] == "gateway"


def test_tilt_may_only_touch_the_local_cluster() -> None:
    (call,) = run(ROOT, []).calls["allow_k8s_contexts"]
    assert all(context.startswith("kind-") for context in call["contexts"])
