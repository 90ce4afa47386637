import type { ConfirmChannel, ConsumeMessage } from 'amqplib'

const MAX_REASON = 500

export function deadLetterQueue(queue: string): string {
  return `${queue}.dead`
}

/** Checks that the dead-letter queue exists: RabbitMQ confirms a message to a missing queue and discards it. */
export async function checkDeadLetterQueue(channel: ConfirmChannel, queue: string): Promise<void> {
  // If the queue is missing, RabbitMQ closes the channel, and the next connection declares the queue again.
  await channel.checkQueue(deadLetterQueue(queue))
}

/** Publishes a copy of a message to the dead-letter queue; resolves when RabbitMQ has confirmed it. */
export async function publishDeadLetter(
  channel: ConfirmChannel,
  queue: string,
  { content, properties }: ConsumeMessage,
  reason: string,
): Promise<void> {
  const own = {
    'x-taskwire-reason': reason.slice(0, MAX_REASON).toWellFormed(),
    'x-taskwire-queue': queue,
    'x-taskwire-at': new Date().toISOString(),
  }
  const { contentType, contentEncoding, correlationId, replyTo, messageId, timestamp, type, appId } =
    properties
  const kept = { contentType, contentEncoding, correlationId, replyTo, messageId, timestamp, type, appId }
  const send = (headers: object) =>
    new Promise<void>((resolve, reject) => {
      const options = { ...kept, headers, persistent: true }
      channel.sendToQueue(deadLetterQueue(queue), content, options, (error) =>
        error ? reject(error) : resolve(),
      )
    })
  try {
    await send({ ...properties.headers, ...own })
  } catch (error) {
    // The headers of the message and ours together may be too large for one frame.
    if (!(error instanceof RangeError)) throw error
    await send(own)
  }
}
