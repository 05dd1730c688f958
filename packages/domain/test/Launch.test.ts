import { assert, describe, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { AuthenticationError, ConnectionError, SqlError, SqlSyntaxError } from "effect/sql/SqlError"
import { explain, Refused } from "../src/Launch.ts"
import { refusal } from "../src/Listen.ts"

const lineOf = <A>(config: Config.Config<A>, env: Record<string, string>) =>
  config.pipe(
    Effect.flip,
    Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env }))),
    Effect.map((error) => explain(error)),
  )

describe("why a program does not start", () => {
  it("is said in its own words when it was refused", () => {
    assert.strictEqual(explain(new Refused({ message: "Set X." })), "Set X.")
  })

  it.effect("names a wrong variable and what it should be", () =>
    Effect.gen(function* () {
      const line = yield* lineOf(Config.Port("PORT").pipe(Config.withDefault(3000)), { PORT: "abc" })
      assert.strictEqual(
        line,
        "PORT is missing or wrong: expected a string representing a finite number (see docs/configuration.md).",
      )
      const mode = yield* lineOf(Config.Literals(["development", "production"], "BERTH_ENV"), { BERTH_ENV: "prod" })
      assert.match(mode ?? "", /^BERTH_ENV is missing or wrong: expected "development" \| "production" /)
    }),
  )

  it.effect("never shows the value of a variable", () =>
    Effect.gen(function* () {
      const line = yield* lineOf(Config.URL("PUBLIC_URL"), { PUBLIC_URL: "sk_live_123" })
      assert.match(line ?? "", /^PUBLIC_URL is missing or wrong: /)
      assert.notInclude(line, "sk_live_123")
      const missing = yield* lineOf(Config.Redacted("SMTP_URL"), {})
      assert.match(missing ?? "", /^SMTP_URL is missing or wrong: /)
    }),
  )

  it("names DATABASE_URL when Postgres is away or refuses the login, and shows a defect whole", () => {
    const of = (reason: SqlError["reason"]) => explain(new SqlError({ reason }))
    assert.match(
      of(new ConnectionError({ cause: "ECONNREFUSED" })) ?? "",
      /^Postgres cannot be reached: .*DATABASE_URL/,
    )
    assert.match(of(new AuthenticationError({ cause: "28P01" })) ?? "", /^Postgres refuses this login: .*DATABASE_URL/)
    assert.isUndefined(of(new SqlSyntaxError({ cause: "42601" })))
    assert.isUndefined(explain(new TypeError("undefined is not a function")))
  })

  it("names the variable of a port that does not open, and that of an address that is not this machine's", () => {
    const at = { variable: "WEB_PORT", port: 80, host: "OPS_HOST", address: "203.0.113.9" }
    assert.strictEqual(
      refusal("EADDRINUSE", at),
      "Port 80 is busy: stop the program that listens on it, or set WEB_PORT to another.",
    )
    assert.strictEqual(refusal("EACCES", at), "Port 80 may not be opened by this user: set WEB_PORT to one above 1023.")
    assert.match(refusal("EADDRNOTAVAIL", at) ?? "", /^OPS_HOST=203\.0\.113\.9 is no address of this machine/)
    assert.isUndefined(refusal("EMFILE", at))
  })
})
