"""One's own account over the API, and what the provider says of itself."""

import json

import httpx
import pytest

from services.identity.domain import jwts
from services.identity.tests.browser import Browser, bearer
from services.identity.tests.conftest import SITE, make_user
from services.identity.usecases import people
from services.identity.usecases.keyring import KeyRing
from suuupra.clock import FakeClock
from suuupra.db import Database
from suuupra.testing.hostile import TEXTS, UNSTORABLE

pytestmark = pytest.mark.integration

ME = "/v1/users/me"


@pytest.fixture
async def token(app: object, database: Database, clock: FakeClock) -> str:
    """An access token of Asha, who is a creator and belongs to an organisation."""
    account = await make_user(database, "asha@example.org", "creator")
    async with database.transaction() as tx:
        await people.add_organisation(tx, clock, "acme", "Acme")
        await people.join(tx, clock, "asha@example.org", "acme", "manager")
    issued = int(clock.now().timestamp())
    claims = {
        "iss": SITE,
        "aud": "suuupra",
        "sub": str(account.id),
        "client_id": "web",
        "jti": "x",
        "scope": "openid profile",
        "roles": ["learner", "creator"],
        "iat": issued,
        "nbf": issued,
        "exp": issued + 600,
    }
    ring = await app.state.resources.get(KeyRing).current()  # type: ignore[attr-defined]
    return jwts.sign(ring.signing(clock.now()), claims, jwts.ACCESS)


async def test_a_stranger_is_asked_to_sign_in(http: httpx.AsyncClient) -> None:
    for answer in (await http.get(ME), await http.patch(ME, json={}), await http.get("/oauth/userinfo")):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_somebody_sees_their_account_roles_and_organisations(
    http: httpx.AsyncClient, token: str
) -> None:
    answer = await http.get(ME, headers=bearer(token))
    seen = answer.json()
    assert (seen["email"], seen["roles"]) == ("asha@example.org", ["learner", "creator"])
    assert [(it["slug"], it["role"]) for it in seen["organisations"]] == [("acme", "manager")]
    again = await http.get(ME, headers={**bearer(token), "If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    told = (await http.get("/oauth/userinfo", headers=bearer(token))).json()
    assert (told["sub"], told["org"]) == (seen["id"], seen["organisations"][0]["id"])
    assert "email" not in told


async def test_an_edit_says_which_version_it_changes(http: httpx.AsyncClient, token: str) -> None:
    etag = (await http.get(ME, headers=bearer(token))).headers["etag"]
    assert (await http.patch(ME, json={"name": "A"}, headers=bearer(token))).status_code == 428
    done = await http.patch(ME, json={"name": "Asha R."}, headers={**bearer(token), "If-Match": etag})
    assert (done.status_code, done.json()["name"], done.json()["locale"]) == (200, "Asha R.", "en")
    late = await http.patch(ME, json={"locale": "hi-IN"}, headers={**bearer(token), "If-Match": etag})
    assert late.status_code == 412
    roles = await http.patch(ME, json={"roles": ["operator"]}, headers={**bearer(token), "If-Match": "*"})
    assert (roles.status_code, roles.json()["errors"][0]["field"]) == (422, "body.roles")


@pytest.mark.parametrize("value", TEXTS)
async def test_hostile_names_are_refused_or_kept_as_they_are(
    http: httpx.AsyncClient, token: str, value: str
) -> None:
    body = json.dumps({"name": value}).encode()
    headers = {**bearer(token), "If-Match": "*", "Content-Type": "application/json"}
    answer = await http.patch(ME, content=body, headers=headers)
    assert answer.status_code in (200, 422)
    if answer.status_code == 200:
        assert value not in UNSTORABLE
        assert answer.json()["name"] == value.strip()


async def test_the_provider_says_where_everything_is(http: httpx.AsyncClient) -> None:
    said = (await http.get("/.well-known/openid-configuration")).json()
    assert said["issuer"] == SITE
    assert said["code_challenge_methods_supported"] == ["S256"]
    assert said["response_types_supported"] == ["code"]
    assert said["authorization_response_iss_parameter_supported"] is True
    for name in ("token", "revocation", "introspection"):
        assert (await http.post(said[f"{name}_endpoint"])).status_code in (400, 401)
    assert (await http.get(said["jwks_uri"])).json()["keys"][0]["alg"] == "ES256"


async def test_a_request_may_come_as_a_form_of_another_site(browser: Browser) -> None:
    answer = await browser.http.post(
        "/oauth/authorize",
        data={"client_id": "web", "state": "a b"},
        headers={"Origin": "https://shop.example"},
    )
    assert answer.headers["location"] == "/oauth/authorize?client_id=web&state=a+b"
