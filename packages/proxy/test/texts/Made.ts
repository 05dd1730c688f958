/** Texts made up piece by piece: what no language is, tables, logs and addresses, and Chinese of everyday sentences. */
import type { Random } from "./Random.ts"

/** Makes one piece of a text. */
export type Piece = (random: Random) => string

const lower = "abcdefghijklmnopqrstuvwxyz"
const upper = lower.toUpperCase()
const digits = "0123456789"

const signs = (random: Random, alphabet: string, least: number, most = least): string =>
  Array.from({ length: least + random.below(most - least + 1) }, () => random.pick(alphabet)).join("")
const hex = (random: Random, length: number): string => signs(random, "0123456789abcdef", length)
const base64 = (random: Random, bytes: number): string =>
  Buffer.from(Array.from({ length: bytes }, () => random.below(256))).toString("base64")
const uuid = (random: Random): string => [8, 4, 4, 4, 12].map((length) => hex(random, length)).join("-")
const instant = (random: Random): string => new Date(1_700_000_000_000 + random.below(9e10)).toISOString()
const between = (from: number, to: number) => (random: Random) => String.fromCodePoint(from + random.below(to - from))

const words = "list items users search v1 images static index page orders docs api blob main".split(" ")

const cell: Piece = (random) =>
  random.pick<() => string>([
    () => String(random.below(100_000)),
    () => (random.next() * 1_000).toFixed(2),
    () => instant(random).slice(0, 10),
    () => signs(random, lower, 3, 9),
    () => random.pick(["open", "closed", "yes", "no", "pending review", "n/a", "Berlin", "Total amount"]),
  ])()

const url: Piece = (random) => {
  const host = `${random.pick(["www", "api", "cdn"])}.${signs(random, lower, 4, 10)}.${random.pick(["com", "org", "io"])}`
  const path = Array.from({ length: 1 + random.below(4) }, () =>
    random.pick([...words, signs(random, lower + digits, 4, 12)]),
  )
  const query = `?id=${random.below(1e6)}&q=${signs(random, lower, 3, 8)}`
  return `https://${host}/${path.join("/")}${random.pick(["", query, ".html", `#${random.pick(words)}`])}`
}

const logLine: Piece = (random) =>
  [
    instant(random),
    random.pick(["INFO", "WARN", "ERROR"]),
    `[${signs(random, lower, 3, 8)}-${random.below(99)}]`,
    random.pick(["GET", "POST"]),
    `/${random.pick(words)}/${uuid(random)}`,
    String(random.pick([200, 404, 500])),
    `${random.below(900)}ms\n`,
  ].join(" ")

const chinese = {
  when: "今天早上 昨天晚上 上个星期 明年春天 吃完晚饭以后 会议开始之前 最近几天 每到周末 小时候 刚才".split(" "),
  who: "我 我们 老王 小李的妈妈 邻居家的孩子 那位医生 新来的同事 大部分客户 他姐姐 图书馆的管理员".split(" "),
  how: "慢慢地 高兴地 一个人 和朋友一起 仔细地 忽然 不知不觉 按照计划 顺便 坐地铁".split(" "),
  what: (
    "去超市买了两斤苹果 把报告又检查了一遍 在公园里散步 给远方的父母写信 学会了做红烧肉 讨论了下一阶段的目标 " +
    "修好了坏掉的自行车 看完了那部很长的电影 整理房间里的旧书 决定换一份离家近的工作 预订了去云南的机票 " +
    "忘记带雨伞，全身都淋湿了 发现价格比以前贵了不少 答应帮忙照顾小狗 背了五十个英语单词"
  ).split(" "),
  link: "，所以 ，但是 ，而且 。后来 。没想到 ，因为 。说实话， ；同时".split(" "),
  end: "。 。 ！ ？ …… 。\n 。\n\n".split(" "),
}

const chineseSentence: Piece = (random) => {
  const half = () => random.pick(chinese.who) + random.pick(chinese.how) + random.pick(chinese.what)
  return `${random.pick(chinese.when)}，${half()}${random.pick(chinese.link)}${half()}${random.pick(chinese.end)}`
}

const emoji: Piece = (random) =>
  random.pick([
    between(0x1f300, 0x1f64f),
    between(0x1f680, 0x1f6c5),
    between(0x1f90c, 0x1f9ff),
    between(0x2600, 0x26ff),
  ])(random)

export const pieces = {
  "Chinese prose": chineseSentence,
  base64: (random) => base64(random, 96),
  "base64 lines": (random) => `${base64(random, 57)}\n`,
  hex: (random) => hex(random, 64),
  "hex dump": (random) => `${hex(random, 4)}: ${Array.from({ length: 8 }, () => hex(random, 4)).join(" ")}\n`,
  UUIDs: (random) => `${uuid(random)}\n`,
  digits: (random) => signs(random, digits, 40),
  CSV: (random) => `${Array.from({ length: 6 }, () => cell(random)).join(",")}\n`,
  "Markdown tables": (random) => `| ${Array.from({ length: 5 }, () => cell(random)).join(" | ")} |\n`,
  "log lines": logLine,
  URLs: (random) => `${url(random)}\n`,
  "random words": (random) => `${signs(random, lower, 2, 12)} `,
  "random letters": (random) => signs(random, lower, 60),
  "random capitals": (random) => signs(random, upper, 60),
  "random letters and digits": (random) => signs(random, lower + upper + digits, 60),
  "random marks": (random) => signs(random, "!#$%&'()*+,-./:;<=>?@[]^_`{|}~\"\\", 30),
  "random ASCII": between(32, 127),
  "white space": (random) =>
    " ".repeat(random.below(40)) +
    random.pick(["{", "}", "x", "end", "- a", "|"]) +
    random.pick(["\n", "\n\n\n", "  \t\n", "\r\n"]),
  emoji,
  "random ideographs": between(0x4e00, 0x9fa5),
} satisfies Record<string, Piece>
