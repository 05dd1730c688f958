/** The conversation for React: what it shows, and how to say something exactly once on a bad connection. */
import { useMutation, useQuery } from "@tanstack/react-query"
import { useEffect, useReducer, useRef } from "react"
import { say } from "../client/Client.ts"
import { failureOf, mayRetry } from "../client/Failure.ts"
import { conversationQuery, keepConversation, retryDelay } from "../client/Queries.ts"
import { useLive } from "../live/UseLive.ts"
import { texts } from "../Texts.ts"
import { rememberChat } from "./FirstWords.ts"
import { items, type Pending } from "./Thread.ts"

type Change =
  | { readonly _tag: "Typed"; readonly pending: Pending }
  | { readonly _tag: "Said" | "Retried" | "Discarded"; readonly clientId: string }
  | { readonly _tag: "Failed"; readonly clientId: string; readonly message: string }

const change = (pending: ReadonlyArray<Pending>, next: Change): ReadonlyArray<Pending> => {
  switch (next._tag) {
    case "Typed":
      return [...pending, next.pending]
    case "Said":
    case "Discarded":
      return pending.filter(({ clientId }) => clientId !== next.clientId)
    case "Retried":
      return pending.map((each) => (each.clientId === next.clientId ? { ...each, failure: null } : each))
    case "Failed":
      return pending.map((each) => (each.clientId === next.clientId ? { ...each, failure: next.message } : each))
  }
}

/** About half a minute of attempts before the customer is asked. */
const attempts = 6

export const useChat = (firstWords: string | undefined) => {
  const conversation = useQuery(conversationQuery)
  const { journey, link } = useLive(conversation.isSuccess)
  const [pending, dispatch] = useReducer(change, [])
  const id = conversation.data?.id

  const saying = useMutation({
    // One at a time, so that two quick messages arrive in the order in which they were typed.
    scope: { id: "say" },
    retry: (failures, error) => failures < attempts && mayRetry(error),
    retryDelay,
    mutationFn: ({ clientId, text, to }: { readonly clientId: string; readonly text: string; readonly to: string }) =>
      say(to, clientId, text),
    onSuccess: (answer, { clientId }) => {
      keepConversation(answer.conversation)
      dispatch({ _tag: "Said", clientId })
    },
    onError: (error, { clientId }) => {
      const { kind, message } = failureOf(error)
      const words = kind === "rejected" && message !== "" ? message : texts.failures[kind]
      dispatch({ _tag: "Failed", clientId, message: words })
    },
  })

  const speak = (text: string) => {
    if (id === undefined) return
    const clientId = crypto.randomUUID()
    const after = conversation.data?.messages.at(-1)?.seq ?? 0
    dispatch({ _tag: "Typed", pending: { clientId, text, after, failure: null } })
    saying.mutate({ clientId, text, to: id })
  }
  const retry = ({ clientId, text }: Pending) => {
    if (id === undefined) return
    dispatch({ _tag: "Retried", clientId })
    saying.mutate({ clientId, text, to: id })
  }
  const discard = ({ clientId }: Pending) => dispatch({ _tag: "Discarded", clientId })

  const unsaid = useRef(firstWords)
  useEffect(() => {
    if (id === undefined) return
    rememberChat()
    const words = unsaid.current
    unsaid.current = undefined
    if (words !== undefined) speak(words)
    // Only the arrival of the conversation sets it off.
    // oxlint-disable-next-line react/exhaustive-deps
  }, [id])

  return {
    conversation,
    journey,
    link,
    items: conversation.data === undefined ? [] : items(conversation.data, journey, pending),
    /** An answer is on its way. */
    isThinking: pending.some(({ failure }) => failure === null),
    speak,
    retry,
    discard,
  }
}
export type Chat = ReturnType<typeof useChat>
