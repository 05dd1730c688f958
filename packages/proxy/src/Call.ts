/**
 * One call to the upstream while it lasts: its bytes go to the client with backpressure both ways and are scanned for
 * usage in passing. Nothing goes out before an answer has begun, so that until then any failure can still be hidden. It
 * outlives its client: detached, it goes on being read, so that its true usage can still come.
 * Invariants: `over` is reached once, and the client's response is ended or destroyed by then, but for last words that it
 * is still taking; what the upstream says of an error reaches the client only in our words.
 */
import type { ServerResponse } from "node:http"
import { type Dispatcher, errors } from "undici"
import { answerOf, bodyOf, type Refusal } from "./Errors.ts"
import type { Kimi } from "./Kimi.ts"
import { type Failure, inBand, type UpstreamError, type Verdict, verdictOf } from "./KimiErrors.ts"
import { Reply } from "./Reply.ts"
import type { Shape } from "./RequestShape.ts"
import type { UsageScan } from "./UsageScan.ts"
import { ofJson } from "./UsageScan/Json.ts"
import { ofStream } from "./UsageScan/Stream.ts"

export type Ending =
  /** Answered in full. */
  | { readonly _tag: "Complete" }
  /** Broke off after its first byte. If the upstream said why, there is a verdict. */
  | { readonly _tag: "Broken"; readonly verdict?: Verdict }
  /** Ended by us; the client is told why, if it has heard nothing yet. */
  | { readonly _tag: "Cancelled"; readonly refusal?: Refusal }
  /** An error answer, no byte of which went to the client. */
  | { readonly _tag: "Refused"; readonly error: UpstreamError }
  /** No answer, or none that can be read; no byte went to the client. */
  | { readonly _tag: "Failed"; readonly failure: Failure }

/** Bytes of an error answer that are read, and for how long. */
const errorBytes = 64 * 1024
const errorMillis = 2_000

/** An error answer while it comes in. */
interface ErrorAnswer {
  readonly status: number
  readonly retryAfter: string | undefined
  readonly chunks: Array<Buffer>
  readonly timer: NodeJS.Timeout
  bytes: number
}

/** An answer while it comes in. */
interface Answer {
  readonly scan: UsageScan
  readonly streams: boolean
  /** Of the upstream's headers those that describe the body. No others go on. */
  readonly describing: Readonly<Record<string, string | number>>
}

export class Call {
  readonly #reply: Reply
  readonly #shape: Shape
  readonly #begun: Array<() => void> = []
  readonly #answered: Array<(ending: Ending) => void> = []
  readonly #ended: Array<(ending: Ending) => void> = []
  #controller: Dispatcher.DispatchController | undefined
  #answer: Answer | undefined
  #error: ErrorAnswer | undefined
  /** The client was told of an error in the midst of its answer. */
  #cut = false
  #cancelled = false
  #ending: Ending | undefined

  /** `headers` are ours; they go out with the upstream's first byte. A client may take nothing for `stallMillis`. */
  constructor(
    response: ServerResponse,
    shape: Shape,
    headers: Readonly<Record<string, string | number>>,
    stallMillis: number,
  ) {
    this.#reply = new Reply(response, headers, stallMillis, () => this.#resume())
    this.#shape = shape
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
    return this.#answer?.scan.usage()
  }
  /** Whether that is the count of the whole answer. */
  get counted(): boolean {
    return this.#answer?.scan.counted() ?? false
  }
  /** Bytes of text seen in the answer. */
  get textBytes(): number {
    return this.#answer?.scan.textBytes() ?? 0
  }

  /** Unless it is over before it begins. */
  start(kimi: Kimi["Service"], body: Uint8Array): void {
    if (this.#ending !== undefined) return
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

  /** Calls back when an answer begins. */
  whenBegun(listener: () => void): void {
    this.#begun.push(listener)
  }

  /** Calls back when the client will get no more: when it is over, or cut off by an error while it may still be read. */
  whenAnswered(listener: (ending: Ending) => void): void {
    this.#answered.push(listener)
  }

  /** Calls back when it is over, at once if it is. */
  whenOver(listener: (ending: Ending) => void): void {
    if (this.#ending === undefined) this.#ended.push(listener)
    else listener(this.#ending)
  }

  /** The client has gone, or is let go: what still comes is read and dropped. */
  detach(): void {
    this.#reply.detach()
    this.#resume()
  }

  /** Ends it, whatever it has come to. Nobody listens any more. */
  cancel(): void {
    if (this.#ending !== undefined) return
    this.#cancelled = true
    this.#stop({ _tag: "Cancelled" })
  }

  /** Ends it while somebody listens, who is told the refusal: in an answer of its own, or in the midst of the one that began. */
  stop(refusal: Refusal): void {
    if (this.#ending !== undefined) return
    this.#cancelled = true
    const ending: Ending = { _tag: "Cancelled", refusal }
    if (this.#answer?.scan.begun() === true) this.#cutOff(this.#answer, refusal, ending)
    this.#stop(ending)
  }

  #onStart(status: number, headers: Readonly<Record<string, string | string[] | undefined>>): void {
    // Hints of an answer that is still to come.
    if (status < 200) return
    const type = String(headers["content-type"] ?? "")
    const streams = type.startsWith("text/event-stream")
    const { "content-length": length, "retry-after": retryAfter } = headers
    if (status !== 200) {
      this.#error = {
        status,
        retryAfter: typeof retryAfter === "string" ? retryAfter : undefined,
        chunks: [],
        timer: setTimeout(() => this.#refuse(), errorMillis),
        bytes: 0,
      }
      return
    }
    const plain = (headers["content-encoding"] ?? "identity") === "identity"
    if (!plain || !(streams || type.startsWith("application/json"))) return this.#fail("unreadable")
    this.#answer = {
      scan: streams ? ofStream(this.#shape.wantsUsage) : ofJson(),
      streams,
      describing: {
        "content-type": type,
        ...(streams ? { "cache-control": "no-cache" } : {}),
        ...(!streams && typeof length === "string" ? { "content-length": length } : {}),
      },
    }
  }

  #onData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const answer = this.#answer
    if (answer === undefined) return this.#onErrorData(chunk)
    const { scan } = answer
    const visible = this.#watching(answer, () => scan.push(chunk))
    const more = visible === undefined || visible.length === 0 || this.#write(answer, visible)
    if (scan.fault() !== undefined) this.#onFault(answer)
    else if (!more) controller.pause()
  }

  /** Runs a step of the scan, and tells if the answer begins with it. */
  #watching<A>({ scan }: Answer, step: () => A): A {
    const before = scan.begun()
    const result = step()
    if (!before && scan.begun()) for (const listener of this.#begun) listener()
    return result
  }

  #write({ describing }: Answer, bytes: Buffer): boolean {
    this.#reply.begin(describing)
    return this.#reply.write(bytes)
  }

  #onErrorData(chunk: Buffer): void {
    const error = this.#error
    if (error === undefined) return
    error.bytes += chunk.length
    error.chunks.push(chunk)
    if (error.bytes >= errorBytes) this.#refuse()
  }

  #onEnd(): void {
    const answer = this.#answer
    if (answer === undefined) return this.#refuse()
    const { scan, streams, describing } = answer
    const last = this.#watching(answer, scan.end)
    if (scan.fault() !== undefined) {
      this.#onFault(answer)
      return this.#over({ _tag: "Broken" })
    }
    if (!scan.begun()) return this.#fail(streams ? "empty" : "unreadable")
    if (!scan.whole()) return this.#onBroken()
    // One in one piece that was kept back is as long as what is left of it.
    this.#reply.begin(streams || last === undefined ? describing : { ...describing, "content-length": last.length })
    this.#reply.end(last)
    this.#over({ _tag: "Complete" })
  }

  #onError(error: Error): void {
    if (this.#error !== undefined) return this.#refuse()
    const silent = error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError
    const { scan, streams } = this.#answer ?? {}
    if (scan?.begun() === true) return this.#onBroken()
    // An answer in one piece is sent when it is done: whoever asks again has it done, and paid for, twice.
    this.#fail(silent ? "silent" : streams === false ? "torn" : "unreachable")
  }

  /** The upstream told of an error in an answer that came as 200. */
  #onFault(answer: Answer): void {
    const { scan } = answer
    const error = inBand(scan.fault() ?? "")
    if (!scan.begun()) return this.#stop({ _tag: "Refused", error })
    // What still comes may hold the usage: how long it is read, settlement decides.
    const verdict = verdictOf(error)
    this.#cutOff(answer, verdict.refusal, { _tag: "Broken", verdict })
  }

  /** Ends the client's answer in its midst, in our words. */
  #cutOff({ streams }: Answer, refusal: Refusal, ending: Ending): void {
    if (this.#cut) return
    this.#cut = true
    const words = streams ? `data: ${bodyOf(answerOf(refusal))}\n\n` : undefined
    this.#reply.breakOff(words, () => this.#tellAnswered(ending))
  }

  #onBroken(): void {
    this.#answer?.scan.end()
    this.#over({ _tag: "Broken" })
    // The client must see that the answer is not whole.
    if (!this.#cut) this.#reply.breakOff()
  }

  /** The error answer has been read, as far as it is worth it. */
  #refuse(): void {
    const { status = 502, retryAfter, chunks = [] } = this.#error ?? {}
    this.#stop({ _tag: "Refused", error: { status, retryAfter, body: Buffer.concat(chunks).toString() } })
  }

  #fail(failure: Failure): void {
    this.#stop({ _tag: "Failed", failure })
  }

  /** It is over; if anything still comes, nobody wants it. */
  #stop(ending: Ending): void {
    this.#over(ending)
    this.#controller?.abort(new Error(ending._tag))
  }

  #resume(): void {
    if (this.#controller?.paused === true) this.#controller.resume()
  }

  #tellAnswered(ending: Ending): void {
    for (const listener of this.#answered.splice(0)) listener(ending)
  }

  #over(ending: Ending): void {
    if (this.#ending !== undefined) return
    this.#ending = ending
    clearTimeout(this.#error?.timer)
    if (!this.#cut) {
      this.#reply.release()
      this.#tellAnswered(ending)
    }
    for (const listener of this.#ended.splice(0)) listener(ending)
  }
}
