import type { ConfirmChannel, ConsumeMessage } from 'amqplib'

const MAX_REASON = 500

export function deadLetterQueue(queue: string): string {
  return `${queue}.dead`
}

/** Makes sure that the queue of dead letters is there: a message to one that is not vanishes, and is confirmed. */
export async function checkDead(channel: ConfirmChannel, queue: string): Promise<void> {
  // Where it is gone the channel closes, and with the next connection it is made again.
  await channel.checkQueue(deadLetterQueue(queue))
}

/** Puts a copy of a message into the queue of dead letters; resolves when RabbitMQ has it for good. */
export async function publishDead(
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
    // Its own headers may be more than fits beside ours.
    if (!(error instanceof RangeError)) throw error
    await send(own)
  }
}
