/** Gives what is below it the query cache. Loaded with the first part of a page that needs it. */
import { QueryClientProvider } from "@tanstack/react-query"
import type { ReactNode } from "react"
import { cache } from "./Queries.ts"

export const Data = ({ children }: { readonly children: ReactNode }) => (
  <QueryClientProvider client={cache}>{children}</QueryClientProvider>
)
