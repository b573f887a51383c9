"""What notifications is told by its environment."""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from suuupra.settings import (
    AuthSettings,
    DatabaseSettings,
    HttpAddress,
    KafkaSettings,
    ServiceSettings,
    SmtpSettings,
)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("must be a time zone of the IANA database, such as Asia/Kolkata") from error
    return name


class Settings(ServiceSettings, DatabaseSettings, KafkaSettings, SmtpSettings, AuthSettings):
    """The settings of notifications."""

    service: str = "notifications"
    time_zone: Annotated[str, AfterValidator(_zone)] = Field(
        default="Asia/Kolkata", description="the time zone of times in letters, for example Asia/Kolkata"
    )
    mail_sink_url: HttpAddress | None = Field(
        default=None,
        validation_alias="MAIL_SINK_URL",
        description="where the local mail server shows what it took, for example http://mail-sink:8025",
    )

    @property
    def shows_mail(self) -> bool:
        """Whether /mail is there: everybody's mail is for everybody only on a developer's machine."""
        return self.profile == "local" and self.mail_sink_url is not None

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of times in letters."""
        return ZoneInfo(self.time_zone)
