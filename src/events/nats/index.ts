export { installationId } from '../../platform/database/installation-id.ts'
export { probeNats } from '../../platform/messaging/nats/probe.ts'
export { type Bus, openBus } from './bus.ts'
export { registerBusMetrics } from './bus-metrics.ts'
