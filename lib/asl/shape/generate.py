"""Writes shapes.jsonl: what the operations of AWS's services return, from the service models of botocore (Apache-2.0).

Run it with a Python that has botocore: python generate.py > shapes.jsonl
A line is a service: its name in the States Language, its operations with the shape of their output, and its shapes. A shape is
  "s" a string, "n" a number, "b" a boolean, "a" any value, each with bounds or values: ["s", min, max, [values]], ["n", min, max]
  ["l", shape] a list, ["m", shape] a map, {name: shape} a structure, whose required fields have a name with a final "!",
  "#name" a shape of the service by name.
"""

import json

import botocore.session

SERVICES = {
    "lambda": "lambda", "dynamodb": "dynamodb", "s3": "s3", "sqs": "sqs", "sns": "sns", "events": "events",
    "kms": "kms", "sfn": "stepfunctions", "secretsmanager": "secretsmanager",
    "sts": "sts", "scheduler": "scheduler",
}
SCALARS = {
    "string": "s", "character": "s", "blob": "s", "timestamp": "s", "boolean": "b",
    "integer": "n", "long": "n", "float": "n", "double": "n",
}
# Step Functions has an older model of these shapes: a call of TestState that was recorded on AWS refuses 10,241 MB of memory.
OLDER = {"MemorySize": ["n", 128, 10240]}


def convert(shape, shapes):
    kind = shape.type_name
    if shape.name in OLDER:
        return OLDER[shape.name]
    if kind in SCALARS:
        letter, meta = SCALARS[kind], shape.metadata
        low, high, values = meta.get("min"), meta.get("max"), meta.get("enum")
        if kind == "timestamp" or low is None and high is None and not values:
            return letter
        return [letter, low, high] + ([values] if values else [])
    if kind == "list":
        return ["l", convert(shape.member, shapes)]
    if kind == "map":
        return ["m", convert(shape.value, shapes)]
    if shape.name not in shapes:
        shapes[shape.name] = {}
        members = {
            name + ("!" if name in shape.required_members else ""): convert(member, shapes)
            for name, member in shape.members.items()
        }
        shapes[shape.name] = members
    return "#" + shape.name


session = botocore.session.get_session()
for service, model_name in SERVICES.items():
    model, shapes, operations = session.get_service_model(model_name), {}, {}
    for name in model.operation_names:
        output = model.operation_model(name).output_shape
        if output is not None:
            operations[name[0].lower() + name[1:]] = convert(output, shapes)[1:]
    print(json.dumps({"service": service, "operations": operations, "shapes": shapes}, separators=(",", ":")))
