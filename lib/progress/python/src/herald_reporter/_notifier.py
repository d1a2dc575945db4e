"""One invocation of the notifier, and what its answer means."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import threading

    from ._clock import Clock

PUBLISH_TIMEOUT = 3.0
_MAX_HUNG = 2  # invocations that were given up and still run
LOG = logging.getLogger("herald_reporter")

Outcome = Literal["published", "pending", "failed", "refused"]


class RefusedError(Exception):
    """The notifier refused a request. The text names the field and the rule, never the value."""


class InvalidMessage(RefusedError):  # noqa: N818 # the notifier's name
    """A field is missing or breaks its rule."""


class PayloadTooLarge(RefusedError):  # noqa: N818 # the notifier's name
    """The message is over a limit in bytes."""


_REFUSED = {"InvalidMessage": InvalidMessage, "PayloadTooLarge": PayloadTooLarge}


class LambdaClient(Protocol):
    """What the Reporter needs of boto3.client("lambda")."""

    def invoke(self, **kwargs: Any) -> Any:  # noqa: ANN401 # boto3 has no types of its own
        """Invoke a function."""


class Notifier:
    """Invokes the notifier. One thread calls it at a time."""

    def __init__(self, client: LambdaClient, function: str, clock: Clock) -> None:
        """Invoke the function of this name or ARN with client."""
        self._client, self._function, self._clock = client, function, clock
        self._hung: list[threading.Event] = []

    def after_fork(self) -> None:
        """Forget the threads of the parent process."""
        self._hung = []

    def send(self, request: dict[str, Any]) -> tuple[Outcome, RefusedError | None]:
        """Invoke the notifier, in a thread of its own, because boto3 cannot end a call that hangs.

        If no thread can start, the call may take as long as the client lets it.
        """
        payload = json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()
        results: list[tuple[Outcome, RefusedError | None]] = []
        ended = self._clock.event()

        def call() -> None:
            results.append(self._invoke(payload))
            ended.set()

        self._hung = [event for event in self._hung if not event.is_set()]
        if len(self._hung) < _MAX_HUNG:
            if not self._clock.start(call):
                call()
            elif not self._clock.wait(ended, PUBLISH_TIMEOUT):
                self._hung.append(ended)
                LOG.warning("push timed out")
        return results[0] if results else ("failed", None)

    def _invoke(self, payload: bytes) -> tuple[Outcome, RefusedError | None]:
        try:
            answer = self._client.invoke(FunctionName=self._function, Payload=payload)
            result = json.loads(answer["Payload"].read())
        except Exception as err:  # noqa: BLE001 # whatever the client raises, the work goes on
            LOG.warning("push failed: %s", type(err).__name__)  # its text may have parts of the request
            return "failed", None
        result = result if isinstance(result, dict) else {}
        if not answer.get("FunctionError"):
            return "pending" if result.get("pending") else "published", None
        name = str(result.get("errorType"))
        LOG.warning("push failed: %s", name)
        if name not in _REFUSED:
            return "failed", None
        return "refused", _REFUSED[name](str(result.get("errorMessage")))
