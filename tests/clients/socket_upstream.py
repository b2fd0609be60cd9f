"""An upstream that speaks over WebSockets, on a port that the system chose: a short answer to each `response.create`."""

import json
import threading
from http import HTTPStatus

from websockets.sync.server import Request, Response, ServerConnection, serve

MODEL = "talker"

REALTIME_USAGE = {
    "total_tokens": 9,
    "input_tokens": 7,
    "output_tokens": 2,
    "input_token_details": {"cached_tokens": 0, "text_tokens": 7, "audio_tokens": 0},
    "output_token_details": {"text_tokens": 2, "audio_tokens": 0},
}
RESPONSE_USAGE = {
    "input_tokens": 7,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 2,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 9,
}


class SocketUpstream:
    def __init__(self, key: str) -> None:
        self.key = key
        self.server = serve(self.talk, "127.0.0.1", 0, process_request=self.admit, compression=None)
        self.base_url = f"http://127.0.0.1:{self.server.socket.getsockname()[1]}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.path == "/v1/models":
            return connection.respond(HTTPStatus.OK, json.dumps({"object": "list", "data": []}))
        if request.headers.get("Authorization") != f"Bearer {self.key}":
            return connection.respond(HTTPStatus.UNAUTHORIZED, "the gateway sent another key than the channel's")
        return None

    def talk(self, connection: ServerConnection) -> None:
        def say(**event: object) -> None:
            connection.send(json.dumps(event))

        realtime = connection.request.path.startswith("/v1/realtime")
        if realtime:
            say(type="session.created", event_id="event_1", session={"type": "realtime", "model": MODEL})
        for message in connection:
            asked = json.loads(message)
            if asked["type"] != "response.create":
                say(type="error", event_id="event_2", error={"type": "invalid_request_error", "message": str(asked)})
                continue
            response = {"id": "resp_1", "object": "realtime.response" if realtime else "response", "output": []}
            say(type="response.created", event_id="event_3", sequence_number=0, response=response)
            for number, delta in enumerate(["Hel", "lo"], start=1):
                say(type="response.output_text.delta", sequence_number=number, delta=delta, item_id="item_1")
            if realtime:
                say(type="response.done", event_id="event_4", response={**response, "usage": REALTIME_USAGE})
            else:
                say(type="response.completed", sequence_number=3, response={**response, "usage": RESPONSE_USAGE})
