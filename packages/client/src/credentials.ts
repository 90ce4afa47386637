import { TaskwireError } from './error.ts'

/** A session, as login, registration and refresh answer it. */
export interface Tokens {
  access_token: string
  /** Can be used once, for the next pair. */
  refresh_token: string
}

/** A store for the tokens of a session. Several clients may share one, such as the tabs of a browser. */
export interface TokenStore {
  load(): Tokens | undefined | Promise<Tokens | undefined>
  /** undefined: the session has ended. */
  save(tokens: Tokens | undefined): void | Promise<void>
}

/** Asked for each request. */
export type TokenSource = () => string | undefined | Promise<string | undefined>

/** Gives tokens to requests, and other ones in place of those that the server did not take. */
export interface Credentials {
  token(): Promise<string | undefined>
  /** undefined: there is no other. */
  renew(rejected: string | undefined): Promise<string | undefined>
}

export function fromToken(token: string | TokenSource): Credentials {
  if (typeof token === 'string') return { token: async () => token, renew: async () => undefined }
  return {
    token: async () => token(),
    async renew(rejected) {
      const other = await token()
      return other === rejected ? undefined : other
    },
  }
}

/** Refreshes once for all requests that find their token rejected at the same time. */
export function fromStore(
  store: TokenStore,
  refresh: (refreshToken: string) => Promise<Tokens>,
): Credentials {
  let renewing: Promise<string | undefined> | undefined

  async function next(rejected: string | undefined): Promise<string | undefined> {
    const tokens = await store.load()
    // A request that left earlier, or another tab, has found out before.
    if (!tokens || tokens.access_token !== rejected) return tokens?.access_token
    try {
      const renewed = await refresh(tokens.refresh_token)
      await store.save(renewed)
      return renewed.access_token
    } catch (error) {
      if (!(error instanceof TaskwireError && error.status === 401)) throw error
      const now = await store.load()
      if (now && now.refresh_token !== tokens.refresh_token) return now.access_token
      await store.save(undefined)
      return undefined
    }
  }

  return {
    token: async () => (await store.load())?.access_token,
    renew(rejected) {
      renewing ??= next(rejected).finally(() => {
        renewing = undefined
      })
      return renewing
    },
  }
}
