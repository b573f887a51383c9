"""What stands around the gateway: proxies in front of it, and an issuer that publishes its keys."""

from aiohttp import web
from aiohttp.test_utils import TestServer

from services.api_gateway.domain.envoy.options import Keys
from services.api_gateway.domain.routes import Endpoint, Snapshot
from services.api_gateway.tests.rig import (
    Issuer,
    Rig,
    Upstream,
    bearer,
    claimed,
    eventually,
    running,
    service,
)

TWO_A_MINUTE = {"rate": "1/m", "burst": 2, "by": "address"}


def publishing(issuer: Issuer) -> web.Application:
    async def jwks(request: web.Request) -> web.Response:
        return web.Response(text=issuer.jwks, content_type="application/json")

    app = web.Application()
    app.router.add_get("/jwks.json", jwks)
    return app


async def statuses(rig: Rig, *forwarded_for: str) -> list[int]:
    return [
        (await rig.http.get("/v1/x", headers={"X-Forwarded-For": value})).status_code
        for value in forwarded_for
    ]


async def test_behind_a_trusted_proxy_callers_are_told_apart_by_what_it_saw() -> None:
    pod = await Upstream.start()
    snapshot = Snapshot(
        (service("content", claimed("/v1/x", limits=[TWO_A_MINUTE])),),
        {"content": (Endpoint("127.0.0.1", pod.port),)},
    )
    async with running(snapshot, trusted_hops=1) as rig:
        assert await statuses(rig, *["198.51.100.1"] * 3) == [200, 200, 429]
        assert await statuses(rig, "198.51.100.2") == [200]
        invented = [
            f"203.0.113.{number}, 198.51.100.3" for number in range(3)
        ]  # only the last was seen by the proxy
        assert await statuses(rig, *invented) == [200, 200, 429]
        one_subscriber = [f"2001:db8:1:1::{number}" for number in range(3)]
        assert await statuses(rig, *one_subscriber) == [200, 200, 429]
        assert await statuses(rig, "2001:db8:1:2::1") == [200]
    await pod.stop()


async def test_published_keys_are_fetched_and_outlast_their_publisher() -> None:
    issuer, pod = Issuer.new(), await Upstream.start()
    snapshot = Snapshot(
        (service("content", claimed("/v1/x", auth="user")),), {"content": (Endpoint("127.0.0.1", pod.port),)}
    )
    server = TestServer(publishing(issuer))
    await server.start_server()
    async with running(snapshot, keys=Keys(url=str(server.make_url("/jwks.json")))) as rig:

        async def passes() -> bool:
            return (await rig.http.get("/v1/x", headers=bearer(issuer.token()))).status_code == 200

        await eventually(passes)
        await server.close()
        assert await passes()
        assert (await rig.http.get("/v1/x", headers=bearer(Issuer.new().token()))).status_code == 401
    await pod.stop()


async def test_without_an_issuer_open_routes_are_served_and_the_others_closed() -> None:
    pod = await Upstream.start()
    routes = (claimed("/v1/open"), claimed("/v1/closed", auth="user"))
    snapshot = Snapshot((service("content", *routes),), {"content": (Endpoint("127.0.0.1", pod.port),)})
    async with running(snapshot, keys=Keys(url="http://127.0.0.1:9/jwks.json")) as rig:
        assert (await rig.http.get("/v1/open")).status_code == 200
        assert (await rig.http.get("/v1/closed", headers=bearer(Issuer.new().token()))).status_code == 401
    await pod.stop()
