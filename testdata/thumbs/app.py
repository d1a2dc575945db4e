import time


def handler(event, context):
    print("make a thumbnail of", event["jobId"])
    time.sleep(2)
    return event["width"] // 2
