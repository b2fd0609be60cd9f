// What every view is made with: Preact, its hooks, and templates instead of a build step.

import { Fragment, h, render } from "../vendor/preact.js";
import { useCallback, useEffect, useId, useLayoutEffect, useMemo, useReducer, useRef, useState } from "../vendor/hooks.js";
import htm from "../vendor/htm.js";

/** @typedef {import("../vendor/preact.js").ComponentChildren} Children */
/** @typedef {import("../vendor/preact.js").VNode} VNode */

export const html = htm.bind(h);
export { Fragment, h, render, useCallback, useEffect, useId, useLayoutEffect, useMemo, useReducer, useRef, useState };
