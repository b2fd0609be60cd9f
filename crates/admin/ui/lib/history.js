// The figures of the last minutes: read once, then carried on by the feed.

import { get } from "./api.js";
import { hear, useLive } from "./live.js";
import { useEffect, useRef, useState } from "./view.js";

/** @typedef {(number | null)[]} Line */
/** @typedef {{ step: number, from: number, total: Record<string, Line>, channels: Record<string, Record<string, Line>> }} History Times in milliseconds. */

/** How soon a first reading that failed is tried again. */
const TRY_AGAIN = 2000;

/**
 * The last so many seconds; null until they were read.
 * @param {number} seconds
 * @returns {History | null}
 */
export function useHistory(seconds) {
  const [, draw] = useState({});
  const held = useRef(/** @type {History | null} */ (null));
  useEffect(() => {
    let left = false;
    held.current = null;
    const read = async () => {
      const { step_ms: step, from, total, channels } = await get(`/api/history?seconds=${seconds}`);
      if (left) return;
      held.current = { step, from: Date.parse(from), total, channels };
      draw({});
    };
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let later;
    const trying = () => {
      clearTimeout(later);
      read().catch(() => {
        // Old figures go on with the feed; without any there is nothing to show.
        if (!left && !held.current) later = setTimeout(trying, TRY_AGAIN);
      });
    };
    trying();
    const end = hear("reset", trying);
    // Coarse steps are not told second by second.
    const clock = setInterval(() => (held.current?.step ?? 0) > 1000 && !document.hidden && trying(), 10_000);
    return () => {
      left = true;
      end();
      clearTimeout(later);
      clearInterval(clock);
    };
  }, [seconds]);
  useLive("rates", (event) => {
    const history = held.current;
    if (!history || history.step > 1000) return;
    append(history, event, Math.ceil((seconds * 1000) / history.step));
    draw({});
  });
  return held.current;
}

/** @param {History} history @param {any} event @param {number} most */
function append(history, event, most) {
  const length = Math.max(...Object.values(history.total).map((line) => line.length));
  // The feed and the reading of the history overlap: a second may come twice, or not at all.
  const late = Math.round((Date.parse(event.from) - history.from) / history.step) - length;
  if (late < 0) return;
  for (const line of allLines(history)) for (let gap = Math.min(late, most); gap > 0; gap -= 1) line.push(null);
  const known = length + Math.min(late, most);
  for (const [name, line] of Object.entries(history.total)) line.push(event.total?.[name] ?? null);
  for (const [id, figures] of Object.entries(event.channels ?? {})) {
    const lines = (history.channels[id] ??= {});
    for (const name of Object.keys(figures)) lines[name] ??= Array.from({ length: known }, () => null);
  }
  for (const [id, lines] of Object.entries(history.channels)) {
    for (const [name, line] of Object.entries(lines)) line.push(event.channels?.[id]?.[name] ?? null);
  }
  const over = known + 1 - most;
  if (over <= 0) return;
  history.from += over * history.step;
  for (const line of allLines(history)) line.splice(0, over);
}

/** @param {History} history */
const allLines = (history) => [history.total, ...Object.values(history.channels)].flatMap((lines) => Object.values(lines));

/** The sum over a line; null when nothing was measured. @param {Line | undefined} line */
export function sum(line) {
  const known = (line ?? []).filter((value) => value !== null);
  return known.length ? known.reduce((total, value) => total + value, 0) : null;
}

/** The last measured value, of the last so many. @param {Line | undefined} line @param {number} [within] */
export function last(line, within = 60) {
  const known = (line ?? []).slice(-within).filter((value) => value !== null);
  return known.length ? (known[known.length - 1] ?? null) : null;
}
