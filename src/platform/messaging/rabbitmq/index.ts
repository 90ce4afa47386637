export { probeRabbitMq } from './probe.ts'
export { type RabbitMqIntake, startRabbitMqIntake } from './rabbitmq-intake.ts'
