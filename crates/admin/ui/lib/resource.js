// What was read from the API, kept while one walks through the pages, and read again when it changed.

import { get, isAbort } from "./api.js";
import { hear } from "./live.js";
import { useCallback, useEffect, useRef, useState } from "./view.js";

/** What was read last, by path: a page that is opened again shows it at once and reads it anew meanwhile. @type {Map<string, any>} */
const seen = new Map();

/** Forgets everything; somebody else may sign in. */
export const forgetAll = () => seen.clear();

/**
 * @typedef {object} Resource
 * @property {any} data Null until it was read.
 * @property {unknown} error Why it could not be read the last time; null: it could.
 * @property {boolean} loading
 * @property {() => Promise<void>} reload
 * @property {(change: (data: any) => any) => void} edit Changes what is shown, ahead of the next reading.
 */

/**
 * @param {string | null} path Null: nothing to read yet.
 * @param {{ on?: import("./live.js").Kind[], every?: number, read?: (path: string, options?: import("./api.js").Options) => Promise<any> }} [options] Read again on these events, and so often (milliseconds).
 * @returns {Resource}
 */
export function useResource(path, { on = ["config"], every = 0, read = get } = {}) {
  const [, draw] = useState({});
  const state = useRef({ path: /** @type {string | null} */ (null), data: /** @type {any} */ (null), error: /** @type {unknown} */ (null), loading: true, asked: 0, taken: 0 });
  if (state.current.path !== path) {
    state.current = { path, data: path ? (seen.get(path) ?? null) : null, error: null, loading: path !== null, asked: 0, taken: 0 };
  }
  const reload = useCallback(
    async (/** @type {AbortSignal | undefined} */ signal) => {
      if (path === null) return;
      const current = state.current;
      const mine = (current.asked += 1);
      // An answer that was overtaken is older than what is shown.
      const late = () => mine < current.taken;
      try {
        const data = await read(path, signal ? { signal } : {});
        if (late()) return;
        seen.set(path, data);
        Object.assign(current, { data, error: null, loading: false, taken: mine });
      } catch (error) {
        if (isAbort(error) || late()) return;
        Object.assign(current, { error, loading: false, taken: mine });
      }
      if (current === state.current) draw({});
    },
    [path],
  );
  useEffect(() => {
    if (path === null) return undefined;
    const leaving = new AbortController();
    void reload(leaving.signal);
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let soon;
    // Many events at once are one reason to read.
    const again = () => {
      clearTimeout(soon);
      soon = setTimeout(() => void reload(leaving.signal), 60);
    };
    const ends = [...on, /** @type {const} */ ("reset")].map((kind) => hear(kind, again));
    const clock = every ? setInterval(() => document.hidden || void reload(leaving.signal), every) : undefined;
    return () => {
      leaving.abort();
      clearTimeout(soon);
      clearInterval(clock);
      for (const end of ends) end();
    };
  }, [path, every]);
  const edit = useCallback((/** @type {(data: any) => any} */ change) => {
    const current = state.current;
    if (current.data === null) return;
    current.data = change(current.data);
    if (current.path) seen.set(current.path, current.data);
    draw({});
  }, []);
  const { data, error, loading } = state.current;
  return { data, error, loading, reload: () => reload(undefined), edit };
}
