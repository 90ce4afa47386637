/** A calendar feed as its owner sees it. Its URL is shown once, when it is created. */
export interface CalendarFeed {
  id: number
  name: string
  created_at: string
  last_used_at: string | null
}
