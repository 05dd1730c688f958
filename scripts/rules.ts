/** Checks the house rules of this repository: `npm run rules`. Prints file:line, rule and what to do; exits 1 on any finding. */
import { globSync, readFileSync } from "node:fs"
import { join, sep } from "node:path"
import { check } from "./rules/rules.ts"

const help = `usage: node scripts/rules.ts [--json] [root]

Checks package arrows, drivers, purity, imports, names, paths and length (scripts/rules/rules.ts).
Excuse one line with a comment on it or above it: allow(<rule>): <why>`

const args = process.argv.slice(2)
if (args.includes("--help")) {
  console.log(help)
  process.exit(0)
}
const root = args.find((arg) => !arg.startsWith("--")) ?? join(import.meta.dirname, "..")
const files = globSync(["packages/*/*.ts", "packages/*/{src,test,bench}/**/*.{ts,tsx}", "scripts/**/*.ts", "*.ts"], {
  cwd: root,
  exclude: (path) => /(?:^|[\\/])(?:node_modules|dist)$/.test(path),
}).sort()
const findings = files.flatMap((file) => check(file.split(sep).join("/"), readFileSync(join(root, file), "utf8")))

if (args.includes("--json")) {
  console.log(JSON.stringify({ files: files.length, findings }))
} else {
  for (const { file, line, message, rule } of findings) console.log(`${file}:${line} ${rule}: ${message}`)
  if (findings.length === 0) console.log(`${files.length} files keep the rules`)
}
process.exit(findings.length === 0 ? 0 : 1)
