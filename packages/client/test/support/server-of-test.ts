import { onTestFinished } from 'vitest'
import { createClient } from '../../src/index.ts'
import { type Reply, type ScriptedServer, scriptedServer } from './scripted-server.ts'

/** A server that ends with the test. */
export async function serverOf(...replies: Reply[]): Promise<ScriptedServer> {
  const server = await scriptedServer(...replies)
  onTestFinished(() => server[Symbol.asyncDispose]())
  return server
}

export const clientOf = ({ url }: ScriptedServer) => createClient({ url })
/** For vi.waitFor. */
export const soon = { timeout: 5_000, interval: 5 }
