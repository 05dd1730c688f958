/** A customer's WebSocket as a client sees it: events collected in order, with a way to wait for one. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as Stream from "effect/Stream"
import { type CustomerEvent, CustomerEventJson } from "../api/Events.ts"

export interface Inbox {
  readonly seen: () => ReadonlyArray<CustomerEvent>
  /** The first event that matches, seen already or yet to come. */
  waitFor<A extends CustomerEvent>(
    what: string,
    match: (event: CustomerEvent) => event is A,
    within: Duration.Input,
  ): Effect.Effect<A, StoryFailed>
}

/** A step of the story did not go as told. */
export class StoryFailed extends Schema.TaggedError<StoryFailed>()("StoryFailed", { message: Schema.String }) {}

const decode = Schema.decodeUnknownEffect(CustomerEventJson)

/** Opens `/api/events?after=0` with a bearer and listens until the scope closes. */
export const open = Effect.fn("Inbox.open")(function* (
  origin: string,
  bearer: string,
): Effect.fn.Return<Inbox, never, Socket.WebSocketConstructor | Scope.Scope> {
  const events: Array<CustomerEvent> = []
  const socket = yield* Socket.makeWebSocket(`${origin.replace(/^http/, "ws")}/api/events?after=0`, {
    headers: { authorization: `Bearer ${bearer}` },
  })
  yield* Socket.toStream(socket).pipe(
    Stream.decodeText(),
    // What is no event is a heartbeat.
    Stream.runForEach((text) => Effect.ignore(Effect.map(decode(text), (event) => events.push(event)))),
    Effect.forkScoped,
  )
  return {
    seen: () => events,
    waitFor: (what, match, within) =>
      Effect.suspend(() => {
        const found = events.find(match)
        return found === undefined
          ? Effect.fail(new StoryFailed({ message: `no ${what} came` }))
          : Effect.succeed(found)
      }).pipe(
        Effect.retry({ schedule: Schedule.spaced("20 millis") }),
        Effect.timeoutOption(within),
        Effect.flatMap(
          Option.match({
            onNone: () =>
              Effect.fail(
                new StoryFailed({
                  message: `no ${what} came in time; what came: ${events.map((event) => event._tag).join(", ")}`,
                }),
              ),
            onSome: Effect.succeed,
          }),
        ),
      ),
  }
})
