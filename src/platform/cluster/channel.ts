import { errorText } from '../../core/errors.ts'

/** One end of the IPC channel between two processes: `process`, or a worker of node:cluster. */
export interface ChannelEnd {
  send(message: object, sent: () => void): unknown
  on(event: 'message' | 'disconnect', heard: (message: unknown) => void): unknown
}

/** Calls between the two ends of an IPC channel. Arguments and answers are JSON. */
export interface Channel {
  /** Rejects with the other side's error, or when the channel closes first. */
  call<T>(name: string, argument?: unknown): Promise<T>
  /** How calls of the other side are answered. */
  answer(name: string, handler: (argument: never) => unknown): void
}

type Message =
  | { kind: 'call'; id: number; name: string; argument: unknown }
  | { kind: 'answer'; id: number; value: unknown }
  | { kind: 'error'; id: number; message: string }

/** A call of a name that is not answered yet waits until it is. */
export function openChannel(end: ChannelEnd): Channel {
  const handlers = new Map<string, PromiseWithResolvers<(argument: never) => unknown>>()
  const pending = new Map<number, PromiseWithResolvers<unknown>>()
  let calls = 0
  let closed = false

  const send = (message: Message) => {
    // With somebody to hear of it, a message to a process that has just been killed is no error event, which would
    // end this one; 'disconnect' follows.
    if (!closed) end.send(message, () => {})
  }
  const handlerOf = (name: string) => {
    let handler = handlers.get(name)
    if (!handler) {
      handler = Promise.withResolvers()
      handlers.set(name, handler)
    }
    return handler
  }
  async function serve(id: number, name: string, argument: unknown): Promise<void> {
    try {
      const handler = await handlerOf(name).promise
      send({ kind: 'answer', id, value: await handler(argument as never) })
    } catch (error) {
      send({ kind: 'error', id, message: errorText(error) })
    }
  }

  end.on('message', (received) => {
    const message = received as Message
    if (message.kind === 'call') return void serve(message.id, message.name, message.argument)
    const waiting = pending.get(message.id)
    pending.delete(message.id)
    if (message.kind === 'answer') waiting?.resolve(message.value)
    else waiting?.reject(new Error(message.message))
  })
  end.on('disconnect', () => {
    closed = true
    for (const { reject } of pending.values()) reject(new Error('the other process has ended'))
    pending.clear()
  })

  return {
    call<T>(name: string, argument?: unknown) {
      const waiting = Promise.withResolvers<unknown>()
      if (closed) waiting.reject(new Error('the other process has ended'))
      else {
        pending.set(++calls, waiting)
        send({ kind: 'call', id: calls, name, argument })
      }
      return waiting.promise as Promise<T>
    },
    answer: (name, handler) => handlerOf(name).resolve(handler),
  }
}
