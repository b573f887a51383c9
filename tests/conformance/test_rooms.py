"""A new service is right by construction: these tests walk services/ and say what is missing or misnamed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from suuupra_operator.desired.rail import Rail, resources
from suuupra_operator.models import SuuupraServiceSpec
from suuupra_operator.rail import PaymentRailSpec

from suuupra import scaffold

from .tree import OF_ITS_OWN, OPTIONAL, REQUIRED, ROOT, services, tracked


def ids(path: Path) -> str:
    return path.name


def manifest_of(service: Path) -> Path:
    return ROOT / "manifests" / "services" / f"{service.name.replace('_', '-')}.yaml"


def test_every_subfolder_of_services_is_a_deployable() -> None:
    folders = {path.parts[1] for path in tracked() if path.parts[0] == "services" and len(path.parts) > 2}
    assert folders == {service.name for service in services()}, "a folder in services/ without an app.py"


@pytest.mark.parametrize("service", services(), ids=ids)
def test_a_service_has_the_required_rooms_and_none_under_another_name(service: Path) -> None:
    rooms = {path.parts[2] for path in tracked() if path.parts[:2] == ("services", service.name)}
    assert rooms >= REQUIRED, f"missing: {sorted(REQUIRED - rooms)}"
    allowed = REQUIRED | OPTIONAL | OF_ITS_OWN.get(service.name, set())
    assert rooms <= allowed, f"not a room's name: {sorted(rooms - allowed)}"


@pytest.mark.parametrize("service", services(), ids=ids)
def test_a_services_readme_is_a_page_that_says_what_it_owns_and_never_does(service: Path) -> None:
    text = (service / "README.md").read_text()
    for heading in ("Owns", "Never does", "API", "Events", "SLO"):
        assert f"## {heading}" in text, f"{service.name}/README.md lacks '## {heading}'"
    assert len(text.splitlines()) <= 120, "one page: move depth into docs/"


def rails() -> list[Rail]:
    """Every rail of manifests/rails; its switch and its banks are resources that the operator writes."""
    documents = [
        yaml.safe_load(path.read_text()) for path in sorted((ROOT / "manifests/rails").glob("*.yaml"))
    ]
    assert all(document["kind"] == "PaymentRail" for document in documents)
    return [
        Rail(
            one["metadata"]["namespace"],
            one["metadata"]["name"],
            "uid",
            PaymentRailSpec.model_validate(one["spec"]),
        )
        for one in documents
    ]


def of_rails() -> set[str]:
    """Services whose resource a rail makes."""
    return {made["spec"]["service"].replace("-", "_") for rail in rails() for made in resources(rail)}


@pytest.mark.parametrize("rail", rails(), ids=lambda rail: rail.name)
def test_the_operators_model_accepts_what_a_rail_makes(rail: Rail) -> None:
    for made in resources(rail):
        SuuupraServiceSpec.model_validate(made["spec"])


@pytest.mark.parametrize("service", services(), ids=ids)
def test_a_service_has_one_resource_that_the_operators_model_accepts(service: Path) -> None:
    if service.name in of_rails():
        assert not manifest_of(service).exists(), "its resource is made by a rail"
        return
    document = yaml.safe_load(manifest_of(service).read_text())
    assert document["kind"] == "SuuupraService"
    assert document["metadata"]["name"] == service.name.replace("_", "-")
    SuuupraServiceSpec.model_validate(document["spec"])


@pytest.mark.parametrize("name", ["exams", "live-classes"])
def test_the_operators_model_accepts_the_resource_of_a_new_service(tmp_path: Path, name: str) -> None:
    (tmp_path / "services").mkdir()
    (tmp_path / "services" / "__init__.py").touch()
    scaffold.new(name, tmp_path)
    document = yaml.safe_load((tmp_path / "manifests" / "services" / f"{name}.yaml").read_text())
    SuuupraServiceSpec.model_validate(document["spec"])
    rooms = {path.name for path in (tmp_path / "services" / name.replace("-", "_")).iterdir()}
    assert rooms >= REQUIRED
    assert rooms <= REQUIRED | OPTIONAL


def test_every_resource_has_its_service() -> None:
    named = {path.stem.replace("-", "_") for path in (ROOT / "manifests" / "services").glob("*.yaml")}
    assert named | of_rails() == {service.name for service in services()}
