/** Where a program stands that can be run, by PATH. */
import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"

export const onPath = (...programs: ReadonlyArray<string>): string | undefined =>
  (process.env.PATH ?? "")
    .split(delimiter)
    .flatMap((folder) => programs.map((program) => join(folder, program)))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
