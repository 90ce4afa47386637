import { unlessAborted } from '../../core/abort.ts'

/** Resolves when the Redis at `url` lets us in and answers, else rejects with the reason. It tries once. */
export async function probeRedis(url: string, signal: AbortSignal): Promise<void> {
  const { createClient } = await import('redis')
  const client = createClient({
    url,
    name: 'taskwire-doctor',
    maintNotifications: 'disabled',
    socket: { reconnectStrategy: false },
  })
  client.on('error', () => {}) // What fails, rejects.
  try {
    await unlessAborted(client.connect(), signal)
    await unlessAborted(client.ping(), signal)
  } finally {
    client.destroy()
  }
}
