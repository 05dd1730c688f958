/**
 * What made-up tokens may cost: each address may have so many looked up in vain, and one that nobody has is remembered
 * for a moment, so that a client that goes on sending it costs nothing. PURE but for its own state; bounded, the least
 * recently seen go first. Invariant: a token that is known is never asked about here. A memory of its own, not a shared
 * limiter: asking a store would be the very cost that it spares.
 */

/** Vain look-ups that an address has at once, and how long each takes to come back. */
export const burst = 20
export const refillMillis = 3_000
/** The same for a peer on whose word other addresses are taken, together for all of them. */
export const peerFactor = 10
/** A minted token stands in the store before anybody holds it, so nobody waits for this to pass. */
export const rememberMillis = 2_000

/** A map that drops what was set least recently. */
class Recent<A> {
  readonly #capacity: number
  readonly #entries = new Map<string, A>()

  constructor(capacity: number) {
    this.#capacity = capacity
  }
  get(key: string): A | undefined {
    return this.#entries.get(key)
  }
  set(key: string, value: A): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    if (this.#entries.size <= this.#capacity) return
    const [oldest] = this.#entries.keys()
    if (oldest !== undefined) this.#entries.delete(oldest)
  }
  get size(): number {
    return this.#entries.size
  }
}

/** Looked up in vain from one address: `spent` of its burst as of `at` (epoch ms). */
interface Spent {
  readonly spent: number
  readonly at: number
}

export class BadTokens {
  readonly #addresses: Recent<Spent>
  readonly #hashes: Recent<number>

  /** `capacity`: addresses and tokens that are remembered. */
  constructor(capacity: number) {
    this.#addresses = new Recent(capacity)
    this.#hashes = new Recent(capacity)
  }

  get size(): number {
    return this.#addresses.size + this.#hashes.size
  }

  /** Whether this token was looked up in vain a moment ago. */
  isRemembered(tokenHash: string, now: number): boolean {
    const until = this.#hashes.get(tokenHash)
    return until !== undefined && until > now && until - now <= rememberMillis
  }

  /** Milliseconds until the address may have an unknown token looked up; 0 for at once. */
  waitOf(address: string, now: number, factor = 1): number {
    const missing = this.#spentOf(address, now, factor) + 1 - burst * factor
    return Math.max(0, Math.ceil((missing * refillMillis) / factor))
  }

  /** Nobody has this token. */
  remember(tokenHash: string, now: number): void {
    this.#hashes.set(tokenHash, now + rememberMillis)
  }

  /** A look-up for this address was in vain. Several at the same time may be more than its burst; it owes no more than that. */
  charge(address: string, now: number, factor = 1): void {
    const spent = Math.min(burst * factor, this.#spentOf(address, now, factor) + 1)
    this.#addresses.set(address, { spent, at: now })
  }

  #spentOf(address: string, now: number, factor: number): number {
    const entry = this.#addresses.get(address)
    if (entry === undefined) return 0
    // A clock that was set back refills nothing and takes nothing.
    return Math.max(0, entry.spent - (Math.max(0, now - entry.at) * factor) / refillMillis)
  }
}
