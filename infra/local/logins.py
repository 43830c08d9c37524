"""Adds a person for each role to the user pool of the console. They exist only on this machine."""

from __future__ import annotations

from typing import Any

ROLES = ("viewer", "operator", "admin")
PASSWORD = "Only-on-this-machine-1"


def name_of(role: str) -> str:
    return f"{role}@example.com"


def add(cognito: Any, user_pool: str) -> None:
    for role in ROLES:
        person = {"UserPoolId": user_pool, "Username": name_of(role)}
        attributes = [{"Name": "email", "Value": name_of(role)}, {"Name": "email_verified", "Value": "true"}]
        cognito.admin_create_user(
            **person, UserAttributes=attributes, TemporaryPassword=PASSWORD, MessageAction="SUPPRESS"
        )
        cognito.admin_set_user_password(**person, Password=PASSWORD, Permanent=True)
        cognito.admin_add_user_to_group(**person, GroupName=role)
