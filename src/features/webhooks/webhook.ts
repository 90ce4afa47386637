import type { EventType } from '../../events/event-types.ts'

/** A webhook as its owner sees it; times are ISO 8601 text in UTC with microseconds. */
export interface Webhook {
  id: number
  url: string
  /** null: every type. */
  types: EventType[] | null
  description: string | null
  enabled: boolean
  /** Reason why Taskwire disabled it. */
  disabled_reason: string | null
  /** Time of the first failure since the last success. */
  failing_since: string | null
  /** Until then messages are also signed with the previous secret. */
  old_secret_until: string | null
  /** The owner, whose events it receives; null: the local operator, who receives all events. */
  user_id: number | null
  created_at: string
  updated_at: string | null
}

export type DeliveryState = 'waiting' | 'delivered' | 'failed'

/** The delivery of one event to one webhook. */
export interface Delivery {
  id: number
  webhook_id: number
  /** Sent as `webhook-id`; the same in every attempt. */
  event_id: string
  type: string
  state: DeliveryState
  attempts: number
  /** Status of the last attempt; null: there was no response. */
  response_status: number | null
  error: string | null
  created_at: string
  last_attempt_at: string | null
  next_attempt_at: string | null
  finished_at: string | null
}

/** Type of the message that `POST /webhooks/{id}/test` sends. No event has this type. */
export const TEST_TYPE = 'webhook_test'
