"""The HTTP process of idle."""

from fastapi import FastAPI

from suuupra import app

from .settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Everything wired, of which there is nothing."""
    return app.create(settings, description="Ready, and that is all.")
