/**
 * Bytes to and from kube-apiserver. The client library gives the kubeconfig, TLS and credentials; objects go as raw JSON,
 * because its serialiser drops what its model doesn't know. An answer's status becomes a typed error; a message of the
 * server's goes into the error, headers and bodies never do.
 */
import { type KubeConfig, HttpMethod, RequestContext } from "@kubernetes/client-node"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { ClusterUnavailable, Conflict, Expired, NotFound, Refused } from "../Cluster.ts"
import * as Metrics from "../Metrics.ts"

type Dispatcher = NonNullable<ReturnType<RequestContext["getDispatcher"]>>
type Answer = Awaited<ReturnType<Dispatcher["request"]>>

export interface ApiRequest {
  readonly method: "GET" | "PATCH" | "DELETE"
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly contentType?: string
  readonly body?: unknown
  /** Another server of the cluster that takes the same credentials: a kubelet. */
  readonly origin?: string
  /** What the request is about, for errors. */
  readonly object: string
}

export type ApiError = Conflict | Refused | NotFound | Expired | ClusterUnavailable

/** What is turned away because the server has too much to do was not carried out: it waits as long as it is told, if not for long. */
const turnedAway = { tries: 3, mostSeconds: 2 } as const

/** A request that gets no answer for so long is given up; whether it happened is unknown, and sending it again is safe. */
const timeout = "10 seconds"
/**
 * HTTP/2 would be chosen wherever the server offers it. There, giving up a request on a connection that is slow can send
 * Node's `Http2Stream` into a loop in native code (seen with 24.21): the process answers nothing any more and grows by
 * hundreds of MB a second. Over HTTP/1.1 a request that is given up takes its connection along and nothing else.
 */
const oneByOne = { allowH2: false } as const
/** The server sends a bookmark about once a minute, so a longer silence is a dead connection. */
const silence = 150_000
/** Tokens of a pod are renewed in their file every hour or so. */
const credentialsLast = 60_000

const Status = Schema.fromJsonString(
  Schema.Struct({ message: Schema.optionalKey(Schema.String), code: Schema.optionalKey(Schema.Int) }),
)

/** `status unknown for quota` is not for the quota: it passes as soon as that is counted, so it is waited for like a new right. */
const forbidden = (message: string): Refused["reason"] =>
  message.includes("exceeded quota")
    ? "Quota"
    : message.includes("violates PodSecurity")
      ? "PodSecurity"
      : /because it is being terminated|while custom resource definition is terminating/.test(message)
        ? "Terminating"
        : "Forbidden"

/** What an HTTP status above 299 means. */
export const errorOf = (status: number, body: string, object: string, operation: string): ApiError => {
  // A complaint about a Secret might quote it.
  const told = object.startsWith("Secret ") ? Option.none() : Schema.decodeUnknownOption(Status)(body)
  const message = Option.match(told, {
    onNone: () => `status ${status}`,
    onSome: (one) => one.message ?? `status ${status}`,
  })
  switch (status) {
    case 404:
      return new NotFound({ object })
    case 409:
      return new Conflict({ object, message })
    case 410:
      return new Expired({ kind: object })
    case 403:
      return new Refused({ object, reason: forbidden(message), message })
    case 400:
    case 405:
    case 413:
    case 415:
    case 422:
      return new Refused({ object, reason: "Invalid", message })
    default:
      return new ClusterUnavailable({ operation, message })
  }
}

export const make = (config: KubeConfig) => {
  let credentials: { readonly headers: Record<string, string>; readonly at: number } | undefined
  let dispatcher: Dispatcher | undefined
  const server = new URL(config.getCurrentCluster()?.server ?? "http://no-cluster.invalid")
  const root = server.pathname.replace(/\/$/, "")

  const authenticate = async () => {
    if (credentials !== undefined && Date.now() - credentials.at < credentialsLast) return credentials.headers
    const context = new RequestContext(server.href, HttpMethod.GET)
    await config.applySecurityAuthentication(context)
    // Each call makes a pool of its own; only the first is used, so that connections are.
    dispatcher ??= context.getDispatcher()
    credentials = { headers: context.getHeaders(), at: Date.now() }
    return credentials.headers
  }

  const count = (request: ApiRequest, status: string) =>
    Metric.update(
      Metric.withAttributes(Metrics.requests, {
        verb: request.query?.watch === undefined ? request.method : "WATCH",
        kind: request.object.split(" ")[0] ?? "",
        status,
      }),
      1,
    )

  const once = (request: ApiRequest, bodyTimeout: number) =>
    Effect.tryPromise({
      try: async (signal): Promise<Answer> => {
        const headers = await authenticate()
        if (dispatcher === undefined)
          throw new Error("the kubeconfig names no server, or none whose certificate can be checked")
        const query = new URLSearchParams(request.query).toString()
        return await dispatcher.request({
          origin: request.origin ?? server.origin,
          path: `${request.origin === undefined ? root : ""}${request.path}${query === "" ? "" : `?${query}`}`,
          method: request.method,
          headers: {
            ...headers,
            accept: "application/json",
            ...(request.contentType === undefined ? {} : { "content-type": request.contentType }),
          },
          body: request.body === undefined ? null : JSON.stringify(request.body),
          signal,
          bodyTimeout,
          ...oneByOne,
        })
      },
      catch: (cause) => unreachable(request, cause),
    }).pipe(
      Effect.tap((answer) => count(request, String(answer.statusCode))),
      Effect.tapError(() => count(request, "none")),
    )

  const open = Effect.fnUntraced(function* (request: ApiRequest, bodyTimeout: number) {
    for (let tries = 1; ; tries++) {
      const answer = yield* once(request, bodyTimeout)
      const wait = Number(answer.headers["retry-after"] ?? Number.NaN)
      if (answer.statusCode !== 429 || tries === turnedAway.tries || !(wait <= turnedAway.mostSeconds)) return answer
      yield* Effect.promise((signal) => answer.body.dump({ limit: 131_072, signal }))
      yield* Effect.sleep(`${wait} seconds`)
    }
  })

  const unreachable = (request: ApiRequest, cause: unknown) =>
    new ClusterUnavailable({
      operation: `${request.method} ${request.object}`,
      message:
        cause instanceof Error ? `${cause.name} ${"code" in cause ? String(cause.code) : ""}`.trim() : "unreachable",
    })

  const textOf = (request: ApiRequest, answer: Answer) =>
    Effect.tryPromise({ try: () => answer.body.text(), catch: (cause) => unreachable(request, cause) })

  const check = Effect.fnUntraced(function* (request: ApiRequest, answer: Answer) {
    if (answer.statusCode < 300) return
    if (answer.statusCode === 401) credentials = undefined
    const body = yield* textOf(request, answer)
    return yield* Effect.fail(errorOf(answer.statusCode, body, request.object, `${request.method} ${request.object}`))
  })

  const inTime = <A, E>(request: ApiRequest, answer: Effect.Effect<A, E>) =>
    Effect.timeoutOrElse(answer, {
      duration: timeout,
      orElse: () =>
        Effect.fail(
          new ClusterUnavailable({ operation: `${request.method} ${request.object}`, message: "no answer in 10 s" }),
        ),
    })

  /** An answer whose body is read no further than the scope lasts. */
  const opened = (answer: Effect.Effect<Answer, ApiError>) =>
    Effect.acquireRelease(
      answer,
      (one) =>
        Effect.sync(() => {
          // Destroying a body that is still coming is reported on the body itself.
          one.body.on("error", () => {})
          one.body.destroy()
        }),
      { interruptible: true },
    )

  const text = (request: ApiRequest): Effect.Effect<string, ApiError> =>
    inTime(
      request,
      Effect.gen(function* () {
        const answer = yield* opened(open(request, 10_000))
        yield* check(request, answer)
        return yield* textOf(request, answer)
      }).pipe(Effect.scoped),
    )

  return {
    /** The answer as it is. */
    text,
    /** The answer's JSON. */
    send: (request: ApiRequest): Effect.Effect<unknown, ApiError> =>
      Effect.flatMap(text(request), (body) =>
        Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.Unknown))(body).pipe(
          Effect.mapError((cause) => unreachable(request, cause)),
        ),
      ),
    /** The answer's lines as they come, until the server closes it. A watch is answered at once, if only by its headers. */
    lines: (request: ApiRequest): Stream.Stream<string, ApiError> =>
      Stream.unwrap(
        Effect.gen(function* () {
          const answer = yield* opened(inTime(request, open(request, silence)))
          yield* check(request, answer)
          return Stream.fromAsyncIterable<Uint8Array, ApiError>(answer.body, (cause) =>
            unreachable(request, cause),
          ).pipe(
            Stream.decodeText(),
            Stream.splitLines,
            Stream.filter((line) => line !== ""),
          )
        }),
      ),
  }
}

export type ApiTransport = ReturnType<typeof make>
