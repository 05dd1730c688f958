/**
 * Which services web passes on to. In a cluster none: the Ingress does it. `API_ORIGIN` names one for everything, and
 * `ONBOARDING_ORIGIN` and `BILLING_ORIGIN` their own; on this machine, with nothing given, the others' default ports.
 */
import * as Embedded from "@berth/domain/Embedded"
import * as Listen from "@berth/domain/Listen"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Behind } from "../../pages/PassOn.ts"

const onThisMachine = (variable: string, byDefault: number) =>
  Effect.map(Listen.port(variable, byDefault), (port) => new URL(`http://127.0.0.1:${port}`))

const services = Effect.gen(function* () {
  const api = yield* Config.option(Config.URL("API_ORIGIN"))
  if (Option.isSome(api))
    return {
      api: api.value,
      onboarding: yield* Config.URL("ONBOARDING_ORIGIN").pipe(Config.withDefault(api.value)),
      billing: yield* Config.URL("BILLING_ORIGIN").pipe(Config.withDefault(api.value)),
    }
  return {
    api: yield* onThisMachine("API_PORT", 3001),
    onboarding: yield* onThisMachine("ONBOARDING_PORT", 3002),
    billing: yield* onThisMachine("BILLING_PORT", 3003),
  }
})

export const read = Effect.gen(function* () {
  const isAlone = (yield* Embedded.environment) === "production" && !(yield* Embedded.isGiven("API_ORIGIN"))
  return isAlone ? undefined : yield* services
})

export const describe = (behind: Behind): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(behind).map(([name, { origin }]) => [name, origin]))
