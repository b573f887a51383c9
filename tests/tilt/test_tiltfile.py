"""The edit loop's description, evaluated: what `tilt up` would be asked to build, apply and watch."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import starlark
import yaml
from bringup import staging
from suuupra_operator.resources import PaymentRail

from .interpreter import run

ROOT = Path(__file__).resolve().parents[2]


def manifests() -> set[str]:
    return {path.stem for path in (ROOT / "manifests" / "services").glob("*.yaml")}


def rails() -> dict[str, set[str]]:
    """The code that each rail runs."""
    specs = {
        path.stem: yaml.safe_load(path.read_text())["spec"]
        for path in (ROOT / "manifests" / "rails").glob("*.yaml")
    }
    return {name: {spec["switch"]["service"], spec["banks"]["service"]} for name, spec in specs.items()}


def test_every_folder_of_services_becomes_an_image_and_every_manifest_a_resource() -> None:
    recording = run(ROOT)
    images = [call["ref"] for call in recording.calls["custom_build"]]
    folders = {path.parent.name.replace("_", "-") for path in ROOT.glob("services/*/contract.py")}
    assert sorted(images) == sorted(f"suuupra/{name}" for name in folders)
    assert {call["workload"] for call in recording.calls["k8s_resource"]} == manifests() | {*rails()}


def test_a_rail_runs_its_switch_and_its_banks_from_what_tilt_builds() -> None:
    recording = run(ROOT, ["upi"])
    assert {call["ref"].removeprefix("suuupra/") for call in recording.calls["custom_build"]} == rails()[
        "upi"
    ]
    (applied,) = (yaml.safe_load(call["yaml"]) for call in recording.calls["k8s_yaml"])
    spec = PaymentRail.model_validate({"spec": applied["spec"]}).spec
    assert (spec.switch.image, spec.banks.image) == ("suuupra/upi-core", "suuupra/bank-simulator")
    kind = next(call for call in recording.calls["k8s_kind"] if call["kind"] == "PaymentRail")
    assert kind["image_json_path"] == ["{.spec.switch.image}", "{.spec.banks.image}"]
    (resource,) = recording.calls["k8s_resource"]
    assert "http://localhost:8080/phone" in resource["links"]
    assert {each["app.kubernetes.io/name"] for each in resource["extra_pod_selectors"]} == rails()["upi"]


def test_naming_services_runs_only_those() -> None:
    recording = run(ROOT, ["content"])
    assert [call["ref"] for call in recording.calls["custom_build"]] == ["suuupra/content"]


def test_a_service_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(
        starlark.StarlarkError, match=r"no service and no rail contnet; there are .*content.*upi"
    ):
        run(ROOT, ["contnet"])


def test_the_resource_names_the_image_that_tilt_builds() -> None:
    recording = run(ROOT, ["content"])
    (applied,) = (yaml.safe_load(call["yaml"]) for call in recording.calls["k8s_yaml"])
    assert applied["spec"]["image"] == "suuupra/content"
    kind = next(call for call in recording.calls["k8s_kind"] if call["kind"] == "SuuupraService")
    assert kind["image_json_path"] == "{.spec.image}"


def test_images_are_built_by_bring_up_and_their_names_handed_over() -> None:
    for call in run(ROOT).calls["custom_build"]:
        name = call["ref"].removeprefix("suuupra/")
        words = shlex.split(call["command"])
        assert words[-5:] == ["hack", "images", name, ">", call["outputs_image_ref_to"]]
        assert call["skips_local_docker"], "bring-up has loaded it into the cluster"
        assert call["disable_push"]


def test_what_is_watched_covers_all_that_goes_into_the_image() -> None:
    recipes = {recipe.name: recipe for recipe in staging.recipes(ROOT)}
    for call in run(ROOT).calls["custom_build"]:
        held = staging.files(ROOT, recipes[call["ref"].removeprefix("suuupra/")])
        unwatched = [
            path
            for path, file in held.items()
            if file.stat().st_size
            and not any(path == dep or path.startswith(f"{dep}/") for dep in relative(call["deps"]))
        ]
        assert unwatched == []


def relative(paths: list[str]) -> list[str]:
    return [str(Path(path).relative_to(ROOT)) if path.startswith("/") else path for path in paths]


def test_an_edit_in_one_service_concerns_its_own_image_only() -> None:
    for call in run(ROOT).calls["custom_build"]:
        own = "services/" + call["ref"].removeprefix("suuupra/").replace("-", "_")
        foreign = [
            path
            for path in relative(call["deps"])
            if path.startswith("services/") and path not in (own, "services/__init__.py")
        ]
        assert all(path.endswith(("/contract.py", "/domain")) for path in foreign)


def test_pages_that_anybody_may_open_are_linked() -> None:
    (web,) = run(ROOT, ["web"], env="UP_HTTP_PORT=8181\n").calls["k8s_resource"]
    assert "http://localhost:8181/" in web["links"]
    (content,) = run(ROOT, ["content"]).calls["k8s_resource"]
    assert content["links"] == []


def test_tilt_takes_only_the_cluster_that_make_up_made() -> None:
    (call,) = run(ROOT).calls["allow_k8s_contexts"]
    assert call["contexts"] == "kind-suuupra"
    with pytest.raises(
        starlark.StarlarkError, match="kubectl is at kind-other, and make up made kind-suuupra"
    ):
        run(ROOT, context="kind-other")


def test_the_cluster_s_name_is_the_knob_s() -> None:
    (call,) = run(ROOT, context="kind-mine", env="UP_CLUSTER=mine\n").calls["allow_k8s_contexts"]
    assert call["contexts"] == "kind-mine"
    (call,) = run(ROOT, context="kind-his", env="UP_CLUSTER=mine\n", variables={"UP_CLUSTER": "his"}).calls[
        "allow_k8s_contexts"
    ]
    assert call["contexts"] == "kind-his"


def test_the_platform_is_brought_up_only_when_asked() -> None:
    (platform,) = (call for call in run(ROOT).calls["local_resource"] if call["name"] == "platform")
    assert (platform["auto_init"], platform["trigger_mode"]) == (False, "manual")
