"""Staging: a service's image holds its folder, the kit and the contracts it imports, and changes with these only."""

from pathlib import Path

import pytest
from bringup.hashing import digest_tree
from bringup.staging import IDLE, Recipe, contracts, files, imported_services, recipes, runtime_part

WEB = Recipe("web", "platform", "web")
OPERATOR = Recipe("operator", "operator")


def test_a_contract_brings_what_it_stands_on_of_its_own_service_and_no_more(root: Path) -> None:
    content = root / "services" / "content"
    (content / "domain").mkdir()
    (content / "domain" / "__init__.py").touch()
    (content / "domain" / "names.py").write_text("from services.content.domain import codes\n")
    (content / "domain" / "codes.py").write_text("from services.payments.contract import Code\n")
    (content / "domain" / "rules.py").touch()
    (content / "contract.py").write_text("from services.content.domain.names import Name\n")
    names = {name for name in files(root, WEB) if name.startswith(("services/content", "services/payments"))}
    assert names == {
        "services/content/__init__.py",
        "services/content/contract.py",
        "services/content/domain/__init__.py",
        "services/content/domain/names.py",
        "services/content/domain/codes.py",
        "services/payments/__init__.py",
        "services/payments/contract.py",
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    texts = {
        "uv.lock": "",
        "suuupra/__init__.py": "",
        "suuupra/app.py": "",
        "suuupra/testing/plugin.py": "",
        "services/__init__.py": "",
        "services/web/__init__.py": "",
        "services/web/clients.py": "from services.content.contract import Course\n",
        "services/web/ops/alerts.yaml": "groups: []\n",
        "services/web/ops/runbook.md": "# Runbook: web\n",
        "services/web/tests/test_web.py": "from services.payments import app\n",
        "services/content/__init__.py": "",
        "services/content/contract.py": "import services.media_store.contract\n",
        "services/content/app.py": "",
        "services/content/image.toml": '[[extra]]\nname = "content-samples"\ntarget = "samples"\n',
        "services/media_store/__init__.py": "",
        "services/media_store/contract.py": "",
        "services/media_store/image.toml": 'target = "media"\n',
        "services/payments/__init__.py": "",
        "services/payments/contract.py": "",
        "operator/suuupra_operator/__init__.py": "",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_contracts_are_followed_and_tests_are_not(root: Path) -> None:
    assert contracts(root, root / "services" / "web") == {"content", "media_store"}


def test_a_service_that_lives_elsewhere_is_one_among_the_others_in_its_image(root: Path) -> None:
    home = root / "tests" / "load" / "idle"
    home.mkdir(parents=True)
    (home / "app.py").write_text("from services.content.contract import Course\n")
    (home / "ops").mkdir()
    (home / "ops" / "alerts.yaml").touch()
    found = files(root, IDLE)
    assert found["services/idle/app.py"] == home / "app.py"
    assert {name for name in found if name.startswith("services/")} == {
        "services/__init__.py",
        "services/idle/app.py",
        "services/content/__init__.py",
        "services/content/contract.py",
        "services/media_store/__init__.py",
        "services/media_store/contract.py",
    }
    assert IDLE not in recipes(root), "no part of the platform"


def test_the_context_has_contracts_of_others_and_nothing_more(root: Path) -> None:
    assert set(files(root, WEB)) == {
        "uv.lock",
        "suuupra/__init__.py",
        "suuupra/app.py",
        "services/__init__.py",
        "services/web/__init__.py",
        "services/web/clients.py",
        "services/content/__init__.py",
        "services/content/contract.py",
        "services/media_store/__init__.py",
        "services/media_store/contract.py",
    }


@pytest.mark.parametrize(
    ("changed", "rolls"),
    [
        ("services/web/clients.py", True),
        ("services/content/contract.py", True),
        ("suuupra/app.py", True),
        ("uv.lock", True),
        ("services/content/app.py", False),
        ("services/payments/contract.py", False),
        ("services/web/tests/test_web.py", False),
        ("services/web/ops/alerts.yaml", False),
        ("suuupra/testing/plugin.py", False),
        ("operator/suuupra_operator/__init__.py", False),
    ],
)
def test_a_change_rolls_the_services_it_is_in(root: Path, changed: str, *, rolls: bool) -> None:
    before = digest_tree(files(root, WEB))
    (root / changed).write_text((root / changed).read_text() + "# changed\n")
    assert (digest_tree(files(root, WEB)) != before) is rolls


def test_the_operator_is_given_every_service_s_alerts_and_nothing_else_of_it(root: Path) -> None:
    of_services = [name for name in files(root, OPERATOR) if name.startswith("services/")]
    assert of_services == ["services/web/ops/alerts.yaml"]


def test_every_folder_is_an_image_and_says_itself_which_target(root: Path) -> None:
    assert recipes(root) == [
        Recipe("content", "platform", "content"),
        Recipe("content-samples", "samples", "content"),
        Recipe("media-store", "media", "media-store"),
        Recipe("payments", "platform", "payments"),
        Recipe("web", "platform", "web"),
        Recipe("operator", "operator"),
    ]


@pytest.mark.parametrize(
    "source",
    [
        "import services.content.contract",
        "from services.content import contract",
        "from services.content.contract import Course",
        "from services import content",
        "def late():\n    from services.content.contract import Course",
    ],
)
def test_imports_are_found_in_any_spelling(source: str) -> None:
    assert imported_services([source]) == {"content"}


def test_other_imports_are_none_of_ours() -> None:
    assert imported_services(["import os\nfrom . import services\nfrom suuupra.services import x"]) == set()


def test_lint_settings_are_not_part_of_an_image() -> None:
    text = '[project]\nname = "x"\n\n[project.optional-dependencies]\na = []\n\n[tool.ruff]\nline-length = 1\n\n[tool.uv]\nb = 1\n'
    kept = runtime_part(text)
    assert "[project.optional-dependencies]" in kept
    assert "[tool.uv]" in kept
    assert "ruff" not in kept
    assert "line-length" not in kept
