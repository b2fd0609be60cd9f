// A browser whose every page is watched: what it asks for, what it complains of, and whether anything ran that must not.

import { chromium } from "playwright-core";
import { PATIENCE } from "./eventually.mjs";

const ARGUMENTS = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The function that no page may call: foreign text that becomes code would. */
export const CANARY = "canaryRan";

export const SIZES = { wide: { width: 1280, height: 800 }, narrow: { width: 360, height: 740 } };

export async function launch() {
  const executablePath = process.env.GATEWAY_BROWSER;
  if (!executablePath) throw new Error("GATEWAY_BROWSER names no Chromium; run `cargo xtask browser`");
  // Root has no sandbox to run it in.
  const args = process.getuid?.() === 0 ? ["--no-sandbox", ...ARGUMENTS] : ARGUMENTS;
  return chromium.launch({ executablePath, args });
}

/**
 * A person before the screen: a context of its own, so its cookies are its own.
 * @param {import("playwright-core").Browser} browser
 * @param {import("./gateway.mjs").Gateway} gateway
 * @param {{ theme?: "light" | "dark", size?: keyof typeof SIZES }} [wishes]
 */
export async function person(browser, gateway, { theme = "light", size = "wide" } = {}) {
  const context = await browser.newContext({
    baseURL: gateway.url,
    viewport: SIZES[size],
    colorScheme: theme,
    reducedMotion: "reduce",
    permissions: ["clipboard-read", "clipboard-write"],
  });
  context.setDefaultTimeout(PATIENCE);
  const watch = new Watch();
  await watch.over(context, gateway);
  return { context, watch, page: await context.newPage() };
}

/** What a page did that it must not do. */
export class Watch {
  /** @type {string[]} */
  faults = [];
  /** Expected failures of the gateway's own API make the browser complain in its console, too. */
  requests = 0;
  /** How often the browser asked whether the page may be left. */
  held = 0;

  async over(context, gateway) {
    await context.exposeFunction(CANARY, (what) => this.faults.push(`ran: ${what}`));
    await context.exposeFunction("policyViolated", (what) => this.faults.push(`against the policy: ${what}`));
    await context.addInitScript(() => {
      addEventListener("securitypolicyviolation", (event) => void policyViolated(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));
    });
    context.on("request", (request) => {
      this.requests += 1;
      const url = new URL(request.url());
      if (url.protocol !== "data:" && url.origin !== gateway.url) this.faults.push(`asked elsewhere: ${url}`);
    });
    context.on("response", (response) => {
      const { pathname } = new URL(response.url());
      if (response.status() >= 400 && !/^\/(api|v1)\//.test(pathname)) this.faults.push(`${response.status()}: ${pathname}`);
    });
    context.on("weberror", (error) => {
      const { name, message, stack } = error.error();
      this.faults.push(`threw: ${name} ${message} ${stack}`);
    });
    context.on("console", (message) => {
      if (["error", "warning"].includes(message.type()) && !message.text().startsWith("Failed to load resource")) this.faults.push(`complained: ${message.text()}`);
    });
    context.on("dialog", (dialog) => {
      if (dialog.type() === "beforeunload") {
        this.held += 1;
        void dialog.accept();
        return;
      }
      this.faults.push(`opened a dialog of the browser: ${dialog.message()}`);
      void dialog.dismiss();
    });
  }

  /** Fails when there was anything. */
  clean() {
    if (this.faults.length) throw new Error(`the page ${[...new Set(this.faults)].join("\nthe page ")}`);
  }
}
