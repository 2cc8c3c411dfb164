"""``CalendarSide`` over Exchange Web Services: room mailboxes of Exchange Server.

Built on exchangelib's protocol and service layer (sessions, sign-in, SOAP headers); requests are
made and answers read as XML here, because exchangelib's items lose what sync needs (ADR 0017).
"""
