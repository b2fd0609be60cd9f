// The official Node SDK through a gateway to scripted upstreams.
//
// Environment: GATEWAY_URL, GATEWAY_KEY (of a user), GATEWAY_OTHER_KEY (of a user who may use the model `chat` only).

import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";

const { GATEWAY_URL, GATEWAY_KEY, GATEWAY_OTHER_KEY } = process.env;
const messages = [{ role: "user", content: "Hi" }];
const weather = {
  type: "function",
  function: {
    name: "weather",
    description: 'Tells the "weather"',
    parameters: { type: "object", properties: { city: { type: "string", minLength: 1 } } },
  },
};

const client = (options = {}) =>
  new OpenAI({ baseURL: `${GATEWAY_URL}/v1`, apiKey: GATEWAY_KEY, maxRetries: 0, timeout: 20_000, ...options });

async function collect(stream) {
  const all = [];
  for await (const item of stream) all.push(item);
  return all;
}

const textOf = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");

test("models are listed as far as the key may use them", async () => {
  const names = (await collect(await client().models.list())).map((model) => model.id);
  assert.ok(names.includes("chat") && names.includes("embedder"), names);
  const few = await collect(await client({ apiKey: GATEWAY_OTHER_KEY }).models.list());
  assert.deepEqual(few.map((model) => model.id), ["chat"]);
  assert.equal((await client().models.retrieve("chat")).id, "chat");
});

test("a completion arrives whole, with its request id", async () => {
  const { data, response } = await client().chat.completions.create({ model: "chat", messages }).withResponse();
  assert.equal(data.choices[0].message.content, "Hello, world");
  assert.equal(data.usage.total_tokens, 12);
  assert.equal(data._request_id, response.headers.get("x-request-id"));
  assert.ok(data._request_id);
});

test("a base URL without the version works too", async () => {
  const answer = await client({ baseURL: GATEWAY_URL }).chat.completions.create({ model: "chat", messages });
  assert.equal(answer.choices[0].message.content, "Hello, world");
});

test("the request reaches the upstream as it was sent", async () => {
  const sent = { model: "echo", messages, temperature: 0.7, tools: [weather], unknown_to_the_gateway: [1, null] };
  const answer = await client().chat.completions.create(sent);
  assert.equal(answer.choices[0].message.content, JSON.stringify(sent));
});

test("a stream arrives in order and says its usage at the end", async () => {
  const asked = { model: "chat", messages, stream: true, stream_options: { include_usage: true } };
  const chunks = await collect(await client().chat.completions.create(asked));
  assert.equal(textOf(chunks), "Hello, wörld 🌍");
  assert.equal(chunks.at(-1).usage.total_tokens, 12);
});

test("tools are called, whole and in a stream", async () => {
  const asked = { model: "tool-caller", messages, tools: [weather] };
  const answer = await client().chat.completions.create(asked);
  const call = answer.choices[0].message.tool_calls[0].function;
  assert.deepEqual([call.name, JSON.parse(call.arguments)], ["weather", weather.function.parameters]);
  const streamed = await client().chat.completions.stream(asked).finalChatCompletion();
  assert.deepEqual(JSON.parse(streamed.choices[0].message.tool_calls[0].function.arguments), weather.function.parameters);
});

test("a stream that breaks throws and never looks complete", async () => {
  const stream = await client().chat.completions.create({ model: "cut-short", messages, stream: true });
  await assert.rejects(collect(stream), (error) => error instanceof OpenAI.APIError && Boolean(error.code));
});

test("embeddings arrive", async () => {
  const answer = await client().embeddings.create({ model: "embedder", input: ["a", "four"] });
  assert.deepEqual(answer.data.map((item) => Array.from(item.embedding)), [[1, 0.5, -1], [4, 0.5, -1]]);
});

test("responses arrive whole and as a stream", async () => {
  const answer = await client().responses.create({ model: "responder", input: "Hi" });
  assert.equal(answer.output_text, "Hello");
  const events = await collect(await client().responses.create({ model: "responder", input: "Hi", stream: true }));
  assert.deepEqual(events.map((event) => event.sequence_number), [0, 1, 2, 3]);
  assert.equal(events.at(-1).type, "response.completed");
});

test("errors have the class, code and request id that the SDK promises", async () => {
  const chat = (model, options) => () => client(options).chat.completions.create({ model, messages });
  const failing = [
    [chat("chat", { apiKey: "sk-nobody" }), OpenAI.AuthenticationError, "invalid_api_key"],
    [chat("nobody-knows-it"), OpenAI.NotFoundError, "model_not_found"],
    [chat("refused"), OpenAI.BadRequestError, "invalid_value"],
    [chat("limited"), OpenAI.RateLimitError, undefined],
    [chat("no-entry"), OpenAI.InternalServerError, undefined],
  ];
  for (const [call, kind, code] of failing) {
    await assert.rejects(call, (error) => {
      assert.ok(error instanceof kind, `${error}`);
      assert.ok(error.requestID, `${error}`);
      if (code) assert.equal(error.code, code);
      return true;
    });
  }
  await assert.rejects(client().post("/chat/completions", { body: { messages } }), { status: 400, param: "model" });
});

test("a broken channel is left for its neighbour", async () => {
  for (let number = 0; number < 10; number += 1) {
    const answer = await client().chat.completions.create({ model: "half-broken", messages, user: `node-${number}` });
    assert.equal(answer.choices[0].message.content, "Hello, world");
  }
});
