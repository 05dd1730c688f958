/**
 * Keeps customers from waiting for a model whose engine is overloaded at the upstream, which can last for hours: after
 * enough such answers its circuit opens, requests are refused at once, and one is let through now and then to see.
 * PURE; one circuit a model and process. Only `engine_overloaded_error` counts: no customer's own request can cause it.
 */

/** Answers are counted over so long. */
const windowMillis = 30_000
/** Overloads in a window that open the circuit, if they are at least as many as answers that began. */
const enough = 5
/** For how long it is open at first; each probe in vain doubles that, up to the longest. */
const firstMillis = 5_000
const longestMillis = 60_000
/** When one is let through, the next follows after so long, should nothing be heard of the first. */
const probeMillis = 10_000

export type Circuit =
  | { readonly _tag: "Closed"; readonly since: number; readonly answered: number; readonly overloaded: number }
  | { readonly _tag: "Open"; readonly until: number; readonly forMillis: number }

export const closed = (now: number): Circuit => ({ _tag: "Closed", since: now, answered: 0, overloaded: 0 })

/** What becomes of a request that comes now; `probe` tells later outcomes of this request from those of earlier ones. */
export type Passage = "through" | "probe" | "refused"

export const isOpen = (circuit: Circuit, now: number): boolean => circuit._tag === "Open" && now < circuit.until

export const admit = (circuit: Circuit, now: number): readonly [Passage, Circuit] => {
  if (circuit._tag === "Closed") return ["through", circuit]
  if (now < circuit.until) return ["refused", circuit]
  return ["probe", { ...circuit, until: now + probeMillis }]
}

const counting = (circuit: Extract<Circuit, { _tag: "Closed" }>, now: number) =>
  now - circuit.since < windowMillis ? circuit : { ...circuit, since: now, answered: 0, overloaded: 0 }

/** An answer began. Only a probe's closes the circuit: the others were let through before it opened. */
export const answered = (circuit: Circuit, passage: Passage, now: number): Circuit => {
  if (circuit._tag === "Open") return passage === "probe" ? closed(now) : circuit
  const counted = counting(circuit, now)
  return { ...counted, answered: counted.answered + 1 }
}

/** The engine was overloaded. */
export const overloaded = (circuit: Circuit, passage: Passage, now: number): Circuit => {
  if (circuit._tag === "Open") {
    if (passage !== "probe") return circuit
    const forMillis = Math.min(circuit.forMillis * 2, longestMillis)
    return { _tag: "Open", until: now + forMillis, forMillis }
  }
  const counted = counting(circuit, now)
  const times = counted.overloaded + 1
  return times >= enough && times >= counted.answered
    ? { _tag: "Open", until: now + firstMillis, forMillis: firstMillis }
    : { ...counted, overloaded: times }
}
