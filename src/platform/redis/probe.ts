import { unlessAborted } from '../../core/abort.ts'

/** Resolves if the Redis at `url` accepts the credentials and responds; otherwise rejects with the reason. Tries once. */
export async function probeRedis(url: string, signal: AbortSignal): Promise<void> {
  const { createClient } = await import('redis')
  const client = createClient({
    url,
    name: 'taskwire-doctor',
    maintNotifications: 'disabled',
    socket: { reconnectStrategy: false },
  })
  client.on('error', () => {}) // The failed call rejects.
  try {
    await unlessAborted(client.connect(), signal)
    await unlessAborted(client.ping(), signal)
  } finally {
    client.destroy()
  }
}
