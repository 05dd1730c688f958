/**
 * Secrets that a Berth on this machine makes for itself and needs again at its next start: each in a file of its own under
 * `<folder>/keys`, readable by its owner alone. A given variable always wins.
 */
import { randomBytes } from "node:crypto"
import { dirname } from "node:path"
import { Refused } from "@berth/domain/Launch"
import * as Age from "age-encryption"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

const random = Effect.sync(() => randomBytes(32).toString("base64url"))

/** The variable's value, or what an earlier start kept, or what `make` makes now. */
const kept = Effect.fn("Keys.kept")(function* (variable: string, file: string, make: Effect.Effect<string>) {
  const given = yield* Config.option(Config.Redacted(variable))
  if (Option.isSome(given)) return given.value
  const fs = yield* FileSystem.FileSystem
  const before = yield* Effect.option(fs.readFileString(file))
  if (Option.isSome(before) && before.value !== "") return Redacted.make(before.value.trim())
  const made = yield* make
  yield* fs.makeDirectory(dirname(file), { recursive: true, mode: 0o700 }).pipe(
    Effect.andThen(fs.writeFileString(`${file}.new`, made, { mode: 0o600 })),
    Effect.andThen(fs.rename(`${file}.new`, file)),
    Effect.mapError(
      ({ message }) =>
        new Refused({ message: `${dirname(file)} cannot be written: make it writable or set BERTH_DIR. (${message})` }),
    ),
  )
  return Redacted.make(made)
})

export const read = Effect.fn("Keys.read")(function* (folder: string) {
  const keys = `${folder}/keys`
  const identity = yield* kept(
    "OPERATOR_AGE_IDENTITY",
    `${keys}/operator.age`,
    Effect.promise(() => Age.generateIdentity()),
  )
  return {
    /** The operator's age identity, with which alone the pods' secrets can be opened. */
    identity,
    /** Its public half, to which control seals. */
    recipient: yield* Effect.promise(() => Age.identityToRecipient(Redacted.value(identity))),
    /** The bearer of `POST /provision`. */
    service: yield* kept("SERVICE_TOKEN", `${keys}/service.token`, random),
    /** Signs the embedded Stripe's webhooks. */
    webhook: yield* kept(
      "STRIPE_WEBHOOK_SECRET",
      `${keys}/stripe-webhook.secret`,
      Effect.map(random, (one) => `whsec_${one}`),
    ),
    /** Berth's own token at the proxy. */
    onboarding: yield* Config.option(Config.Redacted("ONBOARDING_PROXY_TOKEN")),
  }
})
export type Keys = Effect.Success<ReturnType<typeof read>>
