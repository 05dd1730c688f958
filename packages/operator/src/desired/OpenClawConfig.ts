/**
 * OpenClaw's configuration; `openclaw config validate` of 2026.9.6 takes it. Secrets stay out: it names the variables that
 * hold them. What would spend tokens or phone home by itself is off: the heartbeat alone is 48 agent turns a day, and the
 * weekly review of skills asks the model too. The nightly sorting of memory stays: it asks only if there is something to
 * sort. Pure.
 */
import type { CustomerId } from "@berth/domain/Ids"
import { models, tiers } from "@berth/domain/Tiers"
import type { AgentSpec } from "../Agent.ts"
import type { Manifest } from "../Manifest.ts"
import type { OperatorSettings } from "../Settings.ts"
import { app, configKey, metadataOf, port, secretKeys } from "./Names.ts"

const provider = "berth"
/** Asked for by every turn; the proxy lowers it to what the allowance still covers. */
const maxTokens = 32_768
const titles = { "kimi-k2.6": "Kimi K2.6", "kimi-k2.7-code": "Kimi K2.7 Code" } as const

const fromEnvironment = (variable: string) => ({ source: "env", provider: "default", id: variable })

export const openClawConfig = (spec: AgentSpec, settings: OperatorSettings) => {
  const sold = tiers[spec.tier].models
  const allowed = spec.models.filter((model) => sold.includes(model))
  const offered = allowed.length > 0 ? allowed : sold
  return {
    gateway: {
      mode: "local",
      bind: "lan",
      port,
      auth: { mode: "token", token: fromEnvironment(secretKeys.gatewayToken) },
      controlUi: { enabled: false },
    },
    update: { checkOnStart: false, auto: { enabled: false } },
    telemetry: { enabled: false },
    discovery: { mdns: { mode: "off" } },
    browser: { enabled: false },
    plugins: { allow: ["telegram", "memory-core"] },
    skills: { workshop: { autonomous: { mode: "off" } } },
    models: {
      mode: "replace",
      catalogRefresh: { enabled: false },
      providers: {
        [provider]: {
          baseUrl: settings.proxyUrl,
          api: "openai-completions",
          apiKey: fromEnvironment(secretKeys.proxyToken),
          models: offered.map((id) => ({
            id,
            name: titles[id],
            reasoning: models[id].thinks,
            input: ["text"],
            contextWindow: models[id].contextTokens,
            maxTokens,
          })),
        },
      },
    },
    agents: {
      defaults: {
        model: { primary: `${provider}/${offered[0]}` },
        heartbeat: { every: "0m" },
        skipBootstrap: true,
      },
    },
    channels: {
      telegram: {
        enabled: true,
        botToken: fromEnvironment(secretKeys.botToken),
        dmPolicy: "allowlist",
        allowFrom: spec.telegram.allowedUserIds,
        groupPolicy: "disabled",
        configWrites: false,
        ...(settings.telegramApiRoot === undefined ? {} : { apiRoot: settings.telegramApiRoot }),
      },
    },
  }
}

export const configMap = (customerId: CustomerId, spec: AgentSpec, settings: OperatorSettings): Manifest => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: metadataOf(customerId, app),
  data: { [configKey]: JSON.stringify(openClawConfig(spec, settings), undefined, 2) },
})
