import { assert, describe, it } from "@effect/vitest"
import { archivePath, type Item, isLeftOut, isTold, manifest } from "../../src/export/Layout.ts"

const told = (items: ReadonlyArray<Item>, hasConfig = true) =>
  JSON.parse(
    manifest({ root: "berth-ada-7", createdAt: "2026-11-30T00:00:00.000Z", nodeVersion: "v24", hasConfig, items }),
  )

const symlink = (path: string, link: string): Item => ({ path, link, type: "symlink" })

describe("an export's manifest", () => {
  it("names OpenClaw's state, what else stands on the volume, and the configuration", () => {
    const { assets, paths, archiveRoot, schemaVersion } = told([
      { path: "notes.md", type: "file" },
      { path: "state", type: "directory" },
    ])
    assert.deepStrictEqual(assets, [
      { kind: "home", sourcePath: "/data/notes.md", archivePath: "berth-ada-7/payload/posix/data/notes.md" },
      { kind: "state", sourcePath: "/data/state", archivePath: "berth-ada-7/payload/posix/data/state" },
      {
        kind: "config",
        sourcePath: "/config/openclaw.json",
        archivePath: "berth-ada-7/payload/posix/config/openclaw.json",
      },
    ])
    assert.deepStrictEqual([archiveRoot, schemaVersion, paths.stateDir], ["berth-ada-7", 1, "/data/state"])
  })

  it("tells of exactly the symlinks that lead out of the state", () => {
    const { externalSymbolicLinks } = told([
      symlink("state/in", "workspace/x"),
      symlink("state/a/up", "../b"),
      symlink("state/absolute", "/data/state/b"),
      symlink("project/back", "../state/x"),
      symlink("state/out", "../project"),
      symlink("state/away", "/etc/passwd"),
      symlink("state/sly", "/data/state/../project"),
      symlink("project/near", "x"),
    ])
    assert.deepStrictEqual(
      externalSymbolicLinks.map(({ entryPath, linkpath }: any) => [entryPath, linkpath]),
      [
        [archivePath("berth-ada-7", "/data/state/out"), "../project"],
        [archivePath("berth-ada-7", "/data/state/away"), "/etc/passwd"],
        [archivePath("berth-ada-7", "/data/state/sly"), "/data/state/../project"],
        [archivePath("berth-ada-7", "/data/project/near"), "x"],
      ],
    )
  })

  it("of a volume without a configuration names none", () => {
    assert.deepStrictEqual(told([], false).assets, [])
  })
})

describe("what an export holds", () => {
  it("is everything but what makes itself anew", () => {
    for (const path of [
      "state",
      "state/workspace",
      "state/state/openclaw.sqlite",
      "notes.md",
      ".ssh",
      "a/compile-cache",
    ])
      assert.isFalse(isLeftOut(path), path)
    for (const path of ["compile-cache", "lost+found", "state/tmp", ".npm", ".cache"])
      assert.isTrue(isLeftOut(path), path)
  })

  it("is named in the manifest where OpenClaw asks for it, not file by file", () => {
    assert.isTrue(isTold({ path: "state", type: "directory" }))
    assert.isTrue(isTold({ path: "state/deep/link", type: "symlink", link: "x" }))
    assert.isFalse(isTold({ path: "state/deep/file", type: "file" }))
  })
})
