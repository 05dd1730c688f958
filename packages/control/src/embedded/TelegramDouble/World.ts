/**
 * What the embedded Telegram knows: bots, people's private chats with them, and updates that a bot has not fetched yet.
 * Pure data and transitions; ids only grow, so an update or message is never named twice.
 */
import * as Schema from "effect/Schema"

export const Person = Schema.Struct({
  id: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2 ** 52 })),
  first_name: Schema.NonEmptyString,
  username: Schema.optionalKey(Schema.NonEmptyString),
})
export type Person = typeof Person.Type

const Button = Schema.Struct({
  text: Schema.NonEmptyString,
  callback_data: Schema.optionalKey(Schema.String.check(Schema.isNonEmpty(), Schema.isMaxLength(64))),
  url: Schema.optionalKey(Schema.NonEmptyString),
})
export const InlineKeyboard = Schema.Struct({ inline_keyboard: Schema.Array(Schema.Array(Button)) })

export const ChatMessage = Schema.Struct({
  message_id: Schema.Int,
  from: Schema.Literals(["bot", "person"]),
  /** Epoch seconds, as Telegram counts. */
  date: Schema.Int,
  text: Schema.String,
  keyboard: Schema.NullOr(InlineKeyboard),
})
export type ChatMessage = typeof ChatMessage.Type

/** A private chat; its id is the person's. */
export const Chat = Schema.Struct({
  bot: Schema.String,
  person: Person,
  nextMessageId: Schema.Int,
  messages: Schema.Array(ChatMessage),
})
export type Chat = typeof Chat.Type

const Update = Schema.Struct({ update_id: Schema.Int, content: Schema.Record(Schema.String, Schema.Unknown) })

export const Bot = Schema.Struct({
  id: Schema.Int,
  username: Schema.String,
  firstName: Schema.String,
  token: Schema.String,
  webhook: Schema.NullOr(Schema.Struct({ url: Schema.String, secret: Schema.NullOr(Schema.String) })),
  commands: Schema.Array(Schema.Unknown),
  nextUpdateId: Schema.Int,
  updates: Schema.Array(Update),
})
export type Bot = typeof Bot.Type

export const World = Schema.Struct({ bots: Schema.Array(Bot), chats: Schema.Array(Chat) })
export type World = typeof World.Type

/** Chats keep their newest messages, so that a demo which runs for days stays small. */
const remembered = 200

export const botByToken = (world: World, token: string) => world.bots.find((bot) => bot.token === token)
export const botByName = (world: World, username: string) =>
  world.bots.find((bot) => bot.username.toLowerCase() === username.replace(/^@/, "").toLowerCase())
export const chatOf = (world: World, bot: string, person: number) =>
  world.chats.find((chat) => chat.bot === bot && chat.person.id === person)

export const withBot = (world: World, bot: Bot): World => ({
  ...world,
  bots: world.bots.map((one) => (one.id === bot.id ? bot : one)),
})

export const withChat = (world: World, chat: Chat): World => ({
  ...world,
  chats: [...world.chats.filter((one) => one.bot !== chat.bot || one.person.id !== chat.person.id), chat],
})

/** `firstUpdate` is any number: a world that begins anew must not repeat the update ids of an older one. */
export const addBot = (world: World, id: number, username: string, secret: string, firstUpdate: number): World => ({
  ...world,
  bots: [
    ...world.bots,
    {
      id,
      username,
      firstName: username.replace(/_?bot$/i, "") || username,
      token: `${id}:${secret}`,
      webhook: null,
      commands: [],
      nextUpdateId: firstUpdate,
      updates: [],
    },
  ],
})

/** Adds a message to a chat; the message as it stands there. */
export const addMessage = (
  world: World,
  chat: Chat,
  message: Omit<ChatMessage, "message_id">,
): { readonly world: World; readonly message: ChatMessage } => {
  const added = { message_id: chat.nextMessageId, ...message }
  const next = {
    ...chat,
    nextMessageId: chat.nextMessageId + 1,
    messages: [...chat.messages, added].slice(-remembered),
  }
  return { world: withChat(world, next), message: added }
}

export const addUpdate = (world: World, bot: Bot, content: Record<string, unknown>): World =>
  withBot(world, {
    ...bot,
    nextUpdateId: bot.nextUpdateId + 1,
    updates: [...bot.updates, { update_id: bot.nextUpdateId, content }].slice(-1_000),
  })

/** `offset` confirms every update before it; a negative one keeps that many of the newest. */
export const confirmUpdates = (bot: Bot, offset: number): Bot => ({
  ...bot,
  updates: offset < 0 ? bot.updates.slice(offset) : bot.updates.filter((update) => update.update_id >= offset),
})

export const userOf = (bot: Bot) => ({ id: bot.id, is_bot: true, first_name: bot.firstName, username: bot.username })
const personOf = (person: Person) => ({ ...person, is_bot: false, language_code: "en" })

/** A message as the Bot API shows it. */
export const messageView = (bot: Bot, chat: Chat, message: ChatMessage) => ({
  message_id: message.message_id,
  from: message.from === "bot" ? userOf(bot) : personOf(chat.person),
  chat: { ...chat.person, type: "private" },
  date: message.date,
  text: message.text,
  ...(message.text.startsWith("/")
    ? { entities: [{ type: "bot_command", offset: 0, length: message.text.split(/\s/, 1)[0]?.length ?? 0 }] }
    : {}),
  ...(message.keyboard === null ? {} : { reply_markup: message.keyboard }),
})

/** A person writes to a bot: the message and the bot's update. */
export const personSays = (world: World, bot: Bot, person: Person, text: string, date: number) => {
  const chat = chatOf(world, bot.username, person.id) ?? { bot: bot.username, person, nextMessageId: 1, messages: [] }
  const said = addMessage(world, { ...chat, person }, { from: "person", date, text, keyboard: null })
  return {
    world: addUpdate(said.world, bot, { message: messageView(bot, { ...chat, person }, said.message) }),
    message: said.message,
  }
}

/** A person taps a button under a bot's message. */
export const personTaps = (
  world: World,
  bot: Bot,
  chat: Chat,
  message: ChatMessage,
  data: string,
  date: number,
): World =>
  addUpdate(world, bot, {
    callback_query: {
      id: `${bot.id}${chat.person.id}${date}${message.message_id}`,
      from: personOf(chat.person),
      message: messageView(bot, chat, message),
      chat_instance: String(chat.person.id),
      data,
    },
  })
