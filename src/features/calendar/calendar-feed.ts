/** An address for calendars as its owner sees it; the address itself is shown once, when it is made. */
export interface CalendarFeed {
  id: number
  name: string
  created_at: string
  last_used_at: string | null
}
