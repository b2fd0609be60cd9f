// Long lists: the server searches, and says where the next page begins.

import { call } from "./api.js";
import { useResource } from "./resource.js";
import { useEffect, useRef, useState } from "./view.js";

/** Rows that are read at a time. */
const ROWS = 200;

/** A search waits until so long after the last key, so that a word is one question. */
const TYPED = 150;

/** @typedef {{ rows: any[], total: number, next: string | null }} Page */
/** @typedef {import("./resource.js").Resource & { total: number, more: import("../components/table.js").More }} Pages */

/** From so many characters on, what is marked as a key may be one. */
const SECRET_FROM = 12;

/** And any other word: a name that is shorter is looked for as it is. */
const WORD_FROM = 18;

/** What the gateway keeps of a key: at most a third of it, at most six characters, and the last four. @param {string[]} parts One key, which blanks may have broken. */
function kept(parts) {
  const length = parts.join("").length;
  const head = (parts[0] ?? "").slice(0, Math.min(6, Math.floor(length / 3)));
  return length < SECRET_FROM ? head : `${head} ${(parts[parts.length - 1] ?? "").slice(-4)}`;
}

/**
 * What is asked for, so that no secret stands in an address: of what may be a key only its ends. Whatever holds the whole
 * holds its ends, so nothing is missed. From `sk-` or behind `Bearer` all is one key, which blanks may have broken.
 * @param {string} typed
 */
export function asked(typed) {
  // The gateway itself shows a key with its middle left out.
  const told = typed.replace(/["'`,;…]/g, " ").trim();
  const text = told.replace(/^(?:authorization\s*:\s*)?bearer\s+/i, "");
  const at = text === told ? text.search(/(?<![\p{L}\p{N}_-])sk-/iu) : 0;
  const key = at < 0 ? [] : text.slice(at).split(/\s+/);
  if (key.join("").length >= SECRET_FROM) return kept(key);
  return text.split(/\s+/).map((word) => (word.length >= WORD_FROM || /^sk-.{4}/i.test(word) ? kept([word]) : word)).join(" ");
}

/** @param {string} path @param {import("./api.js").Options} [options] @returns {Promise<Page>} */
async function read(path, options) {
  const { data, next, total } = await call("GET", path, options);
  return { rows: data, next, total: total ?? data.length };
}

/**
 * A list by the page. `data` are the rows read so far; a reload begins with the first page again.
 * @param {string} path @param {string} wanted What is searched for.
 * @param {{ on?: import("./live.js").Kind[], every?: number }} [options]
 * @returns {Pages}
 */
export function usePages(path, wanted, options = {}) {
  const sought = asked(wanted);
  const [settled, settle] = useState(sought);
  useEffect(() => {
    const clock = setTimeout(() => settle(sought), TYPED);
    return () => clearTimeout(clock);
  }, [sought]);
  const at = `${path}?limit=${ROWS}&q=${encodeURIComponent(settled)}`;
  const first = useResource(at, { ...options, read });
  const [rest, setRest] = useState(/** @type {{ at: string, rows: any[], next: string | null }[]} */ ([]));
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState(/** @type {unknown} */ (null));
  // While a search is under way the rows of the one before stay, and with them the field that is typed in.
  const shown = useRef(/** @type {{ at: string, page: Page } | null} */ (null));
  if (first.data) shown.current = { at, page: first.data };
  const page = shown.current?.page ?? null;
  const mine = rest.filter((one) => one.at === shown.current?.at);
  const known = new Set(page?.rows.map((row) => row.id));
  const rows = page && [...page.rows, ...mine.flatMap((one) => one.rows).filter((row) => !known.has(row.id))];
  const next = mine.length > 0 ? (mine[mine.length - 1]?.next ?? null) : (page?.next ?? null);
  return {
    data: rows,
    total: page?.total ?? 0,
    error: first.error ?? failure,
    loading: first.loading,
    edit: (change) => first.edit((/** @type {Page} */ old) => ({ ...old, rows: change(old.rows) })),
    reload: async () => {
      setRest([]);
      setFailure(null);
      await first.reload();
    },
    more: {
      any: next !== null,
      busy,
      next: () => {
        if (next === null || busy) return;
        setBusy(true);
        read(next)
          .then((more) => setRest((old) => [...old, { at, rows: more.rows, next: more.next }]), setFailure)
          .finally(() => setBusy(false));
      },
    },
  };
}
