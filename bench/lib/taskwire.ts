import { join } from 'node:path'
import { node, type Running, root, startServer } from './process.ts'

/** Starts the server as users run it, but with imports and weather off and its files in `folder`. */
export function startTaskwire(
  folder: string,
  options: { env?: Record<string, string>; nodeArguments?: string[] } = {},
): Promise<Running> {
  return startServer({
    command: [node, ...(options.nodeArguments ?? []), `${root}src/main.ts`],
    env: {
      IMPORTS: 'off',
      WEATHER: 'off',
      DATA_DIR: join(folder, 'data'),
      LOG_FILE: join(folder, 'app.log'),
      ...options.env,
    },
    cwd: folder,
    readyPath: '/health/ready',
  })
}
