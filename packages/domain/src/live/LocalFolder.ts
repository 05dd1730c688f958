/**
 * What a Berth on this machine makes for itself and needs again at its next start: keys, each in a file of its own under
 * `BERTH_DIR`/keys, readable by its owner alone. A given variable always wins, and of two processes that make a key at once
 * both go on with the same one. Nothing is written unless it is asked for, so production, where all is given, writes none.
 */
import { randomBytes } from "node:crypto"
import * as Age from "age-encryption"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import * as Redacted from "effect/Redacted"
import { Refused } from "../Launch.ts"

/** Where everything is kept, `BERTH_DIR` (`.berth`). */
export const folder = Config.String("BERTH_DIR").pipe(Config.withDefault(".berth"))

const unwritable = (path: string) => (cause: PlatformError) =>
  new Refused({
    message: `Berth cannot write to ${path} (${cause.reason._tag}): make it writable, or set BERTH_DIR to another folder.`,
  })

/** The folder, there and writable. */
export const open = Effect.gen(function* () {
  const path = yield* folder
  const fs = yield* FileSystem.FileSystem
  yield* fs
    .makeDirectory(path, { recursive: true })
    .pipe(Effect.andThen(fs.access(path, { writable: true })), Effect.mapError(unwritable(path)))
  return path
}).pipe(Effect.withSpan("LocalFolder.open"))

const random = Effect.sync(() => randomBytes(32).toString("base64url"))

/** The variable's value, or what an earlier start kept, or what `make` makes now. */
const kept = Effect.fn("LocalFolder.kept")(function* (variable: string, name: string, make: Effect.Effect<string>) {
  const given = yield* Config.option(Config.Redacted(variable))
  if (Option.isSome(given)) return given.value
  const fs = yield* FileSystem.FileSystem
  const keys = `${yield* folder}/keys`
  const file = `${keys}/${name}`
  const before = Effect.map(fs.readFileString(file), (text) => text.trim())
  const text = yield* before.pipe(
    Effect.catch(() =>
      Effect.gen(function* () {
        const draft = `${file}.${process.pid}`
        yield* fs.makeDirectory(keys, { recursive: true, mode: 0o700 })
        yield* fs.writeFileString(draft, yield* make, { mode: 0o600 })
        // The first one stays: a link, unlike a rename, never takes the place of another process's key.
        yield* Effect.ignore(fs.link(draft, file))
        yield* fs.remove(draft)
        return yield* before
      }),
    ),
    Effect.mapError(unwritable(keys)),
  )
  return Redacted.make(text)
})

/** The operator's age identity, with which alone the pods' secrets can be opened. */
export const identity = kept("OPERATOR_AGE_IDENTITY", "operator.age", Effect.promise(Age.generateIdentity))

/** Its public half, to which control seals. */
export const recipientOf = (secret: Redacted.Redacted<string>) =>
  Effect.promise(() => Age.identityToRecipient(Redacted.value(secret)))

/** `OPERATOR_AGE_RECIPIENT`, or that of the identity that this machine made. */
export const recipient = Effect.gen(function* () {
  const given = yield* Config.option(Config.String("OPERATOR_AGE_RECIPIENT"))
  return Option.isSome(given) ? given.value : yield* Effect.flatMap(identity, recipientOf)
})

/** Opens exports, which are encrypted to its public half. Api alone needs it. */
export const exportIdentity = kept("EXPORT_AGE_IDENTITY", "export.age", Effect.promise(Age.generateIdentity))

/** `EXPORT_AGE_RECIPIENT`, or that of the identity that this machine made. */
export const exportRecipient = Effect.gen(function* () {
  const given = yield* Config.option(Config.String("EXPORT_AGE_RECIPIENT"))
  return Option.isSome(given) ? given.value : yield* Effect.flatMap(exportIdentity, recipientOf)
})

/** Signs the links by which customers fetch their exports. */
export const exportLinkKey = kept("EXPORT_LINK_KEY", "export-link.key", random)

/** The bearer of `POST /provision`. */
export const serviceToken = kept("SERVICE_TOKEN", "service.token", random)

/** The bearer of the operator's own port. */
export const operatorToken = kept("OPERATOR_TOKEN", "operator.token", random)

/** Signs the embedded Stripe's webhooks. */
export const webhookSecret = kept(
  "STRIPE_WEBHOOK_SECRET",
  "stripe-webhook.secret",
  Effect.map(random, (one) => `whsec_${one}`),
)
