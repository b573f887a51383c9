"""What others may know of notifications: the models of its API. It publishes nothing. Ids are UUIDv7, times are UTC."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from suuupra.events import Event

Category = Literal["account", "receipts", "orders", "payments", "learning"]
Channel = Literal["email", "inbox"]
Kind = Literal[
    "welcome",
    "order_paid",
    "order_expired",
    "order_canceled",
    "order_refunded",
    "payment_succeeded",
    "payment_failed",
    "entitlement_granted",
    "entitlement_revoked",
]
Locale = Literal["en", "hi"]
"""Languages that letters are written in."""

EVENTS: tuple[type[Event], ...] = ()


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Notification(_Model):
    """One line of an inbox, in the reader's language. `link` is a path on the public site."""

    id: UUID
    kind: Kind
    category: Category
    title: str
    body: str
    link: str | None
    created_at: datetime
    read_at: datetime | None


MessageState = Literal[
    "delivered", "waiting", "due", "sending", "sent", "refused", "unwanted", "off", "expired"
]


class Message(_Model):
    """One message about an order. A mail is `sent` once the mail server took it; `refusal` says why it did not.

    `unwanted`: the reader chose not to be mailed of such things; `off`: mail of the kind is off, and they chose nothing.
    """

    id: UUID
    channel: Channel
    kind: Kind
    state: MessageState
    attempts: int
    created_at: datetime
    sent_at: datetime | None
    read_at: datetime | None
    refusal: str | None


class Messages(_Model):
    """The oldest first."""

    items: list[Message]


class Unread(_Model):
    """How many notifications nobody has looked at. Also the data of the stream's `unread` events."""

    unread: int


class ReadAll(_Request):
    """Which to mark: all up to this one, as the reader saw them; what came later stays unread."""

    up_to: UUID


class Choice(_Model):
    """Whether a category is wanted on a channel. What is `required` cannot be switched off."""

    category: Category
    channel: Channel
    wanted: bool
    required: bool = False


class Preferences(_Model):
    """What a user wants to hear, where, and in which language; `locale` null: the one they signed up with."""

    locale: Locale | None
    choices: list[Choice]


class ChoiceMade(_Request):
    """A change of one choice."""

    category: Category
    channel: Channel
    wanted: bool


class PreferencesChange(_Request):
    """What to change; choices that are not named stay as they are. Without `locale` the language stays too."""

    locale: Locale | Literal["account"] | None = Field(
        default=None, description="`account`: back to the language of the account"
    )
    choices: Annotated[list[ChoiceMade], Field(max_length=20)] = []
