import { cell } from "../lib/cell.js";

/** The gateway key that the playground calls with. In memory only: it is gone with the page. */
export const playKey = cell("");
