"""What notifications is told by its environment."""

from pydantic import Field

from suuupra.settings import (
    AuthSettings,
    DatabaseSettings,
    HttpAddress,
    KafkaSettings,
    ServiceSettings,
    SmtpSettings,
    ZoneSettings,
)


class Settings(ServiceSettings, DatabaseSettings, KafkaSettings, SmtpSettings, AuthSettings, ZoneSettings):
    """The settings of notifications."""

    service: str = "notifications"
    mail_sink_url: HttpAddress | None = Field(
        default=None,
        validation_alias="MAIL_SINK_URL",
        description="where the local mail server shows what it took, for example http://mail-sink:8025",
    )

    @property
    def shows_mail(self) -> bool:
        """Whether /mail is there: everybody's mail is for everybody only on a developer's machine."""
        return self.profile == "local" and self.mail_sink_url is not None
