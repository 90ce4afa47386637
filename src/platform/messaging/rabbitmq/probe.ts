import { unlessAborted } from '../../../core/abort.ts'
import { RabbitMqConnection } from './rabbitmq-connection.ts'

const CONNECT_MS = 4_000

/**
 * Connects once to the RabbitMQ server at `url`. Rejects with the reason if it cannot be reached, rejects the
 * credentials or does not respond.
 */
export async function probeRabbitMq(url: string, signal: AbortSignal): Promise<void> {
  const { connect } = await import('amqplib')
  const model = await connect(url, {
    timeout: CONNECT_MS,
    clientProperties: { connection_name: 'taskwire-doctor' },
  })
  const link = new RabbitMqConnection(model)
  try {
    await unlessAborted(Promise.race([model.createChannel(), link.lost()]), signal)
  } finally {
    await link.sever()
  }
}
