"""What content is told by its environment."""

from pydantic import Field

from suuupra.settings import AuthSettings, DatabaseSettings, KafkaSettings, ObjectsSettings, ServiceSettings


class Settings(ServiceSettings, DatabaseSettings, KafkaSettings, ObjectsSettings, AuthSettings):
    """The settings of content."""

    service: str = "content"
    media_limit: int = Field(
        default=256 * 1024 * 1024,
        ge=1024,
        le=5 * 1024**3,
        description="the most bytes of an uploaded media file, 1024 to 5368709120",
    )
