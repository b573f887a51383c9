"""What routes ask for."""

from typing import Annotated

from fastapi import Depends, Request

from services.upi_core.usecases.rail import Rail
from suuupra.app import resource
from suuupra.db import Database

Db = Annotated[Database, Depends(resource(Database))]


async def _rail(request: Request) -> Rail:
    rail: Rail = request.app.state.rail
    return rail


Means = Annotated[Rail, Depends(_rail)]
"""The switch's means: courier, keys, directory, rules, clock."""
