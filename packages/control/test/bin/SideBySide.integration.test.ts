/** Services as processes of their own, all embedded, on one folder. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { folder, freePorts, run, until } from "./Programs.ts"

const variables = ["API_PORT", "API_OPS_PORT", "INTERNAL_PORT", "BILLING_PORT", "BILLING_OPS_PORT"]

describe("two services side by side", () => {
  it.live(
    "share one Postgres and one Stripe: what is paid at the api becomes an agent at billing",
    () =>
      Effect.gen(function* () {
        const ports = yield* freePorts(variables.length)
        const env = Object.fromEntries(variables.map((variable, index) => [variable, String(ports[index])]))
        const common = { ...env, BERTH_DIR: `${yield* folder}/berth` }
        const [api, billing] = [yield* run("api", common), yield* run("billing", common)]
        const told = () => api.output() + billing.output()
        yield* until(() => api.output().includes("Try it:") && billing.output().includes("Try it:"), told)

        const order = /orders\/(\S+)/.exec(api.output())?.[1]
        const pay = /-X POST (\S+\/pay)/.exec(api.output())?.[1] ?? ""
        const page = yield* Effect.promise(() => fetch(pay, { method: "POST", redirect: "manual" }))
        assert.strictEqual(page.status, 303)
        const mailbox = `http://127.0.0.1:${env["BILLING_PORT"]}/dev/mail`
        let mails = ""
        yield* Effect.gen(function* () {
          while (!mails.includes(`mail:welcome:${order}`)) {
            yield* Effect.sleep("100 millis")
            const accept = { headers: { accept: "application/json" } }
            mails = yield* Effect.promise(() => fetch(mailbox, accept).then((response) => response.text()))
          }
        }).pipe(Effect.timeout("30 seconds"))

        api.child.kill("SIGINT")
        billing.child.kill("SIGTERM")
        assert.strictEqual(yield* api.ended, 0)
        assert.strictEqual(yield* billing.ended, 0)
        assert.notMatch(told(), /ERROR|Error:/)
      }).pipe(Effect.scoped),
    90_000,
  )
})
