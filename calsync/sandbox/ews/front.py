"""The EWS front: one callable that takes an HTTP request and gives an HTTP answer, no sockets.

It stands beside the Graph front over the same world, with the same faults, counts and call log. An
operation is named in the log and to faults as `method`, its mailbox in the path.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .. import faults as fault_kinds
from ..faults import Fault
from ..graph.request import Response
from ..problems import Refusal
from ..throttle import Throttle
from . import faulty, grammar, header
from .accounts import Accounts
from .call import Call, SoapFault, code_of
from .envelope import answer, fault_response, unauthorized, values
from .operations import OPERATIONS
from .store import Stores
from .streams import Subscriptions
from .sync import Rounds
from .xml import MESSAGES, SOAP, BadXml, Node, parse

if TYPE_CHECKING:
    from ..graph.front import GraphFront
    from ..world import World

PATH = "/ews/exchange.asmx"


class EwsFront:
    """EWS of one world. `denial`: what Exchange says where a right is missing."""

    def __init__(self, graph: GraphFront) -> None:
        self.graph = graph
        self.denial = "ErrorAccessDenied"
        self.backoff_ms = 5000
        self.status_seconds = 45.0
        # EWSMaxConcurrency of the default throttling policy; calls are only at once on a socket.
        self.throttle = Throttle(concurrent=27)
        self.reset()

    def reset(self) -> None:
        """A fresh start over the world that the Graph front has now."""
        self.accounts = Accounts(self.world)
        self.stores = Stores(self.world)
        self.world.discard = self.stores.discard
        self.rounds = Rounds()
        self.subscriptions = Subscriptions(self.world)

    @property
    def world(self) -> World:
        """The world served."""
        return self.graph.world

    @property
    def base(self) -> str:
        """Scheme and host that links in answers begin with."""
        return self.graph.base

    @staticmethod
    def serves(target: str) -> bool:
        """Whether a request target is EWS's."""
        path = target.partition("?")[0]
        if "://" in path:
            path = "/" + path.partition("://")[2].partition("/")[2]
        return path.casefold().startswith("/ews/")

    def handle(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Response:
        """Answer one request. Never raises for what a client sends."""
        self.world.settle()
        lowered = {name.lower(): value for name, value in headers.items()}
        path = "/" + target.partition("://")[2].partition("/")[2] if "://" in target else target
        if path.partition("?")[0].casefold() != PATH:
            return Response(404, {"Content-Type": "text/html"}, b"<html>Not Found</html>")
        account = self.accounts.login(lowered.get("authorization", ""))
        if account is None:
            return self._finish("login", "", None, unauthorized(), lowered, {})
        if method.upper() != "POST":
            page = b"<html><body>You have created a service.</body></html>"
            return Response(200, {"Content-Type": "text/html; charset=utf-8"}, page)
        if "xml" not in lowered.get("content-type", "").casefold():
            return Response(415, {}, b"")
        operation, call = "unknown", None
        try:
            envelope = self._envelope(body)
            request = self._body(envelope)
            operation = request.name
            if operation in OPERATIONS:
                grammar.check(request)
            call = header.read(self, account, envelope, request, lowered)
            response = self._faulty(call) if self.graph.faults.armed else self._handled(call)
        except SoapFault as fault:
            response = fault_response(fault)
        except Refusal as refusal:
            response = fault_response(
                SoapFault(code_of(refusal), refusal.message, detail=values(refusal))
            )
        flags = call.flags if call is not None else {}
        mailbox = str(flags.get("mailbox", ""))
        return self._finish(operation, mailbox, account.name, response, lowered, flags)

    def _envelope(self, body: bytes) -> Node:
        try:
            envelope = parse(body)
        except BadXml as error:
            raise SoapFault("ErrorSchemaValidation", str(error)) from None
        if envelope.name != "Envelope" or envelope.space != SOAP:
            raise SoapFault("ErrorSchemaValidation", "The request is no SOAP 1.1 envelope.")
        return envelope

    def _body(self, envelope: Node) -> Node:
        body = envelope.find("Body")
        if body is None or len(body.kids) != 1 or body.kids[0].space != MESSAGES:
            raise SoapFault(
                "ErrorInvalidRequest", "The request is invalid: its body is no request of EWS."
            )
        return body.kids[0]

    def _handled(self, call: Call) -> Response:
        work = OPERATIONS.get(call.operation)
        if work is None:
            raise SoapFault(
                "ErrorInvalidOperation",
                f"The operation '{call.operation}' is not available here.",
            )
        return answer(call, work(call))

    def too_many_at_once(self, _: str) -> Response:
        """One call more than an account may have open, answered by the transport."""
        self.throttle.refused["concurrency"] += 1
        self._record("any", "", None, 500, {})
        fault = SoapFault(
            "ErrorExceededConnectionCount",
            "You have exceeded the available concurrent connections for your account. Try again "
            "once your other requests have completed.",
        )
        return fault_response(fault)

    def strikes(self, call: Call, kinds: tuple[str, ...]) -> list[Fault]:
        """Faults of these kinds that strike at this point of a call."""
        faults = self.graph.faults
        if not faults.armed:
            return []
        struck = faults.pick(kinds, call.operation, self._where(call))
        for one in struck:
            call.flags.setdefault("faults", []).append(one.kind)
        return struck

    def _where(self, call: Call) -> str:
        return f"/EWS/Exchange.asmx/{call.flags.get('mailbox', '')}"

    def _faulty(self, call: Call) -> Response:
        faulty.name_mailbox(call)
        for fault in self.strikes(call, (*fault_kinds.BEFORE, *fault_kinds.EWS_BEFORE)):
            struck = faulty.before(call, fault)
            if struck is not None:
                call.flags["operation"] = f"fault {fault.kind}"
                return struck
        for fault in self.strikes(call, tuple(fault_kinds.DURING)):
            call.flags[fault_kinds.DURING[fault.kind]] = fault.params.get("seconds", 30)
        try:
            response = self._handled(call)
        except SoapFault as problem:
            response = fault_response(problem)
        stream = response.stream
        if call.flags.get("broken_after"):
            response = Response(503, {"Content-Type": "text/html"}, b"<html>Unavailable</html>")
        for fault in self.strikes(call, fault_kinds.AFTER):
            response = faulty.after(fault, response)
        if stream is not None and response.stream is None:
            # A connection whose beginning was lost is over.
            stream.close()
        response.delay_s += float(call.flags.get("delay_s", 0.0))
        return response

    def _finish(
        self,
        operation: str,
        mailbox: str,
        account: str | None,
        response: Response,
        headers: Mapping[str, str],
        flags: Mapping[str, object],
    ) -> Response:
        if response.fate != "drop":
            response.headers.setdefault("request-id", self.world.request_id())
            if headers.get("return-client-request-id", "").casefold() == "true":
                known = headers.get("client-request-id")
                if known:
                    response.headers["client-request-id"] = known
        self._record(operation, mailbox, account, response.status, flags)
        return response

    def _record(
        self,
        operation: str,
        mailbox: str,
        account: str | None,
        status: int,
        flags: Mapping[str, object],
    ) -> None:
        """Count the call and put it into the call log, the one that Graph's calls are in."""
        self.graph.counts[(operation, f"EWS {operation}", mailbox, status)] += 1
        reads = operation.startswith(("Get", "Find", "Sync", "Resolve", "Convert", "Expand"))
        if self.graph.log_reads or not reads:
            spoiled = {"faults": flags["faults"]} if "faults" in flags else {}
            self.graph.calls.append(
                {
                    "n": len(self.graph.calls) + 1,
                    "time": self.world.iso(),
                    "method": operation,
                    "path": "/EWS/Exchange.asmx",
                    "operation": f"EWS {operation}",
                    "mailbox": mailbox,
                    "app": account,
                    "status": status,
                    **spoiled,
                }
            )
