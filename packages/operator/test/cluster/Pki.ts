/** The certificates of one cluster: a CA that signs everything, and a key for service-account tokens. Worth nothing outside. */
import { execFile } from "node:child_process"
import { generateKeyPairSync } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import * as Effect from "effect/Effect"
import { attempt, ClusterFailed } from "./Failure.ts"

export interface Certificate {
  /** File name without its ending. */
  readonly name: string
  /** Common name: the user, to the apiserver. */
  readonly user: string
  /** Organisations: the user's groups, to the apiserver. */
  readonly groups?: ReadonlyArray<string>
  /** Names and addresses of a server, as `DNS:x` and `IP:x`; none for a client. */
  readonly serves?: ReadonlyArray<string>
}

const days = "30"
const pki = (folder: string) => join(folder, "pki")
export const fileOf = (folder: string, name: string) => join(pki(folder), name)

/** Nothing of the system's own configuration of OpenSSL. */
const configuration = "[req]\ndistinguished_name = name\n[name]\n"

const openssl = (folder: string, args: ReadonlyArray<string>): Effect.Effect<void, ClusterFailed> =>
  Effect.tryPromise({
    try: () => promisify(execFile)("openssl", [...args], { cwd: pki(folder) }),
    catch: (cause) => new ClusterFailed({ message: cause instanceof Error ? cause.message : "openssl failed" }),
  })

const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]

/** Signs a key made for it: `<name>.crt` and `<name>.key`. */
export const issue = (folder: string, { groups = [], name, serves = [], user }: Certificate) =>
  openssl(folder, [
    "req",
    "-config",
    "openssl.cnf",
    "-x509",
    "-CA",
    "ca.crt",
    "-CAkey",
    "ca.key",
    ...key,
    "-days",
    days,
    "-subj",
    `${groups.map((group) => `/O=${group}`).join("")}/CN=${user}`,
    "-addext",
    "basicConstraints=critical,CA:FALSE",
    "-addext",
    "keyUsage=digitalSignature",
    "-addext",
    `extendedKeyUsage=clientAuth${serves.length === 0 ? "" : ",serverAuth"}`,
    ...(serves.length === 0 ? [] : ["-addext", `subjectAltName=${serves.join(",")}`]),
    "-keyout",
    `${name}.key`,
    "-out",
    `${name}.crt`,
  ])

/** The CA, the tokens' key pair and these certificates, if they are not there yet. */
export const make = Effect.fn("Pki.make")(function* (folder: string, certificates: ReadonlyArray<Certificate>) {
  if (existsSync(fileOf(folder, "sa.pub"))) return
  yield* attempt("pki", () => {
    mkdirSync(pki(folder), { recursive: true })
    writeFileSync(fileOf(folder, "openssl.cnf"), configuration)
  })
  yield* openssl(folder, [
    "req",
    "-config",
    "openssl.cnf",
    "-x509",
    ...key,
    "-days",
    days,
    "-subj",
    "/CN=test-cluster",
    "-addext",
    "basicConstraints=critical,CA:TRUE",
    "-addext",
    "keyUsage=critical,keyCertSign,cRLSign,digitalSignature",
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
  ])
  yield* Effect.forEach(certificates, (certificate) => issue(folder, certificate), { concurrency: 4, discard: true })
  yield* attempt("pki", () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
    writeFileSync(fileOf(folder, "sa.key"), privateKey.export({ type: "pkcs8", format: "pem" }))
    writeFileSync(fileOf(folder, "sa.pub"), publicKey.export({ type: "spki", format: "pem" }))
  })
})

export const read = (folder: string, name: string): string => readFileSync(fileOf(folder, name), "utf8")
