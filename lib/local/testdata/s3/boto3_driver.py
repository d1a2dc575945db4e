"""Carries out S3 operations with boto3: one JSON request a line in, one JSON answer a line out. ../../s3clients_test.go drives it.

usage: boto3_driver.py ENDPOINT KEY SECRET
"""

import json
import re
import sys

import boto3
from botocore.client import Config
from botocore.exceptions import BotoCoreError, ClientError

endpoint, key, secret = sys.argv[1:]
s3 = boto3.client(
    "s3", endpoint_url=endpoint, aws_access_key_id=key, aws_secret_access_key=secret, region_name="us-east-1",
    config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
)  # fmt: skip


def call(operation, parameters, body):
    match operation:
        case "PresignGet":
            return {"URL": s3.generate_presigned_url("get_object", Params=parameters)}
        case "PresignPut":
            return {"URL": s3.generate_presigned_url("put_object", Params=parameters)}
        case "PresignPost":
            return s3.generate_presigned_post(**parameters)
        case "Upload":
            return s3.upload_file(parameters.pop("File"), **parameters)
        case "Copy":
            bucket, source = parameters.pop("CopySource").split("/", 1)
            return s3.copy({"Bucket": bucket, "Key": source}, **parameters)
        case "Download":
            return s3.download_file(parameters["Bucket"], parameters["Key"], parameters["File"])
    if body is not None:
        parameters["Body"] = body.encode()
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", operation).lower()
    return getattr(s3, name)(**parameters)


for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = call(request["operation"], request["parameters"], request.get("body")) or {}
        answer["Status"] = answer.pop("ResponseMetadata", {}).get("HTTPStatusCode", 200)
        if "Body" in answer:
            answer["Body"] = answer["Body"].read().decode()
    except ClientError as error:
        answer = {"Error": error.response["Error"]["Code"], "Status": error.response["ResponseMetadata"]["HTTPStatusCode"]}
    except BotoCoreError as error:  # such as a response that boto3 does not understand
        answer = {"Error": repr(error)}
    print(json.dumps(answer, default=str), flush=True)
