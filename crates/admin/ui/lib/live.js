// The one feed of what happens, for the whole page: `GET /api/events`.
//
// Read with fetch, not with EventSource: after a pause in a hidden tab it must go on from the last event it saw, and an
// EventSource that was closed cannot say which that was.

import { cell } from "./cell.js";
import { untilSignedIn } from "./api.js";
import { useEffect, useRef } from "./view.js";

/** @typedef {"off" | "open" | "lost" | "paused"} State */
/** @typedef {"rates" | "health" | "exchange" | "config" | "reset" | "dropped"} Kind */

/** How the feed is. */
export const feed = cell(/** @type {State} */ ("off"));

/** The feed ends this long after the tab was hidden, so that a glance elsewhere costs nothing. */
const HIDDEN_FOR = 15_000;

/** A feed that has been silent for so long is taken for lost. */
const SILENCE = 40_000;

/** @type {Map<string, Set<(data: any) => void>>} */
const listeners = new Map();
/** @type {AbortController | null} */
let running = null;
let lastId = "";

/** Begins to listen; once. */
export function begin() {
  if (running) return;
  running = new AbortController();
  void listen(running.signal);
}

/** Stops listening. @param {State} state */
export function end(state) {
  running?.abort();
  running = null;
  feed.set(state);
}

/** Hears events of one kind. @param {Kind} kind @param {(data: any) => void} listener */
export function hear(kind, listener) {
  const known = listeners.get(kind) ?? new Set();
  listeners.set(kind, known.add(listener));
  return () => void known.delete(listener);
}

/** The same for a view, as long as it is shown. @param {Kind} kind @param {(data: any) => void} listener */
export function useLive(kind, listener) {
  const latest = useRef(listener);
  latest.current = listener;
  useEffect(() => hear(kind, (data) => latest.current(data)), [kind]);
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let hiding;
document.addEventListener("visibilitychange", () => {
  clearTimeout(hiding);
  if (document.hidden) hiding = setTimeout(() => running && end("paused"), HIDDEN_FOR);
  else if (feed.get() === "paused") begin();
});

/** @param {AbortSignal} signal */
async function listen(signal) {
  let pause = 500;
  while (!signal.aborted) {
    try {
      /** @type {Record<string, string>} */
      const headers = { accept: "text/event-stream" };
      if (lastId) headers["last-event-id"] = lastId;
      const answer = await fetch("/api/events", { headers, signal, credentials: "same-origin" });
      if (answer.status === 401) {
        await untilSignedIn(signal);
        continue;
      }
      if (answer.ok && answer.body) {
        const missed = !lastId;
        feed.set("open");
        pause = 500;
        // What happened in between is not known, so everything is asked again.
        if (missed) tell("reset", null);
        await read(answer.body);
      }
    } catch {
      // It is lost, for whatever reason; the next round finds out more.
    }
    if (signal.aborted) return;
    feed.set("lost");
    await new Promise((done) => setTimeout(done, pause + Math.random() * 250));
    pause = Math.min(pause * 2, 10_000);
  }
}

/** @param {ReadableStream<Uint8Array>} body */
async function read(body) {
  const reader = body.pipeThrough(/** @type {any} */ (new TextDecoderStream())).getReader();
  let rest = "";
  for (;;) {
    // A path that broke without a word says nothing; the gateway says something every 15 s.
    const silent = setTimeout(() => void reader.cancel(), SILENCE);
    const { done, value } = await reader.read().finally(() => clearTimeout(silent));
    if (done) return;
    rest += value;
    const blocks = rest.split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) take(block);
  }
}

/** @param {string} block */
function take(block) {
  let kind = "message";
  let data = "";
  for (const line of block.split("\n")) {
    if (line.startsWith("id:")) lastId = line.slice(3).trim();
    else if (line.startsWith("event:")) kind = line.slice(6).trim();
    else if (line.startsWith("data:")) data += line.slice(5);
  }
  if (data) tell(kind, JSON.parse(data));
}

/** @param {string} kind @param {any} data */
function tell(kind, data) {
  for (const listener of [...(listeners.get(kind) ?? [])]) listener(data);
}
