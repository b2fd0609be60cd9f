// Work that takes a while: whether it is under way, and why it failed.

import { isAbort, words } from "./api.js";
import { toast } from "../components/toast.js";
import { useEffect, useRef, useState } from "./view.js";

/**
 * @typedef {object} Action
 * @property {boolean} busy
 * @property {number} seconds For how long it has been under way.
 * @property {(work: (signal: AbortSignal) => Promise<unknown>) => Promise<boolean>} run True: done. A failure is shown as a message, unless `work` deals with it.
 * @property {() => void} stop
 */

/** @returns {Action} */
export function useAction() {
  const [busy, setBusy] = useState(false);
  const [seconds, setSeconds] = useState(0);
  const running = useRef(/** @type {AbortController | null} */ (null));
  useEffect(() => {
    if (!busy) return undefined;
    const began = Date.now();
    setSeconds(0);
    const clock = setInterval(() => setSeconds(Math.floor((Date.now() - began) / 1000)), 500);
    return () => clearInterval(clock);
  }, [busy]);
  useEffect(() => () => running.current?.abort(), []);
  return {
    busy,
    seconds,
    async run(work) {
      // A second click is no second wish.
      if (running.current) return false;
      const mine = new AbortController();
      running.current = mine;
      setBusy(true);
      try {
        await work(mine.signal);
        return true;
      } catch (error) {
        if (!isAbort(error)) toast("bad", words(error));
        return false;
      } finally {
        running.current = null;
        setBusy(false);
      }
    },
    stop: () => running.current?.abort(),
  };
}
