import { createTokenSigner } from './access-token.ts'

/** The content of the token in the setup link. */
export interface SetupTokens {
  issue(): Promise<string>
  verify(token: string): Promise<boolean>
}

const LIFETIME_SECONDS = 30 * 60

/**
 * Creates tokens that prove that their bearer reads the output of the server. A token works until it expires, so
 * code that accepts one must check that no admin exists.
 */
export function createSetupTokens({ keys }: { keys: readonly string[] }): SetupTokens {
  const signer = createTokenSigner({
    keys,
    purpose: 'setup token',
    typ: 'setup+jwt',
    lifetimeSeconds: LIFETIME_SECONDS,
  })
  return {
    issue: () => signer.sign({}),
    verify: async (token) => (await signer.verify(token)) !== undefined,
  }
}
