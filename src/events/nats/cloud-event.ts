import type { OutgoingMessage } from '../../platform/messaging/nats/ordered-publisher.ts'
import { EVENTS_SUBJECT } from '../../platform/messaging/nats/streams.ts'
import type { Frame } from '../frame.ts'

/**
 * An event as a CloudEvent in binary mode (CloudEvents 1.0, NATS protocol binding, section 3.1): its
 * attributes are headers, the envelope that all readers get is its data.
 */
export function cloudEvent({ id, type, text }: Frame, source: string): OutgoingMessage {
  return {
    id,
    subject: `${EVENTS_SUBJECT}.${type}`,
    payload: text,
    headers: {
      'ce-specversion': '1.0',
      'ce-id': String(id),
      'ce-type': type,
      'ce-source': source,
      'ce-time': timeOf(text),
      'content-type': 'application/json',
    },
  }
}

/** An envelope has its time before its data, in which any text can stand. */
function timeOf(envelope: string): string {
  return /^[^{]*\{[^{]*?"at":"([^"]*)"/.exec(envelope)![1]!
}
