/**
 * `npm run stripe:sync`: looks, plans, tells, and does it only if told to. What it did stands even if a later step fails: the
 * next run goes on from there. A new endpoint's secret goes into a file of its owner's alone, and nowhere else.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { Desired } from "./Desired.ts"
import { lineOf, planOf, type Step } from "./Plan.ts"
import { StripeAccount } from "./StripeAccount.ts"

/** Nothing was done; the message says what to give. */
export class SecretFileNeeded extends Schema.TaggedError<SecretFileNeeded>()("SecretFileNeeded", {
  message: Schema.String,
}) {}

export interface Options {
  readonly apply: boolean
  /** Where a new endpoint's secret is written; it must not exist yet. */
  readonly secretFile: string | undefined
}

/** One step, as a person and as a program reads it. */
export interface Told {
  readonly step: Step["_tag"]
  readonly text: string
  /** Of what was made or changed; null while it is only planned. */
  readonly id: string | null
}

export interface Outcome {
  readonly mode: "live" | "test"
  readonly applied: boolean
  readonly steps: ReadonlyArray<Told>
  /** Where the new secret is; null if none was made. */
  readonly secretFile: string | null
  readonly notes: ReadonlyArray<string>
}

const needed = (message: string) => new SecretFileNeeded({ message })

/** Takes the file before Stripe tells the secret, which it does once; gives it back empty-handed if Stripe does not. */
const reserved = Effect.fnUntraced(function* (path: string | undefined) {
  const fs = yield* FileSystem.FileSystem
  if (path === undefined)
    return yield* needed("A webhook endpoint would be made: name a new file for its secret with --secret-file.")
  yield* fs
    .writeFileString(path, "", { flag: "wx", mode: 0o600 })
    .pipe(
      Effect.mapError((cause: PlatformError) =>
        needed(
          cause.reason._tag === "AlreadyExists"
            ? `${path} exists: name a new file for the endpoint's secret with --secret-file.`
            : `${path} can't be written (${cause.reason._tag}): name another with --secret-file.`,
        ),
      ),
    )
  return path
})

const notesOf = (desired: Desired, steps: ReadonlyArray<Step>): ReadonlyArray<string> => [
  ...(desired.endpoint === undefined
    ? ["No webhook endpoint: PUBLIC_URL is not https, so Stripe can't reach it. On one's own machine: stripe listen."]
    : []),
  ...(steps.some((step) => step._tag === "CreateEndpoint")
    ? [
        "Put the new secret into STRIPE_WEBHOOK_SECRET, beside the old one by a comma if there was one; then run this again.",
      ]
    : []),
]

export const sync = Effect.fn("stripe-sync")(function* (desired: Desired, options: Options) {
  const account = yield* StripeAccount
  const fs = yield* FileSystem.FileSystem
  const steps = planOf(desired, yield* account.found)
  const notes = notesOf(desired, steps)
  const told = (step: Step, id: string | null): Told => ({ step: step._tag, text: lineOf(step), id })
  if (!options.apply)
    return {
      mode: account.mode,
      applied: false,
      steps: steps.map((step) => told(step, null)),
      secretFile: null,
      notes,
    } satisfies Outcome as Outcome
  const makesEndpoint = steps.some((step) => step._tag === "CreateEndpoint")
  const secretFile = makesEndpoint ? yield* reserved(options.secretFile) : null
  const done = yield* Effect.forEach(steps, (step) =>
    Effect.gen(function* () {
      const { id, secret } = yield* account.apply(step)
      if (secret !== undefined && secretFile !== null)
        yield* fs.writeFileString(secretFile, `${Redacted.value(secret)}\n`, { mode: 0o600 })
      return told(step, id)
    }).pipe(Effect.uninterruptible),
  ).pipe(
    Effect.tapError(() =>
      secretFile === null
        ? Effect.void
        : Effect.flatMap(fs.readFileString(secretFile), (text) => (text === "" ? fs.remove(secretFile) : Effect.void)),
    ),
  )
  return { mode: account.mode, applied: true, steps: done, secretFile, notes } satisfies Outcome as Outcome
})

/** The outcome as people read it. */
export const textOf = ({ applied, mode, notes, secretFile, steps }: Outcome): string =>
  [
    `Stripe, ${mode} mode:`,
    ...(steps.length === 0 ? ["nothing to do"] : steps.map(({ id, text }) => (id === null ? text : `${text} [${id}]`))),
    ...(secretFile === null ? [] : [`The endpoint's secret is in ${secretFile}.`]),
    ...(steps.length === 0 || applied ? [] : ["Nothing is done yet: --apply does it."]),
    ...notes,
  ].join("\n")
