import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { node, type Running, root, startServer } from './process.ts'

/** What `npm start` gives to Node before the script. */
function startFlags(): string[] {
  const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
    scripts: { start: string }
  }
  return scripts.start.split(' ').filter((word) => word.startsWith('--'))
}

/** Starts the server as users run it, but with imports off and its files in `folder`. */
export function startTaskwire(
  folder: string,
  options: { env?: Record<string, string>; nodeArguments?: string[] } = {},
): Promise<Running> {
  return startServer({
    command: [node, ...startFlags(), ...(options.nodeArguments ?? []), `${root}src/main.ts`],
    env: {
      IMPORTS: 'off',
      DATA_DIR: join(folder, 'data'),
      LOG_FILE: join(folder, 'app.log'),
      ...options.env,
    },
    cwd: folder,
    readyPath: '/health/ready',
  })
}
