"""Runs the Runtime API's loop and nothing else. Lambda's own loop is heavier, so this one is no handicap."""

import http.client
import json
import os
import socket
import time

ROOT = "/2018-06-01/runtime/invocation/"


class Context:
    function_name = "postback"
    memory_limit_in_mb = 128
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:postback"

    def __init__(self, request_id: str, deadline_ms: int):
        self.aws_request_id = request_id
        self._deadline_ms = deadline_ms

    def get_remaining_time_in_millis(self) -> int:
        return self._deadline_ms - int(time.time() * 1000)


def serve(handler) -> None:
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        connection.request("GET", ROOT + "next")
        response = connection.getresponse()
        event, headers = json.loads(response.read()), response.headers
        request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        answer = handler(event, Context(request_id, int(headers["Lambda-Runtime-Deadline-Ms"])))
        connection.request("POST", f"{ROOT}{request_id}/response", json.dumps(answer).encode())
        connection.getresponse().read()
