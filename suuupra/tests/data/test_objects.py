"""Files go in and come out as they were; what goes wrong has a name."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr

from suuupra.objects import (
    ObjectExists,
    ObjectMissing,
    ObjectStore,
    ObjectsUnavailable,
    ObjectTooLarge,
    RangeUnsatisfiable,
)

pytestmark = pytest.mark.integration

MEGABYTE = bytes(range(256)) * 4096


async def megabytes(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield MEGABYTE


async def read(store: ObjectStore, key: str, range_: tuple[int, int] | None = None) -> bytes:
    async with store.open_read(key, range_) as found:
        return b"".join([chunk async for chunk in found.chunks()])


async def test_what_is_put_is_read_back_with_its_type_and_size(bucket: ObjectStore) -> None:
    await bucket.put("a/b.txt", b"hello", content_type="text/plain")
    async with bucket.open_read("a/b.txt") as found:
        assert (found.size, found.content_type) == (5, "text/plain")
        assert b"".join([chunk async for chunk in found.chunks()]) == b"hello"


async def test_a_stream_is_stored_in_parts_and_read_in_ranges(bucket: ObjectStore) -> None:
    stored = await bucket.put("big", megabytes(12), content_type="video/mp4")
    assert stored.size == (await bucket.head("big")).size == 12 * len(MEGABYTE)
    assert await read(bucket, "big", (255, 258)) == b"\xff\x00\x01"


async def test_a_stream_beyond_its_limit_stores_nothing(bucket: ObjectStore) -> None:
    with pytest.raises(ObjectTooLarge, match="more than 7000000 bytes"):
        await bucket.put("big", megabytes(12), content_type="video/mp4", limit=7_000_000)
    with pytest.raises(ObjectMissing):
        await bucket.head("big")


async def test_a_source_that_fails_keeps_its_own_error_and_stores_nothing(bucket: ObjectStore) -> None:
    async def cut_off() -> AsyncIterator[bytes]:
        yield MEGABYTE
        raise ConnectionResetError("the sender went away")

    with pytest.raises(ConnectionResetError, match="went away"):
        await bucket.put("cut", cut_off(), content_type="video/mp4")
    with pytest.raises(ObjectMissing):
        await bucket.head("cut")


async def test_what_is_missing_is_missing_and_may_be_deleted_again(bucket: ObjectStore) -> None:
    await bucket.put("x", b"1", content_type="text/plain")
    await bucket.delete("x")
    await bucket.delete("x")
    with pytest.raises(ObjectMissing):
        await read(bucket, "x")


async def test_what_is_created_is_never_replaced_and_of_many_at_once_one_creates_it(
    bucket: ObjectStore,
) -> None:
    texts = [str(number).encode() for number in range(20)]
    made = await asyncio.gather(
        *(bucket.create("x", text, content_type="text/plain") for text in texts), return_exceptions=True
    )
    (first,) = [
        text for text, result in zip(texts, made, strict=True) if not isinstance(result, ObjectExists)
    ]
    with pytest.raises(ObjectExists):
        await bucket.create("x", b"later", content_type="text/plain")
    assert await read(bucket, "x") == first
    async with bucket.open_read("x") as found:
        assert found.content_type == "text/plain"


async def test_a_range_behind_the_end_is_named(bucket: ObjectStore) -> None:
    await bucket.put("x", b"12345", content_type="text/plain")
    with pytest.raises(RangeUnsatisfiable):
        await read(bucket, "x", (10, 20))


async def test_a_prefix_lists_what_is_below_it(bucket: ObjectStore) -> None:
    for key in ("a/1", "a/2", "b/1"):
        await bucket.put(key, b"x", content_type="text/plain")
    assert sorted([found.key async for found in bucket.list("a/")]) == ["a/1", "a/2"]
    assert len([found async for found in bucket.list()]) == 3


async def test_a_presigned_url_reads_one_object_without_a_key(bucket: ObjectStore) -> None:
    await bucket.put("x", b"hello", content_type="text/plain")
    url = bucket.presigned("x", expires=timedelta(minutes=1))
    async with httpx.AsyncClient() as anybody:
        assert (await anybody.get(url)).content == b"hello"
        assert (await anybody.get(url.replace("/x?", "/y?"))).status_code == 403
    with pytest.raises(ValueError, match="up to 7 days"):
        bucket.presigned("x", expires=timedelta(days=8))


async def test_check_passes_on_an_empty_bucket_and_fails_without_a_server(bucket: ObjectStore) -> None:
    await bucket.check()
    nobody = ObjectStore(
        endpoint="http://127.0.0.1:9",
        region="us-east-1",
        access_key=SecretStr("a"),
        secret_key=SecretStr("b"),
        bucket="none",
    )
    with pytest.raises(ObjectsUnavailable):
        await nobody.check()
