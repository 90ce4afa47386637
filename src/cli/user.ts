import type { Command } from 'commander'
import type { Role } from '../core/actor.ts'
import { DomainError, errorText, StartupError } from '../core/errors.ts'
import { createPasswords, createUser, setPassword } from '../features/auth/index.ts'
import { changeUser, isUsername, listUsers, type User } from '../features/users/index.ts'
import { openAccounts } from './accounts.ts'
import type { ProgramContext } from './context.ts'
import { readNewPassword } from './password.ts'
import { table } from './table.ts'

const PAGE = 1000

interface PasswordOptions {
  passwordStdin: boolean
}

/** `taskwire user …`: the users of the configured database. A running server notices every change by itself. */
export function addUserCommands(program: Command, context: ProgramContext): void {
  const user = program.command('user').description('users, in the database itself: no server needs to run')
  user
    .command('create')
    .description('make a user, or an admin; the password is asked for')
    .argument('<username>')
    .option('--admin', 'make an admin', false)
    .option('--password-stdin', 'read the password from standard input', false)
    .addHelpText('after', '\nExample:\n  $ taskwire user create anna --admin')
    .action((username: string, options: PasswordOptions & { admin: boolean }) =>
      create(username, options, context),
    )
  user
    .command('list')
    .description('list all users')
    .option('--json', 'print each user as one line of JSON', false)
    .action((options: { json: boolean }) => list(options, context))
  user
    .command('set-role')
    .description('make somebody an admin, or an admin a user')
    .argument('<username>')
    .argument('<role>', 'user or admin')
    .action((username: string, role: string) => setRole(username, role, context))
  user
    .command('disable')
    .description('end all sessions of a user and refuse their tokens until they are enabled again')
    .argument('<username>')
    .action((username: string) => disable(username, context))
  user
    .command('enable')
    .description('undo disable; the user logs in again, and API tokens that were not deleted work again')
    .argument('<username>')
    .action((username: string) => enable(username, context))
  user
    .command('reset-password')
    .description('set another password and end all sessions; it is asked for')
    .argument('<username>')
    .option('--password-stdin', 'read the password from standard input', false)
    .action((username: string, options: PasswordOptions) => resetPassword(username, options, context))
}

async function create(
  username: string,
  { admin, passwordStdin }: PasswordOptions & { admin: boolean },
  context: ProgramContext,
): Promise<void> {
  if (!isUsername(username)) {
    throw new StartupError('A user name must be 3 to 64 letters, digits, dots, hyphens and underscores')
  }
  // Before the database is opened: the embedded one would be held while somebody types.
  const password = await readNewPassword(username, passwordStdin, context)
  await using accounts = await openAccounts(context)
  const role = admin ? 'admin' : 'user'
  const made = await createUser(accounts.db, createPasswords(), { username, password }, role)
  context.console.out(`Made the ${role} "${made.username}"`)
}

async function list({ json }: { json: boolean }, context: ProgramContext): Promise<void> {
  await using accounts = await openAccounts(context)
  const users: User[] = []
  for (;;) {
    const page = await listUsers(accounts.db, { skip: users.length, limit: PAGE })
    users.push(...page.users)
    if (page.users.length < PAGE) break
  }
  const rows = users.map(({ id, username, role, disabled, created_at }) => [
    String(id),
    username,
    disabled ? `${role}, disabled` : role,
    created_at,
  ])
  const lines = json
    ? users.map((user) => JSON.stringify(user))
    : table([['ID', 'NAME', 'ROLE', 'SINCE'], ...rows])
  for (const line of lines) context.console.out(line)
}

async function setRole(username: string, role: string, context: ProgramContext): Promise<void> {
  if (!isRole(role)) throw new StartupError(`The role must be user or admin, not "${role}"`)
  await using accounts = await openAccounts(context)
  const { id } = await accounts.user(username)
  const { user, changed } = await changeUser(accounts.db, id, { role })
  const article = role === 'admin' ? 'an' : 'a'
  context.console.out(`"${user.username}" is ${article} ${role} ${changed ? 'now' : 'already'}`)
}

async function disable(username: string, context: ProgramContext): Promise<void> {
  await using accounts = await openAccounts(context, { sessions: true })
  const { id } = await accounts.user(username)
  // First, and whatever becomes of the sessions: those of a disabled user cannot be refreshed.
  const { user, changed } = await changeUser(accounts.db, id, { disabled: true })
  const ended = await accounts.sessions.endAll(id).catch((error) => {
    throw new StartupError(
      `"${user.username}" is disabled, but their sessions are still there; run this again before enabling them: ${errorText(error)}`,
    )
  })
  context.console.out(
    `"${user.username}" is disabled ${changed ? 'now' : 'already'}; sessions ended: ${ended}`,
  )
}

async function enable(username: string, context: ProgramContext): Promise<void> {
  await using accounts = await openAccounts(context)
  const { id } = await accounts.user(username)
  const { user, changed } = await changeUser(accounts.db, id, { disabled: false })
  context.console.out(`"${user.username}" is enabled ${changed ? 'now' : 'already'}`)
}

async function resetPassword(
  username: string,
  { passwordStdin }: PasswordOptions,
  context: ProgramContext,
): Promise<void> {
  const password = await readNewPassword(username, passwordStdin, context)
  await using accounts = await openAccounts(context, { sessions: true })
  const { db, sessions } = accounts
  const user = await accounts.user(username)
  // Servers look for revocations by themselves.
  const revocations = { check: async () => {} }
  try {
    await setPassword({ db, sessions, revocations, passwords: createPasswords() }, user, password, 'password')
  } catch (error) {
    if (!(error instanceof DomainError && error.code === 'unavailable')) throw error
    throw new StartupError(`The password of "${user.username}" was not changed: ${errorText(error)}`)
  }
  context.console.out(`The password of "${user.username}" is changed, and their sessions have ended`)
}

function isRole(text: string): text is Role {
  return text === 'user' || text === 'admin'
}
