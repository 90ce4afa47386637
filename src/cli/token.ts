import type { Command } from 'commander'
import type { Scope } from '../core/actor.ts'
import { StartupError } from '../core/errors.ts'
import { allowedScopes, deleteApiToken, issueApiToken, listApiTokens } from '../features/auth/index.ts'
import { openAccounts } from './accounts.ts'
import type { ProgramContext } from './context.ts'
import { table } from './table.ts'

const SCOPES: readonly string[] = ['read', 'write', 'admin'] satisfies Scope[]
const MAX_NAME = 100
const MAX_DAYS = 3650

interface CreateOptions {
  name: string
  scopes: string
  expiresInDays?: string
}

/** `taskwire token …`: API tokens of the users of the configured database. */
export function addTokenCommands(program: Command, context: ProgramContext): void {
  const token = program.command('token').description('API tokens for programs, in the database itself')
  token
    .command('create')
    .description('make a token; it alone is printed to standard output, and only now')
    .argument('<username>', 'whose it is')
    .requiredOption('--name <name>', 'what it is for')
    .requiredOption('--scopes <list>', 'what it allows, of read,write,admin')
    .option('--expires-in-days <days>', 'when it ends (default: never)')
    .addHelpText(
      'after',
      '\nExample:\n  $ export TASKWIRE_TOKEN=$(taskwire token create anna --name backup --scopes read)',
    )
    .action((username: string, options: CreateOptions) => create(username, options, context))
  token
    .command('list')
    .description('list the tokens of a user')
    .argument('<username>')
    .action((username: string) => list(username, context))
  token
    .command('delete')
    .description('delete a token; servers stop taking it within 2 s')
    .argument('<username>')
    .argument('<id>', 'as list shows it')
    .action((username: string, id: string) => remove(username, id, context))
}

async function create(username: string, options: CreateOptions, context: ProgramContext): Promise<void> {
  const name = options.name.trim()
  if (name === '' || Array.from(name).length > MAX_NAME) {
    throw new StartupError(`--name must have 1 to ${MAX_NAME} characters`)
  }
  const scopes = parseScopes(options.scopes)
  const expiresInDays =
    options.expiresInDays === undefined
      ? null
      : parseInteger('--expires-in-days', options.expiresInDays, MAX_DAYS)
  await using accounts = await openAccounts(context)
  const user = await accounts.user(username)
  if (user.disabled) throw new StartupError(`"${user.username}" is disabled`)
  if (allowedScopes(user.role, scopes).length < scopes.length) {
    throw new StartupError(`The scope admin is for admins only, and "${user.username}" is not an admin`)
  }
  const made = await issueApiToken(accounts.db, user.id, { name, scopes, expiresInDays })
  const end = made.expires_at === null ? 'it does not expire' : `it expires at ${made.expires_at}`
  context.console.err(`Token ${made.id} of "${user.username}" for ${scopes.join(', ')}; ${end}`)
  context.console.out(made.token)
}

async function list(username: string, context: ProgramContext): Promise<void> {
  await using accounts = await openAccounts(context)
  const { id } = await accounts.user(username)
  const tokens = await listApiTokens(accounts.db, id)
  const rows = tokens.map((token) => [
    String(token.id),
    token.name,
    token.scopes.join(','),
    token.created_at,
    token.last_used_at ?? 'never',
    token.expires_at ?? 'never',
  ])
  const head = ['ID', 'NAME', 'SCOPES', 'CREATED', 'LAST USED', 'EXPIRES']
  for (const line of table([head, ...rows])) context.console.out(line)
}

async function remove(username: string, given: string, context: ProgramContext): Promise<void> {
  const id = parseInteger('The id', given, 2_147_483_647)
  await using accounts = await openAccounts(context)
  const user = await accounts.user(username)
  if (!(await deleteApiToken(accounts.db, user.id, id))) {
    throw new StartupError(`"${user.username}" has no token ${id}`)
  }
  context.console.out(`Token ${id} of "${user.username}" is deleted`)
}

function parseScopes(text: string): Scope[] {
  const given = [...new Set(text.split(',').map((item) => item.trim()))]
  const unknown = given.find((item) => !SCOPES.includes(item))
  if (unknown !== undefined)
    throw new StartupError(`--scopes must list some of ${SCOPES.join(',')}, got "${text}"`)
  return given as Scope[]
}

function parseInteger(what: string, text: string, max: number): number {
  const value = /^[1-9]\d{0,9}$/.test(text) ? Number(text) : Number.NaN
  if (!(value <= max))
    throw new StartupError(`${what} must be a whole number from 1 to ${max}, got "${text}"`)
  return value
}
