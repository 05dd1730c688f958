/** Telegram: the real one if `TELEGRAM_BOT_TOKEN` is given, else the double, with its Bot API and its page. */
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import { TelegramDouble } from "../embedded/TelegramDouble.ts"
import * as TelegramRoutes from "../embedded/TelegramDouble/Routes.ts"
import * as TelegramGrammy from "../live/TelegramGrammy.ts"
import * as Place from "./Place.ts"

const double = (place: Place.Place) =>
  Layer.unwrap(
    Effect.map(TelegramDouble, ({ platformToken }) =>
      TelegramGrammy.layer({ token: platformToken, apiRoot: TelegramRoutes.apiRoot(place.local) }),
    ),
  ).pipe(
    Layer.provideMerge(TelegramDouble.layer),
    Layer.provide([Place.kept(place, "telegram"), FetchHttpClient.layer]),
  )

export const layer = (place: Place.Place<"telegram">) =>
  place.embedded.telegram === undefined ? TelegramGrammy.layerConfig : double(place)

export const pages = ({ embedded }: Place.Place<"telegram">) =>
  embedded.telegram === undefined ? Layer.empty : TelegramRoutes.routes
