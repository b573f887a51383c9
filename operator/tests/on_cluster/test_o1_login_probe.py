"""O1 on a server whose administrator cannot read verifiers: what the bulk read does not show is tried."""

from __future__ import annotations

from .api import NO_PODS, Api
from .machines import logs_in
from .process import OperatorProcess
from .waiting import eventually

BY_READ_SECONDS = 30.0


async def test_o1_a_changed_password_is_found_by_a_login_where_verifiers_cannot_be_read(
    api: Api, operator: OperatorProcess
) -> None:
    """As on a managed PostgreSQL, whose administrator is no superuser."""
    api.servers.psql("create role cloud_admin login createrole createdb password 'of the cloud'")
    api.servers.psql("grant connect on database postgres to cloud_admin")
    await api.account("cloud-admin", username="cloud_admin", password="of the cloud")
    postgres = {"adminSecretRef": {"name": "cloud-admin"}}
    await api.platform(postgres=postgres)
    await api.service("shop", NO_PODS | {"database": {"extensions": ["pg_trgm"]}})
    await api.ready("shop")
    login = await api.secret("shop-db")
    assert logs_in(login["url"])

    counted = operator.total("drift_corrected_total", kind="PostgresRole")
    api.servers.psql(f"alter role {login['username']} password 'changed by hand'")
    assert not logs_in(login["url"])

    await eventually(lambda: logs_in(login["url"]), BY_READ_SECONDS, "the Secret's password works again")
    assert (await api.secret("shop-db")) == login

    def once() -> bool:
        return operator.total("drift_corrected_total", kind="PostgresRole") == counted + 1

    await eventually(once, 5, "it is counted")
