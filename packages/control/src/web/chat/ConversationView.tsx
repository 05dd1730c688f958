/** The conversation with everything in it: messages, cards, what is on its way, and the setting up of the agent. */
import { CloudOff } from "lucide-react"
import { useEffect, useRef, useState } from "react"
import type { Card, Message } from "../../api/Messages.ts"
import { Data } from "../client/Data.tsx"
import { failureOf } from "../client/Failure.ts"
import { Provisioning } from "../live/Provisioning.tsx"
import { texts } from "../Texts.ts"
import { Button } from "../ui/Button.tsx"
import { Bone } from "../ui/Skeleton.tsx"
import { Bubble, Typing } from "./Bubble.tsx"
import { ChatWindow } from "./ChatWindow.tsx"
import { Choices } from "./Choices.tsx"
import { Composer } from "./Composer.tsx"
import { BotFatherCard, CheckoutCard, LiveCard, TelegramCard } from "./LinkCards.tsx"
import { OfferCard } from "./OfferCard.tsx"
import { wordsOf, type Pending } from "./Thread.ts"
import { useChat, type Chat } from "./UseChat.ts"

const CardView = ({
  card,
  beside,
  isOpen,
  chat,
}: {
  readonly card: Card
  readonly beside: ReadonlyArray<Card>
  readonly isOpen: boolean
  readonly chat: Chat
}) => {
  switch (card._tag) {
    case "Choices":
      return isOpen ? (
        <Choices
          options={card.options}
          onChoose={chat.speak}
          isMain={card.options.length === 1 && beside.some(({ _tag }) => _tag === "Offer")}
        />
      ) : null
    case "Offer":
      return <OfferCard card={card} onChoose={chat.speak} isOpen={isOpen} />
    case "BotFatherLink":
      return <BotFatherCard card={card} />
    case "TelegramLink":
      return <TelegramCard card={card} isOpen={isOpen} onSay={chat.speak} />
    case "Checkout":
      return <CheckoutCard card={card} isPaid={chat.journey.paidAt !== null} />
    case "Live":
      return <LiveCard botUsername={card.botUsername} url={card.url} />
  }
}

const MessageView = ({
  message,
  isOpen,
  chat,
}: {
  readonly message: Message
  readonly isOpen: boolean
  readonly chat: Chat
}) => (
  <Bubble from={message.role} text={wordsOf(message)}>
    {message.cards.map((card) => (
      <CardView key={card._tag} card={card} beside={message.cards} isOpen={isOpen} chat={chat} />
    ))}
  </Bubble>
)

const PendingView = ({ pending, chat }: { readonly pending: Pending; readonly chat: Chat }) => (
  <Bubble from="user" text={pending.text} faded={pending.failure === null}>
    {pending.failure !== null && (
      <div role="alert" className="mt-1.5 flex max-w-[85%] flex-wrap items-center justify-end gap-x-1 text-sm">
        <p className="text-right text-danger">
          {texts.chat.notSent} {pending.failure}
        </p>
        <span className="flex">
          <Button look="quiet" className="px-3 text-sm" onClick={() => chat.retry(pending)}>
            {texts.chat.tryAgain}
          </Button>
          <Button look="quiet" className="px-3 text-sm" onClick={() => chat.discard(pending)}>
            {texts.chat.discard}
          </Button>
        </span>
      </div>
    )}
  </Bubble>
)

const Opening = () => (
  <div role="status" className="space-y-6">
    <span className="sr-only">{texts.chat.loading}</span>
    <div className="flex gap-3">
      <Bone className="size-7 shrink-0" />
      <div className="grow space-y-2 pt-1">
        <Bone className="h-4 w-4/5" />
        <Bone className="h-4 w-1/2" />
      </div>
    </div>
    <Bone className="ml-auto h-11 w-3/5 rounded-2xl" />
  </div>
)

interface Where {
  readonly place: "page" | "card"
  /** Said as soon as the conversation is open. */
  readonly firstWords?: string | undefined
  /** Put into the composer, to be sent or changed. */
  readonly wish?: { readonly text: string } | undefined
}

const View = ({ place, firstWords, wish }: Where) => {
  const chat = useChat(firstWords)
  const [draft, setDraft] = useState("")
  const input = useRef<HTMLTextAreaElement>(null)
  useEffect(() => {
    if (wish === undefined) return
    setDraft(wish.text)
    input.current?.focus()
  }, [wish])
  const { conversation, journey, items } = chat
  const last = items.at(-1)
  return (
    <ChatWindow
      place={place}
      subtitle={journey.live === null ? texts.chat.subtitle : texts.chat.subtitleLive}
      follow={{
        end: `${items.length} ${last?._tag} ${chat.isThinking} ${journey.seq}`,
        isOwn: last?._tag === "Pending",
      }}
      notice={
        chat.link === "waiting" && conversation.isSuccess ? (
          <p role="status" className="mb-2 flex items-center gap-2 text-sm text-muted">
            <CloudOff aria-hidden="true" className="size-4 shrink-0" />
            {texts.chat.reconnecting}
          </p>
        ) : undefined
      }
      composer={
        <Composer
          inputRef={input}
          draft={draft}
          onDraft={setDraft}
          onSend={chat.speak}
          disabled={conversation.data === undefined}
        />
      }
    >
      {conversation.isPending && <Opening />}
      {conversation.data === undefined && conversation.isError && (
        <div role="alert">
          <Bubble from="assistant" text={texts.failures[failureOf(conversation.error).kind]}>
            <Button look="secondary" onClick={() => void conversation.refetch()}>
              {texts.retry}
            </Button>
          </Bubble>
        </div>
      )}
      {items.map((item) => {
        switch (item._tag) {
          case "Message":
            return (
              <MessageView
                key={item.message.seq}
                message={item.message}
                isOpen={item.isLast && !chat.isThinking}
                chat={chat}
              />
            )
          case "Pending":
            return <PendingView key={item.pending.clientId} pending={item.pending} chat={chat} />
          case "Provisioning":
            return (
              <Bubble key="provisioning" from="assistant">
                <Provisioning journey={journey} />
              </Bubble>
            )
        }
      })}
      {chat.isThinking && <Typing />}
    </ChatWindow>
  )
}

const ConversationView = (where: Where) => (
  <Data>
    <View {...where} />
  </Data>
)
export default ConversationView
