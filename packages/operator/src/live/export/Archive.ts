/**
 * A volume as a stream of tar and gzip. The same volume gives the same bytes each time, so its size can be known before any
 * of it is sent; what is held in memory does not grow with it.
 */
import { createTarPacker, type TarHeader, type TarPackController } from "modern-tar"
import { readFile } from "node:fs/promises"
import { agentPaths, archivePath, isLeftOut, isTold, type Item, itemPath, manifest } from "../../export/Layout.ts"
import { type Found, openFile, walk } from "./Walk.ts"

export interface Source {
  /** The volume's root and the agent's configuration, on this machine. Without a configuration the archive has none. */
  readonly volume: string
  readonly config: string | undefined
  /** The archive's one top folder. */
  readonly root: string
  readonly createdAt: Date
}

const blockBytes = 256 * 1024

/** Blocks of one size, whatever comes: gzip's output must not depend on how its input was cut. */
const blocks = (): TransformStream<Uint8Array, Uint8Array<ArrayBuffer>> => {
  let block = new Uint8Array(blockBytes)
  let filled = 0
  return new TransformStream({
    transform(chunk, controller) {
      for (let at = 0; at < chunk.length;) {
        const take = Math.min(chunk.length - at, blockBytes - filled)
        block.set(chunk.subarray(at, at + take), filled)
        at += take
        filled += take
        if (filled < blockBytes) continue
        controller.enqueue(block)
        block = new Uint8Array(blockBytes)
        filled = 0
      }
    },
    flush(controller) {
      controller.enqueue(block.slice(0, filled))
    },
  })
}

type Header = Omit<TarHeader, "uid" | "gid">

/** Owned by root, as in OpenClaw's own: whoever unpacks it becomes the owner. */
const add = (controller: TarPackController, header: Header) => controller.add({ ...header, uid: 0, gid: 0 }).getWriter()

const addText = async (controller: TarPackController, name: string, text: Uint8Array, mtime: Date): Promise<void> => {
  const writer = add(controller, { name, size: text.length, mode: 0o600, mtime })
  await writer.write(text)
  await writer.close()
}

const addFound = async (controller: TarPackController, root: string, found: Found): Promise<void> => {
  const name = itemPath(root, found.path)
  const common = { mode: found.mode, mtime: found.modified, size: found.size }
  if (found.type === "directory") return add(controller, { ...common, name: `${name}/`, type: "directory" }).close()
  if (found.type === "symlink")
    return add(controller, { ...common, name, type: "symlink", linkname: found.link ?? "" }).close()
  const writer = add(controller, { ...common, name })
  const file = await openFile(found)
  try {
    for (let left = found.size; left > 0;) {
      // Its own buffer for each block: what is written waits in line as it is.
      const buffer = Buffer.allocUnsafeSlow(Math.min(left, blockBytes))
      const { bytesRead } = await file.read(buffer)
      if (bytesRead === 0) throw new Error("a file became shorter while it was read")
      await writer.write(buffer.subarray(0, bytesRead))
      left -= bytesRead
    }
  } finally {
    await file.close()
  }
  await writer.close()
}

const fill = async (controller: TarPackController, { volume, config, root, createdAt }: Source): Promise<void> => {
  const told: Array<Item> = []
  for await (const found of walk(volume, isLeftOut)) {
    if (isTold(found)) told.push(found)
    await addFound(controller, root, found)
  }
  if (config !== undefined)
    await addText(controller, archivePath(root, agentPaths.config), await readFile(config), createdAt)
  const text = manifest({
    root,
    createdAt: createdAt.toISOString(),
    nodeVersion: process.version,
    hasConfig: config !== undefined,
    items: told,
  })
  await addText(controller, `${root}/manifest.json`, Buffer.from(text), createdAt)
  controller.finalize()
}

/** Fails where the volume can't be read. */
export const archive = (source: Source): ReadableStream<Uint8Array> => {
  const { readable, controller } = createTarPacker()
  fill(controller, source).catch((error) => controller.error(error))
  return readable.pipeThrough(blocks()).pipeThrough(new CompressionStream("gzip"))
}
