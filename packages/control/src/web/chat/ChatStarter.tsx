/**
 * The chat of the landing page before anyone talks: a greeting that costs no request. The first words load the real one;
 * on a phone they open it on its own page, where there is room.
 */
import { useEffect, useRef, useState, lazy, Suspense } from "react"
import { useNavigate } from "react-router"
import { paths } from "../Paths.ts"
import { texts } from "../Texts.ts"
import { Bubble, Typing } from "./Bubble.tsx"
import { ChatWindow } from "./ChatWindow.tsx"
import { Choices } from "./Choices.tsx"
import { Composer } from "./Composer.tsx"
import { hasChatted, leaveWords } from "./FirstWords.ts"

const load = () => import("./ConversationView.tsx")
const ConversationView = lazy(load)

const isPhone = () => !window.matchMedia("(min-width: 48rem)").matches

/** `wish` is put into the composer each time it changes, such as the plan that was just picked. */
export const ChatStarter = ({ wish }: { readonly wish: { readonly text: string } | undefined }) => {
  const navigate = useNavigate()
  const input = useRef<HTMLTextAreaElement>(null)
  const [draft, setDraft] = useState("")
  const [begun, setBegun] = useState<{ readonly words?: string } | undefined>(() => (hasChatted() ? {} : undefined))

  useEffect(() => {
    if (wish === undefined) return
    setDraft(wish.text)
    input.current?.focus()
  }, [wish])

  const begin = (words: string) => {
    if (!isPhone()) return setBegun({ words })
    leaveWords(words)
    void navigate(paths.chat)
  }
  const waiting = (words: string | undefined) => (
    <ChatWindow
      place="card"
      subtitle={texts.chat.subtitle}
      follow={{ end: words, isOwn: true }}
      composer={
        <Composer
          inputRef={input}
          draft={draft}
          onDraft={setDraft}
          onSend={begin}
          onFocus={() => void load()}
          disabled={words !== undefined}
        />
      }
    >
      <Bubble from="assistant" text={texts.chat.greeting} />
      {words === undefined ? (
        <Choices options={texts.chat.suggestions.map((label) => ({ label, send: label }))} onChoose={begin} />
      ) : (
        <>
          <Bubble from="user" text={words} faded />
          <Typing />
        </>
      )}
    </ChatWindow>
  )
  if (begun === undefined) return waiting(undefined)
  return (
    <Suspense fallback={waiting(begun.words)}>
      <ConversationView place="card" firstWords={begun.words} wish={wish} />
    </Suspense>
  )
}
