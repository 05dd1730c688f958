/**
 * What stands in the cluster as far as it is known: a glimpse of every object of every customer, kept up by informers and by
 * the answers to the operator's own writes. Invariant: an older sight never replaces a newer one, whichever way and in
 * whatever order they come, so what was just written is never taken back by a watch that lags. Synchronous.
 */
import { type Glimpse, glimpse, isNews } from "./Glimpse.ts"
import type { KindName } from "./Kinds.ts"
import type { Ref, Stored } from "./Manifest.ts"
import { nameOf } from "./Manifest.ts"

/** Something of a customer's changed, came or went. */
export interface News {
  readonly customer: string
  readonly kind: KindName
}

export interface Observed {
  get(customer: string, ref: Ref): Glimpse | undefined
  /** Of one kind; pods in particular. */
  list(customer: string, kind: KindName): ReadonlyArray<Glimpse>
  /** Every customer of whom an object of this kind stands. */
  customers(kind: KindName): ReadonlyArray<string>
  /**
   * The answer to an own write. With `mark`, the object was compared and holds all that was meant under that mark. Nobody is
   * told: whoever wrote knows.
   */
  note(stored: Stored, mark?: string): void
  /** Whether the object, as it stands, was compared before and holds all that is meant under this mark. */
  holds(customer: string, ref: Ref, mark: string): boolean
  /** It was not found where it was looked for. */
  missing(customer: string, ref: Ref): void
  /** A watch tells that an object is so by now. */
  changed(object: Stored): void
  /** A watch tells that an object is gone. */
  gone(object: Stored): void
  /** A list tells all that stood of a kind at a place. */
  replace(kind: KindName, items: ReadonlyArray<Stored>, place: string): void
  /** Calls for every news until the result is called. */
  listen(listener: (news: News) => void): () => void
  /** How many objects are known. */
  size(): number
}

export const make = (): Observed => {
  const byCustomer = new Map<string, Map<string, Glimpse>>()
  const byKind = new Map<KindName, Map<string, string>>()
  /** The mark under which an object, by its name, was compared, and the hash of its content then. */
  const compared = new Map<string, { readonly mark: string; readonly hash: string }>()
  /** Up to where each kind's watch has told everything: what is older and not known is gone. */
  const reached = new Map<KindName, number>()
  const listeners = new Set<(news: News) => void>()

  const tell = ({ customer, kind }: News) => {
    for (const listener of listeners) listener({ customer, kind })
  }
  const known = (customer: string, name: string) => byCustomer.get(customer)?.get(name)

  const put = (one: Glimpse) => {
    const own = byCustomer.get(one.customer) ?? new Map<string, Glimpse>()
    byCustomer.set(one.customer, own.set(one.name, one))
    const names = byKind.get(one.kind) ?? new Map<string, string>()
    byKind.set(one.kind, names.set(one.name, one.customer))
  }

  const drop = ({ customer, kind, name }: Glimpse) => {
    byKind.get(kind)?.delete(name)
    compared.delete(name)
    const own = byCustomer.get(customer)
    own?.delete(name)
    if (own?.size === 0) byCustomer.delete(customer)
  }

  /** With the namespace goes all that was in it, even if its own watches don't say so yet. */
  const dropContents = ({ customer, metadata, version }: Glimpse) => {
    for (const one of byCustomer.get(customer)?.values() ?? [])
      if (one.metadata.namespace === metadata.name && one.version < version) drop(one)
  }

  /** An object that lost its label or its claim is no customer's any more, as if it were gone. */
  const strange = (object: Stored, version: number) => {
    const name = nameOf(object.kind === "Agent" ? { kind: "Agent", name: object.metadata.name } : refIn(object))
    const customer = byKind.get(object.kind as KindName)?.get(name)
    const before = customer === undefined ? undefined : known(customer, name)
    if (before === undefined || before.version > version) return
    drop(before)
    tell(before)
  }

  const changed = (object: Stored) => {
    const version = Number(object.metadata.resourceVersion)
    const now = glimpse(object)
    if (now === undefined) return strange(object, version)
    const before = known(now.customer, now.name)
    if (before !== undefined && before.version >= version) return
    put(now)
    if (isNews(before, now)) tell(now)
  }

  const gone = (object: Stored) => {
    const now = glimpse(object)
    if (now === undefined) return strange(object, Number(object.metadata.resourceVersion))
    const before = known(now.customer, now.name)
    if (now.kind === "Namespace") dropContents(now)
    if (before === undefined || (before.version > now.version && before.metadata.uid !== now.metadata.uid)) return
    drop(before)
    tell(now)
  }

  return {
    get: (customer, ref) => known(customer, nameOf(ref)),
    list: (customer, kind) => [...(byCustomer.get(customer)?.values() ?? [])].filter((one) => one.kind === kind),
    customers: (kind) => [...new Set(byKind.get(kind)?.values() ?? [])],
    note: (stored, mark) => {
      const now = glimpse(stored)
      if (now === undefined) return
      const before = known(now.customer, now.name)
      // The watch is past this place and knows no such object: it came and went.
      const past = before === undefined && now.version <= (reached.get(now.kind) ?? 0)
      if (!past && (before === undefined || before.version < now.version)) put(now)
      if (!past && mark !== undefined && now.hash !== undefined) compared.set(now.name, { mark, hash: now.hash })
    },
    holds: (customer, ref, mark) => {
      const name = nameOf(ref)
      const one = compared.get(name)
      return one !== undefined && one.mark === mark && one.hash === known(customer, name)?.hash
    },
    missing: (customer, ref) => {
      const before = known(customer, nameOf(ref))
      if (before !== undefined) drop(before)
    },
    changed: (object) => {
      changed(object)
      advance(object)
    },
    gone: (object) => {
      gone(object)
      advance(object)
    },
    replace: (kind, items, place) => {
      const standing = new Set<string>()
      for (const item of items) {
        changed(item)
        standing.add(nameOf(refIn(item)))
      }
      const at = Number(place)
      for (const [name, customer] of byKind.get(kind) ?? []) {
        const one = known(customer, name)
        // What is newer than the list was written since and is not missing from it.
        if (one === undefined || standing.has(name) || one.version > at) continue
        drop(one)
        tell(one)
      }
      reached.set(kind, Math.max(at, reached.get(kind) ?? 0))
    },
    listen: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    size: () => [...byCustomer.values()].reduce((total, own) => total + own.size, 0),
  }

  function advance({ kind, metadata }: Stored) {
    reached.set(kind as KindName, Math.max(Number(metadata.resourceVersion), reached.get(kind as KindName) ?? 0))
  }
}

const refIn = (object: Stored): Ref => ({
  kind: object.kind,
  name: object.metadata.name,
  ...(object.metadata.namespace === undefined ? {} : { namespace: object.metadata.namespace }),
})
