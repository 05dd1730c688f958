/**
 * One call to the upstream while it lasts: its bytes go to the client with backpressure both ways and are scanned for
 * usage in passing. It outlives its client: detached, it goes on being read, so that its true usage can still come. A
 * client that takes nothing of what waits for it is let go after a while: it would keep a place at the upstream for ever.
 * Invariant: `over` is reached once, and the client's response is ended or destroyed by then.
 */
import type { ServerResponse } from "node:http"
import { type Dispatcher, errors } from "undici"
import type { Kimi } from "./Kimi.ts"
import type { UpstreamError } from "./KimiErrors.ts"
import type { Shape } from "./RequestShape.ts"
import * as UsageScan from "./UsageScan.ts"

export type Ending =
  /** Answered in full. */
  | { readonly _tag: "Complete" }
  /** Broke off after its first byte. */
  | { readonly _tag: "Broken" }
  /** Ended by us. */
  | { readonly _tag: "Cancelled" }
  /** An error answer, no byte of which went to the client. */
  | { readonly _tag: "Refused"; readonly error: UpstreamError }
  /** No answer, or none that can be read. After a silence of minutes another try would only double the cost. */
  | { readonly _tag: "Failed"; readonly silent: boolean }

/** Bytes of an error answer that are read. */
const errorBytes = 64 * 1024

export class Call {
  readonly #response: ServerResponse
  readonly #shape: Shape
  readonly #headers: Readonly<Record<string, string | number>>
  readonly #stallMillis: number
  readonly #listeners: Array<(ending: Ending) => void> = []
  #controller: Dispatcher.DispatchController | undefined
  #scan: UsageScan.UsageScan | undefined
  #error: { status: number; retryAfter: string | undefined; chunks: Array<Buffer>; bytes: number } | undefined
  #attached = true
  #ending: Ending | undefined
  #cancelled = false

  /** `headers` are ours; they go out with the upstream's first byte. A client may take nothing for `stallMillis`. */
  constructor(
    response: ServerResponse,
    shape: Shape,
    headers: Readonly<Record<string, string | number>>,
    stallMillis: number,
  ) {
    this.#response = response
    this.#shape = shape
    this.#headers = headers
    this.#stallMillis = stallMillis
  }

  /** Undefined while it lasts. */
  get ending(): Ending | undefined {
    return this.#ending
  }
  /** Whether it has begun to go out. If not, the upstream knows nothing of it. */
  get sent(): boolean {
    return this.#controller !== undefined
  }
  /** The last usage that the upstream reported. */
  get usage() {
    return this.#scan?.usage()
  }
  /** Bytes of text seen in the answer. */
  get textBytes(): number {
    return this.#scan?.textBytes() ?? 0
  }

  start(kimi: Kimi["Service"], body: Uint8Array): void {
    this.#response.on("drain", this.#onDrain)
    kimi.dispatch(body, {
      onRequestStart: (controller) => {
        this.#controller = controller
        if (this.#cancelled) controller.abort(new Error("cancelled"))
      },
      onResponseStart: (_controller, status, headers) => this.#onStart(status, headers),
      onResponseData: (controller, chunk) => this.#onData(controller, chunk),
      onResponseEnd: () => this.#onEnd(),
      onResponseError: (_controller, error) => this.#onError(error),
    })
  }

  /** Calls back when it is over, at once if it is. */
  whenOver(listener: (ending: Ending) => void): void {
    if (this.#ending === undefined) this.#listeners.push(listener)
    else listener(this.#ending)
  }

  /** The client has gone, or is let go: what still comes is read and dropped. */
  detach(): void {
    this.#attached = false
    this.#response.off("drain", this.#onDrain)
    if (this.#response.headersSent) this.#response.destroy()
    this.#resume()
  }

  /** Ends it, whatever it has come to. */
  cancel(): void {
    if (this.#ending !== undefined) return
    this.#cancelled = true
    this.#over({ _tag: "Cancelled" })
    this.#controller?.abort(new Error("cancelled"))
  }

  #onStart(status: number, headers: Readonly<Record<string, string | string[] | undefined>>): void {
    const type = String(headers["content-type"] ?? "")
    const plain = (headers["content-encoding"] ?? "identity") === "identity"
    const streams = type.startsWith("text/event-stream")
    if (status !== 200 || !plain || !(streams || type.startsWith("application/json"))) {
      const retryAfter = headers["retry-after"]
      // A 200 that cannot be read is no better than a server error.
      this.#error = {
        status: status === 200 ? 502 : status,
        retryAfter: typeof retryAfter === "string" ? retryAfter : undefined,
        chunks: [],
        bytes: 0,
      }
      return
    }
    this.#scan = streams ? UsageScan.ofStream(this.#shape.wantsUsage) : UsageScan.ofJson()
    if (!this.#attached) return
    const length = headers["content-length"]
    this.#response.writeHead(200, {
      ...this.#headers,
      "content-type": type,
      ...(streams ? { "cache-control": "no-cache" } : {}),
      ...(!streams && typeof length === "string" ? { "content-length": length } : {}),
    })
  }

  #onData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#scan === undefined) {
      const error = this.#error
      if (error === undefined || error.bytes >= errorBytes) return
      error.bytes += chunk.length
      error.chunks.push(chunk)
      return
    }
    const visible = this.#scan.push(chunk)
    if (!this.#attached || this.#response.destroyed || visible === undefined || visible.length === 0) return
    if (this.#response.write(visible)) return
    controller.pause()
    this.#awaitClient()
  }

  #onEnd(): void {
    if (this.#scan === undefined) {
      const { status = 502, retryAfter, chunks = [] } = this.#error ?? {}
      this.#over({ _tag: "Refused", error: { status, retryAfter, body: Buffer.concat(chunks).toString() } })
      return
    }
    const last = this.#scan.end()
    if (this.#attached && !this.#response.destroyed) {
      this.#response.end(last)
      if (!this.#response.writableFinished) this.#awaitClient()
    }
    this.#over({ _tag: "Complete" })
  }

  #onError(error: Error): void {
    if (this.#scan === undefined) {
      this.#over({ _tag: "Failed", silent: error instanceof errors.HeadersTimeoutError })
      return
    }
    this.#scan.end()
    this.#over({ _tag: "Broken" })
    // The client must see that the answer is not whole.
    if (this.#attached) this.#response.destroy()
  }

  /** Without any progress in time the server closes the connection, as if the client had. */
  #awaitClient(): void {
    this.#response.setTimeout(this.#stallMillis)
  }

  readonly #onDrain = (): void => {
    this.#response.setTimeout(0)
    this.#resume()
  }

  #resume(): void {
    if (this.#controller?.paused === true) this.#controller.resume()
  }

  #over(ending: Ending): void {
    if (this.#ending !== undefined) return
    this.#ending = ending
    this.#response.off("drain", this.#onDrain)
    for (const listener of this.#listeners) listener(ending)
  }
}
