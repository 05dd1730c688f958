/** One token-proxy as a process of its own, on real stores and an upstream of the test's. */
import * as Effect from "effect/Effect"
import * as ProgramProcess from "./ProgramProcess.ts"

export interface Options {
  readonly redisUrl: string
  readonly databaseUrl: string
  /** With the version: `http://127.0.0.1:1234/v1`. */
  readonly kimiUrl: string
  /** Further variables, as in docs/configuration.md. */
  readonly env?: Readonly<Record<string, string>>
  readonly preload?: ReadonlyArray<string>
}

export interface ProxyProcess extends ProgramProcess.ProgramProcess {
  /** Where its customers call: `http://127.0.0.1:<port>`. */
  readonly url: string
  /** The value of a metric, summed over its labels; 0 while it has none. */
  readonly metric: (name: string) => Effect.Effect<number>
}

export const upstreamKey = "sk-upstream-key-of-ours"

/** Starts it in the current scope; returns when it is ready. */
export const make = Effect.fn("ProxyProcess.make")(function* (options: Options) {
  const { redisUrl, databaseUrl, kimiUrl, env, preload } = options
  const running = yield* ProgramProcess.make({
    program: "packages/proxy/src/bin/token-proxy.ts",
    ports: ["PROXY_PORT", "PROXY_OPS_PORT"],
    env: {
      REDIS_URL: redisUrl,
      DATABASE_URL: databaseUrl,
      KIMI_API_KEY: upstreamKey,
      KIMI_BASE_URL: kimiUrl,
      PUBLIC_URL: "https://berth.example",
      ...env,
    },
    ...(preload === undefined ? {} : { preload }),
  })
  const [url = "", ops = ""] = running.origins
  const metric = (name: string) =>
    Effect.promise(async () => {
      const text = await (await fetch(`${ops}/metrics`)).text()
      const values = text
        .split("\n")
        .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
        .map((line) => Number(line.slice(line.lastIndexOf(" ") + 1)))
      return values.reduce((sum, value) => sum + value, 0)
    })
  return { ...running, url, metric } satisfies ProxyProcess as ProxyProcess
})
