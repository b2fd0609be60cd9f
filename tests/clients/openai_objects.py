"""Everything that OpenAI's API remembers, through the Python SDK, on two accounts behind one gateway.

`GATEWAY_SERVER` is the gateway's binary: it is started, restarted and configured from here. Each account is a store that
knows what it has made itself, and keeps a list of the calls that name what the other one has made.
"""

import os
import secrets
import unittest
from collections import Counter
from pathlib import Path

import closing
from object_calls import BOTH, LISTS, OF_MODELS, REMOVALS, TAKEN_OUT, USES, Made, listed, make
from object_store import ObjectStore
from openai import ConflictError, NotFoundError, OpenAI
from operations import OPERATIONS

from gateway import Gateway

MARKS = ["one", "other"]


class Objects(unittest.TestCase):
    """Two tenants have one object of each kind on each of two channels."""

    def setUp(self) -> None:
        self.stores = [ObjectStore(mark, f"sk-upstream-{secrets.token_hex(8)}") for mark in MARKS]
        for store in self.stores:
            self.addCleanup(store.stop)
        self.gateway = Gateway(Path(os.environ["GATEWAY_SERVER"]).absolute(), default_channel=MARKS[0])
        self.addCleanup(self.gateway.kill)
        for mark, store in zip(MARKS, self.stores, strict=True):
            self.gateway.channel(mark, store.base_url, store.key, [mark, f"ft-{mark}", BOTH], probe="off")
        self.keys = {name: self.gateway.user(name) for name in ("ann", "bob", "stranger")}
        # A restart puts the gateway at another address, and so the clients are others.
        self.clients: dict[tuple[str, str], OpenAI] = {}
        self.made = {"ann": [], "bob": []}
        # Most kinds name no model, so the channel that calls without one go to is the one that makes them.
        for mark in MARKS:
            self.gateway.set(default_channel=mark)
            for name, made in self.made.items():
                made.append(make(self.client(name), mark))

    def client(self, name: str) -> OpenAI:
        place = (name, self.gateway.url)
        if place not in self.clients:
            key = self.keys[name]
            client = OpenAI(base_url=f"{self.gateway.url}/v1", api_key=key, admin_api_key=key, max_retries=0)
            self.clients[place] = client
            self.addCleanup(client.close)
        return self.clients[place]

    def all_made(self) -> list[tuple[str, Made]]:
        return [(name, made) for name, sets in self.made.items() for made in sets]

    def asked(self) -> list[str]:
        return [operation for store in self.stores for operation in store.asked]

    def every(self, calls: dict, name: str, made: Made) -> None:
        for what, call in calls.items():
            with self.subTest(what, user=name, channel=made.model):
                call(self.client(name), made)

    def test_objects_are_found_where_they_were_made_also_after_a_restart(self) -> None:
        for name, made in self.all_made():
            for what, made_id in vars(made).items():
                self.assertIn(made.model, made_id, f"{name}'s {what} was to be made at {made.model}")
        self.gateway.restart()
        for name, made in self.all_made():
            self.every(USES, name, made)
        self.chatkit_threads()
        self.gateway.restart()
        for name, made in self.all_made():
            self.every(OF_MODELS, name, made)
            self.every(TAKEN_OUT, name, made)
            self.every(REMOVALS, name, made)
        for store in self.stores:
            self.assertEqual(store.astray, [])
        for name, made in self.all_made():
            removed = {made.file, made.eval, made.skill, made.store, made.completion}
            left = {left for call in LISTS.values() for left in listed(call(self.client(name)))}
            self.assertEqual(removed & left, set(), f"{name} has removed these")
            # Nobody knows it any more, and nobody has it.
            with self.assertRaises(NotFoundError):
                self.client(name).files.retrieve(made.file)
        asked = set(self.asked())
        # Nobody has made a thread of ChatKit through the gateway, so it answers for that list itself: it is empty.
        left_out = set(OPERATIONS) - asked - {"GET /chatkit/threads"}
        self.assertEqual(left_out, set(), "stateful operations that this test leaves out")
        self.assertEqual([operation for operation in asked if operation.startswith("unknown")], [])
        self.assertTrue(self.gateway.leaves_cleanly([*self.keys.values(), *(store.key for store in self.stores)]))

    def chatkit_threads(self) -> None:
        """These are made in other people's pages, so nobody knows whose they are: they are where calls without a model go."""
        store = self.stores[MARKS.index("other")]
        thread = store.put("/chatkit/threads", "cthr_", {})["id"]
        store.put(f"/chatkit/threads/{thread}/items", "cthi_", {})
        client = self.client("ann")
        self.assertEqual(client.beta.chatkit.threads.retrieve(thread).id, thread)
        self.assertEqual(len(listed(client.beta.chatkit.threads.list_items(thread))), 1)
        client.beta.chatkit.threads.delete(thread)

    def test_lists_show_what_is_ones_own_on_every_channel_once(self) -> None:
        self.gateway.restart()
        for prefix, call in LISTS.items():
            for name in ("ann", "bob", "stranger"):
                sets = self.made.get(name, [])
                own = {made_id for made in sets for made_id in vars(made).values() if made_id.startswith(prefix)}
                with self.subTest(prefix, user=name):
                    self.assertEqual(Counter(listed(call(self.client(name)))), Counter(own))
        for store in self.stores:
            self.assertEqual(store.astray, [])

    def test_another_users_objects_are_not_there_for_anybody_else(self) -> None:
        # What is taken out of an object leaves the object whose it was.
        for owner, made in self.all_made():
            self.every(TAKEN_OUT, owner, made)
        self.gateway.restart()
        before = Counter(self.asked())
        for owner, made in self.all_made():
            for name in self.keys.keys() - {owner}:
                for what, call in {**USES, **TAKEN_OUT, **REMOVALS}.items():
                    with self.subTest(what, user=name, owner=owner, channel=made.model), self.assertRaises(NotFoundError):
                        call(self.client(name), made)
        self.assertEqual(Counter(self.asked()) - before, Counter(), "channels were asked all the same")

    def test_objects_of_two_channels_in_one_call_are_refused_before_anything_is_sent(self) -> None:
        client = self.client("ann")
        here, there = self.made["ann"]
        before = self.asked()
        calls = {
            "files": lambda: client.vector_stores.create(file_ids=[here.file, there.file]),
            "a vector store and a file": lambda: client.vector_stores.files.create(here.store, file_id=there.file),
            "two files": lambda: client.fine_tuning.jobs.create(
                model=BOTH, training_file=here.file, validation_file=there.file
            ),
            "a response and a vector store": lambda: client.responses.create(
                model=BOTH,
                input="hi",
                previous_response_id=here.response,
                tools=[{"type": "file_search", "vector_store_ids": [there.store]}],
            ),
            "a thread and an assistant": lambda: client.beta.threads.runs.create(
                here.thread, assistant_id=there.assistant
            ),
            "a container and a file": lambda: client.containers.files.create(here.container, file_id=there.file),
        }
        for what, call in calls.items():
            with self.subTest(what), self.assertRaises(ConflictError):
                call()
        self.assertEqual(self.asked(), before)


if __name__ == "__main__":
    closing.run("openai-python, objects")
