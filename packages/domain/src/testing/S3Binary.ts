/** Finds an S3 server for the integration tier, or has it built: Versity's gateway, which checks every signature. */
import { binary, type GoProgram, possible } from "./GoBinary.ts"

const versitygw: GoProgram = {
  title: "an S3 server",
  name: "versitygw",
  version: "v1.8.0",
  module: "github.com/versity/versitygw/cmd/versitygw",
}

/** Fails if it can't be had. */
export const s3Possible = possible(versitygw)

/** Path of a server that can be run. The first call of a checkout takes minutes: it builds it. */
export const s3Binary = binary(versitygw)
