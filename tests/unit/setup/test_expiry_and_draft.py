"""When a credential ends; and the settings that init writes say what was asked for, no secret."""

from __future__ import annotations

import stat
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from calsync.errors import SettingsError, UsageError
from calsync.settings import Connection, parse
from calsync.setup.draft import store, store_secret, text_of, with_connection
from calsync.setup.expiry import expiry
from calsync.setup.findings import Level

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def connection(**more: object) -> Connection:
    known: dict[str, object] = {
        "name": "main",
        "tenant_id": "contoso.com",
        "client_id": "app",
        "client_secret_env": "SECRET",
    }
    return Connection(**{**known, **more})  # type: ignore[arg-type]


def certificate(path: Path, end: datetime, *, password: bytes | None = None) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "calsync")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(end - timedelta(days=400))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    if path.suffix == ".pfx":
        lock = BestAvailableEncryption(password) if password else NoEncryption()
        path.write_bytes(pkcs12.serialize_key_and_certificates(b"c", key, made, None, lock))
        return
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(pem + made.public_bytes(Encoding.PEM))


@pytest.mark.parametrize(
    ("days", "level"),
    [
        (-1, Level.FAILED),
        (0, Level.FAILED),
        (1, Level.FAILED),
        (2, Level.WARNING),
        (7, Level.WARNING),
        (8, Level.NOTE),
        (30, Level.NOTE),
        (31, Level.OK),
    ],
)
@pytest.mark.parametrize("kind", ["c.pem", "c.pfx"])
def test_a_certificate_tells_its_end_from_its_file(
    tmp_path: Path, days: int, level: Level, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASS", "word")
    certificate(tmp_path / kind, NOW + timedelta(days=days), password=b"word")
    found = expiry(
        connection(
            credential="certificate",
            client_secret_env="",
            certificate_file=str(tmp_path / kind),
            certificate_password_env="PASS",
        ),
        NOW,
    )
    assert found.level is level
    assert f"{NOW + timedelta(days=days):%Y-%m-%d}" in found.what
    assert bool(found.todo) is (level is not Level.OK)


@pytest.mark.parametrize("raw", [None, b"", b"no certificate", b"\x30\x82"])
def test_a_certificate_that_cannot_be_read_fails(tmp_path: Path, raw: bytes | None) -> None:
    for name in ("c.pem", "c.pfx"):
        if raw is not None:
            (tmp_path / name).write_bytes(raw)
        found = expiry(
            connection(credential="certificate", certificate_file=str(tmp_path / name)), NOW
        )
        assert (found.level, "cannot be read" in found.what) == (Level.FAILED, True)


def test_a_secret_ends_when_the_admin_said_and_else_nobody_knows() -> None:
    said = expiry(connection(client_secret_expires=date(2026, 11, 25)), NOW)
    assert (said.level, "2026-11-25" in said.what) == (Level.WARNING, True)
    unsaid = expiry(connection(), NOW)
    assert (unsaid.level, "client_secret_expires" in unsaid.todo) == (Level.NOTE, True)
    federated = connection(credential="federated", federated_token_file="t", client_secret_env="")
    assert expiry(federated, NOW).level is Level.OK


# --- settings as text ------------------------------------------------------------------------

WORDS = st.text(
    st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/.\u2028\u2029\x7f\x85"),
    min_size=1,
    max_size=20,
).filter(str.strip)


@given(client_id=WORDS, file=WORDS, expires=st.none() | st.dates(date(2020, 1, 1)))
def test_a_connection_comes_back_from_its_text(
    client_id: str, file: str, expires: date | None
) -> None:
    entry = connection(
        client_id=client_id.strip(),
        client_secret_env="",
        client_secret_file=f"/x/{file}",
        client_secret_expires=expires,
    )
    assert parse(text_of(entry)).connections == (entry,)


def test_a_settings_file_keeps_what_it_says_and_gets_one_more(tmp_path: Path) -> None:
    path = tmp_path / "calsync.toml"
    text, read = with_connection(path, connection())
    assert read.connections[0].name == "main"
    store(path, text)
    path.write_text(f"# mine\n[api]\nport = 9\n\n{text_of(connection())}", encoding="utf-8")
    more, both = with_connection(path, connection(name="other"))
    assert more.startswith("# mine\n[api]\nport = 9\n")
    assert [one.name for one in both.connections] == ["main", "other"]
    assert both.api.port == 9
    with pytest.raises(UsageError, match="a connection main already"):
        with_connection(path, connection())
    path.write_text("[nonsense]\n", encoding="utf-8")
    with pytest.raises(SettingsError):
        with_connection(path, connection())


def test_writing_is_whole_or_not_at_all_and_keeps_the_rights_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "calsync.toml"
    store(path, "a")
    path.chmod(0o640)
    store(path, "b")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("b", 0o640)
    assert [one.name for one in path.parent.iterdir()] == ["calsync.toml"]
    with pytest.raises(UsageError, match="cannot be written"):
        store(path / "below", "c")


def test_a_secret_file_is_for_its_owner_alone_and_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "calsync.secret"
    store_secret(path, "  word \n")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("word\n", 0o600)
    with pytest.raises(UsageError, match="cannot be written"):
        store_secret(path, "other")
    assert path.read_text() == "word\n"


def test_no_field_of_a_connection_holds_a_secret_itself() -> None:
    for field in fields(Connection):
        if any(word in field.name for word in ("secret", "password", "token")):
            assert field.name.endswith(("_env", "_file", "_expires")), field.name
