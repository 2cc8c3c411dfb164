"""``calsync init``: a connection, asked for step by step, tried, and written into the settings."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from calsync.cli.choke import FAILED, say
from calsync.cli.findings import print_commands, print_findings, worst
from calsync.cli.options import DEFAULT_SETTINGS, AsJson, SettingsPath, connected
from calsync.cli.output import print_json, print_line
from calsync.errors import CalsyncError, SettingsError, UsageError
from calsync.settings import Connection, Database, Settings
from calsync.settings.checks import CHECK, Wrong
from calsync.settings.model import AUTHS, CLOUD_NAMES, CREDENTIALS, KINDS, SERVERS
from calsync.setup.findings import Finding, Level

#: Name of a field → what is asked, and what stands there if nothing is said.
_ASKED: Mapping[str, tuple[str, str]] = {
    "name": ("Your name for this tenant or server", "main"),
    "kind": (f"What it is ({', '.join(KINDS)}: Exchange Online, or an Exchange Server)", "graph"),
    "endpoint": ("Address of the server, such as https://mail.contoso.com", ""),
    "server": (f"Version of the server ({', '.join(SERVERS)})", "se"),
    "auth": (f"How to sign in ({', '.join(AUTHS)})", "ntlm"),
    "user": ("Service account, such as CONTOSO\\svc-calsync", ""),
    "password_file": ("File that holds its password", "calsync.secret"),
    "ca_bundle": ("File with your own certificate authorities (PEM)", ""),
    "cloud": (f"Cloud ({', '.join(CLOUD_NAMES)})", "global"),
    "login_url": ("Address of the sign-in", ""),
    "graph_url": ("Address of Graph", ""),
    "tenant_id": ("Directory (tenant) ID", ""),
    "client_id": ("Application (client) ID", ""),
    "credential": (f"Credential ({', '.join(CREDENTIALS)})", "secret"),
    "client_secret_file": ("File that holds the client secret", "calsync.secret"),
    "client_secret_expires": ("When the secret expires, such as 2027-03-01", ""),
    "certificate_file": ("File with the certificate and its key (PEM or PFX)", ""),
    "federated_token_file": ("File with the federated token", ""),
    "outside_mailbox": ("A mailbox that calsync must not read, such as your own", ""),
}
#: Whose answer may stay empty.
_OPTIONAL = ("outside_mailbox", "client_secret_expires", "ca_bundle")
_CHECKS = {f.name: f.metadata[CHECK] for f in fields(Connection)}


def init(
    name: Annotated[str, typer.Option(help="Your name for this tenant or server.")] = "",
    kind: Annotated[
        str, typer.Option(help="graph (Exchange Online) or ews (an Exchange Server).")
    ] = "",
    endpoint: Annotated[str, typer.Option(help="With ews: the server's address.")] = "",
    server: Annotated[str, typer.Option(help=f"With ews: one of {', '.join(SERVERS)}.")] = "",
    auth: Annotated[str, typer.Option(help=f"With ews: one of {', '.join(AUTHS)}.")] = "",
    user: Annotated[str, typer.Option(help="With ews: the service account.")] = "",
    password_env: Annotated[
        str, typer.Option(help="The name of the variable that holds its password.")
    ] = "",
    password_file: Annotated[str, typer.Option(help="The file that holds it.")] = "",
    delegate: Annotated[
        bool,
        typer.Option(
            "--delegate", help="With ews: use the account's own rights, no impersonation."
        ),
    ] = False,
    ca_bundle: Annotated[
        str, typer.Option(help="With ews: a PEM file of your own authorities.")
    ] = "",
    cloud: Annotated[str, typer.Option(help=f"One of {', '.join(CLOUD_NAMES)}.")] = "",
    tenant_id: Annotated[str, typer.Option(help="The directory (tenant) ID.")] = "",
    client_id: Annotated[str, typer.Option(help="The application (client) ID.")] = "",
    login_url: Annotated[str, typer.Option(help="With cloud custom: where to sign in.")] = "",
    graph_url: Annotated[str, typer.Option(help="With cloud custom: where Graph is.")] = "",
    credential: Annotated[str, typer.Option(help=f"One of {', '.join(CREDENTIALS)}.")] = "",
    secret_env: Annotated[
        str, typer.Option(help="The name of the variable that holds the client secret.")
    ] = "",
    secret_file: Annotated[str, typer.Option(help="The file that holds it.")] = "",
    secret_expires: Annotated[str, typer.Option(help="When it expires: 2027-03-01.")] = "",
    certificate_file: Annotated[str, typer.Option(help="Certificate and key: PEM or PFX.")] = "",
    certificate_password_env: Annotated[
        str, typer.Option(help="The name of the variable that holds its passphrase.")
    ] = "",
    certificate_password_file: Annotated[
        str, typer.Option(help="The file that holds its passphrase.")
    ] = "",
    federated_token_env: Annotated[
        str, typer.Option(help="The name of the variable that holds the federated token.")
    ] = "",
    federated_token_file: Annotated[
        str, typer.Option(help="The file that holds the federated token.")
    ] = "",
    outside_mailbox: Annotated[
        str, typer.Option(help="A mailbox that calsync must not be able to read.")
    ] = "",
    no_input: Annotated[
        bool, typer.Option("--no-input", help="Ask nothing: for scripts. --json does the same.")
    ] = False,
    no_test: Annotated[
        bool, typer.Option("--no-test", help="Write the settings without trying them.")
    ] = False,
    settings: SettingsPath = DEFAULT_SETTINGS,
    as_json: AsJson = False,
) -> None:
    """Connect a tenant or a server: asks what is not given, tries it, and writes the settings.

    A settings file that is there keeps what it says and gets one more connection. The secret
    goes into a file of its own or a variable, never into the settings. What the sign-in refuses
    is not written, unless --no-test says so.
    """
    given: dict[str, object] = {
        "name": name,
        "kind": kind,
        "endpoint": endpoint,
        "server": server,
        "auth": auth,
        "user": user,
        "password_env": password_env,
        "password_file": password_file,
        "ca_bundle": ca_bundle,
        "cloud": cloud,
        "tenant_id": tenant_id,
        "client_id": client_id,
        "login_url": login_url,
        "graph_url": graph_url,
        "credential": credential,
        "client_secret_env": secret_env,
        "client_secret_file": secret_file,
        "client_secret_expires": secret_expires,
        "certificate_file": certificate_file,
        "certificate_password_env": certificate_password_env,
        "certificate_password_file": certificate_password_file,
        "federated_token_env": federated_token_env,
        "federated_token_file": federated_token_file,
        "outside_mailbox": outside_mailbox,
    }
    dialog = _Dialog(
        {key: value for key, value in given.items() if value},
        folder=settings.parent,
        asks=not (no_input or as_json) and at_a_terminal(),
        tries=not no_test,
        delegate=delegate,
    )
    entry = dialog.connection()
    from calsync.setup.draft import store, with_connection

    text, read = with_connection(settings, entry)
    found = [] if no_test else _tried(read, entry.name, quiet=as_json)
    refused = any(
        one.level is Level.FAILED and one.about in ("token", "credential", "sign-in")
        for one in found
    )
    if not refused:
        store(settings, text)
    elif dialog.wrote is not None:
        # Else the next try would take the wrong secret for the one that is meant.
        dialog.wrote.unlink(missing_ok=True)
    if as_json:
        print_json(
            {"settings": str(settings), "written": not refused, "connection": entry.name}
            | {"findings": found}
        )
    else:
        print_commands(found)
        _print_end(settings, entry, refused=refused)
    if refused or worst(found) is Level.FAILED:
        raise typer.Exit(FAILED)


def at_a_terminal() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty()


# --- questions -------------------------------------------------------------------------------


class _Dialog:
    """Answers, from options or from the terminal; each is checked as it comes. ``wrote``: the file
    of the secret, if it was made here."""

    def __init__(
        self,
        given: dict[str, object],
        *,
        folder: Path,
        asks: bool,
        tries: bool,
        delegate: bool = False,
    ) -> None:
        self._given, self._folder = given, folder
        self._asks, self._tries, self._delegate = asks, tries, delegate
        self._answers: dict[str, Any] = {}
        self.wrote: Path | None = None

    def connection(self) -> Connection:
        """The whole of it. Raises UsageError for what is missing or wrong."""
        self._take("name", "kind")
        if self._answers["kind"] == "ews":
            self._server()
        else:
            self._app("graph_url")
        self._take("outside_mailbox")
        for key in self._given.keys() - self._answers.keys():
            self._answers[key] = self._checked(key, self._given[key])
        return Connection(**self._answers)

    def _server(self) -> None:
        """An Exchange Server, and who signs in to it."""
        self._take("endpoint", "server", "auth")
        if self._delegate:
            self._answers["impersonation"] = False
        match self._answers["auth"]:
            case "oauth":
                self._app()
            case "kerberos":
                pass
            case _:
                self._take("user")
                if "password_env" not in self._given:
                    self._take("password_file")
                    path = self._folder / self._answers["password_file"]
                    self._secret(path, "the password of the service account", "Password")
        self._take("ca_bundle")

    def _app(self, *addresses: str) -> None:
        """The app in Entra, and its credential."""
        self._take("cloud")
        if self._answers["cloud"] == "custom":
            self._take("login_url", *addresses)
        self._tenant()
        self._take("client_id", "credential")
        self._where_the_credential_is()

    def _tenant(self) -> None:
        """Asked until there is such a tenant; without a network the answer is taken as it is."""
        from calsync.adapters.graph.clouds import cloud, custom
        from calsync.adapters.graph.discovery import find_tenant
        from calsync.bootstrap import SystemClock
        from calsync.errors import NotSignedIn, SideError

        said = self._answers
        place = (
            custom(login=said["login_url"], graph=said.get("graph_url") or said["login_url"])
            if said["cloud"] == "custom"
            else cloud(said["cloud"])
        )
        while True:
            self._take("tenant_id")
            if not self._tries:
                return
            try:
                find_tenant(place, said["tenant_id"], SystemClock())
            except NotSignedIn as error:
                if "tenant_id" in self._given or not self._asks:
                    raise
                say(f"{error.what}. {error.todo}")
            except SideError as error:
                say(f"Note: {error.where}: {error.what}")
                return
            else:
                return

    def _where_the_credential_is(self) -> None:
        match self._answers["credential"]:
            case "certificate":
                self._take("certificate_file")
            case "federated":
                if "federated_token_env" not in self._given:
                    self._take("federated_token_file")
            case _:
                if "client_secret_env" not in self._given:
                    self._take("client_secret_file")
                    path = self._folder / self._answers["client_secret_file"]
                    self._secret(path, "the secret's value (not its ID)", "Client secret")
                self._take("client_secret_expires")

    def _secret(self, path: Path, what: str, asked: str) -> None:
        """Offer to put the secret into its file: typed unseen, and nowhere else."""
        if path.exists() or not self._asks:
            return
        print_line(
            f"{path} does not exist yet. Paste {what}: it is written"
            " there, readable only by you, and nowhere else. Empty: you make the file yourself."
        )
        secret = typer.prompt(asked, default="", hide_input=True, show_default=False)
        if secret.strip():
            from calsync.setup.draft import store_secret

            store_secret(path, secret)
            self.wrote = path

    def _take(self, *keys: str) -> None:
        for key in keys:
            if key in self._given:
                self._answers[key] = self._checked(key, self._given[key])
                continue
            asked, usual = _ASKED[key]
            if not self._asks:
                self._answers[key] = self._unsaid(key, usual)
                continue
            self._answers[key] = self._ask(key, asked, usual)

    def _unsaid(self, key: str, usual: str) -> object:
        if key == "client_secret_file":
            raise UsageError(
                "where the client secret is was not said",
                todo="Add --secret-env NAME_OF_A_VARIABLE or --secret-file FILE",
            )
        if key == "password_file":
            raise UsageError(
                "where the password is was not said",
                todo="Add --password-env NAME_OF_A_VARIABLE or --password-file FILE",
            )
        if not usual and key not in _OPTIONAL:
            option = f"--{key.replace('_', '-')}"
            raise UsageError(f"{option} is missing", todo=f"Add it: calsync init {option} …")
        return self._checked(key, usual)

    def _ask(self, key: str, asked: str, usual: str) -> object:
        optional = key in _OPTIONAL
        while True:
            said = typer.prompt(
                asked + (" (may be empty)" if optional else ""),
                default=usual or ("" if optional else None),
                show_default=bool(usual),
            )
            try:
                return _CHECKS[key](str(said).strip())
            except Wrong as wrong:
                say(f"{wrong.what}. {wrong.todo}".strip())

    def _checked(self, key: str, value: object) -> object:
        try:
            return _CHECKS[key](value)
        except Wrong as wrong:
            option = f"--{key.removeprefix('client_').replace('_', '-')}"
            shown = "--client-id" if key == "client_id" else option
            raise UsageError(f"{shown}: {wrong.what}", todo=wrong.todo) from None


# --- the try ---------------------------------------------------------------------------------


def _tried(read: Settings, name: str, *, quiet: bool) -> list[Finding]:
    """What ``calsync check`` finds of this connection, on a database that is thrown away."""
    from calsync.setup.checks import check_connection

    with tempfile.TemporaryDirectory(prefix="calsync-init-") as folder:
        only = tuple(entry for entry in read.connections if entry.name == name)
        aside = replace(
            read,
            database=Database(url=f"sqlite:///{folder}/try.db"),
            connections=only,
            rooms=(),
        )
        try:
            with connected(aside) as system:
                findings = check_connection(system, only[0], [])
                return list(findings) if quiet else print_findings(findings)
        except SettingsError:
            raise
        except CalsyncError as error:
            # The secret is not where it was said to be.
            missing = Finding(
                level=Level.FAILED,
                about="credential",
                where=error.where or f"connection {name}",
                what=error.what,
                todo=error.todo,
            )
            return [missing] if quiet else print_findings([missing])


def _print_end(settings: Path, entry: Connection, *, refused: bool) -> None:
    print_line("")
    if refused:
        say(f"{settings} was not written: put right what FAILED, and run calsync init again.")
        _print_place(entry)
        return
    print_line(f"{settings} has the connection {entry.name}.")
    _print_place(entry)
    print_line("Next: calsync rooms discover, then calsync rooms suggest, then calsync check.")


def _print_place(entry: Connection) -> None:
    """Where the secret belongs, which the settings never hold."""
    if entry.password_env or entry.password_file:
        place = (
            f"variable {entry.password_env} of the calsync process"
            if entry.password_env
            else f"file {entry.password_file}, on one line, readable only by the user that runs"
            " calsync (chmod 600)"
        )
        print_line(f"The password of {entry.user} belongs into the {place}.")
    elif entry.client_secret_env:
        print_line(
            f"The client secret belongs into the variable {entry.client_secret_env} of the calsync"
            f" process: export {entry.client_secret_env}='…' in a shell, EnvironmentFile= in a"
            " systemd unit."
        )
    elif entry.client_secret_file:
        print_line(
            f"The client secret belongs into the file {entry.client_secret_file}, on one line,"
            " readable only by the user that runs calsync (chmod 600)."
        )
