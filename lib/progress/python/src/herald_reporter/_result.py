"""Where the result of a job is."""

import base64
import ipaddress
import re

from ._text import json_bytes, valid

_MAX_URL, _MAX_KEY = 4096, 1024  # the limits of lib/message/limits.go; a URL in bytes of JSON

_CHARACTER = r"[^\x00-\x20\x7f\\%#]|%[0-9A-Fa-f]{2}"
_URL = re.compile(
    r"[Hh][Tt][Tt][Pp][Ss]://"
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|[A-Za-z0-9._~!$&'()*+,;=\x80-\U0010ffff-]+)(?::[0-9]*)?"
    rf"(?:/(?:(?!\?)(?:{_CHARACTER}))*)?"
    r"(?:\?[^\x00-\x20\x7f\\#]*)?"
    rf"(?:\#(?:#|{_CHARACTER})*)?"
)
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffd]")  # in a key


def result_prefix(user_id: str) -> str:
    """Return the prefix of the keys of a user's results in S3."""
    return f"results/{base64.urlsafe_b64encode(user_id.encode()).decode().rstrip('=')}/"


def is_result(user_id: str, result: str) -> bool:
    """Report whether result is an https URL, or a key of S3 under the user's own results."""
    if not valid(result):
        return False
    if not result.startswith("results/"):
        return json_bytes(result) - 2 <= _MAX_URL and _is_url(result)
    own = result.startswith(result_prefix(user_id)) and len(result.encode()) <= _MAX_KEY
    return own and not _FORBIDDEN.search(result) and not {"", ".", ".."} & set(result.split("/"))


def _is_url(result: str) -> bool:
    """Report whether the notifier accepts a URL. A URL that it refused would prevent the end of the job.

    Some hosts that no server can have are refused, too.
    """
    url = _URL.fullmatch(result)
    if not url:
        return False
    try:
        ipaddress.IPv6Address(url["ipv6"] or "::")
    except ValueError:
        return False
    return True
