"""The channels of notices, as the settings have them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from calsync.adapters.notify.apprise_post import ApprisePost
from calsync.adapters.notify.graph_mail import GraphMail
from calsync.adapters.notify.mail import Sender
from calsync.adapters.notify.smtp_mail import Server, SmtpMail
from calsync.adapters.notify.switchboard import WEBHOOKS, Mailer, SharedPost, Switchboard
from calsync.adapters.notify.webhook_post import Outbox, WebhookNotices
from calsync.adapters.notify.wording import Manners, Words
from calsync.adapters.wrap.port import Caller
from calsync.model import NoticeKind
from calsync.ports import Audience
from calsync.settings import Settings, Smtp


def mailed(settings: Settings) -> frozenset[NoticeKind]:
    """The kinds that are mailed to whoever booked."""
    notices = settings.notices
    return frozenset(NoticeKind(kind) for kind in notices.kinds if notices.enabled)


def audiences(settings: Settings) -> tuple[Audience, ...]:
    """Who else is told."""
    found = [
        Audience(
            name=channel.name,
            kinds=frozenset(map(NoticeKind, channel.kinds)),
            rooms=frozenset(channel.rooms),
            details=channel.details,
        )
        for channel in settings.channels
    ]
    kinds = frozenset(map(NoticeKind, settings.notices.webhook_kinds))
    return (*found, *([Audience(name=WEBHOOKS, kinds=kinds)] if kinds else []))


def lead(settings: Settings) -> timedelta:
    """How long before its start a booking is about to start."""
    return timedelta(seconds=settings.notices.lead)


def words(settings: Settings, now: Callable[[], datetime]) -> Words:
    notices = settings.notices
    manners = Manners(
        language=notices.language,
        languages=dict(notices.languages),
        titles=notices.titles,
        calendar=notices.calendar,
        folder=notices.templates,
        organizer=notices.sender,
    )
    return Words(manners, now=now)


def switchboard(
    settings: Settings,
    *,
    graph: Caller | None,
    outbox: Outbox,
    now: Callable[[], datetime],
) -> Switchboard | None:
    """None where nobody is told anything. ``graph``: the connection through which mail leaves.
    Nothing is read or sent yet but the admin's templates, which are tried. Raises UsageError."""
    notices = settings.notices
    mailer = _mailer(settings, graph, now) if notices.enabled else None
    shared: dict[str, tuple[SharedPost, str]] = {
        channel.name: (
            ApprisePost(channel.name, channel.url.read),
            channel.language or notices.language,
        )
        for channel in settings.channels
    }
    webhooks = WebhookNotices(outbox) if notices.webhook_kinds else None
    if mailer is None and not shared and webhooks is None:
        return None
    said = words(settings, now)
    said.check()
    return Switchboard(said, mailer=mailer, shared=shared, webhooks=webhooks)


def _mailer(settings: Settings, graph: Caller | None, now: Callable[[], datetime]) -> Mailer | None:
    notices = settings.notices
    if notices.via == "graph":
        return GraphMail(graph, sender=notices.sender) if graph is not None else None
    sender = Sender(notices.sender, notices.sender_name)
    return SmtpMail(_server(settings.smtp), sender=sender, now=now)


def _server(smtp: Smtp) -> Server:
    password = smtp.password
    return Server(
        host=smtp.host,
        port=smtp.port,
        security=smtp.security,
        ca_file=smtp.ca_file,
        user=smtp.user,
        password=password.read if password is not None else None,
        timeout=smtp.timeout,
    )
