/** Every port of every service: the real thing if its variable is given, else embedded, with the embedded one's pages. */
import { layerMemory } from "@berth/operator/Cluster/Memory"
import * as OpenClaw from "@berth/operator/embedded/OpenClaw"
import { Lead } from "@berth/operator/Lead"
import * as ClusterKubernetes from "@berth/operator/live/ClusterKubernetes"
import { recordsNamespace } from "@berth/operator/Records"
import * as OperatorSettings from "@berth/operator/Settings"
import * as EmbeddedKimi from "@berth/proxy/embedded/Kimi"
import { Kimi } from "@berth/proxy/Kimi"
import * as ProxySettings from "@berth/proxy/Settings"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as DevPages from "../../embedded/DevPages.ts"
import * as LoopbackOnly from "../../embedded/LoopbackOnly.ts"
import * as TelegramRoutes from "../../embedded/TelegramDouble/Routes.ts"
import * as Keys from "../Keys.ts"
import * as Mail from "../Mail.ts"
import * as Payments from "../Payments.ts"
import * as Place from "../Place.ts"
import * as Stores from "../Stores.ts"
import * as Telegram from "../Telegram.ts"
import type { Settings } from "./Settings.ts"

const kimiEmbedded = (settings: Settings) =>
  EmbeddedKimi.layer.pipe(
    Layer.provideMerge(EmbeddedKimi.EmbeddedKimi.layer),
    Layer.provide(Place.kept(settings, "kimi")),
  )

/** The pods of the memory cluster reach the proxy and the embedded Telegram on this machine. */
const clusterEmbedded = (settings: Settings) =>
  Layer.unwrap(
    Effect.map(
      OpenClaw.process({
        hosts: { "token-proxy.platform.svc": `http://127.0.0.1:${settings.ports.proxy}` },
        ...(settings.embedded.telegram === undefined
          ? {}
          : { telegramApiRoot: TelegramRoutes.apiRoot(settings.local) }),
      }),
      (process) => layerMemory({ process }),
    ),
  ).pipe(Layer.provide(FetchHttpClient.layer), Layer.merge(Lead.layerMemory))

const clusterReal = Lead.layerLease(recordsNamespace).pipe(Layer.provideMerge(ClusterKubernetes.layer))

/** As the environment says, but for the public address, which follows `PORT` here. */
const proxySettings = ({ publicUrl }: Settings) =>
  Layer.effect(
    ProxySettings.Settings,
    Effect.map(ProxySettings.Settings, (read) => ({ ...read, publicUrl: publicUrl.origin })),
  ).pipe(Layer.provide(ProxySettings.Settings.layer))

/** All of them. What is embedded comes with its double, for the pages. */
export const layer = (settings: Settings) => {
  const { embedded } = settings
  return Layer.mergeAll(
    Stores.layer(settings),
    Place.site(settings),
    Payments.layer(settings),
    Telegram.layer(settings),
    Mail.layer(settings),
    embedded.kimi === undefined ? Kimi.layer : kimiEmbedded(settings),
    embedded.cluster === undefined ? clusterReal : clusterEmbedded(settings),
    OperatorSettings.Settings.layer,
    Keys.sealerAndOpener,
  ).pipe(Layer.provideMerge(proxySettings(settings)), Layer.provideMerge(Place.platform))
}

/** The pages under `/dev` of what is embedded. */
export const pages = (settings: Settings) => {
  const { embedded } = settings
  return Layer.mergeAll(
    LoopbackOnly.layer,
    DevPages.index(new Set(DevPages.places.filter((place) => embedded[place] !== undefined))),
    Payments.pages(settings),
    Telegram.pages(settings),
    Mail.pages(settings),
    embedded.kimi === undefined ? Layer.empty : DevPages.kimi,
    embedded.cluster === undefined ? Layer.empty : DevPages.cluster,
  )
}
