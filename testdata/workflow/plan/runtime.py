"""A client of the Lambda Runtime API, for machines without awslambdaric. Start it with the handler: runtime.py app.handler"""

import importlib
import json
import os
import sys
import traceback
import types
import urllib.error
import urllib.request

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime"


def post(path, body):
    try:
        urllib.request.urlopen(urllib.request.Request(API + path, body.encode())).close()
    except urllib.error.HTTPError as error:
        print("the Runtime API answers", error)  # It refuses what is too large, and has ended the invocation.


def failure(error):
    return json.dumps({"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": traceback.format_exc().splitlines()})


try:
    module, name = sys.argv[1].rsplit(".", 1)
    handler = getattr(importlib.import_module(module), name)
except BaseException as error:
    post("/init/error", failure(error))
    raise

while True:
    with urllib.request.urlopen(API + "/invocation/next") as response:
        event, headers = json.load(response), response.headers
    context = types.SimpleNamespace(
        aws_request_id=headers["Lambda-Runtime-Aws-Request-Id"],
        invoked_function_arn=headers["Lambda-Runtime-Invoked-Function-Arn"],
        function_name=os.environ["AWS_LAMBDA_FUNCTION_NAME"],
    )
    try:
        result = json.dumps(handler(event, context))
    except Exception as error:
        post(f"/invocation/{context.aws_request_id}/error", failure(error))
    else:
        post(f"/invocation/{context.aws_request_id}/response", result)
    sys.stdout.flush()
