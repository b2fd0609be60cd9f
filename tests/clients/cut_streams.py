"""Reads streams through a gateway as a program with the official SDK does, and tells what it got.

    python cut_streams.py URL KEY < streams.json > verdicts.json

Each stream is `{"number", "dialect": "chat" | "responses", "choices"}`. Each verdict is `{"texts"}`, one for each
choice, when the SDK took the stream for complete, else `{"raised"}`: the name of the exception.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import openai


def chat(client: openai.OpenAI, number: int, choices: int) -> list[str]:
    texts = [""] * choices
    stream = client.chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": "hi"}],
        n=choices,
        metadata={"stream": str(number)},
        stream=True,
    )
    for chunk in stream:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    return texts


def responses(client: openai.OpenAI, number: int, _choices: int) -> list[str]:
    text = ""
    stream = client.responses.create(model="m", input="hi", metadata={"stream": str(number)}, stream=True)
    for event in stream:
        if event.type == "response.output_text.delta":
            text += event.delta
    return [text]


def main() -> None:
    url, key = sys.argv[1:]
    client = openai.OpenAI(base_url=url, api_key=key, max_retries=0, timeout=20)

    def verdict(stream: dict) -> dict:
        read = {"chat": chat, "responses": responses}[stream["dialect"]]
        try:
            return {"texts": read(client, stream["number"], stream["choices"])}
        except Exception as error:  # whatever it is: the caller of the SDK is told
            return {"raised": type(error).__name__}

    with ThreadPoolExecutor(max_workers=8) as readers:
        json.dump(list(readers.map(verdict, json.load(sys.stdin))), sys.stdout)


if __name__ == "__main__":
    main()
