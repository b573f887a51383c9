"""What the web app is told by its environment."""

from pydantic import Field

from suuupra.settings import HttpAddress, ServiceSettings


class Settings(ServiceSettings):
    """Settings of web."""

    url_content: HttpAddress = Field(
        description="the address of content, for example http://content:8000",
        examples=["http://content:8000"],
    )

    @property
    def secure(self) -> bool:
        """Whether people reach the platform by TLS, so that cookies may insist on it."""
        return self.public_url.startswith("https://")

    @property
    def shows_guide(self) -> bool:
        """Whether the style guide is served: on developers' machines only."""
        return self.profile in ("local", "development")
