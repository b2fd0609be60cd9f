"""The official Python SDK through a gateway to scripted upstreams.

Environment: GATEWAY_URL, GATEWAY_KEY (of a user), GATEWAY_OTHER_KEY (of a user who may use the model `chat` only).
"""

import asyncio
import json
import os
import unittest

import closing
import openai

URL = os.environ["GATEWAY_URL"]
KEY = os.environ["GATEWAY_KEY"]
OTHER_KEY = os.environ["GATEWAY_OTHER_KEY"]

HI = [{"role": "user", "content": "Hi"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": 'Tells the "weather"',
        "parameters": {"type": "object", "properties": {"city": {"type": "string", "minLength": 1}}},
    },
}


def client(**options) -> openai.OpenAI:
    return openai.OpenAI(**{"base_url": URL + "/v1", "api_key": KEY, "max_retries": 0, "timeout": 20, **options})


class Models(unittest.TestCase):
    def test_all_models_are_listed_for_a_user_who_may_use_all(self):
        names = [model.id for model in client().models.list()]
        self.assertIn("chat", names)
        self.assertIn("embedder", names)

    def test_only_the_models_that_the_key_may_use_are_listed(self):
        self.assertEqual([model.id for model in client(api_key=OTHER_KEY).models.list()], ["chat"])

    def test_one_model_is_shown(self):
        self.assertEqual(client().models.retrieve("chat").id, "chat")
        with self.assertRaises(openai.NotFoundError):
            client().models.retrieve("nobody/knows-it")


class Chat(unittest.TestCase):
    def test_a_completion_arrives_whole(self):
        raw = client().chat.completions.with_raw_response.create(model="chat", messages=HI)
        answer = raw.parse()
        self.assertEqual(answer.choices[0].message.content, "Hello, world")
        self.assertEqual((answer.usage.prompt_tokens, answer.usage.completion_tokens), (9, 3))
        self.assertTrue(raw.headers["x-request-id"])
        self.assertEqual(raw.headers["openai-processing-ms"], "7")
        self.assertEqual(raw.headers["x-gateway-attempts"], "1")

    def test_a_base_url_without_the_version_works_too(self):
        answer = client(base_url=URL).chat.completions.create(model="chat", messages=HI)
        self.assertEqual(answer.choices[0].message.content, "Hello, world")

    def test_the_request_reaches_the_upstream_as_it_was_sent(self):
        extra = {"unknown_to_the_gateway": {"a": [1, 2.50, None]}}
        answer = client().chat.completions.create(
            model="echo", messages=HI, temperature=0.7, tools=[WEATHER], extra_body=extra
        )
        seen = json.loads(answer.choices[0].message.content)
        expected = {"model": "echo", "messages": HI, "temperature": 0.7, "tools": [WEATHER], **extra}
        self.assertEqual(seen, expected)

    def test_a_stream_arrives_in_order_and_says_its_usage_at_the_end(self):
        stream = client().chat.completions.create(
            model="chat", messages=HI, stream=True, stream_options={"include_usage": True}
        )
        chunks = list(stream)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        self.assertEqual(text, "Hello, wörld 🌍")
        self.assertEqual(chunks[-1].usage.total_tokens, 12)
        self.assertEqual([chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1], "stop")

    def test_the_asynchronous_client_streams_many_at_once(self):
        async def one(api: openai.AsyncOpenAI) -> str:
            stream = await api.chat.completions.create(model="chat", messages=HI, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        async def all_of_them() -> list[str]:
            async with openai.AsyncOpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0) as api:
                return await asyncio.gather(*(one(api) for _ in range(20)))

        self.assertEqual(asyncio.run(all_of_them()), ["Hello, wörld 🌍"] * 20)

    def test_tools_are_called(self):
        answer = client().chat.completions.create(model="tool-caller", messages=HI, tools=[WEATHER])
        call = answer.choices[0].message.tool_calls[0].function
        self.assertEqual(answer.choices[0].finish_reason, "tool_calls")
        self.assertEqual((call.name, json.loads(call.arguments)), ("weather", WEATHER["function"]["parameters"]))

    def test_tools_are_called_in_a_stream(self):
        with client().chat.completions.stream(model="tool-caller", messages=HI, tools=[WEATHER]) as stream:
            for _ in stream:
                pass
            call = stream.get_final_completion().choices[0].message.tool_calls[0].function
        self.assertEqual((call.name, json.loads(call.arguments)), ("weather", WEATHER["function"]["parameters"]))

    def test_a_stream_that_breaks_raises_and_never_looks_complete(self):
        seen = []
        with self.assertRaises(openai.APIError) as caught:
            for chunk in client().chat.completions.create(model="cut-short", messages=HI, stream=True):
                seen.append(chunk)
        self.assertTrue(all(chunk.id for chunk in seen), "an error event was taken for a chunk")
        self.assertTrue(caught.exception.code, caught.exception)


class Others(unittest.TestCase):
    def test_embeddings_arrive_in_both_encodings(self):
        for more in ({}, {"encoding_format": "float"}):
            answer = client().embeddings.create(model="embedder", input=["a", "four"], **more)
            self.assertEqual([item.embedding for item in answer.data], [[1.0, 0.5, -1.0], [4.0, 0.5, -1.0]])
            self.assertEqual(answer.usage.prompt_tokens, 4)

    def test_responses_arrive_whole_and_as_a_stream(self):
        answer = client().responses.create(model="responder", input="Hi")
        self.assertEqual((answer.output_text, answer.usage.output_tokens), ("Hello", 2))
        events = list(client().responses.create(model="responder", input="Hi", stream=True))
        self.assertEqual([event.sequence_number for event in events], [0, 1, 2, 3])
        self.assertEqual("".join(event.delta for event in events if event.type.endswith("text.delta")), "Hello")
        self.assertEqual(events[-1].response.usage.total_tokens, 7)

    def test_moderations_do_without_a_model(self):
        self.assertFalse(client().moderations.create(input="Hi").results[0].flagged)
        self.assertEqual(client().moderations.create(input="Hi", model="moderator").model, "moderator")

    def test_speech_arrives_byte_for_byte(self):
        audio = client().audio.speech.create(model="speaker", voice="alloy", input="Hi").read()
        self.assertEqual(audio, b"\xff\xfb" + bytes(range(256)) * 8)


class Sockets(unittest.TestCase):
    def test_a_realtime_session_is_held_over_a_websocket(self):
        with client().realtime.connect(model="talker") as connection:
            self.assertEqual(connection.recv().type, "session.created")
            for _ in range(3):
                connection.response.create()
                events = [connection.recv() for _ in range(4)]
                self.assertEqual("".join(event.delta for event in events[1:3]), "Hello")
                self.assertEqual(events[-1].type, "response.done")
                self.assertEqual(events[-1].response.usage.input_tokens, 7)

    def test_the_asynchronous_client_holds_many_sessions_at_once(self):
        async def one(api: openai.AsyncOpenAI) -> list[str]:
            async with api.realtime.connect(model="talker") as connection:
                await connection.response.create()
                return [(await connection.recv()).type for _ in range(5)][-1:]

        async def all_of_them() -> list[list[str]]:
            async with openai.AsyncOpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0) as api:
                return await asyncio.gather(*(one(api) for _ in range(20)))

        self.assertEqual(asyncio.run(all_of_them()), [["response.done"]] * 20)

    def test_responses_are_made_over_a_websocket(self):
        with client().responses.connect(extra_query={"model": "talker"}) as connection:
            connection.response.create(model="talker", input="Hi")
            events = [connection.recv() for _ in range(4)]
            self.assertEqual([event.sequence_number for event in events], [0, 1, 2, 3])
            self.assertEqual(events[-1].response.usage.output_tokens, 2)

    def test_a_bad_key_or_model_opens_no_socket(self):
        from websockets.exceptions import InvalidStatus

        for options, model, status in (({"api_key": "sk-nobody"}, "talker", 401), ({}, "nobody-knows-it", 404)):
            with self.assertRaises(InvalidStatus) as caught:
                client(**options).realtime.connect(model=model).enter()
            self.assertEqual(caught.exception.response.status_code, status)


class Errors(unittest.TestCase):
    def chat(self, model="chat", **options):
        return client(**options).chat.completions.create(model=model, messages=HI)

    def test_an_unknown_key_is_an_authentication_error(self):
        with self.assertRaises(openai.AuthenticationError) as caught:
            self.chat(api_key="sk-nobody")
        self.assertEqual((caught.exception.status_code, caught.exception.code), (401, "invalid_api_key"))
        self.assertTrue(caught.exception.request_id)

    def test_an_unknown_model_is_not_found(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            self.chat("nobody-knows-it")
        self.assertEqual(caught.exception.code, "model_not_found")
        self.assertIn("nobody-knows-it", caught.exception.message)

    def test_a_model_that_the_key_may_not_use_is_refused(self):
        with self.assertRaises((openai.PermissionDeniedError, openai.NotFoundError)):
            self.chat("echo", api_key=OTHER_KEY)

    def test_a_body_without_a_model_is_a_bad_request_that_names_it(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            client().post("/chat/completions", body={"messages": HI}, cast_to=object)
        self.assertEqual(caught.exception.param, "model")

    def test_the_upstream_s_refusal_arrives_unchanged(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            self.chat("refused")
        error = caught.exception
        self.assertEqual((error.code, error.param, error.type), ("invalid_value", "temperature", "invalid_request_error"))
        self.assertIn("temperature is out of range", error.message)

    def test_a_limit_of_all_channels_is_a_rate_limit_error_with_its_time(self):
        with self.assertRaises(openai.RateLimitError) as caught:
            self.chat("limited")
        self.assertLessEqual(float(caught.exception.response.headers["retry-after"]), 60)

    def test_a_channel_s_bad_key_is_not_the_client_s_fault(self):
        with self.assertRaises(openai.InternalServerError) as caught:
            self.chat("no-entry")
        self.assertEqual(caught.exception.status_code, 502)

    def test_an_unknown_route_is_an_openai_error(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            client().post("/no/such/route", body={}, cast_to=object)
        self.assertTrue(caught.exception.type)
        self.assertTrue(caught.exception.request_id)


class Retries(unittest.TestCase):
    def test_a_broken_channel_is_left_for_its_neighbour(self):
        for number in range(10):
            answer = client().chat.completions.create(model="half-broken", messages=HI, user=f"user-{number}")
            self.assertEqual(answer.choices[0].message.content, "Hello, world")

    def test_the_sdk_s_own_retries_get_through_when_all_channels_were_down(self):
        answer = client(max_retries=3).chat.completions.create(model="late-bloomer", messages=HI)
        self.assertEqual(answer.choices[0].message.content, "Hello, world")


if __name__ == "__main__":
    closing.run("openai-python")
