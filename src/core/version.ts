import manifest from '../../package.json' with { type: 'json' }

/** The version of Taskwire. */
export const { version } = manifest
