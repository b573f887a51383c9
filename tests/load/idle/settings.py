"""What idle is told by its environment: what every service is, so that it needs nothing to be given."""

from suuupra.settings import ServiceSettings


class Settings(ServiceSettings):
    """The settings of idle."""

    service: str = "idle"
