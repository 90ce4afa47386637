import type { ChannelModel, Options } from 'amqplib'
import { errorText } from '../../../core/errors.ts'
import type { Logger } from '../../logging/logger.ts'

/** Declared by nothing but its name, as many a producer's first program does it; lost when RabbitMQ restarts. */
export const TRANSIENT: Options.AssertQueue = { durable: false, exclusive: false, autoDelete: false }

/** On the disks of a majority of nodes before it is confirmed. */
export const DURABLE: Options.AssertQueue = { durable: true, arguments: { 'x-queue-type': 'quorum' } }

/**
 * Declares a queue, on a channel of its own since a refusal closes it. One that is there already, but was
 * declared otherwise, is used as it is: its producers would be refused if it were not.
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
  log.info(`the queue ${queue} was declared otherwise, and is used as it is: ${errorText(refused)}`)
}

async function attempt(
  model: ChannelModel,
  run: (channel: Awaited<ReturnType<ChannelModel['createChannel']>>) => Promise<unknown>,
): Promise<Error | undefined> {
  const channel = await model.createChannel()
  channel.on('error', () => {}) // The call on it fails, too.
  try {
    await run(channel)
    await channel.close()
    return undefined
  } catch (error) {
    return error as Error
  }
}
