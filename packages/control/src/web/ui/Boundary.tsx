/** Catches what breaks while a page is drawn, such as a part that a newer version took away from the server. */
import { Component, type ReactNode } from "react"

export class Boundary extends Component<
  { readonly fallback: ReactNode; readonly children: ReactNode },
  { readonly isBroken: boolean }
> {
  override state = { isBroken: false }
  static getDerivedStateFromError() {
    return { isBroken: true }
  }
  override render() {
    return this.state.isBroken ? this.props.fallback : this.props.children
  }
}
