// Forty texts that would run, if any page took them for more than texts.

import { CANARY } from "./browser.mjs";

const RUN = (number) => `${CANARY}(${number})`;

/** Each with a number of its own, so that a fault says which it was. @type {((run: string) => string)[]} */
const SHAPES = [
  (run) => `<script>${run}</script>`,
  (run) => `<script src="data:text/javascript,${run}"></script>`,
  (run) => `<img src=x onerror=${run}>`,
  (run) => `<img src=x onerror="${run}">`,
  (run) => `"><img src=x onerror=${run}>`,
  (run) => `'><img src=x onerror=${run}>`,
  (run) => `<svg onload=${run}>`,
  (run) => `<svg><script>${run}</script></svg>`,
  (run) => `<svg><animate onbegin=${run} attributeName=x dur=1s>`,
  (run) => `<body onload=${run}>`,
  (run) => `<iframe srcdoc="<script>parent.${run}</script>"></iframe>`,
  (run) => `<iframe src="javascript:parent.${run}"></iframe>`,
  (run) => `<a href="javascript:${run}" id=x>click</a>`,
  (run) => `javascript:${run}`,
  (run) => `java\tscript:${run}`,
  (run) => `<details open ontoggle=${run}>`,
  (run) => `<input autofocus onfocus=${run}>`,
  (run) => `<select autofocus onfocus=${run}>`,
  (run) => `<textarea autofocus onfocus=${run}>`,
  (run) => `<video><source onerror=${run}></video>`,
  (run) => `<audio src=x onerror=${run}>`,
  (run) => `<object data="javascript:${run}"></object>`,
  (run) => `<embed src="javascript:${run}">`,
  (run) => `<form action="javascript:${run}"><button>x</button></form>`,
  (run) => `<math><mtext></mtext><mglyph><style><img src=x onerror=${run}></style></mglyph></math>`,
  (run) => `<noscript><p title="</noscript><img src=x onerror=${run}>">`,
  (run) => `<template><img src=x onerror=${run}></template>`,
  (run) => `</title><script>${run}</script>`,
  (run) => `</textarea><script>${run}</script>`,
  (run) => `</style><script>${run}</script>`,
  (run) => `</script><script>${run}</script>`,
  (run) => `--><script>${run}</script>`,
  (run) => `]]><script>${run}</script>`,
  (run) => `" onmouseover="${run}" autofocus onfocus="${run}" x="`,
  (run) => `' onmouseover='${run}' autofocus onfocus='${run}' x='`,
  (run) => "${" + run + "}",
  (run) => `{{constructor.constructor('${run}')()}}`,
  (run) => `&lt;img src=x onerror=${run}&gt;`,
  (run) => `\u003cimg src=x onerror=${run}\u003e`,
  (run) => `{"__html":"<img src=x onerror=${run}>"}`,
];

export const PAYLOADS = SHAPES.map((shape, number) => shape(RUN(number)));

/** Rings every bell: what waits for a pointer or a focus shall have had it. */
export async function provoke(page) {
  await page.evaluate(() => {
    for (const element of document.querySelectorAll("main *, dialog *")) {
      for (const kind of ["mouseover", "mouseenter", "focus", "toggle", "error", "load"]) element.dispatchEvent(new Event(kind));
      if (element instanceof HTMLDetailsElement) element.open = true;
    }
  });
}
