/** `npm run stripe:sync`: what Berth needs in the Stripe account of `STRIPE_SECRET_KEY`; shown first, done with `--apply`. */
import { Refused, runMain } from "@berth/domain/Launch"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Command, Flag } from "effect/cli"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Account from "../live/PaymentsStripe/Account.ts"
import { lookupKeyOf, packLookupKeyOf } from "../live/PaymentsStripe/States.ts"
import { desiredOf } from "../stripe-sync/Desired.ts"
import { sync, textOf } from "../stripe-sync/Sync.ts"

const flags = {
  apply: Flag.Boolean("apply").pipe(
    Flag.withDescription("Do what the plan says; without it nothing is changed"),
    Flag.withDefault(false),
  ),
  secretFile: Flag.String("secret-file").pipe(
    Flag.withDescription(
      "A new file (mode 600) for the secret of a webhook endpoint that is made; it is shown nowhere else",
    ),
    Flag.optional,
  ),
  json: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false)),
}

const run = Command.make(
  "stripe:sync",
  flags,
  Effect.fnUntraced(function* ({ apply, json, secretFile }) {
    const publicUrl = yield* Config.URL("PUBLIC_URL")
    const secretKey = yield* Config.Redacted("STRIPE_SECRET_KEY")
    const desired = desiredOf(publicUrl, Account.apiVersion, { ofTier: lookupKeyOf, ofPack: packLookupKeyOf })
    const outcome = yield* sync(desired, { apply, secretFile: Option.getOrUndefined(secretFile) }).pipe(
      Effect.provide(Account.layer({ secretKey, desired })),
      Effect.catchTags({
        SecretFileNeeded: ({ message }) => Effect.fail(new Refused({ message })),
        StripeAccountFailed: ({ message }) => Effect.fail(new Refused({ message })),
      }),
    )
    yield* Console.log(json ? JSON.stringify(outcome) : textOf(outcome))
  }),
).pipe(
  Command.withDescription(
    "Makes the products, prices, customer portal and webhook endpoint that Berth sells by in the Stripe account of STRIPE_SECRET_KEY, for PUBLIC_URL. Shows the plan; --apply carries it out. Safe to run again: what is there already stays",
  ),
)

runMain(Command.run(run, { version: "0.1.0" }).pipe(Effect.provide(NodeServices.layer)))
