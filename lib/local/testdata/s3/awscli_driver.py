"""Carries out S3 operations with the AWS CLI in this process: one JSON request a line in, one JSON answer a line out.

It must run under the interpreter of the CLI. ../../s3clients_test.go drives it.

usage: awscli_driver.py ENDPOINT KEY SECRET
"""

import contextlib
import io
import json
import os
import re
import sys
import tempfile

from awscli.clidriver import create_clidriver

endpoint, key, secret = sys.argv[1:]
folder = tempfile.mkdtemp()
os.environ.update(
    AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret, AWS_DEFAULT_REGION="us-east-1", AWS_MAX_ATTEMPTS="1", AWS_PAGER="",
    AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_EC2_METADATA_DISABLED="true",
)  # fmt: skip


cli = create_clidriver()


def kebab(name):
    """Returns a name of the API as the CLI writes it."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def run(*arguments):
    """Returns what the command printed, or its error."""
    stdout, stderr = io.TextIOWrapper(io.BytesIO()), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            # "s3api get-object" leaves a handler that takes the body away from "s3 cp".
            status = (cli if arguments[0] == "s3api" else create_clidriver()).main(["--endpoint-url", endpoint, "--output", "json", *arguments])
        except SystemExit as end:
            status = end.code
        stdout.flush()
    text = stdout.buffer.getvalue().decode()
    if not status:
        return text, None
    code = re.search(r"An error occurred \((\w+)\)", stderr.getvalue())
    return text, code.group(1) if code else stderr.getvalue()


def call(operation, parameters, body):
    url = f"s3://{parameters.get('Bucket')}/{parameters.get('Key')}"
    match operation:
        case "PresignGet":
            text, error = run("s3", "presign", url)
            return {"URL": text.strip()}, error
        case "Upload":
            return {}, run("s3", "cp", "--no-progress", parameters["File"], url)[1]
        case "Copy":
            return {}, run("s3", "cp", "--no-progress", "s3://" + parameters["CopySource"], url)[1]
        case "Download":
            return {}, run("s3", "cp", "--no-progress", url, parameters["File"])[1]

    arguments = [kebab(operation)]
    for name, value in parameters.items():
        arguments += ["--" + kebab(name), value if isinstance(value, str) else json.dumps(value)]
    content = os.path.join(folder, "content")
    if body is not None:
        with open(content, "w", encoding="utf-8", newline="") as file:
            file.write(body)
        arguments += ["--body", content]
    if operation == "GetObject":
        arguments.append(content)
    text, error = run("s3api", *arguments)
    answer = json.loads(text) if text.strip() and not error else {}
    if operation == "GetObject" and not error:
        with open(content, encoding="utf-8", newline="") as file:
            answer["Body"] = file.read()
    return answer, error


for line in sys.stdin:
    request = json.loads(line)
    answer, error = call(request["operation"], request["parameters"], request.get("body"))
    print(json.dumps({"Error": error} if error else answer), flush=True)
