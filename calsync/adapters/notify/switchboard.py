"""Which channel carries a notice, and in which words: the ``Notifier`` port over all of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from calsync.adapters.notify.letter import Letter
from calsync.adapters.notify.wording import Words
from calsync.model import MAIL, Notice, Pair, Person, Room
from calsync.ports import Delivery, DeliveryReport

log = logging.getLogger("calsync.notices")


class Mailer(Protocol):
    """Brings a letter to a person. Never raises."""

    def post(self, to: Person, letter: Letter) -> DeliveryReport: ...


class SharedPost(Protocol):
    """Brings a letter to a shared channel. Never raises."""

    def post(self, letter: Letter) -> DeliveryReport: ...


@runtime_checkable
class CanBeChecked(Protocol):
    """A channel that can be tried without sending."""

    def check(self) -> str: ...


class HandOver(Protocol):
    """Takes the notice as it is: webhooks, which have a form of their own. Never raises."""

    def tell(self, pair: Pair, notice: Notice) -> DeliveryReport: ...


class Switchboard:
    """A ``Notifier``. ``mailer`` None: no mail is sent. ``shared``: by name, each with the language
    it is written to in. ``webhooks`` stands in the ledger as a channel of that name."""

    def __init__(
        self,
        words: Words,
        *,
        mailer: Mailer | None = None,
        shared: Mapping[str, tuple[SharedPost, str]] | None = None,
        webhooks: HandOver | None = None,
    ) -> None:
        self._words = words
        self._mailer, self._shared, self._webhooks = mailer, dict(shared or {}), webhooks

    @property
    def names(self) -> list[str]:
        """The channels that a message can be sent to for a test."""
        return [*([MAIL] if self._mailer is not None else []), *self._shared]

    def check(self) -> Mapping[str, str]:
        """What stands in the way of each channel that can be tried without sending; empty where
        nothing does."""
        posts: dict[str, object] = {MAIL: self._mailer}
        posts |= {name: post for name, (post, _) in self._shared.items()}
        return {
            name: post.check() for name, post in posts.items() if isinstance(post, CanBeChecked)
        }

    def deliver(self, pair: Pair, room: Room | None, notice: Notice) -> DeliveryReport:
        """Never raises."""
        channel = notice.channel
        if channel == WEBHOOKS and self._webhooks is not None:
            return self._webhooks.tell(pair, notice)
        mailed = channel == MAIL and self._mailer is not None
        if not mailed and channel not in self._shared:
            reason = f"channel {channel} is not in the settings any more"
            return DeliveryReport(delivery=Delivery.REFUSED, reason=reason)
        try:
            language = "" if mailed else self._shared[channel][1]
            letter = self._words.letter(pair, room, notice, language)
        except Exception as error:
            # One notice that cannot be put into words must not stop the rest. Nothing was sent.
            log.exception("notices: one cannot be put into words")
            reason = f"it cannot be put into words ({type(error).__name__}); the log has it all"
            return DeliveryReport(delivery=Delivery.REFUSED, reason=reason)
        if mailed and self._mailer is not None:
            return self._mailer.post(notice.person, letter)
        return self._shared[channel][0].post(letter)

    def test(self, channel: str, to: Person) -> DeliveryReport:
        """Send a message that only shows that messages arrive: by mail to a person, or there."""
        if channel == MAIL and self._mailer is not None:
            letter = self._words.test(self._words.language_of(to.address))
            return self._mailer.post(to, letter)
        post, language = self._shared[channel]
        return post.post(self._words.test(language))


WEBHOOKS = "webhooks"
