/**
 * An S3 server with one bucket, for tests: Versity's gateway over a folder. It checks signatures and their time as a real
 * one does. Everything is gone when the scope closes.
 */
import { randomBytes } from "node:crypto"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { s3Binary } from "./S3Binary.ts"
import { startServer } from "./ServerProcess.ts"

const bucket = "exports"

export interface S3Server {
  /** As EXPORT_URL says it. */
  readonly url: Redacted.Redacted<string>
  /** `http://127.0.0.1:<port>/exports`, for who comes without a signature. */
  readonly open: string
  /** The folder in which the bucket's objects stand as files. */
  readonly folder: string
}

export const startS3 = Effect.fn("startS3")(function* () {
  const binary = yield* s3Binary
  const secret = randomBytes(20).toString("base64")
  const { port, folder } = yield* startServer({
    name: "versitygw",
    binary,
    folders: [join("data", bucket), "about"],
    // Not every file system of a test machine keeps extended attributes: what it would put there goes into a folder.
    args: (at) => [
      "--port",
      `127.0.0.1:${at.port}`,
      "--quiet",
      "posix",
      "--sidecar",
      join(at.folder, "about"),
      join(at.folder, "data"),
    ],
    env: { ROOT_ACCESS_KEY: "berth", ROOT_SECRET_KEY: secret },
    path: `/${bucket}`,
    // Refusing whoever comes without a signature is an answer as well.
    isUp: () => true,
  })
  const url = Redacted.make(`http://berth:${encodeURIComponent(secret)}@127.0.0.1:${port}/${bucket}?region=us-east-1`)
  return {
    url,
    open: `http://127.0.0.1:${port}/${bucket}`,
    folder: join(folder, "data", bucket),
  } satisfies S3Server as S3Server
})
