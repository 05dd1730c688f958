/** Everything that an agent consists of, in the order in which it is put in place. Pure. */
import type { CustomerId } from "@berth/domain/Ids"
import type { Step } from "@berth/domain/Lifecycle"
import type { AgentSpec } from "../Agent.ts"
import type { Manifest } from "../Manifest.ts"
import type { OperatorSettings } from "../Settings.ts"
import { deployment, service } from "./Deployment.ts"
import { limitRange, resourceQuota } from "./Limits.ts"
import { marked } from "./Names.ts"
import { namespace, roleBinding, serviceAccount } from "./Namespace.ts"
import { networkPolicy } from "./NetworkPolicy.ts"
import { configMap } from "./OpenClawConfig.ts"
import { type AgentSecrets, secret } from "./Secret.ts"
import { claim, claimSize, type StandingVolume } from "./Volume.ts"

export interface DesiredObject {
  readonly step: Step
  readonly object: Manifest
}

/** NetworkPolicy and quota come before anything that could run. */
export const desired = (
  agent: { readonly customerId: CustomerId; readonly spec: AgentSpec },
  secrets: AgentSecrets,
  settings: OperatorSettings,
  volume: StandingVolume = {},
): ReadonlyArray<DesiredObject> => {
  const { customerId, spec } = agent
  const inputs = { config: configMap(customerId, spec, settings), secret: secret(customerId, secrets) }
  const objects: ReadonlyArray<readonly [Step, Manifest]> = [
    ["Namespace", namespace(customerId)],
    ["Namespace", roleBinding(customerId)],
    ["ServiceAccount", serviceAccount(customerId)],
    ["Secret", inputs.secret],
    ["ConfigMap", inputs.config],
    ["Quota", resourceQuota(customerId, spec.tier, claimSize(spec.tier, settings, volume))],
    ["Quota", limitRange(customerId, spec.tier)],
    ["NetworkPolicy", networkPolicy(customerId, settings)],
    ["Volume", claim(customerId, spec.tier, settings, volume)],
    ["Service", service(customerId)],
    ["Deployment", deployment(customerId, spec, settings, inputs)],
  ]
  return objects.map(([step, object]) => ({ step, object: marked(object) }))
}
