// A streamed chat completion through the gateway's own data plane, piece by piece.

import { refusal } from "./api.js";

/**
 * @typedef {object} Story What is told while it goes on.
 * @property {(text: string) => void} onText
 * @property {(line: string) => void} onRaw What came over the wire, as it came.
 * @property {(headers: Headers, status: number) => void} onHead
 */

/**
 * @param {string} key
 * @param {Record<string, unknown>} body
 * @param {AbortSignal} signal
 * @param {Story} story
 * @returns {Promise<{ usage: any, finish: string | null }>}
 */
export async function chat(key, body, signal, { onText, onRaw, onHead }) {
  const answer = await fetch("/v1/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    // The cookie of this page is nobody's business but the admin API's.
    credentials: "omit",
    body: JSON.stringify(body),
    signal,
  });
  onHead(answer.headers, answer.status);
  if (!answer.ok || !answer.body) throw await refusal(answer);
  let usage = null;
  /** @type {string | null} */
  let finish = null;
  if (!answer.headers.get("content-type")?.startsWith("text/event-stream")) {
    const text = await answer.text();
    onRaw(text);
    const whole = JSON.parse(text);
    onText(whole.choices?.[0]?.message?.content ?? "");
    return { usage: whole.usage, finish: whole.choices?.[0]?.finish_reason ?? null };
  }
  let done = false;
  for await (const line of lines(answer.body)) {
    if (line) onRaw(line);
    if (!line.startsWith("data:")) continue;
    const data = line.slice(5).trim();
    if (data === "[DONE]") {
      done = true;
      continue;
    }
    const piece = JSON.parse(data);
    if (piece.error) throw new Error(piece.error.message ?? "The stream ended with an error.");
    const choice = piece.choices?.[0];
    if (choice?.delta?.content) onText(choice.delta.content);
    if (choice?.finish_reason) finish = choice.finish_reason;
    if (piece.usage) usage = piece.usage;
  }
  if (!done) throw new Error("The stream broke off before its end.");
  return { usage, finish };
}

/** @param {ReadableStream<Uint8Array>} body */
async function* lines(body) {
  const reader = body.pipeThrough(/** @type {any} */ (new TextDecoderStream())).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    rest += value;
    const whole = rest.split(/\r?\n/);
    rest = whole.pop() ?? "";
    yield* whole;
  }
  if (rest) yield rest;
}
