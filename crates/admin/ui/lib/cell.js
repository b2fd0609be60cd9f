// A value that views can watch.

import { useEffect, useState } from "./view.js";

/**
 * @template T
 * @typedef {object} Cell
 * @property {() => T} get
 * @property {(value: T) => void} set
 * @property {(watcher: (value: T) => void) => () => void} watch Returns what ends it.
 */

/**
 * @template T
 * @param {T} initial
 * @returns {Cell<T>}
 */
export function cell(initial) {
  let value = initial;
  /** @type {Set<(value: T) => void>} */
  const watchers = new Set();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const watcher of [...watchers]) watcher(value);
    },
    watch(watcher) {
      watchers.add(watcher);
      return () => void watchers.delete(watcher);
    },
  };
}

/**
 * The value of a cell; the view is drawn anew when it changes.
 * @template T
 * @param {Cell<T>} source
 * @returns {T}
 */
export function useCell(source) {
  const [, draw] = useState({});
  const value = source.get();
  useEffect(() => {
    // It may have changed between drawing and watching.
    if (source.get() !== value) draw({});
    return source.watch(() => draw({}));
  }, [source]);
  return value;
}
