/**
 * The jobs that an operator has taken off the list and not yet acknowledged, by customer. A job carries the whole desired
 * state, so of one customer's only the newest is worked on; the older ones are kept until it has become of it what it may,
 * since one of them counts again if the newest turns out to be no good. Synchronous.
 */
import type { CustomerId } from "@berth/domain/Ids"
import type { Job, JobReason } from "@berth/domain/Jobs"
import type { RawJob } from "@berth/domain/JobQueue"
import type { Lane } from "./Lanes.ts"

export interface Taken {
  readonly raw: RawJob
  readonly job: Job
}

/** Which lane a job travels in. */
export const laneOf = (reason: JobReason): Lane =>
  reason === "provision" ? "provision" : reason === "deprovision" ? "destroy" : "change"

export interface JobsInHand {
  add(taken: Taken): void
  /** The newest of a customer's, by generation; of two of the same generation the first that came. */
  newest(customer: CustomerId): Taken | undefined
  /** Those that a settled job makes pointless: of its own generation and older. */
  upTo(customer: CustomerId, generation: number): ReadonlyArray<Taken>
  remove(customer: CustomerId, taken: Taken): void
  clear(): void
  size(): number
}

export const make = (): JobsInHand => {
  const byCustomer = new Map<CustomerId, ReadonlyArray<Taken>>()
  const of = (customer: CustomerId) => byCustomer.get(customer) ?? []
  return {
    add: (taken) => void byCustomer.set(taken.job.customerId, [...of(taken.job.customerId), taken]),
    newest: (customer) =>
      of(customer).reduce<Taken | undefined>(
        (best, one) => (best === undefined || one.job.generation > best.job.generation ? one : best),
        undefined,
      ),
    upTo: (customer, generation) => of(customer).filter(({ job }) => job.generation <= generation),
    remove: (customer, taken) => {
      const left = of(customer).filter((one) => one !== taken)
      if (left.length === 0) byCustomer.delete(customer)
      else byCustomer.set(customer, left)
    },
    clear: () => byCustomer.clear(),
    size: () => [...byCustomer.values()].reduce((total, { length }) => total + length, 0),
  }
}
