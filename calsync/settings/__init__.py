"""TOML → frozen settings. Parsing has no side effects: no secret is read, nothing is opened
but the settings file itself."""

from calsync.settings.model import (
    Api,
    BookingSource,
    Connection,
    Database,
    GuardLimits,
    Log,
    Platform,
    Policy,
    Retention,
    RoomEntry,
    Settings,
    SyncWindow,
    Webhooks,
    Worker,
)
from calsync.settings.notices import Channel, Notices, Smtp
from calsync.settings.reader import load, parse
from calsync.settings.secret import SecretRef

__all__ = [
    "Api",
    "BookingSource",
    "Channel",
    "Connection",
    "Database",
    "GuardLimits",
    "Log",
    "Notices",
    "Platform",
    "Policy",
    "Retention",
    "RoomEntry",
    "SecretRef",
    "Settings",
    "Smtp",
    "SyncWindow",
    "Webhooks",
    "Worker",
    "load",
    "parse",
]
