"""Works for a time and reports, in one of several modes."""

import asyncio
import os

import boto3
from herald_reporter import Reporter


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
        asyncio.run(steady(reporter))
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


async def steady(reporter):
    """Work as a program of asyncio does, which must never wait for a push."""
    async with reporter:
        reporter.phase("thumbnails", steps=100, rows=True)
        for n in range(100):
            await asyncio.sleep(0.01)
            reporter.update(n + 1)
        reporter.end("succeeded", "done")
    assert reporter.stats.failed == 0, reporter.stats
