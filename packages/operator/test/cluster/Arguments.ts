/** The command line of `npm run test:k8s` and of `npm run cluster`. Pure. */
import type { Tier } from "./Requirements.ts"

export interface Arguments {
  readonly tiers: ReadonlyArray<Tier>
  readonly files: ReadonlyArray<string>
  readonly name: string | undefined
  readonly report: string | undefined
  readonly json: boolean
  readonly help: boolean
  /** The first that is not understood. */
  readonly bad: string | undefined
}

/** The tiers that some files belong to, by their names; both, if a name says neither. */
const tiersOf = (files: ReadonlyArray<string>): ReadonlyArray<Tier> => {
  const all: ReadonlyArray<Tier> = ["k8s", "node"]
  const told = all.filter((tier) => files.some((file) => file.endsWith(`.${tier}.test.ts`)))
  return files.length > 0 && files.every((file) => told.some((tier) => file.endsWith(`.${tier}.test.ts`))) ? told : all
}

const isTier = (value: string): value is Tier => value === "k8s" || value === "node"

export const parseArguments = (args: ReadonlyArray<string>): Arguments => {
  const tiers: Array<Tier> = []
  const files: Array<string> = []
  let name: string | undefined
  let report: string | undefined
  let json = false
  let help = false
  let bad: string | undefined
  for (let at = 0; at < args.length; at++) {
    const [flag = "", inline] = (args[at] ?? "").split(/=(.*)/s)
    const value = () => inline ?? args[++at]
    switch (flag) {
      case "--help":
      case "-h":
        help = true
        break
      case "--json":
        json = true
        break
      case "--tier": {
        const tier = value() ?? ""
        if (isTier(tier)) tiers.push(tier)
        else bad ??= `--tier ${tier}`
        break
      }
      case "--report":
        report = value()
        if (report === undefined) bad ??= flag
        break
      case "-t":
        name = value()
        if (name === undefined) bad ??= flag
        break
      default:
        if (flag.startsWith("-")) bad ??= flag
        else files.push(args[at] ?? "")
    }
  }
  return { tiers: tiers.length === 0 ? tiersOf(files) : [...new Set(tiers)], files, name, report, json, help, bad }
}
