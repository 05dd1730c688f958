/**
 * The client's side of a call: what it is sent, no faster than it takes it. A client that takes nothing of what waits for
 * it is let go after a while: it would keep a place at the upstream for ever. Invariant: the upstream's headers stay out;
 * an answer that is not whole ends in a way that no client can take for an end.
 */
import type { ServerResponse } from "node:http"

export class Reply {
  readonly #response: ServerResponse
  readonly #headers: Readonly<Record<string, string | number>>
  readonly #stallMillis: number
  readonly #drained: () => void
  #attached = true

  /** `headers` are ours. A client may take nothing for `stallMillis`; `drained` tells that it takes more. */
  constructor(
    response: ServerResponse,
    headers: Readonly<Record<string, string | number>>,
    stallMillis: number,
    drained: () => void,
  ) {
    this.#response = response
    this.#headers = headers
    this.#stallMillis = stallMillis
    this.#drained = drained
    response.on("drain", this.#onDrain)
  }

  /** Whether anybody still listens. */
  get open(): boolean {
    return this.#attached && !this.#response.destroyed
  }

  /** Announces an answer, by headers that describe its body; a second time does nothing. */
  begin(describing: Readonly<Record<string, string | number>>): void {
    if (this.open && !this.#response.headersSent) this.#response.writeHead(200, { ...this.#headers, ...describing })
  }

  /** Whether it can take more at once. */
  write(bytes: Buffer): boolean {
    if (!this.open || this.#response.write(bytes)) return true
    this.#awaitClient()
    return false
  }

  /** Ends an answer that is whole. */
  end(bytes: Buffer | undefined): void {
    if (this.open) {
      this.#response.end(bytes)
      if (!this.#response.writableFinished) this.#awaitClient()
    }
    this.release()
  }

  /** Ends one that is not; once it has taken some last words, if there are any, and then calls back. */
  breakOff(words?: string, done: () => void = () => {}): void {
    const end = (): void => {
      this.#response.destroy()
      done()
    }
    if (words === undefined || !this.open) end()
    else {
      this.#awaitClient()
      this.#response.write(words, end)
    }
    this.release()
  }

  /** Nobody listens any more. */
  detach(): void {
    this.release()
    if (this.#response.headersSent) this.#response.destroy()
  }

  /** Sends nothing from now on. */
  release(): void {
    this.#attached = false
    this.#response.off("drain", this.#onDrain)
  }

  /** Without any progress in time the server closes the connection, as if the client had. */
  #awaitClient(): void {
    this.#response.setTimeout(this.#stallMillis)
  }

  readonly #onDrain = (): void => {
    this.#response.setTimeout(0)
    this.#drained()
  }
}
