/**
 * Links by which an export is fetched without a login: each names one export and the instant at which it ends, signed, so
 * that no part of it can be changed. None is stored; a new one can be made at any time. The signature stands in a parameter
 * `sig`, which traces leave out: without it a link is worth nothing.
 */
import { createHmac, timingSafeEqual } from "node:crypto"
import { CustomerId } from "@berth/domain/Ids"
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

export interface ExportLink {
  readonly customerId: CustomerId
  /** Of the deletion that it was exported for. */
  readonly generation: number
  /** Epoch ms. */
  readonly expiresAt: number
}

export const path = "/api/exports"

const isCustomer = Schema.is(CustomerId)
/** What somebody's mail program adds to a link does no harm. */
const form = /^([a-z0-9-]{1,40})\.([1-9][0-9]{0,15})\.([1-9][0-9]{0,15})\?sig=([A-Za-z0-9_-]{43})(?:&.*)?$/

export class ExportLinks extends Context.Service<
  ExportLinks,
  {
    urlOf(link: ExportLink): string
    /** What a link says after `path`, if we signed it. Whether it has ended is another matter. */
    read(link: string): Option.Option<ExportLink>
  }
>()("@berth/control/ExportLinks") {
  /** `origin` is where api is reached, without a path. */
  static readonly layer = (origin: string, key: Redacted.Redacted<string>): Layer.Layer<ExportLinks> => {
    const signatureOf = (text: string) =>
      createHmac("sha256", Redacted.value(key)).update(`berth export ${text}`).digest("base64url")
    return Layer.succeed(ExportLinks)({
      urlOf: ({ customerId, generation, expiresAt }) => {
        const text = `${customerId}.${generation}.${expiresAt}`
        return `${origin}${path}/${text}?sig=${signatureOf(text)}`
      },
      read: (link) => {
        const [, customerId = "", generation = "", expiresAt = "", signature = ""] = form.exec(link) ?? []
        const ours = Buffer.from(signatureOf(`${customerId}.${generation}.${expiresAt}`))
        const given = Buffer.from(signature)
        return isCustomer(customerId) && ours.length === given.length && timingSafeEqual(ours, given)
          ? Option.some({ customerId, generation: Number(generation), expiresAt: Number(expiresAt) })
          : Option.none()
      },
    })
  }
}
