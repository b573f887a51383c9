"""What lets others check the books: the head, proofs, checkpoints and the keys that signed them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query

from services.ledger import contract
from services.ledger.api.dependencies import Db, PublicKeys, Reader, Signing, Writer
from services.ledger.usecases import checkpoints, proving
from services.ledger.usecases.problems import not_found
from suuupra import fields
from suuupra.openapi import problems
from suuupra.pagination import Paging

router = APIRouter(prefix="/v1/ledger", tags=["proofs"])

Size = Annotated[
    int | None, Query(ge=1, le=fields.GREATEST, description="Journals in the tree; all when absent.")
]


@router.get("/head")
async def read_head(db: Db, reader: Reader) -> contract.Head:
    """The end of the chain."""
    async with db.reading() as tx:
        return await proving.head(tx)


@router.get("/journals/{journal_id}/proof")
async def prove_inclusion(
    db: Db, reader: Reader, journal_id: UUID, size: Size = None
) -> contract.InclusionProof:
    """A proof that a journal is in the tree (RFC 6962, 2.1.1)."""
    async with db.reading() as tx:
        return await proving.inclusion(tx, journal_id, size)


@router.get("/consistency")
async def prove_consistency(
    db: Db,
    reader: Reader,
    first: Annotated[int, Query(ge=1, le=fields.GREATEST, description="Journals in the earlier tree.")],
    second: Size = None,
) -> contract.ConsistencyProof:
    """A proof that a tree is an earlier one with journals appended (RFC 6962, 2.1.2)."""
    async with db.reading() as tx:
        return await proving.consistency(tx, first, second)


@router.get("/checkpoints")
async def list_checkpoints(db: Db, reader: Reader, paging: Paging) -> contract.CheckpointList:
    """Signed heads, the largest first."""
    async with db.reading() as tx:
        return await checkpoints.listed(tx, paging)


@router.post("/checkpoints", responses=problems(409, 503))
async def sign_checkpoint(signer: Signing, writer: Writer) -> contract.Checkpoint:
    """Sign the present head and put it away. Sent again it gives the same, until the head has moved."""
    made = await signer.sign()
    if made is None:
        raise not_found("journal", "path", "to sign")
    return made


@router.get("/checkpoints/{size}")
async def read_checkpoint(
    db: Db, reader: Reader, size: Annotated[int, Path(ge=1, le=fields.GREATEST)]
) -> contract.Checkpoint:
    """The signed head of a size."""
    async with db.reading() as tx:
        return await checkpoints.read(tx, size)


@router.get("/keys", responses=problems(503))
async def read_keys(keys: PublicKeys, reader: Reader) -> contract.Keys:
    """The public keys of checkpoints."""
    return contract.Keys(keys=await keys.published())
