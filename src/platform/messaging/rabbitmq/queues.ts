import type { ChannelModel, Options } from 'amqplib'
import { errorText } from '../../../core/errors.ts'
import type { Logger } from '../../logging/logger.ts'

/** The default options, with which simple producers declare a queue. Its messages are lost when RabbitMQ restarts. */
export const TRANSIENT: Options.AssertQueue = { durable: false, exclusive: false, autoDelete: false }

/** A quorum queue: a message is on the disks of a majority of nodes before it is confirmed. */
export const DURABLE: Options.AssertQueue = { durable: true, arguments: { 'x-queue-type': 'quorum' } }

/**
 * Declares a queue, on a separate channel because a rejected declaration closes the channel. A queue that exists
 * with other options is used as it is, since its producers depend on these options.
 */
export async function declare(
  model: ChannelModel,
  queue: string,
  options: Options.AssertQueue,
  log: Logger,
): Promise<void> {
  const refused = await attempt(model, (channel) => channel.assertQueue(queue, options))
  if (!refused) return
  const absent = await attempt(model, (channel) => channel.checkQueue(queue))
  if (absent) throw refused
  log.info(`queue ${queue} exists with other options and is used as it is: ${errorText(refused)}`)
}

async function attempt(
  model: ChannelModel,
  run: (channel: Awaited<ReturnType<ChannelModel['createChannel']>>) => Promise<unknown>,
): Promise<Error | undefined> {
  const channel = await model.createChannel()
  channel.on('error', () => {}) // The call on the channel rejects with the same error.
  try {
    await run(channel)
    await channel.close()
    return undefined
  } catch (error) {
    return error as Error
  }
}
