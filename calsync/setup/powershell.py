"""Commands for Exchange PowerShell, online and on a server; what comes from outside is kept inside
its quotes.

What the commands do: Exchange, "Role Based Access Control for Applications", and
"Set-CalendarProcessing".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

#: PowerShell ends a text in single quotes at any of these, unless it is doubled.
_QUOTES = "'\u2018\u2019\u201a\u201b"
#: The mark on room mailboxes by which the scope finds them, and the scope's name.
MARK, SCOPE = "calsync", "calsync rooms"
#: The calendar of a mailbox, behind its address.
_CALENDAR = ":\\Calendar"


def quoted(text: str) -> str:
    """A text as one argument: nothing in it is read as PowerShell."""
    signs = (sign for sign in text if sign.isprintable())
    return "'" + "".join(sign * 2 if sign in _QUOTES else sign for sign in signs) + "'"


def value(setting: object) -> str:
    """A value of a parameter: ``$true``, a number, or a quoted text."""
    if isinstance(setting, bool):
        return "$true" if setting else "$false"
    return str(setting) if isinstance(setting, int) else quoted(str(setting))


def scope_commands(client_id: str, mailboxes: Sequence[str], outside: str = "") -> list[str]:
    """What limits an app to the room mailboxes, step by step, ready to paste."""
    lines = [
        "# 1. In Entra, API permissions of the app: remove Calendars.Read and Calendars.ReadWrite.",
        "#    Rights from Entra and from Exchange add up: with a consent there the scope is void.",
        "# 2. In Exchange Online PowerShell:",
        "Connect-ExchangeOnline",
        # No Read-Host: of pasted lines it would take the next one for its answer.
        "$ObjectId = '<Object ID of the ENTERPRISE application: Entra, Enterprise applications>'",
        f"New-ServicePrincipal -AppId {quoted(client_id)} -ObjectId $ObjectId"
        " -DisplayName 'calsync'",
    ]
    marked = mailboxes or ["<address of each room mailbox>"]
    lines += [f"Set-Mailbox {quoted(box)} -CustomAttribute1 {quoted(MARK)}" for box in marked]
    lines += [
        f"New-ManagementScope -Name {quoted(SCOPE)}"
        f" -RecipientRestrictionFilter \"CustomAttribute1 -eq '{MARK}'\"",
        "New-ManagementRoleAssignment -App $ObjectId -Role 'Application Calendars.ReadWrite'"
        f" -CustomResourceScope {quoted(SCOPE)}",
        "# 3. InScope must be True for rooms and False for everybody else:",
    ]
    lines += [_tested(box) for box in [*mailboxes[:1], *([outside] if outside else [])]]
    lines.append("# 4. A change takes 30 minutes to 2 hours to work. Then: calsync check")
    return lines


def _tested(mailbox: str) -> str:
    return f"Test-ServicePrincipalAuthorization -Identity 'calsync' -Resource {quoted(mailbox)}"


def server_scope_commands(
    account: str, mailboxes: Sequence[str], outside: str = "", *, impersonation: bool = True
) -> list[str]:
    """What limits a service account to the room mailboxes of an Exchange Server, step by step."""
    marked = mailboxes or ["<address of each room mailbox>"]
    who = quoted(account or "<the account that runs calsync>")
    if not impersonation:
        lines = [
            "# In the Exchange Management Shell: rights on the rooms' calendars, and on no other."
        ]
        lines += [
            f"Add-MailboxFolderPermission -Identity {quoted(box + _CALENDAR)}"
            f" -User {who} -AccessRights Editor"
            for box in marked
        ]
        if outside:
            lines += [
                f"Remove-MailboxPermission -Identity {quoted(outside)} -User {who}"
                " -AccessRights FullAccess",
                f"Get-MailboxFolderPermission -Identity {quoted(outside + _CALENDAR)}",
            ]
        return [*lines, "# Then: calsync check"]
    lines = [
        "# In the Exchange Management Shell:",
        "# 1. Assignments of the role that reach every mailbox; remove the one of this account.",
        f"Get-ManagementRoleAssignment -Role 'ApplicationImpersonation' -RoleAssignee {who}"
        " | Format-Table Name, CustomRecipientWriteScope, RecipientWriteScope",
        "Remove-ManagementRoleAssignment '<one without CustomRecipientWriteScope>'",
        "# 2. Mark the rooms, and assign the role for what is marked alone.",
    ]
    lines += [f"Set-Mailbox {quoted(box)} -CustomAttribute1 {quoted(MARK)}" for box in marked]
    lines += [
        f"New-ManagementScope -Name {quoted(SCOPE)}"
        f" -RecipientRestrictionFilter \"CustomAttribute1 -eq '{MARK}'\"",
        "New-ManagementRoleAssignment -Name 'calsync impersonation'"
        f" -Role 'ApplicationImpersonation' -User {who}"
        f" -CustomRecipientWriteScope {quoted(SCOPE)}",
        "# 3. The rights are read anew within some 15 minutes. Then: calsync check",
    ]
    return lines


def processing_export(mailboxes: Iterable[str], file: str = "processing.csv") -> str:
    """The command that exports the booking rules of these rooms, each beside its address."""
    listed = ", ".join(quoted(box) for box in mailboxes)
    return (
        f"{listed} | ForEach-Object {{ $room = $_; Get-CalendarProcessing -Identity $room |"
        " Select-Object @{n='Mailbox'; e={$room}}, * }"
        f" | Export-Csv {quoted(file)} -NoTypeInformation -Encoding UTF8"
    )


def processing_command(mailbox: str, changes: Mapping[str, object]) -> str:
    """The command that sets these rules of a room."""
    parts = " ".join(f"-{name} {value(setting)}" for name, setting in changes.items())
    return f"Set-CalendarProcessing -Identity {quoted(mailbox)} {parts}"
