/**
 * An export is laid out as OpenClaw lays out its own backups (2026.9, manifest schema 1), so that `openclaw backup verify`
 * and `openclaw backup restore` take it. It holds the whole volume, but for what is made anew by itself. Pure.
 */
import { posix } from "node:path"

/** One thing of the volume. */
export interface Item {
  /** Path below the volume. */
  readonly path: string
  readonly type: "file" | "directory" | "symlink"
  /** Where a symlink leads, as it says. */
  readonly link?: string
}

/** Where the agent has its volume, its state and its configuration, as its pod saw them. */
export const agentPaths = { volume: "/data", state: "/data/state", config: "/config/openclaw.json" } as const

/** Compiled code, package caches, locks of a gateway that runs no more, and what the file system has for itself. */
const leftOut = new Set(["compile-cache", ".cache", ".npm", "lost+found", "state/tmp"])

export const isLeftOut = (path: string): boolean => leftOut.has(path)

/** Where something stands in the archive. `root` is the archive's one top folder. */
export const archivePath = (root: string, sourcePath: string): string =>
  posix.join(root, "payload", "posix", sourcePath)

export const itemPath = (root: string, path: string): string => archivePath(root, posix.join(agentPaths.volume, path))

/** Whether a symlink leads out of OpenClaw's state; OpenClaw wants to be told of each that does. */
const leadsOut = (root: string, entryPath: string, link: string): boolean => {
  const relative = posix.isAbsolute(link)
    ? posix.relative(agentPaths.state, posix.normalize(link))
    : posix.relative(archivePath(root, agentPaths.state), posix.join(posix.dirname(entryPath), link))
  return relative === ".." || relative.startsWith("../")
}

export interface Contents {
  readonly root: string
  /** ISO 8601. */
  readonly createdAt: string
  readonly nodeVersion: string
  readonly hasConfig: boolean
  /** What stands at the top of the volume, and every symlink. */
  readonly items: ReadonlyArray<Item>
}

/** Whether the manifest says anything of it. */
export const isTold = (item: Item): boolean => item.type === "symlink" || !item.path.includes("/")

export const manifest = ({ root, createdAt, nodeVersion, hasConfig, items }: Contents): string => {
  const asset = (kind: string, sourcePath: string) => ({ kind, sourcePath, archivePath: archivePath(root, sourcePath) })
  const tops = items.filter(({ path }) => !path.includes("/"))
  const links = items.flatMap(({ path, link }) => {
    const entryPath = itemPath(root, path)
    return link !== undefined && leadsOut(root, entryPath, link) ? [{ entryPath, linkpath: link }] : []
  })
  return JSON.stringify(
    {
      schemaVersion: 1,
      createdAt,
      archiveRoot: root,
      platform: "linux",
      nodeVersion,
      options: { includeWorkspace: true, onlyConfig: false },
      paths: { stateDir: agentPaths.state, ...(hasConfig ? { configPath: agentPaths.config } : {}) },
      assets: [
        ...tops.map(({ path }) => {
          const source = posix.join(agentPaths.volume, path)
          return asset(source === agentPaths.state ? "state" : "home", source)
        }),
        ...(hasConfig ? [asset("config", agentPaths.config)] : []),
      ],
      externalSymbolicLinks: links,
    },
    undefined,
    2,
  )
}
