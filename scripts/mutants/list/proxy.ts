/** Faults on the way of a metered request. */
import type { Mutant } from "../mutant.ts"

const hangUps = ["packages/proxy/test/HangUps.test.ts"]
const chat = ["packages/proxy/test/ChatCompletions.test.ts"]
const log = ["packages/proxy/test/Routes.test.ts"]

export const proxy: ReadonlyArray<Mutant> = [
  {
    name: "hang-up-unsettled",
    fault: "a client that hangs up mid-stream is not charged, so everyone could use the model for nothing",
    file: "packages/proxy/src/Conclude.ts",
    find: "  if (call.ending !== undefined) return Effect.andThen(free, count)\n",
    replace: `  if (call.ending !== undefined) return Effect.andThen(free, count)
  if (!call.ending) return Effect.andThen(free, settlement.giveBack(hold))
`,
    tests: hangUps,
  },
  {
    name: "hang-up-drained-for-ever",
    fault: "a client that hangs up keeps its hold and its place at the upstream for as long as that stalls",
    file: "packages/proxy/src/Conclude.ts",
    find: "orElse: () => Effect.sync(() => call.cancel())",
    replace: "orElse: () => Effect.never",
    tests: hangUps,
  },
  {
    name: "client-that-never-reads-keeps-its-place",
    fault: "a client that asks for an answer and never reads it keeps a place at the upstream for ever",
    file: "packages/proxy/src/Call.ts",
    find: "    controller.pause()\n    this.#awaitClient()\n",
    replace: "    controller.pause()\n",
    tests: hangUps,
  },
  {
    name: "hold-left-by-a-lost-answer",
    fault: "an admission whose answer is lost leaves a hold for as long as holds live, and a lost event",
    file: "packages/proxy/src/Admission.ts",
    find: "Effect.sync(() => settlement.doubted(ask))",
    replace: "Effect.void",
    tests: ["packages/proxy/test/Admission.test.ts"],
  },
  {
    name: "hold-left-behind",
    fault: "a client that leaves while it waits leaves a hold that nobody gives back",
    file: "packages/proxy/src/Admission.ts",
    find: "            Effect.onInterrupt(() => abandon),\n",
    replace: "",
    tests: ["packages/proxy/test/Admission.test.ts"],
  },
  {
    name: "monthly-message-after-a-wait",
    fault: "a customer who waited in vain for requests in flight is told that the month is used up",
    file: "packages/proxy/src/Admission.ts",
    find: 'Deferred.fail(outcome, new RateLimited({ what: "allowance" }))',
    replace: "Deferred.fail(outcome, new UsageLimitReached({ limit: 1, resetsAt: 0, topUpUrl: publicUrl }))",
    tests: ["packages/proxy/test/Admission.test.ts"],
  },
  {
    name: "usage-summed",
    fault: "an upstream that reports its usage in every chunk is charged at the sum of them",
    file: "packages/proxy/src/UsageScan.ts",
    find: "usage = chunk?.usage ?? usage",
    replace:
      "usage = chunk?.usage && { ...chunk.usage, completion: chunk.usage.completion + (usage?.completion ?? 0) }",
    tests: chat,
  },
  {
    name: "upstream-headers-leak",
    fault: "customers see the upstream's cookies and the id of our account there",
    file: "packages/proxy/src/Call.ts",
    find: "this.#response.writeHead(200, {\n",
    replace: "this.#response.writeHead(200, {\n      ...headers,\n",
    tests: chat,
  },
  {
    name: "upstream-answer-in-a-log-line",
    fault: "what the upstream says of our account and key stands in the log",
    file: "packages/proxy/src/Forward.ts",
    find: "yield* Effect.logError(`the upstream refuses us: ${verdict.reason}`)",
    replace: "yield* Effect.logError(`the upstream refuses us: ${verdict.reason}`, ending)",
    tests: log,
  },
  {
    name: "proxy-token-in-a-log-line",
    fault: "a token that is nearly right stands in the log",
    file: "packages/proxy/src/Authenticate.ts",
    find: "if (token === undefined || !isWellFormed(token)) return Effect.fail(new InvalidToken())",
    replace: `if (token === undefined || !isWellFormed(token))
            return Effect.andThen(Effect.logInfo("refused", authorization), Effect.fail(new InvalidToken()))`,
    tests: log,
  },
  {
    name: "free-call-while-the-store-is-away",
    fault: "without Redis every call is let through and none is counted",
    file: "packages/proxy/src/Admission.ts",
    find: "const decision = yield* asked(ask)",
    replace: `const decision = yield* allowance.admit(ask).pipe(
            Effect.orElseSucceed(
              (): Decision => ({
                _tag: "Admitted",
                hold: { ...ask, period: 0, ask: 0 },
                completion: 1_000,
                remaining: 0,
                limit: 0,
                periodEnd: 0,
                tier: "pro",
              }),
            ),
          )`,
    tests: ["packages/proxy/test/Refusals.test.ts"],
  },
]
