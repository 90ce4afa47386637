import type {} from '@fastify/swagger'
import type {} from '@fastify/websocket'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { FromSchema, JSONSchema } from 'json-schema-to-ts'
import { bearerToken, TOKEN_NEEDED, unauthenticated } from '../core/authorization.ts'
import { DomainError } from '../core/errors.ts'
import { problems } from '../platform/http/problem.ts'
import type { Logger } from '../platform/logging/logger.ts'
import {
  type AdmittedReader,
  admitReader,
  authenticateAgain,
  firstToken,
  refuseSocket,
  type SocketAuthenticator,
  type SubscriptionRequest,
  tokenIn,
} from './admission.ts'
import { afterField, typesField, typesIn } from './event-query.ts'
import { channels, EnvelopeSchema, type EventType } from './event-types.ts'
import type { Sockets } from './sockets.ts'
import type { EventStream } from './stream.ts'

/** One set a channel, shared by its subscribers. */
const paths: Record<string, { types: ReadonlySet<EventType>; tells: string }> = {
  '/ws': { types: new Set(Object.values(channels).flat()), tells: 'every event you may see' },
  '/ws/tasks': { types: new Set(channels.tasks), tells: 'tasks and background runs' },
  '/ws/currencies': { types: new Set(channels.currencies), tells: 'currency rates' },
}

const PlaceQuery = {
  type: 'object',
  properties: {
    after: afterField,
    types: typesField,
    ticket: {
      type: 'string',
      maxLength: 200,
      description: 'Single-use, of POST /auth/ticket: browsers cannot send an Authorization header',
    },
  },
  additionalProperties: false,
} as const satisfies JSONSchema

export function registerWebSocketRoutes(
  app: FastifyInstance,
  deps: { stream: EventStream; sockets: Sockets; gate: SocketAuthenticator; log: Logger },
): void {
  const { stream, sockets, gate, log } = deps
  /** The result of each handshake: a reader or an error; none for a socket that has yet to authenticate. */
  const arrivals = new WeakMap<FastifyRequest['raw'], { place: AdmittedReader } | { error: unknown }>()

  for (const [url, { types, tells }] of Object.entries(paths)) {
    app.route({
      method: 'GET',
      url,
      config: { access: 'ticket' },
      schema: {
        tags: ['events'],
        summary: `WebSocket: ${tells}`,
        description:
          'Each message is one event, as in the example of 101. Nothing is sent before the first event; with `after`, a message `resumed` says whether all that was missed is still there (`recovered`), and if so it comes next. Where a token is needed, it comes in the Authorization header, as a `ticket`, or in a first message `{"type":"auth","token":"…"}` within 10 s; where none is needed, that message makes it a socket of that user. Close codes: 4401 not (or no longer) authenticated, 4403 not allowed, 4408 no authentication in time, 4413 too slow, 1001 server going away.',
        querystring: PlaceQuery,
        response: { 101: EnvelopeSchema, ...problems(422, 426) },
      },
      // The place in the stream is taken before the handshake is answered: whatever a client causes
      // after it sees the socket open reaches it.
      preHandler: async (request) => {
        if (!request.ws) return
        const { ticket } = request.query as FromSchema<typeof PlaceQuery>
        const wanted = wantedBy(request, types)
        if (ticket !== undefined) {
          // A page cannot see why a handshake fails, so it learns from the close code.
          const arrival = await admitReader(stream, gate, wanted, () => gate.redeem(ticket, request.ip)).then(
            (place) => ({ place }),
            (error: unknown) => ({ error }),
          )
          arrivals.set(request.raw, arrival)
        } else if (request.actor.kind !== 'anonymous') {
          const place = await admitReader(stream, gate, wanted, async () => {
            const token = bearerToken(request.headers.authorization)
            return token === undefined ? request.actor : gate.authenticate(token, request.ip)
          })
          arrivals.set(request.raw, { place })
        }
        const arrival = arrivals.get(request.raw)
        if (!arrival || !('place' in arrival)) return
        request.raw.socket.once('close', arrival.place.subscription.close)
        if (request.raw.socket.destroyed) arrival.place.subscription.close()
      },
      handler: async ({ actor }) => {
        if (actor.kind === 'anonymous') throw unauthenticated(TOKEN_NEEDED)
        throw new DomainError('upgrade-required', 'This address speaks WebSocket only.', {
          headers: { upgrade: 'websocket', connection: 'Upgrade' },
        })
      },
      wsHandler: async (socket, request) => {
        const { admit, narrow } = sockets.add(socket, request.raw.socket)
        try {
          const { place } = settled(arrivals.get(request.raw)) ?? {
            place: await admitReader(stream, gate, wantedBy(request, types), async () =>
              gate.authenticate(await firstToken(socket), request.ip),
            ),
          }
          if (gate.revokedSince(place.mark, place.actor)) {
            place.subscription.close()
            throw unauthenticated('The token is no longer valid.')
          }
          admit(place.actor, place.subscription)
          if (place.actor.kind === 'operator') socket.once('message', (data) => identify(String(data)))
        } catch (error) {
          refused(error)
        }

        /** While access is open nobody has to say who they are; who does is from then on nobody else. */
        function identify(message: string): void {
          const token = tokenIn(message)
          if (token !== undefined) authenticateAgain(gate, token, request.ip).then(narrow).catch(refused)
        }
        function refused(error: unknown): void {
          log.debug({ reqId: request.id, err: error }, 'socket refused')
          refuseSocket(socket, error)
        }
      },
    })
  }
}

function wantedBy(request: FastifyRequest, told: ReadonlySet<EventType>): SubscriptionRequest {
  const { after, types } = request.query as FromSchema<typeof PlaceQuery>
  return { types: typesIn(types, told), encoding: 'websocket', after }
}

function settled(
  arrival: { place: AdmittedReader } | { error: unknown } | undefined,
): { place: AdmittedReader } | undefined {
  if (arrival && 'error' in arrival) throw arrival.error
  return arrival
}
