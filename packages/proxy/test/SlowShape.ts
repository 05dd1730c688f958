/**
 * What the shaper must do, told slowly: a text that `JSON.parse` accepts is cut into tokens by one regular expression,
 * built into a tree, and judged and rebuilt by value. Shares no code with the shaper, not even its lists.
 */

export interface Node {
  readonly raw: string
  readonly value: unknown
  readonly members?: ReadonlyArray<{
    readonly rawKey: string
    readonly key: string
    readonly raw: string
    readonly node: Node
  }>
  readonly elements?: ReadonlyArray<Node>
}

const token = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gsu

/** `text` is valid JSON. */
export const treeOf = (text: string): Node => {
  const tokens = [...text.matchAll(token)].map((match) => ({
    text: match[0],
    from: match.index,
    to: match.index + match[0].length,
  }))
  let next = 0
  const take = () => tokens[next++] as (typeof tokens)[number]
  const peek = () => tokens[next]?.text
  const node = (): Node => {
    const first = take()
    const finish = (more: object): Node => {
      const raw = text.slice(first.from, tokens[next - 1]?.to)
      return { raw, value: JSON.parse(raw), ...more }
    }
    if (first.text === "{") {
      const members: Array<NonNullable<Node["members"]>[number]> = []
      while (peek() !== "}") {
        if (peek() === ",") take()
        const key = take()
        take()
        const value = node()
        const raw = text.slice(key.from, tokens[next - 1]?.to)
        members.push({ rawKey: key.text, key: JSON.parse(key.text), raw, node: value })
      }
      take()
      return finish({ members })
    }
    if (first.text === "[") {
      const elements: Array<Node> = []
      while (peek() !== "]") {
        if (peek() === ",") take()
        elements.push(node())
      }
      take()
      return finish({ elements })
    }
    return finish({})
  }
  return node()
}

const depthOf = ({ members, elements }: Node): number =>
  members === undefined && elements === undefined
    ? 0
    : 1 + Math.max(0, ...(members ?? []).map((one) => depthOf(one.node)), ...(elements ?? []).map(depthOf))

const plain = (node: Node): boolean => (node.members ?? []).every((one) => !one.rawKey.includes("\\"))
const all = (node: Node, key: string): ReadonlyArray<Node> =>
  (node.members ?? []).filter((one) => one.key === key).map((one) => one.node)
const isProviders = (node: Node) => typeof node.value === "string" && node.value.startsWith("$")

const isTool = (tool: Node, typed: boolean): boolean => {
  const types = all(tool, "type")
  const functions = all(tool, "function")
  const [only] = functions
  if (tool.members === undefined || !plain(tool) || only?.members === undefined || !plain(only)) return false
  const names = all(only, "name")
  return (
    functions.length === 1 &&
    types.every((one) => one.raw === '"function"') &&
    (typed ? types.length === 1 : types.length <= 1) &&
    names.length === 1 &&
    names.every((one) => typeof one.value === "string" && !isProviders(one))
  )
}

const picture = /^"(?:data:image|https?:\\?\/)\\?\//i
const addresses = (part: Node): ReadonlyArray<Node> =>
  all(part, "image_url").flatMap((one) => (one.members === undefined ? [one] : all(one, "url")))
const isPart = (part: Node): boolean => {
  const [address] = addresses(part)
  if (part.members === undefined || !plain(part) || !all(part, "image_url").every(plain)) return false
  if (all(part, "type").length !== 1) return false
  const [type] = all(part, "type")
  if (type?.raw === '"text"') return all(part, "image_url").length === 0
  if (type?.raw !== '"image_url"' || all(part, "image_url").length !== 1 || addresses(part).length !== 1) return false
  return address !== undefined && picture.test(address.raw)
}
const partsOf = (message: Node): ReadonlyArray<Node> => all(message, "content").flatMap((one) => one.elements ?? [])
const picturesOf = (messages: Node): ReadonlyArray<string> =>
  (messages.elements ?? []).flatMap(partsOf).flatMap((part) => addresses(part).map((one) => one.raw))

const isMessage = (message: Node): boolean =>
  partsOf(message).every(isPart) &&
  message.members !== undefined &&
  plain(message) &&
  all(message, "role").length === 1 &&
  all(message, "role").every((one) => /^"(?:system|developer|user|assistant|tool)"$/.test(one.raw)) &&
  all(message, "tools").every((one) => one.value === null) &&
  all(message, "name").every((one) => !isProviders(one)) &&
  all(message, "tool_calls").every(
    (one) => one.value === null || (one.elements?.every((call) => isTool(call, false)) ?? false),
  )

const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value)
const isShort = (node: Node) => Buffer.byteLength(node.raw) <= 16_384
const isMaximum = (node: Node) => isShort(node) && Number.isSafeInteger(node.value) && (node.value as number) >= 1
const isChoice = ({ value }: Node): boolean =>
  typeof value === "string"
    ? /^(?:auto|none|required)$/.test(value)
    : (value as any).type === "function" &&
      typeof (value as any).function?.name === "string" &&
      !(value as any).function.name.startsWith("$")

type Judge = (node: Node) => boolean
const typed =
  (...types: ReadonlyArray<string>): Judge =>
  ({ value }) =>
    types.includes(Array.isArray(value) ? "array" : typeof value)

const passed: Readonly<Record<string, Judge>> = {
  model: (node) => typeof node.value === "string" && isShort(node),
  messages: ({ elements }) =>
    elements !== undefined &&
    elements.length >= 1 &&
    elements.length <= 4_096 &&
    elements.every(isMessage) &&
    picturesOf({ raw: "", value: [], elements }).length <= 32,
  tools: ({ elements }) =>
    elements !== undefined && elements.length <= 128 && elements.every((one) => isTool(one, true)),
  tool_choice: (node) => (typeof node.value === "string" || isObject(node.value)) && isShort(node) && isChoice(node),
  parallel_tool_calls: typed("boolean"),
  response_format: typed("object"),
  stop: (node) => isShort(node) && [node.value].flat().every((one) => typeof one === "string"),
  seed: typed("number"),
  thinking: typed("object"),
  reasoning_effort: typed("string"),
  prompt_cache_key: typed("string"),
  safety_identifier: typed("string"),
  user: typed("string"),
}
const droppedIf: Readonly<Record<string, Judge>> = {
  stream: typed("boolean"),
  stream_options: (node) => isObject(node.value) && isShort(node),
  max_tokens: isMaximum,
  max_completion_tokens: isMaximum,
  temperature: typed("number"),
  top_p: typed("number"),
  presence_penalty: typed("number"),
  frequency_penalty: typed("number"),
  n: (node) => node.value === 1 && isShort(node),
  best_of: (node) => node.value === 1 && isShort(node),
  modalities: (node) => Array.isArray(node.value) && node.value.every((one) => one === "text") && isShort(node),
  audio: () => false,
  web_search_options: () => false,
  functions: () => false,
  function_call: () => false,
}
const own = <A>(table: Readonly<Record<string, A>>, key: string): A | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined

export interface Expected {
  readonly stream: boolean
  readonly wantsUsage: boolean
  readonly completion: number | undefined
  /** The addresses of pictures, as they were written. */
  readonly pictures: ReadonlyArray<string>
  /** The members that pass, as they were written. */
  readonly kept: ReadonlyArray<string>
}

/** Undefined if the text must be refused. */
export const expectedOf = (text: string): Expected | undefined => {
  try {
    JSON.parse(text)
  } catch {
    return undefined
  }
  const tree = treeOf(text)
  const { members } = tree
  if (members === undefined || members.length > 256 || depthOf(tree) > 128 || !plain(tree)) return undefined
  if (new Set(members.map((one) => one.key)).size < members.length) return undefined
  for (const { key, node } of members) {
    const judge = own(passed, key) ?? own(droppedIf, key)
    const mayBeNull = key !== "model" && key !== "messages"
    if (judge !== undefined && !(node.value === null ? mayBeNull : judge(node))) return undefined
  }
  const value = tree.value as Record<string, any>
  if (!Object.hasOwn(value, "model") || !Object.hasOwn(value, "messages")) return undefined
  const get = (key: string): any => (Object.hasOwn(value, key) ? value[key] : undefined)
  return {
    stream: get("stream") === true,
    wantsUsage: get("stream_options")?.include_usage === true,
    completion: get("max_completion_tokens") ?? get("max_tokens") ?? undefined,
    pictures: members.filter((one) => one.key === "messages").flatMap((one) => picturesOf(one.node)),
    kept: members.filter((one) => own(passed, one.key) !== undefined).map((one) => one.raw),
  }
}
