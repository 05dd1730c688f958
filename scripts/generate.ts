/** `npm run generate`: writes the files that are made from the code: the Agent's definition and its reference. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { outputs, root } from "./generate/Outputs.ts"

if (process.argv.includes("--help")) {
  console.log(
    `usage: npm run generate\n\nWrites ${outputs()
      .map(({ file }) => file)
      .join(", ")}.`,
  )
  process.exit(0)
}

const standing = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}

for (const { file, text } of outputs()) {
  const path = join(root, file)
  const current = standing(path) === text
  if (!current) writeFileSync(path, text)
  console.log(`${current ? "current" : "written"} ${file}`)
}
