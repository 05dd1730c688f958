/** Every port of every service: the real thing if its variable is given, else embedded, with the embedded one's pages. */
import { layerMemory } from "@berth/operator/Cluster/Memory"
import * as OperatorExports from "@berth/operator/bin/Exports"
import * as Exporter from "@berth/operator/embedded/Exporter"
import * as OpenClaw from "@berth/operator/embedded/OpenClaw"
import { Lead } from "@berth/operator/Lead"
import * as ClusterKubernetes from "@berth/operator/live/ClusterKubernetes"
import * as Outside from "@berth/operator/live/Outside"
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
import * as Exports from "../Exports.ts"
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
const clusterEmbedded = (settings: Settings) => {
  const telegramApiRoot = settings.embedded.telegram === undefined ? undefined : TelegramRoutes.apiRoot(settings.local)
  const cluster = Layer.unwrap(
    Effect.flatMap(
      OpenClaw.process({
        hosts: { "token-proxy.platform.svc": `http://127.0.0.1:${settings.ports.proxy}` },
        ...(telegramApiRoot === undefined ? {} : { telegramApiRoot }),
      }),
      (serves) => Effect.map(Exporter.process(serves), (process) => layerMemory({ process })),
    ),
  ).pipe(Layer.provide(FetchHttpClient.layer))
  return Layer.mergeAll(cluster, Outside.botTokens(telegramApiRoot), Lead.layerMemory)
}

const clusterReal = Lead.layerLease(recordsNamespace).pipe(
  Layer.provideMerge(ClusterKubernetes.layer),
  Layer.merge(Outside.layer),
)

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
    (embedded.cluster === undefined ? clusterReal : clusterEmbedded(settings)).pipe(
      Layer.provideMerge(OperatorSettings.Settings.layer),
    ),
    OperatorExports.layer,
    Exports.layer(settings),
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
