"""The HTTP process of content."""

from fastapi import FastAPI

from services.content.api import authoring, files, learners, lessons, reading
from services.content.settings import Settings
from services.content.usecases.reading import Copies
from suuupra import app
from suuupra.db import Database
from suuupra.objects import ObjectStore

_DESCRIPTION = "Courses: what learners read, what creators write, and how far each learner is."


def create_app(settings: Settings) -> FastAPI:
    """Everything wired, nothing connected."""
    return app.create(
        settings,
        reading.router,
        files.router,
        files.upload_router(settings.media_limit),
        authoring.router,
        lessons.router,
        learners.router,
        resources=[Database.of(settings), Copies()],
        # Lessons are in the database: they must be read while the files are away.
        optional=[ObjectStore.of(settings, "media")],
        description=_DESCRIPTION,
    )
