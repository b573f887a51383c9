"""What web asks of notifications: a person's inbox and what they want to hear; for support, what was told of an order."""

from __future__ import annotations

from typing import ClassVar, Final
from uuid import UUID

from services.notifications.contract import (
    Message,
    Messages,
    Notification,
    Preferences,
    PreferencesChange,
    ReadAll,
    Unread,
)
from services.web.clients.calling import Away, Call, Service
from suuupra.pagination import Page

STREAM: Final = "/v1/notifications/stream"
PREFERENCES: Final = "/v1/notification-preferences"


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

    async def preferences(self, bearer: str) -> tuple[Preferences, str]:
        """What a person wants to hear, and the ETag of it."""
        answer = await self.ask(Call("GET", PREFERENCES, bearer=bearer))
        return Preferences.model_validate_json(answer.content), answer.headers["ETag"]

    async def prefer(self, change: PreferencesChange, etag: str, bearer: str) -> None:
        """Change what a person wants to hear; Refused (412) when it was changed since `etag`."""
        headers = {"If-Match": etag}
        body = change.model_dump(mode="json")
        await self.ask(Call("PATCH", PREFERENCES, json=body, bearer=bearer, headers=headers))

    async def about(self, order: UUID, bearer: str) -> list[Message]:
        """What was told of an order, by inbox and by mail; for support."""
        return (await self.get(Messages, f"/internal/v1/orders/{order}/messages", bearer=bearer)).items
