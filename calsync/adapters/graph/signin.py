"""What Entra's refusals mean, in plain words: AADSTS number → what is wrong, what to do.

Public source: Microsoft Entra, "Authentication and authorization error codes".
"""

from __future__ import annotations

import re

_NUMBER = re.compile(r"AADSTS(\d+)")

_SECRET = "In Entra, App registrations, Certificates & secrets: make a new one and set it here"
_TENANT = "Check the tenant id in the settings, and that the cloud is the right one"

SIGN_IN_ERRORS: dict[int, tuple[str, str]] = {
    7000215: ("the client secret is wrong", f"Use the secret's value, not its id. {_SECRET}"),
    7000222: ("the client secret has expired", _SECRET),
    7000218: ("no credential was sent", "Set a secret, a certificate or an assertion file"),
    700016: ("the app is not known in this tenant", "Check the client id and the tenant id"),
    7000112: ("the app is disabled in this tenant", "An admin can enable the enterprise app"),
    700027: (
        "the certificate is not registered for the app, or does not match its key",
        "Upload the certificate in Entra, App registrations, Certificates & secrets",
    ),
    700024: ("the signed assertion is outside its time", "Check this machine's clock"),
    700021: ("the assertion is for another app", "Check the client id"),
    700023: ("the assertion is for another tenant", _TENANT),
    70021: (
        "no federated credential of the app fits the assertion",
        "Compare issuer, subject and audience of the federated credential with the assertion",
    ),
    700211: ("no federated credential has this issuer", "Check the issuer in Entra"),
    700213: ("no federated credential has this subject", "Check the subject in Entra"),
    90002: ("there is no such tenant", _TENANT),
    900023: ("the tenant id is not valid", _TENANT),
    900382: ("this tenant is in another cloud", "Set the right cloud in the settings"),
    500011: (
        "Graph's address is not known in this tenant",
        "Check that the cloud in the settings is that of the tenant",
    ),
    1002012: ("the scope is not valid", "Check the Graph address in the settings"),
    53003: (
        "a Conditional Access policy blocks the app",
        "Ask an admin to let the app sign in from this machine's network",
    ),
    50105: ("the app is not assigned in this tenant", "An admin can assign the enterprise app"),
    50034: ("the account does not exist in this tenant", _TENANT),
    65001: ("an admin has not consented to the app", "Grant admin consent in Entra"),
}


def explain(description: str, error: str) -> tuple[str, str]:
    """(what, todo) for the ``error_description`` of a refused token request. The text of the
    description itself is not passed on: it can name apps and accounts."""
    found = _NUMBER.search(description)
    number = int(found.group(1)[:9]) if found else 0
    if number in SIGN_IN_ERRORS:
        what, todo = SIGN_IN_ERRORS[number]
        return f"{what} (AADSTS{number})", todo
    name = f"AADSTS{number}" if number else re.sub(r"[^a-z_]", "", error.lower())[:40] or "unknown"
    return (
        f"the sign-in service refused the app ({name})",
        f"Look up {name} at login.microsoftonline.com/error, and the sign-in log in Entra",
    )
