/**
 * Faults in what a customer may use. The rules are written twice, in TypeScript for the memory layer and in Lua for Redis,
 * so each fault is planted in both.
 */
import type { Mutant } from "../mutant.ts"

const memory = ["packages/domain/test/AllowanceMemory.test.ts"]
const redis = ["packages/domain/test/live/AllowanceRedis.integration.test.ts"]
const admit = "packages/domain/src/Allowance/Admit.ts"
const limit = "packages/domain/src/Allowance/Limit.ts"
const scripts = "packages/domain/src/live/AllowanceRedis/Scripts.ts"
const prelude = "packages/domain/src/live/AllowanceRedis/Prelude.ts"

export const domain: ReadonlyArray<Mutant> = [
  {
    name: "hold-not-atomic-in-memory",
    fault: "another request is decided between the decision on a hold and its writing, so both get the same tokens",
    file: "packages/domain/src/Allowance/Memory.ts",
    find: "const { admission, limit, opened } = admit(state, ask, now)",
    replace: "const { admission, limit, opened } = admit(state, ask, now)\n      yield* Effect.yieldNow",
    tests: memory,
  },
  {
    name: "open-holds-ignored-in-memory",
    fault:
      "requests that run at the same time are each admitted as if alone, so a customer gets more than was paid for",
    file: admit,
    find: "if (used + held + least > cap)",
    replace: "if (used + least > cap)",
    tests: memory,
  },
  {
    name: "open-holds-ignored-in-redis",
    fault:
      "requests that run at the same time are each admitted as if alone, so a customer gets more than was paid for",
    file: scripts,
    find: "if used + held + least > limit then",
    replace: "if used + least > limit then",
    tests: redis,
  },
  {
    name: "hold-not-counted-in-redis",
    fault: "a hold is opened but not counted, so the next request is given the same tokens",
    file: scripts,
    find: "keep(id, call, period, ask)\nredis.call('HINCRBY', key, 'held', ask)",
    replace: "keep(id, call, period, ask)",
    tests: redis,
  },
  {
    name: "settle-added-twice-in-memory",
    fault: "a settlement that is tried again is charged again",
    file: "packages/domain/src/Allowance/Holding.ts",
    find: 'marker === "settled"\n    ? { result: "repeat"',
    replace: 'marker === "settled" && open !== undefined\n    ? { result: "repeat"',
    tests: memory,
  },
  {
    name: "settle-added-twice-in-redis",
    fault: "a settlement that is tried again is charged again",
    file: scripts,
    find: "if marker == 'settled' then return 'repeat' end",
    replace: "",
    tests: redis,
  },
  {
    name: "roll-over-forgets-packs-in-memory",
    fault: "packs that were bought and not used are gone when the next month begins",
    file: limit,
    find: "packs: Math.max(0, limit.packs - beyond(limit.used, limit.terms.plan)),",
    replace: "packs: 0,",
    tests: memory,
  },
  {
    name: "roll-over-forgets-packs-in-redis",
    fault: "packs that were bought and not used are gone when the next month begins",
    file: prelude,
    find: "l.packs = math.max(0, l.packs - beyond(l.used, l.plan))",
    replace: "l.packs = 0",
    tests: redis,
  },
  {
    name: "late-settlement-charged-to-today-in-memory",
    fault: "what was used before the month ended is taken from the new month",
    file: limit,
    find: "if (period === limit.period) return",
    replace: "if (period <= limit.period) return",
    tests: memory,
  },
  {
    name: "late-settlement-charged-to-today-in-redis",
    fault: "what was used before the month ended is taken from the new month",
    file: prelude,
    find: "if period == current then",
    replace: "if period <= current then",
    tests: redis,
  },
  {
    name: "monthly-message-for-open-holds-in-memory",
    fault: "a customer is told that the month is used up while only requests in flight are in the way",
    file: admit,
    find: "if (used + least > cap)",
    replace: "if (used + held + least > cap)",
    tests: memory,
  },
  {
    name: "monthly-message-for-open-holds-in-redis",
    fault: "a customer is told that the month is used up while only requests in flight are in the way",
    file: scripts,
    find: "if used + least > limit then return {'Exhausted'",
    replace: "if used + held + least > limit then return {'Exhausted'",
    tests: redis,
  },
  {
    name: "revoked-token-admitted-in-memory",
    fault: "a token goes on spending after it was revoked",
    file: admit,
    find: 'if (!limit.terms.tokens.includes(ask.tokenHash)) return refuse({ _tag: "Revoked" })',
    replace: "",
    tests: memory,
  },
  {
    name: "revoked-token-admitted-in-redis",
    fault: "a token goes on spending after it was revoked",
    file: scripts,
    find: "if not string.find(',' .. h[1] .. ',', ',' .. token .. ',', 1, true) then return {'Revoked'} end",
    replace: "",
    tests: redis,
  },
  {
    name: "rebuild-doubles-usage-in-memory",
    fault: "an allowance that is rebuilt counts again what is recorded already",
    file: "packages/domain/src/Allowance/Memory.ts",
    find: "const missed = log.missedBy(recorded)",
    replace: 'const missed = log.missedBy({ ...recorded, cursor: "0-0" })',
    tests: memory,
  },
  {
    name: "rebuild-doubles-usage-in-redis",
    fault: "an allowance that is rebuilt counts again what is recorded already",
    file: "packages/domain/src/live/AllowanceRedis.ts",
    find: "let place = snapshot.recorded",
    replace: 'let place = { ...snapshot.recorded, cursor: "0-0" }',
    tests: redis,
  },
  {
    name: "grant-booked-twice",
    fault: "a month that billing opened and Redis tells of is granted by each",
    file: "packages/domain/src/Usage.ts",
    find: "? `period:${event.customerId}:${event.period}`",
    replace: "? `period:${event.customerId}:${event.period}:${event.at}`",
    tests: ["packages/control/test/billing/Recorder.integration.test.ts"],
  },
  {
    name: "change-applied-twice",
    fault: "a change that is delivered again is applied again, so a pack counts double",
    file: "packages/domain/src/Allowance/Change.ts",
    find: 'if (change.rev <= limit.rev) return { _tag: "skipped" }\n  if (change.rev !== limit.rev + 1)',
    replace: "if (change.rev > limit.rev + 1)",
    tests: memory,
  },
  {
    name: "envelope-of-another-customer-opened",
    fault: "a sealed secret can be moved into another customer's job",
    file: "packages/domain/src/Seal.ts",
    find: 'if (content.customerId !== name.customerId) return yield* broken("otherCustomer")',
    replace: "",
    tests: ["packages/domain/test/Seal.test.ts"],
  },
]
