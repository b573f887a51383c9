"""What routes ask for."""

from typing import Annotated

from fastapi import Depends, Path, Request

from services.bank_simulator.usecases.bank import Bank
from services.bank_simulator.usecases.joining import Membership
from suuupra.app import resource
from suuupra.db import Database
from suuupra.signatures import Verifier

Db = Annotated[Database, Depends(resource(Database))]


async def _bank(request: Request) -> Bank:
    bank: Bank = request.app.state.bank
    return bank


async def _membership(request: Request) -> Membership:
    membership: Membership = request.app.state.membership
    return membership


async def _verifier(request: Request) -> Verifier:
    verifier: Verifier = request.app.state.verifier
    return verifier


Means = Annotated[Bank, Depends(_bank)]
Member = Annotated[Membership, Depends(_membership)]
SwitchKeys = Annotated[Verifier, Depends(_verifier)]
"""What judges the switch's signatures."""
Number = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9]{4,34}$", description="The account's number.", examples=["SUUUPRA001"])
]
