"""Reports the progress of a worker to its user's browser.

Each push is one invocation of Herald's notifier by a boto3 client of the caller. See README.md.
"""

from ._notifier import InvalidMessage, PayloadTooLarge, RefusedError
from ._reporter import Reporter, Stats

__all__ = ["InvalidMessage", "PayloadTooLarge", "RefusedError", "Reporter", "Stats"]
