"""The official Python SDK through a gateway to two real model servers, of which one is killed.

Environment: GATEWAY_URL, GATEWAY_KEYS (of several users: one user stays on one server), LLAMA_PIDS (the servers
behind the channels llama-0 and llama-1).
"""

import os
import signal
import unittest

import closing
import openai

CLIENTS = [
    openai.OpenAI(base_url=os.environ["GATEWAY_URL"] + "/v1", api_key=key, max_retries=0, timeout=120)
    for key in os.environ["GATEWAY_KEYS"].split()
]
API = CLIENTS[0]
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
        before = [self.ask(number) for number in range(60)]
        self.assertEqual(set(before), {"llama-0", "llama-1"}, "both servers have to be in use")
        killed = before[-1]
        os.kill(PIDS[int(killed[-1])], signal.SIGKILL)
        after = [self.ask(number) for number in range(60, 200)]
        self.assertEqual(len(set(after)), 1)
        self.assertNotIn(killed, after)

    def ask(self, number: int) -> str:
        """One short chat of the next user; says which channel answered."""
        raw = CLIENTS[number % len(CLIENTS)].chat.completions.with_raw_response.create(
            model=MODEL, messages=HI, max_tokens=2, temperature=0
        )
        self.assertTrue(raw.parse().choices[0].message.content, number)
        return raw.headers["x-gateway-channel"]



if __name__ == "__main__":
    closing.run("llama.cpp")
