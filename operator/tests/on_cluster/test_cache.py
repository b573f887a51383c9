"""Valkey of a service: a user of its own, put right when changed by hand, gone with the resource."""

from __future__ import annotations

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from .api import NO_PODS, Api
from .process import OperatorProcess
from .waiting import eventually

ASKS = NO_PODS | {"cache": True}


async def _pod(api: Api, name: str) -> redis.Redis:
    """As the resource's pods are."""
    url = (await api.secret(f"{name}-cache"))["url"]
    return redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), decode_responses=True)


async def test_each_service_has_a_user_of_its_own_that_is_put_right_and_goes_with_it(
    api: Api, operator: OperatorProcess
) -> None:
    await api.service("shop", ASKS)
    await api.service("post", ASKS)
    await api.ready("shop")
    await api.ready("post")
    cache = api.servers.cache
    with await _pod(api, "shop") as shop, await _pod(api, "post") as post:
        assert shop.set("suuupra.shop:a", "mine")
        with pytest.raises(redis.exceptions.NoPermissionError):
            post.get("suuupra.shop:a")

        counted = operator.total("drift_corrected_total", kind="ValkeyUser")
        cache.acl_setuser("suuupra.post", enabled=True, keys=["*"], categories=["+@all"])
        assert post.get("suuupra.shop:a") == "mine"
        await eventually(lambda: _refused(post), 30, "what was allowed by hand is taken back")
        await eventually(
            lambda: operator.total("drift_corrected_total", kind="ValkeyUser") == counted + 1, 5, "counted"
        )
        cache.acl_deluser("suuupra.shop")
        await eventually(lambda: "suuupra.shop" in api.servers.cache_users(), 30, "the user is back")
        with await _pod(api, "shop") as again:
            assert again.get("suuupra.shop:a") == "mine"

    await api.delete("SuuupraService", "shop")
    await api.gone("SuuupraService", "shop")
    assert api.servers.cache_users() == {"suuupra.post"}
    assert cache.keys("*") == []

    await api.service("post", NO_PODS)
    await eventually(lambda: api.servers.cache_users() == set(), 20, "who asks no longer has none")


def _refused(client: redis.Redis) -> bool:
    try:
        client.get("suuupra.shop:a")
    except redis.exceptions.NoPermissionError:
        return True
    return False
