"""Works for a time and reports, in one of several modes."""

import asyncio
import os
from datetime import datetime, timezone

import boto3
from herald_reporter import Reporter, Step, result_prefix


def handler(event, context):
    mode = event["mode"]
    job = "album-parts" if mode.startswith("part-") else event["jobId"]
    reporter = Reporter(
        boto3.client("lambda"),
        os.environ["NOTIFIER_FUNCTION_NAME"],
        user_id=event["userId"],
        upload_id=job,
        file_name=event["title"],
        epoch=event["epoch"],
        part=mode if mode.startswith("part-") else None,
    )
    if mode == "steady":
        asyncio.run(steady(reporter, event["userId"]))
        return
    if mode == "unclosed":
        reporter.end("failed", "not closed")
        return
    with reporter:
        reporter.phase("thumbnails", steps=10, rows=True)
        if mode == "crash":
            reporter.update(5)
            reporter.flush()
            reporter.update(6)
            os._exit(3)
        reporter.reject()
        reporter.update(4)


async def steady(reporter, user_id):
    """Work as a program of asyncio does, which must never wait for a push."""
    async with reporter:
        began = datetime(2026, 11, 22, 10, tzinfo=timezone.utc)
        reporter.list_steps([Step("fetch", began, "succeeded"), Step("thumbnails", title='Making "thumbnails"')])
        reporter.phase("thumbnails", steps=100, rows=True)
        for n in range(100):
            await asyncio.sleep(0.01)
            reporter.update(n + 1)
        reporter.set_result(result_prefix(user_id) + "album.zip")
        reporter.end("succeeded", "done")
    assert reporter.stats.failed == 0, reporter.stats
