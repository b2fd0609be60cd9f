"""An upstream that does what the model name says, on a port that the system chose.

Every model name is a small script, so that a test reads in one place what the upstream will do. State (how often a
model was asked) is kept per upstream and per model.
"""

import base64
import json
import struct
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CREATED = 1_700_000_000

MODELS = ["chat", "echo", "tool-caller", "refused", "embedder", "responder", "moderator", "speaker"]

# These models hurt the reputation of the channel that serves them, so each gets channels of its own: the upstreams
# (by number) that serve it.
FAULTY_MODELS = {"limited": [0, 1], "half-broken": [0, 1], "late-bloomer": [0], "no-entry": [0, 1], "cut-short": [0]}


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Who hangs up does not want the answer; every other error is one of ours, and told."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class ScriptedUpstream:
    """`broken` upstreams answer 500 to the model `half-broken`."""

    def __init__(self, key: str, broken: bool) -> None:
        self.key = key
        self.broken = broken
        self.asked: Counter[str] = Counter()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.upstream = self
        self.base_url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    @property
    def upstream(self) -> ScriptedUpstream:
        return self.server.upstream

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            data = [{"id": name, "object": "model", "created": CREATED, "owned_by": "scripted"} for name in MODELS]
            self.answer(200, {"object": "list", "data": data})
        else:
            self.fail(404, "no such page", "invalid_request_error", None)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers["authorization"] != f"Bearer {self.upstream.key}":
            self.fail(401, "the gateway sent another key than the channel's", "authentication_error", "invalid_api_key")
            return
        asked = json.loads(body)
        model = asked.get("model")
        self.upstream.asked[model] += 1
        if model == "refused":
            self.fail(400, "temperature is out of range", "invalid_request_error", "invalid_value", "temperature")
        elif model == "limited":
            self.fail(429, "slow down", "rate_limit_error", "rate_limit_exceeded", retry_after="1")
        elif model == "no-entry":
            self.fail(401, "bad key", "authentication_error", "invalid_api_key")
        elif model == "half-broken" and self.upstream.broken:
            self.fail(500, "out of order", "server_error", None)
        elif model == "late-bloomer" and self.upstream.asked[model] == 1:
            self.fail(503, "still waking up", "server_error", None)
        else:
            self.serve(model, asked, body)

    def serve(self, model: str, asked: dict, body: bytes) -> None:
        match self.path:
            case "/v1/chat/completions" if asked.get("stream"):
                self.stream_chat(model, asked)
            case "/v1/chat/completions":
                self.chat(model, asked, body)
            case "/v1/embeddings":
                self.embed(asked)
            case "/v1/responses" if asked.get("stream"):
                self.stream_response(asked)
            case "/v1/responses":
                self.answer(200, response(asked, "completed"))
            case "/v1/moderations":
                self.moderate(asked)
            case "/v1/audio/speech":
                self.send(200, "audio/mpeg", b"\xff\xfb" + bytes(range(256)) * 8)
            case _:
                self.fail(404, "no such page", "invalid_request_error", None)

    def chat(self, model: str, asked: dict, body: bytes) -> None:
        message = {"role": "assistant", "content": "Hello, world"}
        reason = "stop"
        if model == "echo":
            message["content"] = body.decode()
        elif model == "tool-caller":
            reason = "tool_calls"
            message = {"role": "assistant", "content": None, "tool_calls": [tool_call(asked)]}
        choice = {"index": 0, "message": message, "finish_reason": reason}
        self.answer(200, {**completion("chat.completion", model), "choices": [choice], "usage": USAGE})

    def stream_chat(self, model: str, asked: dict) -> None:
        chunk = completion("chat.completion.chunk", model)
        events = [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]
        if model == "tool-caller":
            call = tool_call(asked)
            whole = call["function"]["arguments"]
            for part in (whole[:5], whole[5:]):
                delta = {"tool_calls": [{**call, "index": 0, "function": {**call["function"], "arguments": part}}]}
                events.append({"index": 0, "delta": delta, "finish_reason": None})
                call = {"function": {}}
        else:
            for part in ("Hello", ", ", "wörld 🌍"):
                events.append({"index": 0, "delta": {"content": part}, "finish_reason": None})
        self.begin_stream()
        for event in events:
            self.event({**chunk, "choices": [event]})
            time.sleep(0.01)
        if model == "cut-short":
            self.close_connection = True
            return
        end = {"index": 0, "delta": {}, "finish_reason": "tool_calls" if model == "tool-caller" else "stop"}
        self.event({**chunk, "choices": [end]})
        if (asked.get("stream_options") or {}).get("include_usage"):
            self.event({**chunk, "choices": [], "usage": USAGE})
        self.chunk(b"data: [DONE]\n\n")
        self.chunk(b"")

    def embed(self, asked: dict) -> None:
        texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
        data = []
        for index, text in enumerate(texts):
            vector: object = [float(len(text)), 0.5, -1.0]
            if asked.get("encoding_format") == "base64":
                vector = base64.b64encode(struct.pack("<3f", *vector)).decode()
            data.append({"object": "embedding", "index": index, "embedding": vector})
        usage = {"prompt_tokens": 4, "total_tokens": 4}
        self.answer(200, {"object": "list", "data": data, "model": asked["model"], "usage": usage})

    def stream_response(self, asked: dict) -> None:
        item = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "logprobs": []}
        self.begin_stream()
        self.event({"type": "response.created", "sequence_number": 0, "response": response(asked, "in_progress")})
        for number, part in enumerate(("Hel", "lo"), start=1):
            self.event({"type": "response.output_text.delta", "sequence_number": number, "delta": part, **item})
        self.event({"type": "response.completed", "sequence_number": 3, "response": response(asked, "completed")})
        self.chunk(b"")

    def moderate(self, asked: dict) -> None:
        result = {"flagged": False, "categories": {}, "category_scores": {}, "category_applied_input_types": {}}
        self.answer(200, {"id": "modr-1", "model": asked.get("model", "default"), "results": [result]})

    def answer(self, status: int, body: dict) -> None:
        self.send(status, "application/json", json.dumps(body).encode())

    def fail(
        self,
        status: int,
        message: str,
        kind: str,
        code: str | None,
        param: str | None = None,
        retry_after: str | None = None,
    ) -> None:
        body = json.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}}).encode()
        self.send(status, "application/json", body, {"retry-after": retry_after} if retry_after else {})

    def send(self, status: int, kind: str, body: bytes, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        headers = {"content-type": kind, "content-length": str(len(body)), "openai-processing-ms": "7", **(more or {})}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def event(self, data: dict) -> None:
        name = f"event: {data['type']}\n" if "type" in data else ""
        self.chunk(f"{name}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode())

    def chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()


USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 3,
    "total_tokens": 12,
    "prompt_tokens_details": {"cached_tokens": 4},
}


def completion(kind: str, model: str) -> dict:
    return {"id": "chatcmpl-scripted", "object": kind, "created": CREATED, "model": model}


def tool_call(asked: dict) -> dict:
    """Calls the first tool that was offered, with its own parameters as arguments: proof that they arrived whole."""
    function = asked["tools"][0]["function"]
    arguments = json.dumps(function["parameters"])
    return {"id": "call_1", "type": "function", "function": {"name": function["name"], "arguments": arguments}}


def response(asked: dict, status: str) -> dict:
    text = {"type": "output_text", "text": "Hello", "annotations": []}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [text]}
    done = status == "completed"
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": asked["model"],
        "output": [message] if done else [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 5,
            "input_tokens_details": {"cached_tokens": 1},
            "output_tokens": 2,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 7,
        }
        if done
        else None,
    }
