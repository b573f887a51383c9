"""A SeaweedFS of the session, and buckets for its tests."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import uuid4

import httpx
from pydantic import SecretStr

from suuupra.objects import ObjectStore
from suuupra.testing.containers import Container
from suuupra.trust import authorities

ACCESS_KEY: Final = "test"
SECRET_KEY: Final = "a-test-password"  # noqa: S105 (of a server that lives for one test session)
REGION: Final = "us-east-1"
VOLUME_MB: Final = 16
"""A bucket takes a volume at least, of which there are as many as the free disk holds: a bucket a test are hundreds."""


@dataclass(frozen=True, slots=True)
class ObjectsServer:
    """The session's object store."""

    container: Container

    @classmethod
    def start(cls) -> "ObjectsServer":
        """Start it and wait until it answers."""
        keys = ("--env", f"OBJECTS_ACCESS_KEY={ACCESS_KEY}", "--env", f"OBJECTS_SECRET_KEY={SECRET_KEY}")
        container = Container.run("seaweedfs", 8333, *keys, "--env", f"OBJECTS_VOLUME_MB={VOLUME_MB}")
        container.wait(lambda started: started.succeeds(["ready"]))
        return cls(container)

    @property
    def endpoint(self) -> str:
        """The S3 address."""
        return f"http://127.0.0.1:{self.container.port}"

    def bucket(self) -> ObjectStore:
        """A new, empty bucket."""
        store = ObjectStore(
            endpoint=self.endpoint,
            region=REGION,
            access_key=SecretStr(ACCESS_KEY),
            secret_key=SecretStr(SECRET_KEY),
            bucket=f"test-{uuid4().hex[:12]}",
        )
        # In S3, PUT on a bucket's own address makes it; services may not, so ObjectStore has no method for it.
        address = store.presigned("", method="PUT", expires=timedelta(minutes=1))
        httpx.put(address, verify=authorities()).raise_for_status()
        return store
