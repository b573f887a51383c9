"""What web asks of notifications: a person's inbox, and how many of it they have not read."""

from __future__ import annotations

from typing import ClassVar, Final
from uuid import UUID

from services.notifications.contract import Notification, ReadAll, Unread
from services.web.clients.calling import Away, Call, Service
from suuupra.pagination import Page

STREAM: Final = "/v1/notifications/stream"


class NotificationsAway(Away):
    """Notifications does not answer, or answers that it cannot."""

    slug = "notifications-away"
    title = "Your inbox is away for a moment"
    about = "Your inbox cannot be read right now. Nothing in it is lost; try again in a few seconds."


class Notifications(Service):
    """The inbox."""

    name: ClassVar[str] = "notifications"
    away: ClassVar[type[Away]] = NotificationsAway

    async def inbox(self, bearer: str, cursor: str | None, limit: int) -> Page[Notification]:
        """A person's notifications, the latest first."""
        params = {"limit": str(limit), **({"cursor": cursor} if cursor else {})}
        return await self.get(Page[Notification], "/v1/notifications", params, bearer=bearer)

    async def unread(self, bearer: str) -> int:
        """How many they have not read."""
        return (await self.get(Unread, "/v1/notifications/unread-count", bearer=bearer)).unread

    async def read(self, notification: UUID, bearer: str) -> None:
        """Mark one as read. Twice is once."""
        key = f"read-{notification}"
        await self.ask(Call("POST", f"/v1/notifications/{notification}/read", bearer=bearer, key=key))

    async def read_all(self, up_to: UUID, bearer: str) -> None:
        """Mark all up to one as read, as the person saw them."""
        body = ReadAll(up_to=up_to).model_dump(mode="json")
        await self.ask(
            Call("POST", "/v1/notifications/read", json=body, bearer=bearer, key=f"read-to-{up_to}")
        )
