/** What the build puts in place of `virtual:plans` (vite.config.ts): the catalogue of domain, without its schemas. */
declare module "virtual:plans" {
  import type { SoldTierId, Tier } from "@berth/domain/Tiers"
  /** Cheapest first. */
  export const plans: ReadonlyArray<Tier & { readonly id: SoldTierId }>
}
