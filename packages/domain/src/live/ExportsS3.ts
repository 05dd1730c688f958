/**
 * Exports in S3-compatible object storage, path style. Every call is a presigned URL (SigV4): the exporter gets its own for
 * its own objects, so no key of ours leaves this process. A URL that is signed is a secret: it is in no log and no span.
 */
import { createHash, createHmac, type Hash, type Hmac } from "node:crypto"
import { SignatureV4 } from "@smithy/signature-v4"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import {
  type Exported,
  ExportMissing,
  ExportStore,
  ExportStoreUnavailable,
  mostParts,
  partOf,
  partsOf,
} from "../Exports.ts"
import { Refused } from "../Launch.ts"

interface Place {
  readonly endpoint: URL
  /** `/bucket` or `/bucket/prefix`, as it stands in the URL. */
  readonly root: string
  readonly region: string
  readonly keyId: string
  readonly secret: Redacted.Redacted<string>
}

/** `https://<key id>:<secret>@<host>/<bucket>[/<prefix>]?region=<region>`. Pure; throws for anything else. */
const parse = (given: string): Place => {
  const url = new URL(given)
  const root = url.pathname.replace(/\/+$/, "")
  if (!/^https?:$/.test(url.protocol) || url.username === "" || url.password === "" || root === "")
    throw new Error("no place")
  return {
    endpoint: new URL(url.origin),
    root,
    region: url.searchParams.get("region") ?? "us-east-1",
    keyId: decodeURIComponent(url.username),
    secret: Redacted.make(decodeURIComponent(url.password)),
  }
}

/** SHA-256 as the signer wants it: a hash, or with a key an HMAC. */
class Sha256 {
  readonly #hash: Hash | Hmac
  constructor(key?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = key === undefined ? createHash("sha256") : createHmac("sha256", bytes(key))
  }
  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytes(data))
  }
  async digest(): Promise<Uint8Array> {
    return new Uint8Array(this.#hash.digest())
  }
  /** The signer makes a new one for each hash. */
  reset(): void {}
}

const bytes = (data: string | ArrayBuffer | ArrayBufferView): string | Uint8Array =>
  typeof data === "string"
    ? data
    : ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      : new Uint8Array(data)

type Method = "GET" | "HEAD" | "PUT" | "DELETE"

const signing = (place: Place) => {
  const signer = new SignatureV4({
    service: "s3",
    region: place.region,
    credentials: { accessKeyId: place.keyId, secretAccessKey: Redacted.value(place.secret) },
    sha256: Sha256,
    uriEscapePath: false,
    applyChecksum: false,
  })
  const { protocol, hostname, host, port } = place.endpoint
  return async (method: Method, part: string, seconds: number, now: number): Promise<string> => {
    const path = `${place.root}/${part}`
    const signed = await signer.presign(
      {
        method,
        protocol,
        hostname,
        ...(port === "" ? {} : { port: Number(port) }),
        path,
        query: {},
        headers: { host, "x-amz-content-sha256": "UNSIGNED-PAYLOAD" },
      },
      { expiresIn: seconds, signingDate: new Date(now) },
    )
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries(signed.query ?? {})) query.set(name, String(value))
    return `${place.endpoint.origin}${path}?${query}`
  }
}

/** How long a destination is good for (s): an export that takes longer is begun anew. */
const destinationSeconds = 86_400
/** Of our own calls. */
const ownSeconds = 300
/** From the call to the first byte of its answer. */
const patience = "30 seconds"

const unavailable = (operation: string) => (cause: unknown) => new ExportStoreUnavailable({ operation, cause })

const make = (place: Place): ExportStore["Service"] => {
  const sign = signing(place)
  const urlOf = (method: Method, part: string, seconds: number) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.tryPromise({ try: () => sign(method, part, seconds, now), catch: unavailable("sign") }),
    )

  /** `undefined` where there is no such object. */
  const call = Effect.fnUntraced(function* (method: Method, part: string) {
    const url = yield* urlOf(method, part, ownSeconds)
    const response = yield* Effect.tryPromise({
      try: (signal) => fetch(url, { method, signal, redirect: "error" }),
      catch: unavailable(method),
    }).pipe(Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.fail(unavailable(method)("no answer")) }))
    if (response.ok) return response
    yield* Effect.promise(() => response.body?.cancel().catch(() => {}) ?? Promise.resolve())
    return response.status === 404 ? undefined : yield* unavailable(method)(`status ${response.status}`)
  })

  /** Bytes that stand there; `undefined` if a part is missing. */
  const standing = Effect.fnUntraced(function* ({ key, size }: Exported) {
    let sum = 0
    for (const part of partsOf(key, size)) {
      const response = yield* call("HEAD", part)
      if (response === undefined) return undefined
      sum += Number(response.headers.get("content-length"))
    }
    return sum
  })

  const bodyOf = (key: string, part: string) =>
    Stream.unwrap(
      Effect.gen(function* () {
        const body = (yield* call("GET", part))?.body
        if (body === null || body === undefined) return yield* new ExportMissing({ key })
        return Stream.fromReadableStream({ evaluate: () => body, onError: unavailable("GET") })
      }),
    )

  return ExportStore.of({
    destination: Effect.fn("ExportStore.destination")(function* (key) {
      const [first, ...rest] = yield* Effect.forEach(Array.from({ length: mostParts }), (_, index) =>
        urlOf("PUT", partOf(key, index), destinationSeconds),
      )
      return Redacted.make({ parts: [String(first), ...rest] as const })
    }),
    holds: Effect.fn("ExportStore.holds")(function* (exported) {
      return (yield* standing(exported)) === exported.size
    }),
    read: (exported) =>
      Stream.unwrap(
        Effect.gen(function* () {
          if ((yield* standing(exported)) !== exported.size) return yield* new ExportMissing({ key: exported.key })
          return Stream.fromIterable(partsOf(exported.key, exported.size)).pipe(
            Stream.flatMap((part) => bodyOf(exported.key, part)),
          )
        }),
      ),
    remove: Effect.fn("ExportStore.remove")(function* ({ key, size }) {
      yield* Effect.forEach(partsOf(key, size), (part) => call("DELETE", part), { discard: true })
    }),
  })
}

/** From EXPORT_URL. */
export const layer: Layer.Layer<ExportStore, Config.ConfigError | Refused> = Layer.effect(
  ExportStore,
  Effect.gen(function* () {
    const given = yield* Config.Redacted("EXPORT_URL")
    const place = Option.liftThrowable(parse)(Redacted.value(given))
    if (Option.isNone(place))
      return yield* new Refused({
        message:
          "EXPORT_URL must be https://<key id>:<secret>@<host>/<bucket>?region=<region> (see docs/configuration.md).",
      })
    return make(place.value)
  }),
)
