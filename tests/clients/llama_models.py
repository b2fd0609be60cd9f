"""The official Python SDK through a gateway to two real model servers, of which one is killed.

Environment: GATEWAY_URL, GATEWAY_KEY, LLAMA_PIDS (the two servers; the first is killed).
"""

import os
import signal
import unittest

import closing
import openai

API = openai.OpenAI(
    base_url=os.environ["GATEWAY_URL"] + "/v1", api_key=os.environ["GATEWAY_KEY"], max_retries=0, timeout=120
)
PIDS = [int(pid) for pid in os.environ["LLAMA_PIDS"].split()]
MODEL = "smollm2"
HI = [{"role": "user", "content": "Say hi."}]


class RealModel(unittest.TestCase):
    def test_1_the_model_is_listed(self):
        self.assertEqual([model.id for model in API.models.list()], [MODEL])

    def test_2_it_answers(self):
        answer = API.chat.completions.create(model=MODEL, messages=HI, max_tokens=8)
        self.assertTrue(answer.choices[0].message.content)
        self.assertGreater(answer.usage.prompt_tokens, 0)

    def test_3_it_streams_and_says_its_usage(self):
        stream = API.chat.completions.create(
            model=MODEL, messages=HI, max_tokens=8, stream=True, stream_options={"include_usage": True}
        )
        chunks = list(stream)
        self.assertTrue("".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices))
        self.assertGreater(chunks[-1].usage.completion_tokens, 0)

    def test_4_it_speaks_the_responses_api(self):
        answer = API.responses.create(model=MODEL, input="Say hi.", max_output_tokens=16)
        self.assertTrue(answer.output_text)
        kinds = [event.type for event in API.responses.create(model=MODEL, input="Say hi.", max_output_tokens=16, stream=True)]
        self.assertIn("response.output_text.delta", kinds)
        self.assertEqual(kinds[-1], "response.completed")

    def test_5_nobody_notices_that_one_of_two_servers_is_killed(self):
        served = set()
        for number in range(200):
            if number == 60:
                os.kill(PIDS[0], signal.SIGKILL)
            # As many conversations as requests, so that both servers are asked until one is gone.
            raw = API.chat.completions.with_raw_response.create(
                model=MODEL, messages=HI, max_tokens=2, temperature=0, metadata={"session_id": f"s-{number}"}
            )
            self.assertTrue(raw.parse().choices[0].message.content, number)
            served.add((raw.headers["x-gateway-channel"], number > 60))
        self.assertEqual(len({channel for channel, after in served if not after}), 2, served)
        self.assertEqual(len({channel for channel, after in served if after}), 1, served)


if __name__ == "__main__":
    closing.run("llama.cpp")
