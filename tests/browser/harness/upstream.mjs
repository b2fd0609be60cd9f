// A scripted upstream: it answers as it is told, and can fail, hang, break off and die.

import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";

/**
 * @typedef {object} Script
 * @property {number} [status] Anything but 200 answers with `body`, or an error of OpenAI's shape that says `message`.
 * @property {string} [message]
 * @property {string} [body] Sent as it is.
 * @property {string[]} [pieces] What it says, token by token.
 * @property {number} [first] Milliseconds before the first token.
 * @property {number} [gap] Milliseconds between tokens.
 */

const PIECES = ["Hello", " from", " the", " scripted", " upstream", "."];

export class Upstream {
  /** What it does for calls, and for probes and lists of models. @type {Script} */
  script = {};
  /** @type {Script} */
  listing = {};
  /** What was asked, newest last. @type {{ path: string, body: any, key: string }[]} */
  asked = [];
  /** Streams that were left by the other side. */
  left = 0;
  /** Whether it cuts every connection. */
  #failing = false;

  /** @param {string[]} models @param {Script} [script] */
  static async start(models, script = {}) {
    const upstream = new Upstream();
    upstream.models = models;
    upstream.script = script;
    await upstream.#listen();
    return upstream;
  }

  get baseUrl() {
    return `http://127.0.0.1:${this.port}/v1`;
  }

  async #listen() {
    this.server = createServer((request, response) => void this.#answer(request, response).catch(() => response.destroy()));
    await new Promise((done, failed) => this.server.once("error", failed).listen(0, "127.0.0.1", done));
    this.server.on("connection", (socket) => void (this.#failing && socket.destroy()));
    this.port = this.server.address().port;
  }

  /** Cuts connections, those that are open and those that come, until it recovers. Its port stays its own. */
  fail() {
    this.#failing = true;
    this.server.closeAllConnections();
  }

  recover() {
    this.#failing = false;
  }

  /** Refuses connections from now on, and cuts those that are open. */
  async die() {
    const closed = new Promise((done) => this.server.close(done));
    this.server.closeAllConnections();
    await closed;
  }

  async #answer(request, response) {
    const path = new URL(request.url, "http://upstream").pathname;
    let text = "";
    for await (const part of request) text += part;
    const body = text ? JSON.parse(text) : null;
    this.asked.push({ path, body, key: request.headers.authorization ?? "" });
    const script = body ? this.script : this.listing;
    if ((script.status ?? 200) !== 200) return refuse(response, script);
    if (script.body !== undefined) return json(response, 200, script.body);
    if (path.endsWith("/models")) return json(response, 200, { object: "list", data: this.models.map((id) => ({ id, object: "model", created: 0, owned_by: "scripted" })) });
    if (path.endsWith("/chat/completions")) return this.#chat(body, script, response);
    if (path.endsWith("/embeddings")) return json(response, 200, { object: "list", model: body.model, data: [{ object: "embedding", index: 0, embedding: [0, 1] }], usage: { prompt_tokens: 4, total_tokens: 4 } });
    return json(response, 404, { error: { message: `no ${path} here`, type: "invalid_request_error", param: null, code: null } });
  }

  async #chat(body, script, response) {
    const pieces = script.pieces ?? PIECES;
    const usage = { prompt_tokens: 12, completion_tokens: pieces.length, total_tokens: 12 + pieces.length };
    const common = { id: "chatcmpl-scripted", created: 1_700_000_000, model: body.model };
    await pause(script.first ?? 0);
    if (!body.stream) {
      const choices = [{ index: 0, message: { role: "assistant", content: pieces.join("") }, finish_reason: "stop" }];
      return json(response, 200, { ...common, object: "chat.completion", choices, usage });
    }
    let open = true;
    response.on("close", () => {
      if (!response.writableEnded && open && !this.#failing) this.left += 1;
      open = false;
    });
    response.writeHead(200, { "content-type": "text/event-stream" });
    const say = (data) => response.write(`data: ${JSON.stringify({ ...common, object: "chat.completion.chunk", ...data })}\n\n`);
    for (const content of pieces) {
      if (!open) return undefined;
      say({ choices: [{ index: 0, delta: { content }, finish_reason: null }] });
      await pause(script.gap ?? 0);
    }
    say({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });
    if (body.stream_options?.include_usage) say({ choices: [], usage });
    return response.end("data: [DONE]\n\n");
  }
}

function refuse(response, { status, message = "scripted failure", body }) {
  return json(response, status, body ?? { error: { message, type: "server_error", param: null, code: null } });
}

function json(response, status, value) {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(typeof value === "string" ? value : JSON.stringify(value));
}
