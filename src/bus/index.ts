export { type Bus, openBus } from './bus.ts'
export { registerBusMetrics } from './bus-metrics.ts'
export { installationId } from './installation.ts'
export { probeNats } from './probe.ts'
