/** What each program says when it cannot start: one line, that names the variable to change, and an exit code of 1. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { busyPort, folder, freePorts, outcome, type Program } from "./Programs.ts"

/** These variables, each with a port that is free. */
const free = (...variables: ReadonlyArray<string>) =>
  Effect.map(freePorts(variables.length), (numbers) =>
    Object.fromEntries(variables.map((variable, index) => [variable, String(numbers[index])])),
  )

/** Ends with 1 after this one line alone. */
const says = (program: Program, variables: Readonly<Record<string, string>>, line: RegExp | string) =>
  Effect.gen(function* () {
    const { code, output } = yield* outcome(program, { BERTH_DIR: yield* folder, ...variables })
    if (typeof line === "string") assert.strictEqual(output, `${line}\n`)
    else assert.match(output, new RegExp(`^${line.source}\\n$`))
    assert.strictEqual(code, 1)
  })

const ports: ReadonlyArray<readonly [Program, string]> = [
  ["berth", "PORT"],
  ["proxy", "PROXY_PORT"],
  ["operator", "OPERATOR_OPS_PORT"],
  ["web", "WEB_PORT"],
]

describe("a program that cannot start says in one line what to do", () => {
  for (const [program, variable] of ports) {
    it.live(`${program}: ${variable} is busy`, () =>
      Effect.gen(function* () {
        const busy = yield* busyPort
        const others = yield* free("PORT", "INTERNAL_PORT", "OPS_PORT", "PROXY_PORT", "PROXY_OPS_PORT", "WEB_OPS_PORT")
        const line = `Port ${busy} is busy: stop the program that listens on it, or set ${variable} to another.`
        yield* says(program, { ...others, [variable]: String(busy) }, line)
      }),
    )

    it.live(`${program}: ${variable} is no port`, () =>
      says(program, { [variable]: "abc" }, new RegExp(`${variable} is missing or wrong: .*`)),
    )
  }

  it.live("HOST is no address of this machine", () =>
    Effect.gen(function* () {
      const ports = yield* free("PROXY_PORT", "PROXY_OPS_PORT")
      yield* says("proxy", { ...ports, HOST: "192.0.2.1" }, /HOST=192\.0\.2\.1 is no address of this machine: .*/)
    }),
  )

  for (const program of ["berth", "billing", "operator"] as const)
    it.live(`${program}: BERTH_DIR cannot be written`, () =>
      Effect.gen(function* () {
        // Below a file nobody can write, not even root.
        const file = join(yield* folder, "file")
        writeFileSync(file, "")
        const line =
          /Berth cannot write to \/.*\/file\/berth.* \(\w+\): make it writable, or set BERTH_DIR to another folder\./
        yield* says(program, { BERTH_DIR: join(file, "berth") }, line)
      }),
    )

  it.live("Postgres is away", () =>
    says(
      "billing",
      { DATABASE_URL: "postgres://u:hidden@127.0.0.1:1/berth" },
      /Postgres cannot be reached: .*DATABASE_URL.*/,
    ),
  )

  it.live("migrate: Postgres is away", () =>
    says(
      "migrate",
      { DATABASE_URL: "postgres://u:hidden@127.0.0.1:1/berth" },
      /Postgres cannot be reached: .*DATABASE_URL.*/,
    ),
  )

  it.live("DATABASE_URL is no address", () =>
    says("api", { DATABASE_URL: "nonsense" }, /Postgres cannot be reached: .*DATABASE_URL.*/),
  )
  it.live("REDIS_URL is no address", () => says("operator", { REDIS_URL: "nonsense" }, /REDIS_URL is wrong: .*/))

  const production = { BERTH_ENV: "production" }
  it.live("berth in production with nothing given, by every variable", () =>
    says(
      "berth",
      production,
      "BERTH_ENV=production refuses embedded ports: set DATABASE_URL (postgres), REDIS_URL (redis), KIMI_API_KEY (kimi), STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET (stripe), TELEGRAM_BOT_TOKEN (telegram), SMTP_URL (mail), KUBECONFIG and OPENCLAW_IMAGE and EXPORTER_IMAGE (cluster), OPERATOR_AGE_IDENTITY (identity), SERVICE_TOKEN (bearer), EXPORT_URL (exports), EXPORT_AGE_IDENTITY (opener), EXPORT_LINK_KEY (links), PUBLIC_URL (address).",
    ),
  )

  it.live("api in production with nothing given, by every variable", () =>
    says(
      "api",
      production,
      "BERTH_ENV=production refuses embedded ports: set DATABASE_URL (postgres), REDIS_URL (redis), STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET (stripe), OPERATOR_AGE_RECIPIENT (seal), SERVICE_TOKEN (bearer), OPERATOR_URL and OPERATOR_TOKEN (inspection), EXPORT_URL (exports), EXPORT_AGE_IDENTITY (opener), EXPORT_LINK_KEY (links), PUBLIC_URL (address).",
    ),
  )

  it.live("operator with a cluster but no image", () =>
    says(
      "operator",
      { KUBECONFIG: "/etc/k" },
      "KUBECONFIG is given, so OPENCLAW_IMAGE and EXPORTER_IMAGE are needed too.",
    ),
  )
})
