"""Files in an S3 bucket of the service's own, through obstore.

Bytes are streamed both ways and never held whole. The caller learns five things that can go wrong: `ObjectMissing`,
`ObjectExists`, `ObjectTooLarge`, `RangeUnsatisfiable` and `ObjectsUnavailable`; the store's own words go to the log,
because they quote addresses and keys.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final, Literal, Protocol, Self

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store
from pydantic import SecretStr

from suuupra import logs
from suuupra.errors import Conflict, NotFound, Problem, TooLarge, Unavailable

CHUNK_BYTES: Final = 256 * 1024
"""Least bytes of a chunk that is read; small enough for many readers at once."""
PART_BYTES: Final = 5 * 1024 * 1024
"""Bytes of a part that is written: the least S3 allows."""
PARTS_AT_ONCE: Final = 2
ANSWER_SECONDS: Final = 3.0
"""How long the store may take to begin its answer to a reader, who waits."""
LONGEST_PRESIGNED: Final = timedelta(days=7)
"""What S3 accepts at most (AWS Signature Version 4)."""

_log = logs.get_logger(__name__)


class ObjectMissing(NotFound):
    """No object has this key."""

    slug: ClassVar[str] = "object-missing"
    title: ClassVar[str] = "The file is not there"


class ObjectExists(Conflict):
    """An object has this key already; it is as it was."""

    slug: ClassVar[str] = "object-exists"
    title: ClassVar[str] = "There is such a file already"


class ObjectTooLarge(TooLarge):
    """More bytes came than were allowed; nothing was stored."""

    slug: ClassVar[str] = "object-too-large"
    title: ClassVar[str] = "The file is too large"


class RangeUnsatisfiable(Problem):
    """The object is shorter than the range begins."""

    status: ClassVar[int] = 416
    slug: ClassVar[str] = "range-unsatisfiable"
    title: ClassVar[str] = "The file has no such part"


class ObjectsUnavailable(Unavailable):
    """The object store does not answer, or refuses our key."""

    slug: ClassVar[str] = "objects-unavailable"
    title: ClassVar[str] = "Files are not available right now"


class ObjectsOfService(Protocol):
    """What is read of a service's settings."""

    @property
    def objects_endpoint(self) -> str: ...
    @property
    def objects_region(self) -> str: ...
    @property
    def objects_access_key(self) -> SecretStr: ...
    @property
    def objects_secret_key(self) -> SecretStr: ...
    @property
    def buckets(self) -> dict[str, str]: ...


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What is known of an object without reading it. `size` in bytes, `modified` in UTC."""

    key: str
    size: int
    etag: str | None
    modified: datetime | None = None


class OpenObject:
    """An object being read."""

    def __init__(self, key: str, result: "obstore.GetResult") -> None:
        self._result = result
        self._key = key
        self.size: int = result.meta["size"]
        """Of the whole object, in bytes, whatever part is read."""
        self.etag = result.meta["e_tag"]
        self.modified = result.meta["last_modified"]
        self.content_type = str(result.attributes.get("Content-Type", "application/octet-stream"))

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes asked for."""
        with _translated(self._key):
            async for chunk in self._result.stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(chunk)


class ObjectStore:
    """One bucket."""

    def __init__(
        self, *, endpoint: str, region: str, access_key: SecretStr, secret_key: SecretStr, bucket: str
    ) -> None:
        self.name = f"objects:{bucket}"
        self.bucket = bucket
        self._store = S3Store(
            bucket,
            endpoint=endpoint,
            region=region,
            access_key_id=access_key.get_secret_value(),
            secret_access_key=secret_key.get_secret_value(),
            virtual_hosted_style_request=False,
            client_options={
                "allow_http": endpoint.startswith("http://"),
                "connect_timeout": timedelta(seconds=1),
                "timeout": timedelta(seconds=60),
            },
            retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=3)},
        )

    @classmethod
    def of(cls, settings: ObjectsOfService, bucket: str) -> Self:
        """The bucket that the service's resource declares under this name."""
        real = settings.buckets.get(bucket)
        if real is None:
            known = ", ".join(settings.buckets) or "none"
            raise LookupError(
                f"no bucket {bucket!r} in SUUUPRA_BUCKETS (declared: {known}): add it to spec.buckets"
            )
        return cls(
            endpoint=settings.objects_endpoint,
            region=settings.objects_region,
            access_key=settings.objects_access_key,
            secret_key=settings.objects_secret_key,
            bucket=real,
        )

    async def open(self) -> None:
        """Nothing: connections are made on demand."""

    async def close(self) -> None:
        """Nothing: they are closed when they idle."""

    async def check(self) -> None:
        """Raise ObjectsUnavailable unless the bucket can be listed."""
        with _translated(""):
            async for _ in obstore.list(self._store, "check/", chunk_size=1):
                return

    async def put(
        self, key: str, data: bytes | AsyncIterator[bytes], *, content_type: str, limit: int | None = None
    ) -> StoredObject:
        """Store an object, or replace it at once. More than `limit` bytes: ObjectTooLarge, and nothing is stored."""
        source = _Counted(data, limit)
        with _translated(key), source.errors_first():
            result = await obstore.put_async(
                self._store,
                key,
                data if isinstance(data, bytes) else aiter(source),
                attributes={"Content-Type": content_type},
                use_multipart=None if isinstance(data, bytes) else True,
                chunk_size=PART_BYTES,
                max_concurrency=PARTS_AT_ONCE,
            )
        return StoredObject(key, source.size, result["e_tag"])

    async def create(self, key: str, data: bytes, *, content_type: str) -> StoredObject:
        """Store an object unless there is one: ObjectExists. Of several who try at once one succeeds (If-None-Match: *).

        It may have been this very call whose answer was lost and which was sent again: look at what is there.
        """
        with _translated(key):
            result = await obstore.put_async(
                self._store, key, data, attributes={"Content-Type": content_type}, mode="create"
            )
        return StoredObject(key, len(data), result["e_tag"])

    @asynccontextmanager
    async def open_read(self, key: str, range_: tuple[int, int] | None = None) -> AsyncIterator[OpenObject]:
        """Read an object, or its bytes from the first position up to and without the second."""
        with _translated(key):
            async with asyncio.timeout(ANSWER_SECONDS):
                options: obstore.GetOptions | None = {"range": range_} if range_ else None
                result = await obstore.get_async(self._store, key, options=options)
        yield OpenObject(key, result)

    async def head(self, key: str) -> StoredObject:
        """What is known of an object, or ObjectMissing."""
        with _translated(key):
            return _stored(await obstore.head_async(self._store, key))

    async def delete(self, key: str) -> None:
        """Delete an object; one that is not there is fine."""
        try:
            with _translated(key):
                await obstore.delete_async(self._store, key)
        except ObjectMissing:
            return

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """All objects below a prefix that ends at a slash."""
        with _translated(prefix):
            async for batch in obstore.list(self._store, prefix or None, chunk_size=500):
                for meta in batch:
                    yield _stored(meta)

    def presigned(self, key: str, *, method: Literal["GET", "PUT"] = "GET", expires: timedelta) -> str:
        """A URL with which anybody may read or write this one object until it expires. Asks nobody: it is computed."""
        if not timedelta(0) < expires <= LONGEST_PRESIGNED:
            raise ValueError(f"a presigned URL lives up to {LONGEST_PRESIGNED.days} days, not {expires}")
        return obstore.sign(self._store, method, key, expires)


class _Counted:
    """Counts what passes, and stops it at a limit."""

    def __init__(self, data: bytes | AsyncIterator[bytes], limit: int | None) -> None:
        self._data = data
        self._limit = limit
        self._error: Exception | None = None
        self.size = 0
        if isinstance(data, bytes):
            self._count(data)

    def _count(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self._limit is not None and self.size > self._limit:
            raise ObjectTooLarge(f"The file has more than {self._limit} bytes.")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        assert not isinstance(self._data, bytes)
        try:
            async for chunk in self._data:
                self._count(chunk)
                yield chunk
        except Exception as error:
            self._error = error
            raise

    @contextmanager
    def errors_first(self) -> Iterator[None]:
        """obstore wraps what the source raises into an error of its own; the caller wants the source's."""
        try:
            yield
        except Exception:
            if self._error is not None:
                raise self._error from None
            raise


def _stored(meta: "obstore.ObjectMeta") -> StoredObject:
    return StoredObject(meta["path"], meta["size"], meta["e_tag"], meta["last_modified"])


@contextmanager
def _translated(key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectMissing("The file is not there.") from error
    except AlreadyExistsError as error:
        raise ObjectExists("There is such a file already.") from error
    except TimeoutError as error:
        _log.warning("object store gave no answer", key=key, seconds=ANSWER_SECONDS)
        raise ObjectsUnavailable("The object store gave no answer.", headers={"Retry-After": "1"}) from error
    except BaseError as error:
        if "416" in str(error).partition("Debug source")[0]:
            raise RangeUnsatisfiable("The file is shorter than the range asked for.") from error
        _log.warning("object store failed", key=key, error=str(error).partition("\n")[0])
        raise ObjectsUnavailable("The object store did not do this.", headers={"Retry-After": "1"}) from error
