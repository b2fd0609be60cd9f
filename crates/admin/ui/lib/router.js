// Where one is: the part of the address behind `#`.

import { cell, useCell } from "./cell.js";

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
addEventListener("hashchange", () => place.set(read()));

/** The address of a page. @param {string} page @param {string | number | null} [id] @param {Record<string, string | number | null | undefined>} [query] */
export function to(page, id, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return `#/${page}${id === null || id === undefined ? "" : `/${encodeURIComponent(id)}`}${search ? `?${search}` : ""}`;
}

/** Goes to an address made with `to`. @param {string} address @param {boolean} [replace] Leaves no step to go back to. */
export function go(address, replace = false) {
  if (!replace) {
    location.hash = address;
    return;
  }
  history.replaceState(null, "", address);
  place.set(read());
}

export const usePlace = () => useCell(place);
