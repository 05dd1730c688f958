/**
 * The Bot API methods that the embedded Telegram answers, as strictly as Telegram does: a malformed call is refused with
 * Telegram's own words. Pure: world in, world and result out. `getUpdates` waits and therefore stands in TelegramDouble.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import {
  addMessage,
  type Bot,
  type Chat,
  type ChatMessage,
  chatOf,
  InlineKeyboard,
  messageView,
  userOf,
  withBot,
  withChat,
  type World,
} from "./World.ts"

export interface ApiError {
  readonly code: 400 | 401 | 403 | 404 | 409 | 429
  readonly description: string
  /** Seconds; with code 429. */
  readonly retryAfter?: number
}
export interface Answer {
  readonly world: World
  readonly result: unknown
}
type Outcome = Result.Result<Answer, ApiError>
type Method = (world: World, bot: Bot, params: unknown, date: number) => Outcome

const refuse = (description: string, code: ApiError["code"] = 400): Outcome => Result.fail({ code, description })
const yes = (world: World): Outcome => Result.succeed({ world, result: true })

/** Refuses parameters that do not decode, naming the first that is wrong. */
const method = <A, I>(
  schema: Schema.Codec<A, I>,
  run: (world: World, bot: Bot, params: A, date: number) => Outcome,
): Method => {
  const decode = Schema.decodeUnknownResult(schema)
  return (world, bot, params, date) => {
    const decoded = decode(params)
    return Result.isFailure(decoded)
      ? refuse(`Bad Request: ${decoded.failure.message.split("\n").slice(0, 2).join(" ").slice(0, 200)}`)
      : run(world, bot, decoded.success, date)
  }
}

/** Numbers in quotes count as numbers, as with Telegram. */
const ChatId = Schema.Union([Schema.Int, Schema.NumberFromString.check(Schema.isInt())])
const Text = Schema.String
const ParseMode = Schema.optionalKey(Schema.Literals(["HTML", "Markdown", "MarkdownV2"]))
const ReplyMarkup = Schema.optionalKey(
  Schema.Union([
    InlineKeyboard,
    Schema.Struct({ keyboard: Schema.Array(Schema.Array(Schema.Unknown)) }),
    Schema.Struct({ remove_keyboard: Schema.Literal(true) }),
    Schema.Struct({ force_reply: Schema.Literal(true) }),
  ]),
)
type ReplyMarkup = (typeof ReplyMarkup)["Type"]

/** What Telegram shows of a text that was sent as HTML. */
const shown = (text: string, mode: string | undefined): string =>
  mode !== "HTML"
    ? text
    : text
        .replace(/<[^>]*>/g, "")
        .replaceAll("&lt;", "<")
        .replaceAll("&gt;", ">")
        .replaceAll("&quot;", '"')
        .replaceAll("&amp;", "&")

const keyboardOf = (markup: ReplyMarkup | undefined): ChatMessage["keyboard"] =>
  markup !== undefined && "inline_keyboard" in markup && markup.inline_keyboard.length > 0 ? markup : null

const buttonFault = (markup: ReplyMarkup | undefined): string | undefined =>
  keyboardOf(markup)
    ?.inline_keyboard.flat()
    .some((button) => (button.callback_data === undefined) === (button.url === undefined))
    ? "Bad Request: can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"
    : undefined

const textFault = (text: string): string | undefined =>
  text.trim() === ""
    ? "Bad Request: message text is empty"
    : text.length > 4_096
      ? "Bad Request: message is too long"
      : undefined

const inChat = (world: World, bot: Bot, id: number, run: (chat: Chat) => Outcome): Outcome => {
  const chat = chatOf(world, bot.username, id)
  return chat === undefined ? refuse("Bad Request: chat not found") : run(chat)
}

const onMessage = (chat: Chat, id: number, missing: string, run: (message: ChatMessage) => Outcome): Outcome => {
  const message = chat.messages.find((one) => one.message_id === id)
  return message === undefined ? refuse(`Bad Request: message to ${missing} not found`) : run(message)
}

export const methods: Readonly<Record<string, Method>> = {
  getme: (world, bot) =>
    Result.succeed({
      world,
      result: {
        ...userOf(bot),
        can_join_groups: true,
        can_read_all_group_messages: false,
        supports_inline_queries: false,
        can_connect_to_business: false,
        has_main_web_app: false,
      },
    }),
  setwebhook: method(
    Schema.Struct({ url: Schema.String, secret_token: Schema.optionalKey(Schema.String) }),
    (world, bot, { url, secret_token }) =>
      url !== "" && !/^https?:\/\//.test(url)
        ? refuse("Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        : yes(withBot(world, { ...bot, webhook: url === "" ? null : { url, secret: secret_token ?? null } })),
  ),
  deletewebhook: method(
    Schema.Struct({ drop_pending_updates: Schema.optionalKey(Schema.Boolean) }),
    (world, bot, { drop_pending_updates }) =>
      yes(withBot(world, { ...bot, webhook: null, updates: drop_pending_updates === true ? [] : bot.updates })),
  ),
  getwebhookinfo: (world, bot) =>
    Result.succeed({
      world,
      result: {
        url: bot.webhook?.url ?? "",
        has_custom_certificate: false,
        pending_update_count: bot.updates.length,
      },
    }),
  sendmessage: method(
    Schema.Struct({ chat_id: ChatId, text: Text, parse_mode: ParseMode, reply_markup: ReplyMarkup }),
    (world, bot, params, date) =>
      inChat(world, bot, params.chat_id, (chat) => {
        const fault = textFault(params.text) ?? buttonFault(params.reply_markup)
        if (fault !== undefined) return refuse(fault)
        const text = shown(params.text, params.parse_mode)
        const sent = addMessage(world, chat, { from: "bot", date, text, keyboard: keyboardOf(params.reply_markup) })
        return Result.succeed({ world: sent.world, result: messageView(bot, chat, sent.message) })
      }),
  ),
  editmessagetext: method(
    Schema.Struct({
      chat_id: ChatId,
      message_id: Schema.Int,
      text: Text,
      parse_mode: ParseMode,
      reply_markup: ReplyMarkup,
    }),
    (world, bot, params) =>
      inChat(world, bot, params.chat_id, (chat) =>
        onMessage(chat, params.message_id, "edit", (old) => {
          const fault = textFault(params.text) ?? buttonFault(params.reply_markup)
          if (fault !== undefined) return refuse(fault)
          if (old.from !== "bot") return refuse("Bad Request: message can't be edited")
          const text = shown(params.text, params.parse_mode)
          const keyboard = keyboardOf(params.reply_markup)
          if (text === old.text && JSON.stringify(keyboard) === JSON.stringify(old.keyboard)) {
            return refuse("Bad Request: message is not modified")
          }
          const edited = { ...old, text, keyboard }
          const messages = chat.messages.map((one) => (one === old ? edited : one))
          return Result.succeed({
            world: withChat(world, { ...chat, messages }),
            result: messageView(bot, chat, edited),
          })
        }),
      ),
  ),
  deletemessage: method(Schema.Struct({ chat_id: ChatId, message_id: Schema.Int }), (world, bot, params) =>
    inChat(world, bot, params.chat_id, (chat) =>
      onMessage(chat, params.message_id, "delete", (old) =>
        yes(withChat(world, { ...chat, messages: chat.messages.filter((one) => one !== old) })),
      ),
    ),
  ),
  answercallbackquery: method(
    Schema.Struct({ callback_query_id: Schema.NonEmptyString, text: Schema.optionalKey(Schema.String) }),
    (world) => yes(world),
  ),
  sendchataction: method(
    Schema.Struct({
      chat_id: ChatId,
      action: Schema.Literals(["typing", "upload_photo", "upload_document", "upload_voice", "record_voice"]),
    }),
    (world, bot, params) => inChat(world, bot, params.chat_id, () => yes(world)),
  ),
  setmycommands: method(
    Schema.Struct({
      commands: Schema.Array(
        Schema.Struct({
          command: Schema.String.check(Schema.isPattern(/^[a-z0-9_]{1,32}$/)),
          description: Schema.NonEmptyString,
        }),
      ),
    }),
    (world, bot, { commands }) => yes(withBot(world, { ...bot, commands })),
  ),
  getmycommands: (world, bot) => Result.succeed({ world, result: bot.commands }),
  deletemycommands: (world, bot) => yes(withBot(world, { ...bot, commands: [] })),
}

/** Parameters of `getUpdates`; `timeout` in seconds. */
export const GetUpdates = Schema.Struct({
  offset: Schema.optionalKey(Schema.Int),
  limit: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100 })).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed(100)),
  ),
  timeout: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 50 })).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed(0)),
  ),
})
