"""A small OpenAI in memory: makes objects under ids that bear its mark, and knows no others.

A call that names an id with another store's mark has gone astray. What an object holds is no matter here, so all kinds
of objects are treated alike: a POST to a collection makes one, a GET of the collection lists them, and so on.
"""

import itertools
import json
import re
import threading
from urllib.parse import parse_qs, unquote, urlsplit

from operations import operation
from scripted_upstream import CREATED, Handler, Server

# How ids of what these operations make begin, and where it is kept when that is not the collection that is asked.
MAKES = {
    "POST /assistants": "asst_",
    "POST /audio/voice_consents": "cons_",
    "POST /audio/voices": "voice_",
    "POST /batches": "batch_",
    "POST /chat/completions": "chatcmpl-",
    "POST /chatkit/sessions": "cksess_",
    "POST /containers": "cntr_",
    "POST /containers/{container_id}/files": "cfile_",
    "POST /conversations": "conv_",
    "POST /conversations/{conversation_id}/items": "msg_",
    "POST /evals": "eval_",
    "POST /evals/{eval_id}/runs": "evalrun_",
    "POST /files": "file-",
    "POST /fine_tuning/checkpoints/{fine_tuned_model_checkpoint}/permissions": "cp_",
    "POST /fine_tuning/jobs": "ftjob-",
    "POST /realtime/calls": "rtc_",
    "POST /responses": "resp_",
    "POST /skills": "skill_",
    "POST /skills/{skill_id}/versions": "skillver_",
    "POST /threads": "thread_",
    "POST /threads/runs": "run_",
    "POST /threads/{thread_id}/messages": "msg_",
    "POST /threads/{thread_id}/runs": "run_",
    "POST /uploads": "upload_",
    "POST /uploads/{upload_id}/parts": "part_",
    "POST /vector_stores": "vs_",
    "POST /vector_stores/{vector_store_id}/file_batches": "vsfb_",
    "POST /vector_stores/{vector_store_id}/files": "",
    "POST /videos": "video_",
    "POST /videos/characters": "char_",
    "POST /videos/edits": "video_",
    "POST /videos/extensions": "video_",
    "POST /videos/{video_id}/remix": "video_",
}
KEPT_IN = {
    "POST /videos/edits": "/videos",
    "POST /videos/extensions": "/videos",
    "POST /videos/{video_id}/remix": "/videos",
}

# What comes with an object, in collections below it.
CHILDREN = {
    "POST /chat/completions": {"messages": "msg_"},
    "POST /evals/{eval_id}/runs": {"output_items": "outputitem_"},
    "POST /fine_tuning/jobs": {"checkpoints": "ftckpt_", "events": "ftevent-"},
    "POST /responses": {"input_items": "msg_"},
    "POST /threads/{thread_id}/runs": {"steps": "step_"},
    "POST /threads/runs": {"steps": "step_"},
    "POST /vector_stores/{vector_store_id}/file_batches": {"files": "file-"},
}

# Ages of objects are told apart, those of different stores too.
AGES = itertools.count(CREATED)


class ObjectStore:
    """`mark` stands in every id that it makes; `key` is what it has to be asked with."""

    def __init__(self, mark: str, key: str) -> None:
        self.mark = mark
        self.key = key
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        # Path of a collection to its objects by id, the oldest first.
        self.objects: dict[str, dict[str, dict]] = {}
        # Which operations have been asked, and which calls name what another store has made.
        self.asked: list[str] = []
        self.astray: list[str] = []
        self.server = Server(("127.0.0.1", 0), StoreHandler)
        self.server.upstream = self
        self.base_url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def put(self, collection: str, prefix: str, content: dict) -> dict:
        """Makes an object. Without a prefix it is a file that exists already, in another place."""
        made = next(AGES)
        name = f"{prefix}{self.mark}-{next(self.numbers):04}" if prefix else content["file_id"]
        held = {**content, "id": name, "object": collection.rpartition("/")[2], "status": "completed"}
        held |= {"created": made, "created_at": made, "version": name}
        self.objects.setdefault(collection, {})[name] = held
        return held

    def find(self, path: str) -> dict | None:
        collection, _, name = path.rpartition("/")
        return self.objects.get(collection, {}).get(name)


class StoreHandler(Handler):
    """Reads the operation off the path, and does to its collection what the method says."""

    def do_GET(self) -> None:
        self.serve_object()

    def do_POST(self) -> None:
        self.serve_object()

    def do_DELETE(self) -> None:
        self.serve_object()

    @property
    def store(self) -> ObjectStore:
        return self.server.upstream

    def serve_object(self) -> None:
        raw = self.rfile.read(int(self.headers["content-length"] or 0))
        url = urlsplit(self.path)
        path = unquote(url.path.removeprefix("/v1"))
        if self.headers["authorization"] != f"Bearer {self.store.key}":
            self.fail(401, "the gateway sent another key than the channel's", "authentication_error", "invalid_api_key")
            return
        asked = operation(self.command, path)
        with self.store.lock:
            self.store.asked.append(asked or f"unknown: {self.command} {path}")
            foreign = re.findall(r"[a-z]+[-_](?!%s-)[a-z]+-\d{4}\b" % self.store.mark, f"{self.path} {raw.decode(errors='replace')}")
            if foreign:
                self.store.astray.append(f"{self.command} {path} names {', '.join(foreign)} at {self.store.mark}")
            body = json.loads(raw) if (self.headers["content-type"] or "").startswith("application/json") and raw else {}
            self.carry_out(asked, path, {name: values[0] for name, values in parse_qs(url.query).items()}, body)

    def carry_out(self, asked: str | None, path: str, query: dict[str, str], body: dict) -> None:
        parent, _, last = path.rpartition("/")
        last_is_name = bool(asked) and asked.endswith("}")
        above = path if last_is_name else parent
        held = self.store.find(above)
        # Models are known to everybody, and a collection at the top hangs on nothing.
        if not asked or (held is None and "{" in asked and "{fine_tuned_model" not in asked and "{model}" not in asked):
            self.fail(404, f"{self.store.mark} has no {path}", "invalid_request_error", "not_found")
        elif asked in MAKES:
            self.make(asked, path, body)
        elif last_is_name and self.command == "DELETE":
            self.store.objects.get(parent, {}).pop(last, None)
            self.answer(200, {"id": last, "object": "deleted", "deleted": True})
        elif last_is_name:
            if self.command == "POST":
                held |= body
            self.answer(200, held)
        elif self.command == "GET" and last == "content" and "vector_stores" not in path:
            self.send(200, "application/octet-stream", f"content of {above}".encode())
        elif self.command == "GET":
            self.list(path, query)
        elif last == "search":
            self.answer(200, {"object": "vector_store.search_results.page", "data": [], "has_more": False})
        else:
            if last == "complete":
                held["file"] = self.store.put("/files", "file-", {"purpose": "assistants"})
            self.answer(200, {**(held or {}), "status": last})

    def make(self, asked: str, path: str, body: dict) -> None:
        if asked == "POST /threads/runs":
            thread = self.store.put("/threads", "thread_", {})["id"]
            path = f"/threads/{thread}/runs"
            body = {**body, "thread_id": thread}
        if asked.endswith("/items"):
            data = [self.store.put(path, "msg_", item) for item in body["items"]]
            self.answer(200, {"object": "list", "data": data, "has_more": False})
            return
        collection = KEPT_IN.get(asked, path)
        held = self.store.put(collection, MAKES[asked], body)
        for name, prefix in CHILDREN.get(asked, {}).items():
            self.store.put(f"{collection}/{held['id']}/{name}", prefix, {})
        if asked == "POST /realtime/calls":
            self.send(201, "application/sdp", b"v=0", {"location": f"/v1/realtime/calls/{held['id']}"})
        elif "/permissions" in asked:
            self.answer(200, {"object": "list", "data": [held], "has_more": False})
        else:
            self.answer(200, held)

    def list(self, path: str, query: dict[str, str]) -> None:
        found = list(self.store.objects.get(path, {}).values())
        if query.get("order", "desc") == "desc":
            found.reverse()
        if "after" in query:
            names = [item["id"] for item in found]
            if query["after"] not in names:
                self.fail(400, "no such cursor", "invalid_request_error", "invalid_value", "after")
                return
            found = found[names.index(query["after"]) + 1 :]
        page = found[: int(query.get("limit", "20"))]
        ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {"first_id": None, "last_id": None}
        self.answer(200, {"object": "list", "data": page, "has_more": len(page) < len(found), **ends})
