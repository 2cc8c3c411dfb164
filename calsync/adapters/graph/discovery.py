"""Whether the sign-in service knows a tenant: asked before a credential is at hand."""

from __future__ import annotations

from urllib.parse import urlsplit

import requests

from calsync.adapters.graph.auth import LoginClient
from calsync.adapters.graph.clouds import Cloud
from calsync.errors import NotSignedIn, Throttled, Unavailable
from calsync.ports import Clock


def find_tenant(cloud: Cloud, tenant_id: str, clock: Clock) -> None:
    """Ask for the tenant's OpenID document (OpenID Connect Discovery 1.0, section 4). Raises
    NotSignedIn where there is no such tenant, Unavailable or Throttled where nobody can tell."""
    client = LoginClient(cloud, clock=clock, verify=True, timeout=(5.0, 15.0), within=30.0)
    where = f"sign-in at {cloud.login}"
    address = f"https://{urlsplit(cloud.login).netloc}/{tenant_id}"
    try:
        answer = client.get(f"{address}/v2.0/.well-known/openid-configuration")
    except requests.RequestException as error:
        raise Unavailable(
            f"the sign-in service was not reached ({type(error).__name__})",
            where=where,
            todo="Check name resolution and the firewall: calsync needs https to this host",
        ) from None
    finally:
        client.close()
    if answer.status_code == 429:
        seconds = client.retry_after
        raise Throttled("the sign-in service asks to wait", retry_after=seconds, where=where)
    if answer.status_code >= 500:
        raise Unavailable("the sign-in service is not well", where=where)
    if answer.status_code != 200:
        raise NotSignedIn(
            f"there is no tenant {tenant_id} in this cloud",
            where=where,
            todo="Copy the Directory (tenant) ID from the app's overview page in Entra, and check"
            " that the cloud is the right one",
        )
