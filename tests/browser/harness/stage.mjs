// What most tests begin with: a gateway, a browser, somebody signed in. All of it ends with the test, which fails when a
// page did what no page may do.

import { after, before } from "node:test";
import { launch, person } from "./browser.mjs";
import { Front } from "./front.mjs";
import { Gateway, TOKEN } from "./gateway.mjs";
import { Upstream } from "./upstream.mjs";

/** @type {import("playwright-core").Browser} */
let browser;

/** To be called once by each file of tests. */
export function withBrowser() {
  before(async () => void (browser = await launch()));
  after(() => browser?.close());
}

/**
 * @param {import("node:test").TestContext} test
 * @param {{ settings?: Record<string, Record<string, unknown>>, signIn?: boolean, returns?: boolean, theme?: "light" | "dark", size?: "wide" | "narrow" }} [wishes] `returns`: the gateway
 *   will end and run again at the same address.
 */
export async function stage(test, { settings, returns = false, ...wishes } = {}) {
  const gateway = await Gateway.start(settings, returns ? await Front.start() : undefined);
  /** @type {(() => Promise<void>)[]} */
  const ends = [() => gateway.stop()];
  // The pages close before their gateway does.
  test.after(async () => {
    const faults = [];
    // All of them, whatever one of them finds: a gateway that goes on running would keep the whole suite from its end.
    for (const end of ends.reverse()) await end().catch((fault) => faults.push(fault));
    if (faults.length) throw faults[0];
  });
  const enter = async ({ signIn = true, ...rest } = wishes) => {
    const someone = await person(browser, gateway, rest);
    ends.push(async () => {
      await someone.context.close();
      someone.watch.clean();
    });
    if (signIn) await login(someone.context, gateway);
    return someone;
  };
  return { gateway, enter, ...(await enter()) };
}

/** Signs in without the page, for tests that are about something else. */
export async function login(context, gateway) {
  const answer = await context.request.post(`${gateway.url}/api/login`, { data: { token: TOKEN }, headers: { "x-gateway-ui": "1" } });
  if (answer.status() !== 204) throw new Error(`cannot sign in: ${answer.status()} ${await answer.text()}`);
}

/** @param {import("node:test").TestContext} test @param {string[]} models @param {import("./upstream.mjs").Script} [script] */
export async function upstream(test, models, script) {
  const started = await Upstream.start(models, script);
  test.after(() => started.die().catch(() => {}));
  return started;
}
