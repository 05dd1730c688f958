/** What the tests of stripe:sync want, and accounts to begin with. */
import { lookupKeyOf, packLookupKeyOf } from "../../src/live/PaymentsStripe/States.ts"
import { desiredOf } from "../../src/stripe-sync/Desired.ts"
import type { Found } from "../../src/stripe-sync/Plan.ts"

export const apiVersion = "2026-10-28.endive"

const keys = { ofTier: lookupKeyOf, ofPack: packLookupKeyOf }

export const wantedAt = (publicUrl: string) => desiredOf(new URL(publicUrl), apiVersion, keys)

export const wanted = wantedAt("https://berth.example")

export const nothing: Found = { products: [], prices: [], portals: [], endpoints: [] }
