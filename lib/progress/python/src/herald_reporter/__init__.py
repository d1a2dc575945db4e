"""Reports the progress of a worker to its user's browser.

Each push is one invocation of Herald's notifier by a boto3 client of the caller. See README.md.
"""

from ._notifier import InvalidMessage, PayloadTooLarge, RefusedError
from ._pusher import Stats
from ._reporter import Reporter
from ._result import result_prefix
from ._steps import Step

__all__ = ["InvalidMessage", "PayloadTooLarge", "RefusedError", "Reporter", "Stats", "Step", "result_prefix"]
