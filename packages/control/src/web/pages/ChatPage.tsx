/** The conversation on a page of its own. */
import { useState } from "react"
import ConversationView from "../chat/ConversationView.tsx"
import { takeWords } from "../chat/FirstWords.ts"
import { texts } from "../Texts.ts"

const ChatPage = () => {
  const [firstWords] = useState(takeWords)
  return (
    <>
      <title>{texts.titles.chat}</title>
      <ConversationView place="page" firstWords={firstWords} />
    </>
  )
}
export default ChatPage
