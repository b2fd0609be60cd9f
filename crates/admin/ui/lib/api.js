// The one way to the admin API.

import { cell } from "./cell.js";

/** @typedef {{ param: string, message: string }} Problem */
/** @typedef {{ auth: "token" | "none", signed_in: boolean, version: string, data_plane: boolean, public_port?: number | null }} Session */

/** Something the gateway refused, or that never reached it (status 0). */
export class ApiError extends Error {
  /** @param {number} status @param {string} message @param {{ code?: string | null, param?: string | null, problems?: Problem[], current?: any, retryAfter?: number | null }} [more] */
  constructor(status, message, more = {}) {
    super(message);
    this.status = status;
    this.code = more.code ?? null;
    this.param = more.param ?? null;
    /** @type {Problem[]} */
    this.problems = more.problems ?? [];
    /** The thing as it is, when it was changed meanwhile. */
    this.current = more.current ?? null;
    this.retryAfter = more.retryAfter ?? null;
  }

  /** Somebody else changed the thing meanwhile. */
  get outdated() {
    return this.status === 409 && this.code === "version_mismatch";
  }
}

/** What is known of who we are; null until the gateway has told. @type {import("./cell.js").Cell<Session | null>} */
export const session = cell(/** @type {Session | null} */ (null));

/** Whether a call waits for somebody to sign in again. */
export const signInNeeded = cell(false);

/** @type {(() => void)[]} */
let waiting = [];

/** Calls that met a 401 go on. */
export function signedIn() {
  const current = session.get();
  if (current) session.set({ ...current, signed_in: true });
  signInNeeded.set(false);
  const going = waiting;
  waiting = [];
  for (const go of going) go();
}

/** Asks who we are. */
export async function askSession() {
  const { data } = await call("GET", "/api/session");
  session.set(data);
  return data;
}

/** @param {AbortSignal} [signal] @returns {Promise<void>} */
export function untilSignedIn(signal) {
  signInNeeded.set(true);
  return new Promise((resolve, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    waiting.push(resolve);
  });
}

/**
 * @typedef {object} Options
 * @property {unknown} [body] Becomes JSON.
 * @property {number | null} [version] What the change was made from; the gateway refuses when it is outdated.
 * @property {AbortSignal} [signal]
 */

/**
 * Calls the admin API. A session that ended meanwhile is no failure: the call waits until somebody has signed in again.
 * @param {string} method
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<{ data: any, version: number | null, next: string | null, total: number | null }>} Of a list also where its next page is, and how many rows all have.
 */
export async function call(method, path, options = {}) {
  for (;;) {
    const answer = await send(method, path, options);
    if (answer.status === 401 && path !== "/api/login") {
      await untilSignedIn(options.signal);
      continue;
    }
    if (!answer.ok) throw await refusal(answer);
    const tag = /^(?:W\/)?"(\d+)"$/.exec(answer.headers.get("etag") ?? "");
    const data = answer.status === 204 ? null : await answer.json();
    const next = /^<([^>]+)>; rel="next"$/.exec(answer.headers.get("link") ?? "");
    const total = answer.headers.get("x-total-count");
    return { data, version: tag ? Number(tag[1]) : null, next: next?.[1] ?? null, total: total === null ? null : Number(total) };
  }
}

/** @param {string} path @param {Options} [options] @returns {Promise<any>} */
export const get = async (path, options) => (await call("GET", path, options)).data;

/** @param {string} path @param {unknown} [body] @param {Options} [options] @returns {Promise<any>} */
export const post = async (path, body, options) => (await call("POST", path, { ...options, body })).data;

/** @param {string} path @param {unknown} body @param {number | null} [version] @returns {Promise<any>} */
export const patch = async (path, body, version) => (await call("PATCH", path, { body, version: version ?? null })).data;

/** @param {string} path @param {number | null} [version] @returns {Promise<any>} */
export const remove = async (path, version) => (await call("DELETE", path, { version: version ?? null })).data;

/** @param {string} method @param {string} path @param {Options} options */
async function send(method, path, { body, version, signal }) {
  /** @type {Record<string, string>} */
  const headers = { accept: "application/json" };
  if (method !== "GET") headers["x-gateway-ui"] = "1";
  if (body !== undefined) headers["content-type"] = "application/json";
  if (version !== null && version !== undefined) headers["if-match"] = `"${version}"`;
  try {
    return await fetch(path, {
      method,
      headers,
      signal: signal ?? null,
      credentials: "same-origin",
      body: body === undefined ? null : JSON.stringify(body),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, "The gateway does not answer. Nothing was changed, as far as this page can tell; try again.");
  }
}

/** @param {Response} answer */
export async function refusal(answer) {
  const retry = Number(answer.headers.get("retry-after"));
  const text = await answer.text().catch(() => "");
  try {
    const { error } = JSON.parse(text);
    const { message, code, param, problems, current } = error;
    return new ApiError(answer.status, String(message), { code, param, problems, current, retryAfter: retry || null });
  } catch {
    return new ApiError(answer.status, text.slice(0, 500) || `The gateway answered ${answer.status}.`);
  }
}

/** What to show of anything that was thrown. @param {unknown} error */
export const words = (error) => (error instanceof Error ? error.message : String(error));

/** Whether somebody gave up on purpose. @param {unknown} error */
export const isAbort = (error) => error instanceof DOMException && error.name === "AbortError";
