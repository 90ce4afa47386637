import type {} from '@fastify/swagger'
import type {} from '@fastify/websocket'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { DomainError } from '../core/errors.ts'
import { problems } from '../core/problem.ts'
import { channels, EnvelopeSchema, type EventType } from './event-types.ts'
import type { Sockets } from './sockets.ts'
import type { EventStream, Subscription } from './stream.ts'

/** One set a channel, shared by its subscribers. */
const paths: Record<string, { types: ReadonlySet<EventType>; tells: string }> = {
  '/ws': { types: new Set(Object.values(channels).flat()), tells: 'every event you may see' },
  '/ws/tasks': { types: new Set(channels.tasks), tells: 'tasks and background runs' },
}

export function registerWebSocketRoutes(
  app: FastifyInstance,
  { stream, sockets }: { stream: EventStream; sockets: Sockets },
): void {
  const subscriptions = new WeakMap<FastifyRequest['raw'], Subscription>()
  for (const [url, { types, tells }] of Object.entries(paths)) {
    app.route({
      method: 'GET',
      url,
      schema: {
        tags: ['events'],
        summary: `WebSocket: ${tells}`,
        description:
          'Each message is one event, as in the example of 101. Nothing is sent before the first event.',
        response: { 101: EnvelopeSchema, ...problems(426) },
      },
      // The place in the stream is taken before the handshake is answered: whatever a client causes
      // after it sees the socket open reaches it.
      preValidation: async (request) => {
        if (!request.ws) return
        const subscription = await stream.subscribe(types)
        subscriptions.set(request.raw, subscription)
        request.raw.socket.once('close', subscription.close)
        if (request.raw.socket.destroyed) subscription.close()
      },
      handler: async () => {
        throw new DomainError('upgrade-required', 'This address speaks WebSocket only.', {
          headers: { upgrade: 'websocket', connection: 'Upgrade' },
        })
      },
      wsHandler: (socket, request) => {
        sockets.add(socket, request.raw.socket, subscriptions.get(request.raw)!)
      },
    })
  }
}
