"""The first form of every table."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("pair_id", sa.String(), nullable=False),
        sa.Column("link_id", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_link_id"), "audit", ["link_id"], unique=False)
    op.create_table(
        "conflict",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("pair_id", sa.String(), nullable=False),
        sa.Column("link_id", sa.String(), nullable=False),
        sa.Column("other_link_id", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("winner", sa.String(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("lost", sa.Text(), nullable=True),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conflict")),
    )
    op.create_index(op.f("ix_conflict_link_id"), "conflict", ["link_id"], unique=False)
    op.create_index(op.f("ix_conflict_pair_id"), "conflict", ["pair_id"], unique=False)
    op.create_table(
        "hub_answer",
        sa.Column("token_id", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_id", "key", name=op.f("pk_hub_answer")),
    )
    op.create_table(
        "hub_booking",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("room_id", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("editable", sa.Boolean(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("person_name", sa.Text(), nullable=False),
        sa.Column("person_address", sa.Text(), nullable=False),
        sa.Column("seats", sa.Integer(), nullable=True),
        sa.Column("external_id", sa.String(length=255), nullable=True),
        sa.Column("tag", sa.String(length=64), nullable=True),
        sa.Column("made_by", sa.String(length=64), nullable=False),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("parts", sa.Text(), nullable=False),
        sa.Column("waiting", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("content_revision", sa.Integer(), nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("first_start", sa.BigInteger(), nullable=False),
        sa.Column("last_end", sa.BigInteger(), nullable=False),
        sa.Column("single", sa.Boolean(), nullable=False),
        sa.Column("blocks", sa.Boolean(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("modified", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hub_booking")),
    )
    op.create_index("ix_hub_booking_room_end", "hub_booking", ["room_id", "last_end"], unique=False)
    op.create_index(
        "uq_hub_booking_external",
        "hub_booking",
        ["room_id", "external_id"],
        unique=True,
        sqlite_where=sa.text("status != 'cancelled'"),
        postgresql_where=sa.text("status != 'cancelled'"),
    )
    op.create_index(
        "uq_hub_booking_tag",
        "hub_booking",
        ["tag"],
        unique=True,
        sqlite_where=sa.text("status IN ('pending', 'confirmed')"),
        postgresql_where=sa.text("status IN ('pending', 'confirmed')"),
    )
    op.create_table(
        "hub_change",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("room_id", sa.String(length=64), nullable=False),
        sa.Column("booking_id", sa.String(length=64), nullable=False),
        sa.Column("tombstone", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("by_sync", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_hub_change")),
    )
    op.create_index("ix_hub_change_room_number", "hub_change", ["room_id", "number"], unique=False)
    op.create_table(
        "hub_counter",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_hub_counter")),
    )
    op.create_table(
        "hub_room",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("building", sa.Text(), nullable=False),
        sa.Column("floor", sa.Text(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("titles", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hub_room")),
    )
    op.create_table(
        "hub_token",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("revoked", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hub_token")),
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )
    op.create_table(
        "notice",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("pair_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("link_id", sa.String(), nullable=False),
        sa.Column("booking_key", sa.String(), nullable=False),
        sa.Column("revision", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("recipient_name", sa.Text(), nullable=False),
        sa.Column("occupancy", sa.Text(), nullable=False),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("ends", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("queued_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint(
            "booking_key",
            "revision",
            "recipient",
            "kind",
            name=op.f("uq_notice_booking_key_revision_recipient_kind"),
        ),
    )
    op.create_index(op.f("ix_notice_link_id"), "notice", ["link_id"], unique=False)
    op.create_index("ix_notice_state", "notice", ["state", "id"], unique=False)
    op.create_table(
        "pair",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("room_id", sa.String(), nullable=False),
        sa.Column("connection", sa.String(), nullable=False),
        sa.Column("mailbox", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("titles", sa.Boolean(), nullable=False),
        sa.Column("edit_policy", sa.String(), nullable=False),
        sa.Column("clash_policy", sa.String(), nullable=False),
        sa.Column("added", sa.BigInteger(), nullable=False),
        sa.Column("removed", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pair")),
    )
    op.create_index(
        "uq_pair_mailbox_live",
        "pair",
        ["mailbox"],
        unique=True,
        sqlite_where=sa.text("removed IS NULL"),
        postgresql_where=sa.text("removed IS NULL"),
    )
    op.create_index(
        "uq_pair_room_id_live",
        "pair",
        ["room_id"],
        unique=True,
        sqlite_where=sa.text("removed IS NULL"),
        postgresql_where=sa.text("removed IS NULL"),
    )
    op.create_table(
        "process_lease",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_process_lease")),
    )
    op.create_table(
        "effect",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("pair_id", sa.String(), nullable=False),
        sa.Column("link_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=True),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["pair_id"], ["pair.id"], name=op.f("fk_effect_pair_id_pair")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_effect")),
    )
    op.create_index(op.f("ix_effect_pair_id"), "effect", ["pair_id"], unique=False)
    op.create_table(
        "link",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("pair_id", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("booking_presence", sa.String(), nullable=False),
        sa.Column("booking_key", sa.String(), nullable=True),
        sa.Column("booking_version", sa.String(), nullable=False),
        sa.Column("booking_mark", sa.BigInteger(), nullable=False),
        sa.Column("booking_fingerprint", sa.String(), nullable=False),
        sa.Column("booking_seen", sa.Text(), nullable=True),
        sa.Column("booking_created", sa.BigInteger(), nullable=True),
        sa.Column("booking_owned", sa.Boolean(), nullable=False),
        sa.Column("booking_uid", sa.String(), nullable=False),
        sa.Column("booking_reason", sa.Text(), nullable=False),
        sa.Column("booking_since", sa.BigInteger(), nullable=True),
        sa.Column("event_presence", sa.String(), nullable=False),
        sa.Column("event_key", sa.String(), nullable=True),
        sa.Column("event_version", sa.String(), nullable=False),
        sa.Column("event_mark", sa.BigInteger(), nullable=False),
        sa.Column("event_fingerprint", sa.String(), nullable=False),
        sa.Column("event_seen", sa.Text(), nullable=True),
        sa.Column("event_created", sa.BigInteger(), nullable=True),
        sa.Column("event_owned", sa.Boolean(), nullable=False),
        sa.Column("event_uid", sa.String(), nullable=False),
        sa.Column("event_reason", sa.Text(), nullable=False),
        sa.Column("event_since", sa.BigInteger(), nullable=True),
        sa.Column("base", sa.Text(), nullable=True),
        sa.Column("base_fingerprint", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("in_flight", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("pending", sa.Boolean(), nullable=False),
        sa.Column("person_name", sa.Text(), nullable=False),
        sa.Column("person_address", sa.Text(), nullable=False),
        sa.Column("seats", sa.Integer(), nullable=True),
        sa.Column("claim", sa.String(), nullable=True),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("starts", sa.BigInteger(), nullable=True),
        sa.Column("ends", sa.BigInteger(), nullable=True),
        sa.Column("unsettled", sa.Boolean(), nullable=False),
        sa.Column("redacted", sa.Boolean(), nullable=False),
        sa.Column("stored_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["pair_id"], ["pair.id"], name=op.f("fk_link_pair_id_pair")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_link")),
        sa.UniqueConstraint("pair_id", "booking_key", name=op.f("uq_link_pair_id_booking_key")),
        sa.UniqueConstraint("pair_id", "event_key", name=op.f("uq_link_pair_id_event_key")),
    )
    op.create_index("ix_link_pair_id_ends", "link", ["pair_id", "ends"], unique=False)
    op.create_index(
        "ix_link_unsettled",
        "link",
        ["pair_id"],
        unique=False,
        sqlite_where=sa.text("unsettled"),
        postgresql_where=sa.text("unsettled"),
    )
    op.create_table(
        "room_sync",
        sa.Column("pair_id", sa.String(), nullable=False),
        sa.Column("lease_owner", sa.String(), server_default=sa.text("('')"), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("calendar_cursor", sa.Text(), nullable=True),
        sa.Column("booking_cursor", sa.Text(), nullable=True),
        sa.Column("window_start", sa.BigInteger(), nullable=True),
        sa.Column("window_end", sa.BigInteger(), nullable=True),
        sa.Column("imported", sa.Boolean(), server_default=sa.text("(FALSE)"), nullable=False),
        sa.Column("halted", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("approved", sa.Boolean(), server_default=sa.text("(FALSE)"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("error", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("synced_at", sa.BigInteger(), nullable=True),
        sa.Column("compared_at", sa.BigInteger(), nullable=True),
        sa.Column("drift", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["pair_id"], ["pair.id"], name=op.f("fk_room_sync_pair_id_pair"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pair_id", name=op.f("pk_room_sync")),
    )


def downgrade() -> None:
    op.drop_table("room_sync")
    op.drop_index(
        "ix_link_unsettled",
        table_name="link",
        sqlite_where=sa.text("unsettled"),
        postgresql_where=sa.text("unsettled"),
    )
    op.drop_index("ix_link_pair_id_ends", table_name="link")
    op.drop_table("link")
    op.drop_index(op.f("ix_effect_pair_id"), table_name="effect")
    op.drop_table("effect")
    op.drop_table("process_lease")
    op.drop_index(
        "uq_pair_room_id_live",
        table_name="pair",
        sqlite_where=sa.text("removed IS NULL"),
        postgresql_where=sa.text("removed IS NULL"),
    )
    op.drop_index(
        "uq_pair_mailbox_live",
        table_name="pair",
        sqlite_where=sa.text("removed IS NULL"),
        postgresql_where=sa.text("removed IS NULL"),
    )
    op.drop_table("pair")
    op.drop_index("ix_notice_state", table_name="notice")
    op.drop_index(op.f("ix_notice_link_id"), table_name="notice")
    op.drop_table("notice")
    op.drop_table("meta")
    op.drop_table("hub_token")
    op.drop_table("hub_room")
    op.drop_table("hub_counter")
    op.drop_index("ix_hub_change_room_number", table_name="hub_change")
    op.drop_table("hub_change")
    op.drop_index(
        "uq_hub_booking_tag",
        table_name="hub_booking",
        sqlite_where=sa.text("status IN ('pending', 'confirmed')"),
        postgresql_where=sa.text("status IN ('pending', 'confirmed')"),
    )
    op.drop_index(
        "uq_hub_booking_external",
        table_name="hub_booking",
        sqlite_where=sa.text("status != 'cancelled'"),
        postgresql_where=sa.text("status != 'cancelled'"),
    )
    op.drop_index("ix_hub_booking_room_end", table_name="hub_booking")
    op.drop_table("hub_booking")
    op.drop_table("hub_answer")
    op.drop_index(op.f("ix_conflict_pair_id"), table_name="conflict")
    op.drop_index(op.f("ix_conflict_link_id"), table_name="conflict")
    op.drop_table("conflict")
    op.drop_index(op.f("ix_audit_link_id"), table_name="audit")
    op.drop_table("audit")
