"""The object store, thinly: buckets by S3, one user per resource by IAM, over boto3 in threads. Decides nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from suuupra_operator import metrics
from suuupra_operator.errors import Permanent, Unreachable
from suuupra_operator.writes import Gate, Write

_T = TypeVar("_T")
_CONFIG = Config(
    connect_timeout=3, read_timeout=15, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}
)
POLICY = "buckets"
_MISSING = {"NoSuchEntity", "NoSuchBucket", "404"}
_THERE = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists", "EntityAlreadyExists"}


class Stream(Protocol):
    """What can be stored: bytes until an empty end; an error in place of the end leaves nothing stored."""

    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(frozen=True)
class Store:
    """Endpoint and administrator's key."""

    endpoint: str
    region: str
    access_key: str
    secret_key: str


@dataclass(frozen=True)
class User:
    """A user of one resource."""

    keys: frozenset[str] = frozenset()
    policy: Any = None


@dataclass(frozen=True)
class Contents:
    """What the store holds."""

    buckets: frozenset[str] = frozenset()
    users: Mapping[str, User] = field(default_factory=dict)


class Buckets:
    """The platform's object store."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._store: Store | None = None
        self._clients: tuple[Any, Any] | None = None
        self._lock = asyncio.Lock()
        self.contents: Contents | None = None
        """The last read; None while the store does not answer."""
        self.problem = "not asked yet"

    async def configure(self, store: Store | None) -> None:
        """Use this store from now on."""
        if store != self._store:
            self._store, self._clients, self.contents = store, None, None

    async def refresh(self) -> bool:
        """Read buckets, users, keys and policies; False, with `problem` saying why, when the store does not answer."""
        async with self._lock:
            try:
                self.contents, self.problem = await asyncio.to_thread(self._read), ""
            except (ClientError, BotoCoreError, Unreachable) as error:
                self.contents, self.problem = None, str(error)[:200]
        metrics.BACKEND_UP.labels("objects").set(self.contents is not None)
        return self.contents is not None

    def known(self) -> Contents:
        """The last read, or Unreachable."""
        if self.contents is None:
            raise Unreachable("ObjectStore", self.problem)
        return self.contents

    async def create_bucket(self, name: str) -> None:
        await self._write(Write.BUCKET_CREATED, lambda s3, iam: s3.create_bucket(Bucket=name))

    async def delete_bucket(self, name: str) -> None:
        """Delete a bucket with all it holds."""
        await self._write(Write.BUCKET_DELETED, lambda s3, iam: self._emptied(s3, name))

    async def create_user(self, user: str) -> None:
        await self._write(Write.USER_CREATED, lambda s3, iam: iam.create_user(UserName=user))

    async def put_policy(self, user: str, policy: Any) -> None:
        """Replace what the user may do."""
        document = json.dumps(policy)
        await self._write(
            Write.POLICY_PUT,
            lambda s3, iam: iam.put_user_policy(UserName=user, PolicyName=POLICY, PolicyDocument=document),
        )

    async def new_key(self, user: str) -> tuple[str, str]:
        """A new key pair; the secret half is told only this once."""
        answer = await self._write(Write.KEY_CREATED, lambda s3, iam: iam.create_access_key(UserName=user))
        return answer["AccessKey"]["AccessKeyId"], answer["AccessKey"]["SecretAccessKey"]

    async def delete_keys(self, user: str, keys: Sequence[str]) -> None:
        """Take back keys that no Secret holds."""
        for key in keys:
            await self._write(
                Write.KEY_DELETED,
                lambda s3, iam, key=key: iam.delete_access_key(UserName=user, AccessKeyId=key),  # type: ignore[misc]
            )

    async def delete_user(self, user: str) -> None:
        """With keys and policy: AWS refuses to delete what still has them, SeaweedFS keeps the policy for the next user
        of that name. Already gone is fine."""
        await self._write(Write.USER_DELETED, lambda s3, iam: _delete_user(iam, user))

    async def upload(self, bucket: str, key: str, stream: Stream) -> None:
        """Store a stream of unknown length. It may take long, so nobody else waits for it."""
        await self._send(Write.SNAPSHOT_STORED, lambda s3, iam: s3.upload_fileobj(stream, bucket, key))

    async def _write(self, write: Write, call: Callable[[Any, Any], Any]) -> Any:
        """Write, and read again what is there."""
        async with self._lock:
            answer = await self._send(write, call)
            self.contents = await self._answered(write, self._read)
        return answer

    async def _send(self, write: Write, call: Callable[[Any, Any], Any]) -> Any:
        async with self._gate.external(write):
            return await self._answered(write, lambda: self._call(call))

    async def _answered(self, write: Write, call: Callable[[], _T]) -> _T:
        """What a call says, in a thread; a refusal is told apart from silence."""
        try:
            return await asyncio.to_thread(call)
        except ClientError as error:
            raise Permanent(f"the object store refused {write.value}: {error}") from error
        except BotoCoreError as error:
            self.contents, self.problem = None, str(error)[:200]
            raise Unreachable("ObjectStore", error) from error

    def _call(self, call: Callable[[Any, Any], _T]) -> _T | None:
        """In a thread; the fence is asked once more, since the thread may have waited for its turn."""
        s3, iam = self._connected()
        self._gate.check()
        try:
            return call(s3, iam)
        except ClientError as error:
            if error.response["Error"]["Code"] in _THERE | _MISSING:
                return None
            raise

    def _read(self) -> Contents:
        s3, iam = self._connected()
        names = frozenset(bucket["Name"] for bucket in s3.list_buckets().get("Buckets", []))
        users = [user["UserName"] for user in iam.list_users().get("Users", [])]
        return Contents(names, {user: _user(iam, user) for user in users if "." in user})

    def _connected(self) -> tuple[Any, Any]:
        if self._store is None:
            raise Unreachable("ObjectStore", self.problem)
        if self._clients is None:
            session = boto3.session.Session(
                self._store.access_key, self._store.secret_key, region_name=self._store.region
            )
            s3 = session.client("s3", endpoint_url=self._store.endpoint, config=_CONFIG)
            iam = session.client("iam", endpoint_url=self._store.endpoint, config=_CONFIG)
            self._clients = s3, iam
        return self._clients

    @staticmethod
    def _emptied(s3: Any, name: str) -> None:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name):
            keys = [{"Key": item["Key"]} for item in page.get("Contents", [])]
            if keys:
                s3.delete_objects(Bucket=name, Delete={"Objects": keys, "Quiet": True})
        s3.delete_bucket(Bucket=name)


def user_of(namespace: str, name: str) -> str:
    """The user of a resource; the dot tells it from users that are not the operator's."""
    return f"{namespace}.{name}"


def policy_of(buckets: Sequence[str]) -> Any:
    """What a service needs in its own buckets, including multipart uploads and copies, and nothing else."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": [f"arn:aws:s3:::{b}" for b in buckets],
            },
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
                "Resource": [f"arn:aws:s3:::{b}/*" for b in buckets],
            },
        ],
    }


def same_policy(one: Any, other: Any) -> bool:
    """Policies are equal when only the order, or a list of one for its item, differs."""
    return bool(_normal(one) == _normal(other))


def _normal(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _normal(child) for key, child in value.items()}
    items = value if isinstance(value, list) else [value]
    return sorted((_normal(item) if isinstance(item, Mapping) else str(item) for item in items), key=repr)


def _delete_user(iam: Any, name: str) -> None:
    for key in iam.list_access_keys(UserName=name).get("AccessKeyMetadata", []):
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    try:
        iam.delete_user_policy(UserName=name, PolicyName=POLICY)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _MISSING:
            raise
    iam.delete_user(UserName=name)


def _user(iam: Any, name: str) -> User:
    keys = iam.list_access_keys(UserName=name).get("AccessKeyMetadata", [])
    try:
        policy = iam.get_user_policy(UserName=name, PolicyName=POLICY)["PolicyDocument"]
    except ClientError as error:
        if error.response["Error"]["Code"] not in _MISSING:
            raise
        policy = None
    document = json.loads(policy) if isinstance(policy, str) else policy
    return User(frozenset(key["AccessKeyId"] for key in keys), document)
