"""Who may log in, and into which mailboxes: Exchange's own rights, as far as EWS shows them.

Every person and room has an account of its own with the sandbox's one password. A service account
has no mailbox; it acts for others by the role ApplicationImpersonation, or by FullAccess (or a
folder permission) as a delegate, within its scopes.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..problems import Refusal

if TYPE_CHECKING:
    from ..mailbox import Mailbox
    from ..world import Tenant, World

# Well-known dummy values: they open nothing but a sandbox.
DEFAULT_USER = "svc-calsync"
DEFAULT_PASSWORD = "sandbox-password-for-nothing-else"
NOBODY: frozenset[str] = frozenset()


@dataclass(slots=True)
class Account:
    """A login. A scope None means every mailbox of the company, an empty one none.

    impersonates: ApplicationImpersonation within that management scope. opens: FullAccess.
    """

    name: str
    password: str
    tenant_id: str
    address: str | None = None
    impersonates: frozenset[str] | None = NOBODY
    opens: frozenset[str] | None = NOBODY
    enabled: bool = True

    def may_impersonate(self, box: Mailbox) -> bool:
        """Whether the role covers that mailbox."""
        return _within(self.impersonates, box)

    def may_open(self, box: Mailbox) -> bool:
        """Whether the mailbox is its own, or open to it as a delegate."""
        own = self.address is not None and self.address.casefold() == box.address.casefold()
        return own or _within(self.opens, box)


def _within(scope: frozenset[str] | None, box: Mailbox) -> bool:
    return scope is None or box.address.casefold() in scope


class Accounts:
    """Service accounts by name, and the accounts of people."""

    def __init__(self, world: World) -> None:
        self.world = world
        tenant = world.tenant()
        self.password = DEFAULT_PASSWORD
        self.services: dict[str, Account] = {}
        # May do both, so that a client can be set up either way.
        self.add(tenant, DEFAULT_USER, DEFAULT_PASSWORD, impersonates=None, opens=None)

    def add(
        self,
        tenant: Tenant,
        name: str,
        password: str,
        *,
        impersonates: frozenset[str] | None = NOBODY,
        opens: frozenset[str] | None = NOBODY,
    ) -> Account:
        """A service account; its user name is name@domain, or DOMAIN\\name."""
        made = Account(name, password, tenant.tenant_id, None, impersonates, opens)
        self.services[f"{name}@{tenant.domain}".casefold()] = made
        return made

    def user_name(self, account: Account) -> str:
        """What to log in with."""
        return f"{account.name}@{self.world.tenants[account.tenant_id].domain}"

    def login(self, header: str) -> Account | None:
        """The account of an Authorization header; None where the password does not fit."""
        scheme, _, text = header.partition(" ")
        if scheme.casefold() != "basic":
            return None
        try:
            plain = b64decode(text.strip(), validate=True)
        except (binascii.Error, ValueError):
            return None
        try:
            user, _, password = plain.decode("utf-8").partition(":")
        except UnicodeDecodeError:
            user, _, password = plain.decode("latin-1").partition(":")
        found = self._named(user)
        if found is None or not found.enabled or found.password != password:
            return None
        return found

    def _named(self, user: str) -> Account | None:
        name = user.casefold()
        if "\\" in name:
            realm, _, name = name.partition("\\")
            for tenant in self.world.tenants.values():
                # The NetBIOS name of a domain is by custom its first label.
                if realm in (tenant.domain.casefold(), tenant.domain.casefold().split(".")[0]):
                    name = f"{name}@{tenant.domain.casefold()}"
        if name in self.services:
            return self.services[name]
        box = self.world.box(name)
        if box is None or box.external:
            return None
        return Account(box.address, self.password, box.tenant_id, box.address, enabled=box.enabled)


def denied(code: str = "ErrorAccessDenied") -> Refusal:
    """No right on that mailbox. Exchange says either of two things (EWS facts, 10 and 13)."""
    if code == "ErrorItemNotFound":
        return Refusal(404, code, "The specified object was not found in the store.")
    if code != "ErrorAccessDenied":
        return Refusal(500, code, "The operation failed.")
    return Refusal(403, code, "Access is denied. Check credentials and try again.")
