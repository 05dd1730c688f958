/**
 * JSON to and from an apiserver as its administrator, for the harness and for tests that play another part than the
 * operator's. Deliberately not the operator's own client: a fault in that one must not hide itself.
 */
import { Agent, request } from "node:https"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { ClusterFailed } from "./Failure.ts"

export interface Answer {
  /** HTTP status. */
  readonly status: number
  /** JSON where it is some, else the text. */
  readonly body: any
}

export interface ApiOptions {
  readonly server: string
  readonly ca: string
  readonly certificate: string
  readonly key: string
}

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE"

export interface Api {
  /** Whatever the server answers; fails only if it doesn't. */
  readonly request: (
    method: Method,
    path: string,
    body?: unknown,
    type?: string,
  ) => Effect.Effect<Answer, ClusterFailed>
  /** The object, or undefined if there is none. */
  readonly get: (path: string) => Effect.Effect<any, ClusterFailed>
  /** Server-side apply, by force, as field manager `test`. */
  readonly apply: (path: string, object: unknown) => Effect.Effect<any, ClusterFailed>
  /** A JSON merge patch. */
  readonly merge: (path: string, patch: unknown) => Effect.Effect<any, ClusterFailed>
  /** Deletes; one that is not there is as good as deleted. */
  readonly remove: (path: string) => Effect.Effect<void, ClusterFailed>
  /** Reads again and again until the object (undefined if there is none) is as wanted. */
  readonly until: (
    path: string,
    wanted: (object: any) => boolean,
    seconds?: number,
  ) => Effect.Effect<any, ClusterFailed>
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

export const make = ({ ca, certificate, key, server }: ApiOptions): Api => {
  const agent = new Agent({ ca, cert: certificate, key, keepAlive: true })

  const send: Api["request"] = (method, path, body, type = "application/json") =>
    Effect.callback<Answer, ClusterFailed>((resume) => {
      const fail = (error: Error) =>
        resume(Effect.fail(new ClusterFailed({ message: `${method} ${path}: ${error.message}` })))
      const text = body === undefined ? undefined : JSON.stringify(body)
      const outgoing = request(
        new URL(path, server),
        {
          method,
          agent,
          timeout: 15_000,
          headers: {
            accept: "application/json",
            ...(text === undefined ? {} : { "content-type": type, "content-length": Buffer.byteLength(text) }),
          },
        },
        (incoming) => {
          const chunks: Array<Buffer> = []
          incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
          incoming.on("error", fail)
          incoming.on("end", () =>
            resume(Effect.succeed({ status: incoming.statusCode ?? 0, body: parse(Buffer.concat(chunks).toString()) })),
          )
        },
      )
      outgoing.on("timeout", () => outgoing.destroy(new Error("no answer in 15 s")))
      outgoing.on("error", fail)
      outgoing.end(text)
      return Effect.sync(() => outgoing.destroy())
    })

  const good = (method: Method, path: string, body?: unknown, type?: string) =>
    Effect.flatMap(send(method, path, body, type), (answer) =>
      answer.status < 300
        ? Effect.succeed(answer.body)
        : Effect.fail(
            new ClusterFailed({
              message: `${method} ${path}: ${answer.status} ${answer.body?.message ?? answer.body}`,
            }),
          ),
    )

  const get: Api["get"] = (path) =>
    Effect.flatMap(send("GET", path), (answer) =>
      answer.status === 404
        ? Effect.succeed(undefined)
        : answer.status < 300
          ? Effect.succeed(answer.body)
          : Effect.fail(new ClusterFailed({ message: `GET ${path}: ${answer.status} ${answer.body?.message ?? ""}` })),
    )

  return {
    request: send,
    get,
    apply: (path, object) =>
      good("PATCH", `${path}?fieldManager=test&force=true`, object, "application/apply-patch+yaml"),
    merge: (path, patch) => good("PATCH", path, patch, "application/merge-patch+json"),
    remove: (path) =>
      Effect.flatMap(send("DELETE", path), (answer) =>
        answer.status < 300 || answer.status === 404
          ? Effect.void
          : Effect.fail(
              new ClusterFailed({ message: `DELETE ${path}: ${answer.status} ${answer.body?.message ?? ""}` }),
            ),
      ),
    until: (path, wanted, seconds = 90) => {
      let last: unknown
      return get(path).pipe(
        Effect.tap((object) => Effect.sync(() => (last = object))),
        Effect.filterOrFail(wanted, () => new ClusterFailed({ message: "not yet" })),
        Effect.retry({ schedule: Schedule.spaced("100 millis") }),
        Effect.timeoutOrElse({
          duration: `${seconds} seconds`,
          orElse: () =>
            Effect.fail(
              new ClusterFailed({
                message: `${path} was not as wanted within ${seconds} s; last: ${JSON.stringify(last)?.slice(0, 2_000)}`,
              }),
            ),
        }),
      )
    },
  }
}
