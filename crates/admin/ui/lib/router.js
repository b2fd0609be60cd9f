// Where one is: the part of the address behind `#`.

import { cell, useCell } from "./cell.js";
import { anyUnsaved, mayDiscard } from "./unsaved.js";

/**
 * @typedef {object} Place
 * @property {string} page The first segment.
 * @property {string | null} id The second segment, decoded.
 * @property {URLSearchParams} query
 */

/** @returns {Place} */
function read() {
  const text = location.hash.replace(/^#\/?/, "");
  const [path = "", query = ""] = text.split("?", 2);
  const [page = "", id] = path.split("/");
  return { page: page || "overview", id: id ? decoded(id) : null, query: new URLSearchParams(query) };
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const place = cell(read());

/** What is shown, and how many steps of the browser's history lead to it; each address there keeps its number. */
let here = location.hash;
let step = stepOf() ?? 0;
arrive(step);

/** What is done after a step that this page makes itself. @type {(() => void) | null} */
let then = null;

addEventListener("popstate", () => location.hash === here && arrive(stepOf() ?? step));
addEventListener("hashchange", () => {
  const next = then;
  then = null;
  const known = stepOf();
  if (next) {
    next();
  } else if (anyUnsaved()) {
    // The browser has gone there already: back first, then it is asked.
    const [target, by] = [location.hash, (known ?? step + 1) - step];
    then = () => void ask(target, known === null ? null : by);
    history.go(-by);
  } else {
    arrive(known ?? step + 1);
  }
});

/** @param {string} target @param {number | null} by How many steps away it is; null: it was new. */
async function ask(target, by) {
  // Two steps at once may have led elsewhere.
  const lost = location.hash !== here;
  if (lost) history.pushState({ step }, "", here || "#");
  if (!(await mayDiscard())) return;
  if (by === null || lost) {
    go(target);
  } else {
    then = () => arrive(step + by);
    history.go(by);
  }
}

/** @param {number} at */
function arrive(at) {
  step = at;
  if (stepOf() !== at) history.replaceState({ step }, "");
  if (here === location.hash) return;
  here = location.hash;
  place.set(read());
}

/** @returns {number | null} */
function stepOf() {
  const known = history.state?.step;
  return typeof known === "number" ? known : null;
}

/** The address of a page. @param {string} page @param {string | number | null} [id] @param {Record<string, string | number | null | undefined>} [query] */
export function to(page, id, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return `#/${page}${id === null || id === undefined ? "" : `/${encodeURIComponent(id)}`}${search ? `?${search}` : ""}`;
}

/** Goes to an address made with `to`, unasked: whoever calls it knows what is lost. @param {string} address @param {boolean} [replace] Leaves no step to go back to. */
export function go(address, replace = false) {
  if (replace || address === location.hash) history.replaceState({ step }, "", address);
  else history.pushState({ step: (step += 1) }, "", address);
  arrive(step);
}

export const usePlace = () => useCell(place);
