"""Plans an album: says which pictures there are. It tells the user's browser that the work has begun."""

import json
import os
import urllib.request

try:
    import boto3  # Lambda's own runtime has it.
except ImportError:
    boto3 = None


def handler(event, context):
    job = {name: event[name] for name in ("userId", "jobId", "epoch", "execution")}
    pictures = [f"{job['jobId']}/{number}.jpg" for number in range(1, 6)]
    print("found", len(pictures), "pictures of", job["jobId"])
    notify(job, 10, f"Found {len(pictures)} pictures")
    return {"job": {**job, "total": len(pictures)}, "pictures": pictures}


def notify(job, progress, text):
    """Invokes the notifier, which stores the state and posts it to the user's tabs."""
    request = {
        "userId": job["userId"], "epoch": job["epoch"], "execution": job["execution"],
        "message": {"type": "upload_progress", "data": {
            "uploadId": job["jobId"], "fileName": job["jobId"], "phase": "plan", "progress": progress, "message": text}},
    }
    name, payload = os.environ["NOTIFIER_FUNCTION_NAME"], json.dumps(request).encode()
    if boto3:
        return boto3.client("lambda").invoke(FunctionName=name, Payload=payload)
    url = f"{os.environ['AWS_ENDPOINT_URL']}/2015-03-31/functions/{name}/invocations"
    with urllib.request.urlopen(urllib.request.Request(url, payload)) as response:
        return response.read()
