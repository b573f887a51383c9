"""What routes ask for."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request
from pydantic import AwareDatetime

from services.ledger import contract
from services.ledger.clients.keys import CheckpointKeys
from services.ledger.usecases.checkpoints import Signer
from suuupra import fields
from suuupra.app import resource
from suuupra.auth import Principal, require_any_scope, require_scope
from suuupra.db import Database

Db = Annotated[Database, Depends(resource(Database))]
Reader = Annotated[Principal, Depends(require_scope("ledger:read"))]
"""Somebody who may read the books."""
OrderReader = Annotated[Principal, Depends(require_any_scope("ledger:read", "orders:read"))]
"""Somebody who may see anybody's order, and so what the books say of it."""
Writer = Annotated[Principal, Depends(require_scope("ledger:write"))]
"""Somebody who may post by hand."""
CodePath = Annotated[contract.AccountCode, Path(description="The account's code.")]
EffectiveAt = Annotated[
    AwareDatetime | None,
    Query(description="Only what counts before this time (UTC, RFC 3339); everything when absent."),
]
UpTo = Annotated[
    int | None,
    Query(
        ge=0, le=fields.GREATEST, description="As the books stood after this journal; the last when absent."
    ),
]
Begin = Annotated[AwareDatetime | None, Query(description="Effective time from which on; inclusive.")]
End = Annotated[AwareDatetime | None, Query(description="Effective time up to which; exclusive.")]


async def _signer(request: Request) -> Signer:
    signer: Signer = request.app.state.signer
    return signer


async def _keys(request: Request) -> CheckpointKeys:
    keys: CheckpointKeys = request.app.state.keys
    return keys


Signing = Annotated[Signer, Depends(_signer)]
PublicKeys = Annotated[CheckpointKeys, Depends(_keys)]
