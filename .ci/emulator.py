#!/usr/bin/env python3
"""Serves ministack, an emulator of AWS, with two resource types of CloudFormation that it lacks.

The types are the responses of a WebSocket API. ministack has the operations that they need, but no type that calls them.
"""

import json
import sys

import ministack.app
from ministack.services import apigateway
from ministack.services.cloudformation import provisioners


def answered(response):
    """Returns the body of an operation's answer, or raises its error."""
    status, _headers, body = response
    if status >= 400:
        raise ValueError(body.decode())
    return json.loads(body) if body else {}


def lower_keys(properties):
    """Returns the properties of a resource as the API names them: ApiId is apiId."""
    return {name[0].lower() + name[1:]: value for name, value in properties.items()}


class ResponseType:
    """A resource type whose resources are the responses of a route or of an integration."""

    def __init__(self, kind):
        self.owner = kind + "Id"  # the property with the id of the route or the integration
        operations = f"{kind.lower()}_response"
        self.create_one = getattr(apigateway, f"_create_{operations}")
        self.update_one = getattr(apigateway, f"_update_{operations}")
        self.delete_one = getattr(apigateway, f"_delete_{operations}")
        self.id = f"{kind.lower()}ResponseId"

    def place(self, properties):
        """Returns the ids of the API and of the owner. A reference to a route may have a path before its id."""
        return properties["ApiId"], properties[self.owner].rsplit("/", 1)[-1]

    def create(self, _logical_id, properties, _stack):
        made = answered(self.create_one(*self.place(properties), lower_keys(properties)))
        return made[self.id], {}

    def update(self, physical_id, _old, new, _stack, logical_id=None):
        answered(self.update_one(*self.place(new), physical_id, lower_keys(new)))
        return physical_id, {}

    def delete(self, physical_id, properties):
        self.delete_one(*self.place(properties), physical_id)


for kind in ("Route", "Integration"):
    resource = ResponseType(kind)
    provisioners._RESOURCE_HANDLERS[f"AWS::ApiGatewayV2::{kind}Response"] = {
        "create": resource.create,
        "update": resource.update,
        "update_with_logical_id": True,
        "delete": resource.delete,
    }

if __name__ == "__main__":
    sys.exit(ministack.app.main())
